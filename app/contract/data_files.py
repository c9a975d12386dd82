"""Files with data about contracts, named or in folders: overlays, mappings, sources."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.contract.errors import ContractError, Problem

_ENDINGS = ("yaml", "yml", "json")


def data_files(places: Iterable[Path], *kinds: str, other_names: bool = False) -> list[Path]:
    """Return the files at some places: a file itself, those of a kind in a folder by their names.

    A file of the kind `overlay` is called `*.overlay.yaml`, `.yml` or `.json`. With `other_names` a
    file that is named may be called otherwise.

    Raises:
        ContractError: a place is not there, has no such file, or a file is called otherwise.
    """
    wanted = " or ".join(f"*.{kind}.yaml" for kind in kinds)
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            inside = sorted(each for each in place.iterdir() if _is_of(each, kinds))
            if not inside:
                raise ContractError(str(place), [Problem("", f"is a folder without {wanted}")])
            found += inside
        elif place.exists() and not other_names and not _is_of(place, kinds):
            raise ContractError(str(place), [Problem("", f"must be called {wanted}")])
        else:
            found.append(place)
    return found


def of_kind(files: Iterable[Path], kind: str) -> list[Path]:
    """Return the files of one kind."""
    return [file for file in files if _is_of(file, (kind,))]


def _is_of(file: Path, kinds: Iterable[str]) -> bool:
    return any(file.name.endswith(f".{kind}.{end}") for kind in kinds for end in _ENDINGS)
