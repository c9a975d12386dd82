"""The command line."""

from __future__ import annotations

import click

from app.commands.archives import export_command, import_command
from app.commands.conformance import conformance
from app.commands.contracts import check, diff, migrate_command
from app.commands.events import deliver, events
from app.commands.keys import key
from app.commands.serving import config, indexes, serve
from app.commands.sources import sources


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tmf683")
def main() -> None:
    """Serve TM Forum Open APIs from their contracts."""


for command in (serve, deliver, events, sources, key, config, indexes):
    main.add_command(command)
for command in (export_command, import_command):
    main.add_command(command)
for command in (check, diff, migrate_command, conformance):
    main.add_command(command)


if __name__ == "__main__":
    main()
