"""`python -m tests.reference.documents`: try TM Forum's documents, and write what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.bootstrap import open_contracts
from app.conformance import run_derived
from app.contract import Contract, Kind
from app.contract.document.load import load
from app.settings import Settings
from tests.conftest import official_specs
from tests.reference.pages import ROOT, page, table
from tests.server import running_server

FILE = ROOT / "docs" / "reference" / "documents.md"
_HEAD = ("document", "dialect", "version", "resources", "operations served", "run derived from it")

_IN_TITLES = re.compile(r"\bAPI\b")
"""What titles have beside the name."""


def documents_page(files: Sequence[Path]) -> str:
    """Serve the documents at once, try every operation of each, and return the page."""
    env = {"TMF_VALIDATE_RESPONSES": "true", "TMF_DURABILITY": "normal"}
    with running_server(*files, env=env) as server:
        rows = [*_rows(files, server.base_urls)]
    return page(
        "TM Forum's documents",
        "TM Forum's own documents, unmodified, each served by this release, all at once from one"
        " SQLite store. The run that is derived from a document tries its operations with bodies"
        " made of its schemas: how many requests were sent, how many assertions they were held"
        " against, and how many of these failed."
        " [Try your own](../how-to/conformance.md).",
        table(_HEAD, rows),
        "Other documents of TM Forum follow the same guidelines. `tmf683 check FILE` says what"
        " would be served of one, and why something would not.",
        by="python -m tests.reference.documents",
    )


def described(files: Sequence[Path]) -> Iterator[tuple[Contract, list[str]]]:
    """Yield each contract with what the page says of it before the run."""
    for file in files:
        (contract,) = open_contracts(Settings(spec=(file,), store="memory:"))
        document = load(file)
        dialect = "Swagger 2.0" if "swagger" in document else f"OpenAPI {document['openapi'][:3]}"
        served = sum(each.unserved is None for each in contract.bindings)
        resources = sum(each.kind is Kind.LIST for each in contract.bindings)
        title = " ".join(_IN_TITLES.sub("", contract.title).split())
        name = f"{file.name[:6]} {title}"
        counted = f"{served} of {len(contract.bindings)}"
        yield contract, [name, dialect, contract.version, str(resources), counted]


def _rows(files: Sequence[Path], urls: Sequence[str]) -> Iterator[list[str]]:
    for (contract, cells), url in zip(described(files), urls, strict=True):
        outcome = run_derived(contract, url)
        yield [
            *cells,
            f"{len(outcome.exchanges)} requests, {outcome.assertions} assertions,"
            f" {outcome.failed} failed, {len(outcome.not_tried)} operations not tried",
        ]


def main() -> None:
    FILE.write_text(documents_page(sorted(official_specs().glob("TMF*"))))
    print(FILE.relative_to(ROOT))


if __name__ == "__main__":
    main()
