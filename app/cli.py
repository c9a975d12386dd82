"""The command line."""

from __future__ import annotations

import click

from app.commands.help_texts import complete_help
from app.commands.lazy_group import LaterGroup

PLACES = {
    "serve": "app.commands.serve:serve",
    "deliver": "app.commands.deliver:deliver",
    "events": "app.commands.events:events",
    "sources": "app.commands.sources:sources",
    "key": "app.commands.keys:key",
    "config": "app.commands.config:config",
    "indexes": "app.commands.indexes:indexes",
    "doctor": "app.commands.doctor:doctor",
    "demo": "app.commands.demo:demo",
    "seed": "app.commands.seed:seed_command",
    "export": "app.commands.archives:export_command",
    "import": "app.commands.archives:import_command",
    "put": "app.commands.archives:put_command",
    "check": "app.commands.contracts:check",
    "diff": "app.commands.contracts:diff",
    "mapping": "app.commands.contracts:mapping",
    "migrate": "app.commands.contracts:migrate_command",
    "conformance": "app.commands.conformance:conformance",
}
"""Where each command is found."""

_EPILOG = """\b
Begin with:
  tmf683 demo      a server with a year of invented history
  tmf683 serve     an empty one of your own
Completion of commands and options, for bash (or zsh_source, fish_source):
  eval "$(_TMF683_COMPLETE=bash_source tmf683)"
"""


@click.group(
    cls=LaterGroup,
    places=PLACES,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(package_name="tmf683")
def main() -> None:
    """Serve TM Forum Open APIs from their contracts."""


complete_help(main)


if __name__ == "__main__":
    main()
