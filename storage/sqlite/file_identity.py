"""The identity of the database file: a file that is replaced while it is open must not be written.

SQLite goes on with the file that it opened, under whatever name or none. What is written to it then
is lost. SQLite finds the write-ahead log by name: a process that opens the file that took the place
of the first would apply the log of the first to it, which loses the log and corrupts the file.

So the processes that have a database open agree on its file: a lock file beside it, which each of
them holds with a shared lock (`flock`), says which file the first of them opened. The record is
kept when they end, and is compared again where the log was left. It counts on the boot of the
machine on which it was written, and not for a copy of the lock file, since device and inode
numbers say nothing elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from storage.errors import StoreError

_BOOT_FILE = Path("/proc/sys/kernel/random/boot_id")
_LARGEST_RECORD = 4096

_Identity: TypeAlias = tuple[int, int]


class FileReplaced(StoreError):
    """The database file is another one than at the start, or is gone."""

    state = "replaced"


class FileIdentity:
    """The device and inode of a database file, the same for every process that has it open.

    The file is made when it is absent and `make` is true; only its owner can read and write it, and
    SQLite's other files follow it.

    Raises:
        FileReplaced: other processes have another file open under this name, or the write-ahead
            log that was left belongs to another.
    """

    def __init__(self, file: Path, *, make: bool = True) -> None:
        self._file = file
        # SQLite names its files after the file that a symbolic link leads to.
        real = Path(os.path.realpath(file))
        self._log = real.with_name(f"{real.name}-wal")
        self._opened: _Identity | None = None
        self.alone = False
        """Whether no other process had the file open when this one opened it."""
        lock = _open(real.with_name(f"{real.name}-lock"))
        self._release = weakref.finalize(self, os.close, lock) if lock is not None else None
        try:
            recorded, self.alone = (None, False) if lock is None else _locked(lock)
            if recorded is not None and recorded != _identity(file):
                self._refuse(alone=self.alone)
            if make and not file.exists():
                _create_private(file)
            self._opened = _identity(file)
            if lock is not None and self.alone:
                _write(lock, self._opened)
                fcntl.flock(lock, fcntl.LOCK_SH)
        except BaseException:
            self.close()
            raise

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

    def close(self) -> None:
        """Let other processes open another file under this name."""
        if self._release is not None:
            self._release()

    def _refuse(self, *, alone: bool) -> None:
        """Refuse the file that is there now, unless nothing is left of the one that was open."""
        if not alone:
            raise FileReplaced(
                f"store {self._file} was replaced or removed while other processes have it open:"
                " stop every process that uses it, put the right file in its place, start again"
            )
        with suppress(OSError):
            if self._log.stat().st_size:
                raise FileReplaced(
                    f"store {self._file} is not the file that {self._log.name} belongs to, which"
                    " has changes that are nowhere else: put the file that was there before back,"
                    f" or, to do without them, move {self._log.name} away"
                )


def check_identity(file: Path) -> None:
    """Check a file that is about to be opened, without making anything but the lock file.

    Raises:
        FileReplaced: see `FileIdentity`.
    """
    FileIdentity(file, make=False).close()


def _identity(file: Path) -> _Identity | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create_private(file: Path) -> None:
    with suppress(OSError):  # SQLite says what is wrong
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _open(lock_file: Path) -> int | None:
    """Open the lock file; None where there can be none, so that processes do without it."""
    with suppress(OSError):
        return os.open(lock_file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    return None


def _locked(lock: int) -> tuple[_Identity | None, bool]:
    """Lock the lock file; return what is recorded in it, and whether no other process holds it."""
    alone = True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        alone = False
        fcntl.flock(lock, fcntl.LOCK_SH)  # the first process writes the record at this moment
    except OSError:
        return None, False  # the file system has no locks
    return _read(lock), alone


def _origin(lock: int) -> str:
    """Return what a record is bound to: the boot of this machine, and the lock file itself."""
    found = os.fstat(lock)
    boot = ""
    with suppress(OSError):
        boot = _BOOT_FILE.read_text().strip()
    return f"{boot} {found.st_dev} {found.st_ino}"


def _read(lock: int) -> _Identity | None:
    try:
        record = json.loads(os.pread(lock, _LARGEST_RECORD, 0))
        device, inode = record["device"], record["inode"]
        return (int(device), int(inode)) if record["origin"] == _origin(lock) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(lock: int, identity: _Identity | None) -> None:
    record = {}
    if identity is not None:
        record = {"origin": _origin(lock), "device": identity[0], "inode": identity[1]}
    with suppress(OSError):
        content = json.dumps(record).encode()
        os.pwrite(lock, content, 0)
        os.ftruncate(lock, len(content))
