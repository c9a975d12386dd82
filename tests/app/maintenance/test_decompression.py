"""A small compressed file does not make `import` use any amount of memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from app.maintenance.archive import ArchiveError, ArchiveReader, ArchiveWriter, opened
from storage import Document

_MOST = 450 * 1024 * 1024
_READ = """
import sys
from pathlib import Path
from app.maintenance.archive import ArchiveError, ArchiveReader, opened
from app.maintenance.plain_files import Targets, entries_of
try:
    with opened(Path(sys.argv[1]), "rb") as file:
        entries = ArchiveReader(file).entries() if sys.argv[2] == "archive" else None
        for _ in entries or entries_of(file, Targets(())):
            pass
except ArchiveError as error:
    print(error)
"""


def compressed(path: Path, start: bytes, zeros_mb: int, **parameters: int) -> Path:
    settings = zstandard.ZstdCompressionParameters.from_level(3, **parameters)
    packer = zstandard.ZstdCompressor(compression_params=settings)
    with path.open("wb") as file, packer.stream_writer(file) as packed:
        packed.write(start)
        for _ in range(zeros_mb):
            packed.write(b"0" * 1024 * 1024)
    assert path.stat().st_size < 200_000
    return path


@pytest.mark.parametrize(
    ("kind", "start", "message"),
    [
        ("archive", b'{"archive":"tmf683","format":1}\n', "a line is longer than 64 MB"),
        ("plain", b'[{"id":"', "the file is one JSON value of more than 128 MB"),
    ],
)
def test_a_small_file_that_expands_is_refused_within_a_bound(
    tmp_path: Path, kind: str, start: bytes, message: str
) -> None:
    file = compressed(tmp_path / "bomb.ndjson.zst", start, 1000)

    def bound_memory() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST, _MOST))

    command = [sys.executable, "-c", _READ, str(file), kind]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=bound_memory
    )
    assert done.stdout.startswith(message), done.stderr


def test_a_file_that_needs_a_large_window_is_refused(tmp_path: Path) -> None:
    file = compressed(tmp_path / "wide.ndjson.zst", b"{}", 20, window_log=27)
    wanted = pytest.raises(ArchiveError, match="needs 128 MB to be decompressed, 8 are allowed")
    with wanted, opened(file, "rb"):
        pass


def test_a_later_frame_that_needs_a_large_window_is_not_read(tmp_path: Path) -> None:
    first = compressed(tmp_path / "a.zst", b'{"archive":"tmf683","format":1}\n', 0)
    second = compressed(tmp_path / "b.zst", b"{}", 20, window_log=27)
    both = tmp_path / "both.ndjson.zst"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with opened(both, "rb") as file:
        reader = ArchiveReader(file)
        assert list(reader.entries()) == []
        assert not reader.whole


def test_what_export_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson.zst"
    document = Document("1", 1, b'{"id":"1"}')
    with opened(path, "wb") as file:
        writer = ArchiveWriter(file, contracts=["c"])
        writer.add("c", document)
        writer.finish()
    with opened(path, "rb") as file:
        reader = ArchiveReader(file)
        assert [each.document for each in reader.entries()] == [document]
        assert reader.whole
