"""`check`, `diff`, `mapping` and `migrate`: from one contract to the next."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from app.bootstrap import mappings_of, open_contracts
from app.commands.contract_description import describe
from app.commands.errors import plain_errors
from app.commands.output import json_option, write_json, write_result
from app.commands.settings_option import read_settings
from app.contract import Contract, read_document
from app.contract.document.load import Json
from app.contract.evolution import diff_report
from app.contract.evolution.diff import differences
from app.contract.evolution.mapping_draft import mapping_draft
from app.maintenance import (
    Finding,
    Findings,
    Migration,
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
@json_option()
def check(
    paths: tuple[Path, ...],
    profile: str | None,
    store: str | None,
    names: tuple[str, ...],
    strict: bool,
    rules: bool,
    as_json: bool,
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
        described = [describe(each, settings, rules=rules) for each in contracts]
        if not as_json:
            texts = ("\n".join(each.lines(rules=rules)) for each in described)
            click.echo("\n\n".join(texts))
        found, others = ([], ()) if store is None else _checked(contracts, settings, names)
    if as_json:
        content: dict[str, object] = {"contracts": [each.json(rules=rules) for each in described]}
        write_json(content if store is None else content | {"stored": found})
    elif store is not None:
        _show_checked(found, others)
    fits = all(each.passed == each.documents for each in found)
    warned = strict and any(each.warnings for each in described)
    sys.exit(0 if fits and not warned else 1)


def _checked(
    contracts: Sequence[Contract], settings: Settings, names: Sequence[str]
) -> tuple[list[Findings], Sequence[str]]:
    """Return what was found in the contracts' collections, and the resources that are stored."""
    with _opened(settings) as store, _bar(contracts, store, "checking", names) as bar:
        found = [
            findings
            for contract in contracts
            for findings in check_documents(
                contract, store, lambda: bar.update(1), other_names=names
            )
        ]
        return found, stored_resources(store)


def _show_checked(found: list[Findings], others: Sequence[str]) -> None:
    for each in found:
        click.echo(
            f"{each.collection}: {each.passed} of {each.documents} documents fit,"
            f" {each.translated} of them read through a mapping"
        )
        _list("breaks", each.broken)
        _list("kept aside", each.aside)
    if not found:
        click.echo(_nothing_found(others))


@click.command()
@click.argument("old", type=Path)
@click.argument("new", type=Path)
@json_option()
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
@click.option("--dry-run", is_flag=True, help="Report what would happen, and change nothing.")
@click.option("--commit", is_flag=True, help="Remove the copies that an earlier migration kept.")
@json_option()
def migrate_command(
    spec: Path,
    store: str | None,
    names: tuple[str, ...],
    dry_run: bool,
    commit: bool,
    as_json: bool,
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
                write_result(
                    as_json, {"removed": removed}, f"{removed} documents of before removed"
                )
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
    if as_json:
        write_json(found)
    else:
        _show_migrated(found, others, "would be " if dry_run else "")
    sys.exit(1 if any(each.rejected for each in found) else 0)


def _show_migrated(found: list[Migration], others: Sequence[str], would: str) -> None:
    for each in found:
        click.echo(
            f"{each.collection}: {each.migrated} documents {would}migrated,"
            f" {each.already} are in this form already"
        )
        _list("left as it is", each.rejected)
        _list("kept aside", each.aside)
    if not found:
        click.echo(_nothing_found(others))


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
