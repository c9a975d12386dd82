"""`check`, `diff`, `mapping` and `migrate`: from one contract to the next."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from app.bootstrap import mappings_of, open_contracts
from app.commands.contract_rules import rule_lines, rules_without_effect
from app.commands.errors import plain_errors
from app.commands.settings_option import read_settings
from app.contract import Contract, read_document
from app.contract.binding.resource_definitions import resource_name
from app.contract.document.load import Json
from app.contract.evolution import diff_report
from app.contract.evolution.diff import differences
from app.contract.evolution.mapping_draft import mapping_draft
from app.contract.patch_examples import patch_examples
from app.contract.warnings import request_contradictions, warnings_of
from app.maintenance import (
    Finding,
    check_documents,
    commit_migration,
    migrate,
    sources_of,
    stored_resources,
)
from app.settings import Settings
from storage import Store, open_store

_FROM_HELP = "Another name that the API had when documents were stored; repeatable."
_STORE_HELP = "sqlite:///file.db or mongodb://…"


@click.command()
@click.argument("paths", metavar="PATH...", type=Path, nargs=-1, required=True)
@click.option("--profile", help="conformance or strict.")
@click.option("--store", help=f"Check the documents stored here too: {_STORE_HELP}")
@click.option("--from", "names", multiple=True, metavar="API", help=_FROM_HELP)
@click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings.")
@click.option("--rules", is_flag=True, help="List each rule of the overlays and mappings.")
def check(
    paths: tuple[Path, ...],
    profile: str | None,
    store: str | None,
    names: tuple[str, ...],
    strict: bool,
    rules: bool,
) -> None:
    """Validate the contract at PATH and list what would be served.

    Several contracts are checked as one server would serve them: of two with the same base path,
    the later one moves, which is a warning.

    Lines that begin with "contradicts" say what the document allows in a request and excludes from
    the answer; such requests are accepted. "no effect" is an example of a patch that fits none of
    the document's examples of the resource. Overlays, mappings and sources are listed with their
    files. Operations that are not served, listeners that stand for no change of a resource and
    rules of TMF_OVERLAYS that meet nothing are warnings. With --store, hold every stored document
    against the contract as well; nothing is changed, and the exit code is 1 when one does not fit.
    """
    with plain_errors():
        settings = read_settings(spec=paths, profile=profile, store=store)
        contracts = open_contracts(settings)
        described = []
        for number, contract in enumerate(contracts):
            if number:
                click.echo()
            described.append(_describe(contract, settings, rules=rules))
        warned = strict and any(described)
        if store is None:
            sys.exit(1 if warned else 0)
        with _opened(settings) as opened, _bar(contracts, opened, "checking", names) as bar:
            found = [
                findings
                for contract in contracts
                for findings in check_documents(
                    contract, opened, lambda: bar.update(1), other_names=names
                )
            ]
            others = stored_resources(opened)
    fitting = True
    for each in found:
        fitting = fitting and each.passed == each.documents
        click.echo(
            f"{each.collection}: {each.passed} of {each.documents} documents fit,"
            f" {each.translated} of them read through a mapping"
        )
        _list("breaks", each.broken)
        _list("kept aside", each.aside)
    if not found:
        click.echo(_nothing_found(others))
    sys.exit(0 if fitting and not warned else 1)


@click.command()
@click.argument("old", type=Path)
@click.argument("new", type=Path)
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
@click.option("--markdown", type=click.File("w", "utf-8", lazy=False), help="Page to write.")
def diff(old: Path, new: Path, as_json: bool, markdown: IO[str] | None) -> None:
    """Compare two contracts: what changes, what breaks clients, what becomes of stored data.

    The exit code is 1 when something breaks clients.
    """
    with plain_errors():
        (before, _), (after, _) = read_document(old), read_document(new)
        changes = differences(before, after, mappings_of(read_settings()))
    title = f"{_named(before)} to {_named(after)}"
    if markdown:
        markdown.write(diff_report.markdown(title, changes))
    click.echo(diff_report.json(title, changes) if as_json else diff_report.text(title, changes))
    sys.exit(1 if any(each.breaking for each in changes) else 0)


@click.command()
@click.argument("old", type=Path)
@click.argument("new", type=Path)
def mapping(old: Path, new: Path) -> None:
    """Draft the mapping between two versions of a contract.

    Renames, nested objects and classes are written as far as the documents tell; lines that begin
    with "# Open" say what is to be decided. A mapping among TMF_MAPPINGS lets both versions share
    their documents.
    """
    with plain_errors():
        click.echo(mapping_draft(*(read_document(each)[0] for each in (old, new))), nl=False)


@click.command(name="migrate")
@click.option("--to", "spec", type=Path, required=True, help="The contract to migrate to.")
@click.option("--store", help=_STORE_HELP)
@click.option("--from", "names", multiple=True, metavar="API", help=_FROM_HELP)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option("--commit", is_flag=True, help="Remove what an earlier migration left of before.")
def migrate_command(
    spec: Path, store: str | None, names: tuple[str, ...], dry_run: bool, commit: bool
) -> None:
    """Bring stored documents into the form of a contract.

    Killed, it goes on where it stopped when it is started again. What the documents were stays
    beside them until --commit.
    """
    if dry_run and commit:
        raise click.UsageError("--dry-run and --commit exclude each other")
    with plain_errors():
        settings = read_settings(spec=(spec,), store=store)
        (contract,) = open_contracts(settings)
        with _opened(settings) as opened:
            if commit:
                removed = commit_migration(contract, opened, other_names=names)
                click.echo(f"{removed} documents of before removed")
                return
            with _bar([contract], opened, "migrating", names) as bar:
                found = migrate(
                    contract,
                    opened,
                    dry_run=dry_run,
                    progress=lambda: bar.update(1),
                    other_names=names,
                )
            others = stored_resources(opened)
    rejected = False
    for each in found:
        would = "would be " if dry_run else ""
        click.echo(
            f"{each.collection}: {each.migrated} documents {would}migrated,"
            f" {each.already} are in this form already"
        )
        _list("left as it is", each.rejected)
        _list("kept aside", each.aside)
        rejected = rejected or bool(each.rejected)
    if not found:
        click.echo(_nothing_found(others))
    sys.exit(1 if rejected else 0)


def _describe(contract: Contract, settings: Settings, *, rules: bool) -> bool:
    """Print what a contract serves; return whether there are warnings."""
    click.echo(f"{contract.title} {contract.version}, valid")
    click.echo(f"base path  {contract.base_path}")
    for slip in contract.repaired:
        click.echo(f"repaired   {slip}")
    for line in rule_lines(contract, settings, in_full=rules):
        click.echo(line)
    for problem in contract.contradictions:
        click.echo(f"left out   example {problem}")
    rows = [
        (each.method.upper(), each.path, each.operation_id, _handler(each.unserved, each.kind))
        for each in contract.bindings
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        padded = (text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True))
        click.echo("  ".join(padded))
    served = sum(each.unserved is None for each in contract.bindings)
    for each in contract.announced:
        name = resource_name(each.definition.path).rpartition("/")[2]
        events = ", ".join(f"{change} {event.type}" for change, event in each.events.items())
        click.echo(f"events     {name}: {events}")
    for example in patch_examples(contract):
        if example.resource is None:
            click.echo(f"no effect  example PATCH {example.binding.path} {example}")
    for path, array in sorted(
        {
            (resource_name(each.path), each.definition.array)
            for each in contract.bindings
            if each.definition is not None and each.definition.embedded_in is not None
        }
    ):
        click.echo(f"embedded   {path}: elements of {array} of {path.rpartition('/')[0]}")
    for sentence in request_contradictions(contract):
        click.echo(f"contradicts  {sentence}")
    warnings = [*warnings_of(contract), *rules_without_effect(contract, settings)]
    for warning in warnings:
        click.echo(f"warning    {warning}")
    click.echo(f"{served} of {len(rows)} operations served")
    return bool(warnings)


def _handler(unserved: str | None, kind: str) -> str:
    return f"501: {unserved}" if unserved else kind


def _named(document: Json) -> str:
    return f"{document['info']['title']} {document['info']['version']}"


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.store, busy_seconds=settings.busy_seconds, make=False)
    try:
        yield store
    finally:
        store.close()


def _nothing_found(others: Sequence[str]) -> str:
    """Say that no document was found; `others` are the collections that hold some."""
    if not others:
        return "no documents are stored"
    return (
        "no documents of this API are stored under its names; the store has"
        f" {', '.join(others)}. Name their API with --from if it is the same"
    )


def _bar(contracts: Sequence[Contract], store: Store, label: str, names: Sequence[str]) -> Any:
    total = sum(source.count(store) for each in contracts for source in sources_of(each, names))
    return click.progressbar(length=total, label=label, file=sys.stderr)


def _list(word: str, findings: dict[str, Finding]) -> None:
    for text, finding in sorted(findings.items(), key=lambda each: -each[1].count):
        examples = ", ".join(finding.examples)
        click.echo(f"  {word}: {text} ({finding.count}, such as {examples})")
