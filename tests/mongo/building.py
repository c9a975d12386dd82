"""FerretDB built for the tests, with what it needs to find documents by its indexes.

FerretDB 1 gives SQLite a condition only where it is `_id` alone, and spells it otherwise than its
own index on `_id` does. Everything else reads and parses the whole collection, a quarter of a
millisecond for each document: every change, which names a version too, every look for waiting
events, and every look at the log. The build mends that, and nothing that decides what matches:
files of `server/_within` are added to FerretDB's packages, and a few of its lines are replaced.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCES = Path(__file__).parent / "server"
_BINARY = Path(__file__).parents[2] / "build" / "mongoserver"
_COPY = _BINARY.parent / "ferretdb"
_MODULE = "github.com/FerretDB/FerretDB"

_ADDED = {
    "internal/backends/sqlite/narrowing.go": "sqlite_narrowing.go",
    "internal/handler/ordering.go": "handler_ordering.go",
}
"""Files of `server/_within`, by the place in FerretDB where they are compiled."""

_REPLACED = {
    "internal/backends/sqlite/metadata/metadata.go": ("\"->'$._id'\"", "\"->'_id'\""),
    "internal/backends/collection.go": (
        "	OnlyRecordIDs bool\n	Comment       string\n",
        "	OnlyRecordIDs bool\n	Comment       string\n	ByID          int\n",
    ),
    "internal/handler/msg_find.go": (
        '	h.L.DebugContext(ctx, fmt.Sprintf("Converted %+v for %+v to %+v.", params, cInfo, qp))',
        "	orderByID(params, qp)",
    ),
    "internal/backends/sqlite/collection.go": (
        "	q += whereClause\n	q += prepareOrderByClause(params.Sort)\n",
        "	whereClause, args, err := narrowed(ctx, db, meta.TableName, params)\n"
        "	if err != nil {\n		return nil, lazyerrors.Error(err)\n	}\n\n"
        "	q += whereClause\n	q += prepareOrderByClause(params.Sort)\n",
    ),
}


def built() -> Path:
    """Return the FerretDB program, built when it is missing or older than its source."""
    sources = [Path(__file__), *_SOURCES.rglob("*")]
    newest = max(file.stat().st_mtime for file in sources)
    if not _BINARY.exists() or _BINARY.stat().st_mtime < newest:
        if not shutil.which("go"):
            pytest.skip("no MongoDB: set TMF_TEST_MONGODB_URI, or install mongod or Go")
        _BINARY.parent.mkdir(exist_ok=True)
        with (_BINARY.parent / "mongoserver.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # test processes run side by side
            if not _BINARY.exists() or _BINARY.stat().st_mtime < newest:
                _build()
    return _BINARY


def _build() -> None:
    try:
        _mend()
    except subprocess.CalledProcessError:
        pytest.skip("no MongoDB: Go cannot download FerretDB; set TMF_TEST_MONGODB_URI")
    options = ["-trimpath", "-tags", "ferretdb_no_postgresql", "-ldflags=-s -w"]
    _go("build", *options, f"-modfile={_COPY}.mod", "-o", str(_BINARY), ".")


def _mend() -> None:
    """Copy FerretDB, change the copy, and write the `go.mod` that builds with it."""
    _go("mod", "download", _MODULE)
    original = _go("list", "-m", "-f", "{{.Dir}}", _MODULE).strip()
    shutil.rmtree(_COPY, ignore_errors=True)
    shutil.copytree(original, _COPY, copy_function=shutil.copyfile)
    for folder in [_COPY, *filter(Path.is_dir, _COPY.rglob("*"))]:
        folder.chmod(0o755)  # Go keeps its modules read-only
    for place, name in _ADDED.items():
        shutil.copyfile(_SOURCES / "_within" / name, _COPY / place)
    for place, (old, new) in _REPLACED.items():
        text = (_COPY / place).read_text()
        assert old in text, f"FerretDB's {place} is not the one that is known here"
        (_COPY / place).write_text(text.replace(old, new, 1))
    replacement = f"\nreplace {_MODULE} => {_COPY}\n"
    Path(f"{_COPY}.mod").write_text((_SOURCES / "go.mod").read_text() + replacement)
    shutil.copyfile(_SOURCES / "go.sum", f"{_COPY}.sum")


def _go(*arguments: str) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(
        ["go", *arguments], cwd=_SOURCES, check=True, env=environment, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    return done.stdout
