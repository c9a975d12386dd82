"""How the help of a command looks: examples, first sentences that are not cut, colours.

Colours are for terminals; `NO_COLOR` switches them off.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence

import click

EXAMPLES: Mapping[str, Sequence[str]] = {
    "serve": (
        "tmf683 serve",
        "tmf683 serve --spec TMF621.json --store mongodb://localhost/tickets --port 8081",
        "TMF_MAPPINGS=tmf629-v4-v5.mapping.yaml tmf683 serve --spec TMF629-v4.json"
        " --spec TMF629-v5.yaml",
    ),
    "deliver": ("TMF_DELIVERY=off tmf683 serve & tmf683 deliver",),
    "events list": (
        "tmf683 events list --store sqlite:///data/tmf683.db",
        "tmf683 events list --url http://127.0.0.1:8080 --json",
    ),
    "events show": ("tmf683 events show DELIVERY",),
    "events retry": ("tmf683 events retry DELIVERY", "tmf683 events retry --subscription ID"),
    "events purge": ("tmf683 events purge --parked --subscription ID",),
    "events pause": ("tmf683 events pause SUBSCRIPTION",),
    "events resume": ("tmf683 events resume SUBSCRIPTION",),
    "events test": ("tmf683 events test SUBSCRIPTION --url http://127.0.0.1:8080",),
    "events remove": ("tmf683 events remove SUBSCRIPTION",),
    "events received": ("tmf683 events received --failed --limit 50",),
    "events apply": ("tmf683 events apply EVENT",),
    "sources subscribe": (
        "tmf683 sources subscribe TMF621.json --hub https://tickets.example/tmf-api/troubleTicket/v5"
        " --listener https://interactions.example",
    ),
    "key": (
        "tmf683 key crm --access read --access write",
        "tmf683 key ana --access read --party 42",
    ),
    "config": ("tmf683 config --explain",),
    "doctor": ("tmf683 doctor --store sqlite:///data/tmf683.db",),
    "indexes": ("tmf683 indexes --store mongodb://localhost/tmf683",),
    "demo": ("tmf683 demo --port 8090",),
    "seed": (
        "tmf683 seed",
        "tmf683 seed --customers 2000 --months 36 --store mongodb://localhost/tmf683",
        "tmf683 seed --spec TMF621.json --resource troubleTicket --count 500",
    ),
    "put": ("tmf683 put customerBill bill.json --spec TMF678.json",),
    "export": ("tmf683 export --out backup.ndjson.zst",),
    "import": ("tmf683 import backup.ndjson.zst --on-conflict skip",),
    "check": (
        "tmf683 check TMF621.json",
        "tmf683 check TMF621.json --store sqlite:///data/tmf683.db",
    ),
    "diff": ("tmf683 diff openapi/tmf683-v4.0.0.yaml openapi/tmf683-v5.0.0.yaml --json",),
    "mapping": ("tmf683 mapping TMF629-v4.json TMF629-v5.yaml > tmf629-v4-v5.mapping.yaml",),
    "migrate": ("tmf683 migrate --to openapi/tmf683-v5.0.0.yaml --dry-run",),
    "conformance": (
        "tmf683 conformance --url http://127.0.0.1:8080/tmf-api/partyInteraction/v4",
        "tmf683 conformance --url URL --spec TMF621.json --html report.html",
    ),
}
"""Examples of each command, by its name behind `tmf683`."""

_SENTENCE = re.compile(r"(.*?[.;])(?:\s|$)", re.DOTALL)


class _Formatter(click.HelpFormatter):
    """Headings and names in colours."""

    def write_heading(self, heading: str) -> None:
        """Write the heading of a list."""
        self.write(f"{'':>{self.current_indent}}{_styled(heading + ':', bold=True)}\n")

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names and what they mean."""
        super().write_dl([(_styled(name, fg="cyan"), text) for name, text in rows], col_max)


class _Context(click.Context):
    formatter_class = _Formatter


def complete_help(command: click.Command, path: str = "") -> None:
    """Give a command, and those within it, their examples, whole first sentences and colours."""
    command.context_class = _Context
    command.context_settings = {"show_default": True, **command.context_settings}
    found = _SENTENCE.match(inspect.cleandoc(command.help or ""))
    if found and command.short_help is None:
        command.short_help = " ".join(found[1].split()).rstrip(".;")
    if path in EXAMPLES and command.epilog is None:
        lines = "\n".join(f"  {each}" for each in EXAMPLES[path])
        command.epilog = f"\b\nExamples:\n{lines}"
    if isinstance(command, click.Group) and path:
        for name, inner in command.commands.items():
            complete_help(inner, f"{path} {name}")


def _styled(text: str, *, bold: bool = False, fg: str | None = None) -> str:
    return text if os.environ.get("NO_COLOR") else click.style(text, bold=bold or None, fg=fg)
