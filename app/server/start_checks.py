"""Start checks: what would stop `serve` from starting, found without starting or changing it."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from app.bootstrap import (
    event_sources_of,
    mappings_of,
    open_contracts,
    open_sources,
    overlays_of,
)
from app.contract import ContractError
from app.observability.traces import check_tracing
from app.server.listen_address import bindable, check_exposure
from app.settings import SettingProblem, Settings, SettingsError, place_of
from storage import StoreError, open_store
from storage.store_url import is_private, sqlite_file

_SQLITE_HEADER = b"SQLite format 3\0"


def start_problems(settings: Settings) -> Iterator[SettingProblem]:
    """Yield what `serve` would refuse, settings being right by themselves.

    A port that something listens on is no problem: it may be this server.
    """
    for check in (check_exposure, lambda _: check_tracing(), _check_addresses):
        try:
            check(settings)
        except SettingsError as error:
            yield SettingProblem("", str(error))
    yield from _contract_problems(settings)
    try:
        _check_store(settings)
    except (OSError, StoreError) as error:
        yield SettingProblem(place_of(settings, "store"), str(error))


def _contract_problems(settings: Settings) -> Iterator[SettingProblem]:
    additions: dict[str, Callable[[Settings], object]] = {
        "overlays": overlays_of,
        "mappings": lambda settings: (mappings_of(settings), event_sources_of(settings)),
    }
    contracts = {"spec": open_contracts, "sources": open_sources}
    for group in (additions, contracts):
        sound = True
        for name, opened in group.items():
            try:
                opened(settings)
            except ContractError as error:
                sound = False
                text = f"{error}; correct this file or name another"
                yield SettingProblem(place_of(settings, name), text)
        if not sound:
            return  # the contracts are opened with the overlays and mappings


def _check_addresses(settings: Settings) -> None:
    bindable(settings, unless=frozenset({errno.EADDRINUSE}))


def _check_store(settings: Settings) -> None:
    """Check that a store can be opened, or made.

    Raises:
        OSError: a file cannot.
        StoreError: a server cannot.
    """
    if is_private(settings.store):
        return
    file = sqlite_file(settings.store)
    if file is None:
        store = open_store(settings.store, busy_seconds=settings.busy_seconds)
        try:
            store.indexes("tmf683")
        finally:
            store.close()
    elif file.exists():
        with file.open("r+b") as opened:
            start = opened.read(len(_SQLITE_HEADER))
        if start not in (b"", _SQLITE_HEADER):
            raise StoreError(f"{file} is not a SQLite database; name another file")
    else:
        _check_folder(file.parent)


def _check_folder(folder: Path) -> None:
    """Check that files can be made in a folder, or the folder in the nearest that exists."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise StoreError(
            f"cannot write to {existing}: {error.strerror}; name a file in a writable folder"
        ) from None
