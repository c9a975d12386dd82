"""Start check of a database that the last process did not close.

The last one to close it removes the write-ahead log. One that is left tells of a process that was
killed, of a machine that lost power, or of a server that is running.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from storage.errors import StoreError
from storage.sqlite.file_identity import check_identity

_SECONDS = 20.0
"""How long the check may take; a database that is too large for it is not checked to its end."""
_INSTRUCTIONS_BETWEEN_LOOKS = 100_000


def check_after_unclean_end(file: Path) -> None:
    """Check a database whose write-ahead log was left.

    Raises:
        StoreError: it is corrupt, or the log is another file's; the message says what to do.
    """
    try:
        if not file.with_name(f"{file.name}-wal").stat().st_size:
            return
    except OSError:
        return
    check_identity(file)  # before SQLite applies the log to it
    deadline = time.monotonic() + _SECONDS
    try:
        # To read alone: closing it leaves the log, so that the next start checks again.
        address = f"file:{quote(str(file.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5.0)) as connection:
            connection.set_progress_handler(
                lambda: time.monotonic() > deadline, _INSTRUCTIONS_BETWEEN_LOOKS
            )
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        return  # it took too long, or opening the store says what is wrong
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise StoreError(
            f"store {file} is corrupt ({' '.join(str(found).split())}), and was not closed by the"
            " last process: move it and its -wal and -shm files away, and put a backup in its"
            " place, or start with a new file and `tmf683 import` an archive"
        )
