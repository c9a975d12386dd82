"""Archives: the file format of backups, a line of JSON for each document (NDJSON), plain or zstd.

The first line is a header. The last line holds the number of documents and the SHA-256 of all lines
before it, which detects a truncated or changed file. The line of a document holds its content byte
for byte:

    {"collection":"…","id":"…","version":3,"form":"5","content":{…}}
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
import zstandard

from storage import Document

FORMAT = 1
_SUFFIX = ".zst"
_CONTENT = b',"content":'
LONGEST_LINE = 64 * 1024 * 1024
_LARGEST_WINDOW = 8 * 1024 * 1024
"""Bytes that decompression may need, of which a small file can ask for any number (RFC 8878)."""
_FRAME_HEADER = 18


class ArchiveError(Exception):
    """A file is not an archive, or not a complete one; the message says where."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of an archive, and the number of its line."""

    line: int
    collection: str
    document: Document


class ArchiveWriter:
    """Writes an archive to a binary file; `finish` completes it."""

    def __init__(self, file: IO[bytes], *, contracts: Sequence[str]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.documents = 0
        head = {"archive": "tmf683", "format": FORMAT, "contracts": list(contracts)}
        self._write(orjson.dumps(head))

    def add(self, collection: str, document: Document) -> None:
        """Write a document."""
        head = {
            "collection": collection,
            "id": document.id,
            "version": document.version,
            "form": document.form,
        }
        self._write(orjson.dumps(head)[:-1] + _CONTENT + document.content + b"}")
        self.documents += 1

    def finish(self) -> None:
        """Write the end."""
        end = {"end": {"documents": self.documents, "sha256": self._digest.hexdigest()}}
        self._file.write(orjson.dumps(end) + b"\n")

    def _write(self, line: bytes) -> None:
        self._digest.update(line)
        self._file.write(line + b"\n")


@dataclass(slots=True)
class ArchiveReader:
    """Reads an archive; `whole` is true once its last line was read and its checksum is right."""

    file: IO[bytes]
    whole: bool = False
    _digest: Any = field(default_factory=hashlib.sha256)

    def entries(self) -> Iterator[Entry]:
        """Yield the documents.

        Raises:
            ArchiveError: a line has another format, or the checksum differs.
        """
        count = 0
        for number, line in enumerate(_lines(self.file), start=1):
            if number == 1:
                _check_header(line)
            elif line.startswith(b'{"end":'):
                self._check_end(line, count)
                return
            else:
                yield _entry(number, line)
                count += 1
            self._digest.update(line)

    def _check_end(self, line: bytes, count: int) -> None:
        try:
            end = orjson.loads(line)["end"]
            right = end == {"documents": count, "sha256": self._digest.hexdigest()}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            right = False
        if not right:
            raise ArchiveError("the archive is not as it was written: its checksum differs")
        self.whole = True


@contextmanager
def opened(path: Path | None, mode: str) -> Iterator[IO[bytes]]:
    """Open a file to read (`rb`) or write (`wb`), by its name compressed or not; None is stdio.

    Raises:
        ArchiveError: decompression would need too much memory.
    """
    if path is None:
        import sys

        yield sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
        return
    with path.open(mode) as file:
        if not is_compressed(path):
            yield file
        elif mode == "rb":
            _check_window(file, path)
            unpack = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
            with unpack.stream_reader(file, read_across_frames=True) as plain:
                yield io.BufferedReader(plain)
        else:
            with zstandard.ZstdCompressor(level=6).stream_writer(file, closefd=False) as packed:
                yield packed


def _check_window(file: IO[bytes], path: Path) -> None:
    start = file.read(_FRAME_HEADER)
    file.seek(0)
    try:
        needed = zstandard.get_frame_parameters(start).window_size
    except zstandard.ZstdError:
        return  # reading says that this is no archive
    if needed > _LARGEST_WINDOW:
        raise ArchiveError(
            f"{path} needs {needed >> 20} MB to be decompressed, {_LARGEST_WINDOW >> 20} are"
            " allowed: compress it with `zstd -19` at most, without --long and --ultra"
        )


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return _SUFFIX in path.suffixes


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield whole lines; one that is cut off is left out.

    Raises:
        ArchiveError: a line is too long.
    """
    while True:
        try:
            line = file.readline(LONGEST_LINE)
        except (zstandard.ZstdError, EOFError, OSError):
            return
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            raise ArchiveError(f"a line is longer than {LONGEST_LINE >> 20} MB")
        if not line.endswith(b"\n"):
            return
        yield line[:-1]


def _check_header(line: bytes) -> None:
    try:
        head = orjson.loads(line)
        known = head["archive"] == "tmf683" and head["format"] == FORMAT
    except (orjson.JSONDecodeError, KeyError, TypeError):
        known = False
    if not known:
        raise ArchiveError(f"line 1 is not the header of an archive of format {FORMAT}")


def _entry(number: int, line: bytes) -> Entry:
    head, separator, rest = line.partition(_CONTENT)
    try:
        described = orjson.loads(head + b"}")
        document = Document(
            described["id"], described["version"], rest[:-1], described.get("form", "")
        )
        collection = described["collection"]
        valid = bool(separator) and isinstance(orjson.loads(rest[:-1]), dict)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        valid = False
    if not valid or not all(isinstance(each, str) for each in (collection, document.id)):
        raise ArchiveError(f"line {number} is not a document of an archive")
    return Entry(number, collection, document)
