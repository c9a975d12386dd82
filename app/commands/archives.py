"""`export`, `import` and `put`: backup, restore, and resources from plain files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

import click
import orjson

from app.bootstrap import open_contracts, open_prepared_store
from app.commands.errors import plain_errors
from app.commands.output import json_option, write_json, write_result
from app.commands.progress import progress_bar
from app.commands.settings_option import read_settings
from app.events.outbound.processes import callback_policy
from app.maintenance.archive import ArchiveError, ArchiveReader, Entry, opened
from app.maintenance.export import export as write_archive
from app.maintenance.export import exported_collections
from app.maintenance.plain_files import entries_of, is_archive, targets_of
from app.maintenance.restore import OnConflict, Reject, RestoreConflict, restore
from app.settings import SettingsError
from storage import Query, Store, Window

_STORE = click.option("--store", help="sqlite:///file.db or mongodb://…")
_SPEC = click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
_MOST_SHOWN = 5


@click.command(name="export")
@click.option("--out", required=True, type=Path, help="FILE.ndjson or FILE.ndjson.zst, or -.")
@click.option("--collection", "chosen", multiple=True, help="Only this one; repeatable.")
@json_option("Write JSON instead of text; to standard error, too, with --out -.")
@_SPEC
@_STORE
def export_command(
    out: Path, chosen: tuple[str, ...], as_json: bool, spec: tuple[Path, ...], store: str | None
) -> None:
    """Write every resource and subscription into an archive, while servers run.

    An export that was killed continues where it stopped when it is started again.
    """
    with plain_errors(), _archive_errors():
        settings = read_settings(spec=spec, store=store)
        contracts = open_contracts(settings)
        known = exported_collections(contracts)
        unknown = set(chosen) - set(known)
        if unknown:
            raise SettingsError(f"--collection: {unknown.pop()} is not one of {', '.join(known)}")
        collections = [name for name in known if not chosen or name in chosen]
        opened_store = open_prepared_store(settings, contracts, make=False)
        try:
            total = sum(_count(opened_store, name) for name in collections)
            with progress_bar(total, "exporting") as step:
                done = write_archive(contracts, opened_store, _path(out), collections, step)
        finally:
            opened_store.close()
    earlier = f", {done.resumed} of them by an earlier attempt" if done.resumed else ""
    write_result(
        as_json,
        {"documents": done.documents, "resumed": done.resumed, "out": str(out)},
        f"{done.documents} documents exported to {out}{earlier}",
        err=str(out) == "-",
    )


@click.command(name="import")
@click.argument("archive", type=Path)
@click.option(
    "--on-conflict",
    type=click.Choice(["skip", "replace", "fail"]),
    default="fail",
    show_default=True,
    help="What to do when another document of the same id exists.",
)
@click.option("--dry-run", is_flag=True, help="Validate the documents, and change nothing.")
@click.option("--subscriptions", is_flag=True, help="Restore event subscriptions too, suspended.")
@click.option("--rejects", type=click.File("wb", lazy=False), help="File for rejected documents.")
@click.option(
    "--resource", help="What a plain file holds, customerBill for example; archives say it."
)
@json_option()
@_SPEC
@_STORE
def import_command(
    archive: Path,
    on_conflict: OnConflict,
    dry_run: bool,
    subscriptions: bool,
    rejects: IO[bytes] | None,
    resource: str | None,
    as_json: bool,
    spec: tuple[Path, ...],
    store: str | None,
) -> None:
    """Restore the documents of ARCHIVE (- is stdin), each validated by its contract first.

    An incomplete archive is refused before anything is changed. An import that was killed can be
    started again: documents that exist are skipped. Exit code 1: documents were rejected.

    With --resource, ARCHIVE is a JSON array of resources or a line for each (NDJSON). Their ids and
    dates are kept. It fills collections that the contract has no POST for, too; no events are sent.
    """
    with plain_errors(), _archive_errors():
        path = _path(archive)
        _check_form(path, resource)
        total = _verified(path) if path and resource is None else None
        settings = read_settings(spec=spec, store=store)
        contracts = open_contracts(settings)
        targets = None if resource is None else targets_of(contracts, resource)
        opened_store = open_prepared_store(settings, contracts)
        try:
            with opened(path, "rb") as file, progress_bar(total, "importing") as step:
                found = restore(
                    contracts,
                    opened_store,
                    entries_of(file, targets) if targets else _whole(ArchiveReader(file)),
                    on_conflict=on_conflict,
                    dry_run=dry_run,
                    subscriptions=subscriptions,
                    check_callback=callback_policy(settings).check,
                    progress=step,
                )
        finally:
            opened_store.close()
    _keep(found.rejects, rejects)
    if as_json:
        write_json(asdict(found))
        sys.exit(1 if found.rejects else 0)
    would = "would be " if dry_run else ""
    click.echo(
        f"{found.added} documents {would}added, {found.replaced} replaced, {found.skipped} skipped,"
        f" {found.already} were there already, {len(found.rejects)} rejected"
    )
    if found.subscriptions:
        click.echo(f"{found.subscriptions} subscriptions left out; --subscriptions restores them")
    elif subscriptions:
        click.echo("subscriptions are suspended until `tmf683 events retry --subscription ID`")
    _report(found.rejects)
    sys.exit(1 if found.rejects else 0)


@click.command(name="put")
@click.argument("resource")
@click.argument("file", type=Path)
@json_option()
@_SPEC
@_STORE
def put_command(
    resource: str, file: Path, as_json: bool, spec: tuple[Path, ...], store: str | None
) -> None:
    """Store the RESOURCE in FILE, a JSON object (- is stdin), in place of one with the same id.

    It is for collections that the contract has no POST for: customerBill, for example. It is
    validated by the contract first, its id and dates are kept, and no events are sent.
    """
    with plain_errors(), _archive_errors():
        settings = read_settings(spec=spec, store=store)
        contracts = open_contracts(settings)
        targets = targets_of(contracts, resource)
        with opened(_path(file), "rb") as source:
            entries = list(entries_of(source, targets))
        if len(entries) != 1:
            raise ArchiveError(f"{file} holds {len(entries)} resources, not one; use import")
        opened_store = open_prepared_store(settings, contracts)
        try:
            found = restore(contracts, opened_store, entries, on_conflict="replace")
        finally:
            opened_store.close()
    word = "added" if found.added else "replaced" if found.replaced else "there already"
    id, word = entries[0].document.id, "rejected" if found.rejects else word
    content = {"resource": resource, "id": id, "result": word, "rejects": found.rejects}
    write_result(as_json, content, f"{resource} {id} {word}")
    if not as_json:
        _report(found.rejects)
    sys.exit(1 if found.rejects else 0)


def _check_form(path: Path | None, resource: str | None) -> None:
    """Check that a file is an archive exactly where no resource is named.

    Raises:
        ArchiveError: it is not.
    """
    if path is None:
        return
    if not path.is_file():
        raise ArchiveError(f"there is no file {path}")
    with opened(path, "rb") as file:
        archive = is_archive(file.read(64))
    if archive and resource is not None:
        raise ArchiveError("--resource is for plain files: an archive says what it holds")
    if not archive and resource is None and path.suffix in (".json", ".jsonl"):
        raise ArchiveError(f"{path} is no archive: say with --resource what it holds")


def _path(path: Path) -> Path | None:
    return None if str(path) == "-" else path


def _count(store: Store, collection: str) -> int:
    return store.find(collection, Query(window=Window(0, 0))).total or 0


def _verified(path: Path) -> int:
    """Read an archive to its end, and return the number of its documents.

    Raises:
        ArchiveError: it is incomplete.
    """
    if not path.is_file():
        raise ArchiveError(f"there is no file {path}")
    with opened(path, "rb") as file:
        return sum(1 for _ in _whole(ArchiveReader(file)))


def _whole(reader: ArchiveReader) -> Iterator[Entry]:
    yield from reader.entries()
    if not reader.whole:
        raise ArchiveError("the archive is cut off: its end is missing")


@contextmanager
def _archive_errors() -> Iterator[None]:
    try:
        yield
    except (ArchiveError, RestoreConflict) as error:
        click.echo(f"tmf683: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # no folder, no room, no permission
        click.echo(f"tmf683: {error.filename or 'the archive'}: {error.strerror}", err=True)
        sys.exit(2)


def _report(found: list[Reject]) -> None:
    for reject in found[:_MOST_SHOWN]:
        click.echo(f"  line {reject.line}, {reject.id}: {'; '.join(reject.rules)}")
    if len(found) > _MOST_SHOWN:
        click.echo(f"  and {len(found) - _MOST_SHOWN} more; --rejects FILE has them all")


def _keep(found: list[Reject], file: IO[bytes] | None) -> None:
    if file:
        for reject in found:
            file.write(orjson.dumps(asdict(reject)) + b"\n")
