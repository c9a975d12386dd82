"""The identity of the database file: a file that is replaced while it is open must not be written.

SQLite goes on with the file that it opened, under whatever name or none. What is written to it then
is lost, and its log may be applied to the file that took its place and corrupt it.
"""

from __future__ import annotations

import os
from pathlib import Path

from storage.errors import StoreError


class FileReplaced(StoreError):
    """The database file is another one than at the start, or is gone."""

    state = "replaced"


class FileIdentity:
    """The device and inode of a database file when it was opened."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._opened = _identity(file)

    def check(self) -> None:
        """Compare the file with the one that was opened; a system call, no reading.

        Raises:
            FileReplaced: it is another file, or there is none.
        """
        now = _identity(self._file)
        if now != self._opened:
            what = "is gone" if now is None else "was replaced"
            raise FileReplaced(
                f"store {self._file} {what} while it was open, and nothing is written any more:"
                " stop every process that uses it, put the right file in its place, start again"
            )


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
