"""The pages' own style sheet and script: at addresses with a digest, so that browsers keep them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file, its media type and the address it has below the root path."""

    content: bytes
    media_type: str
    path: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Return every file by its name."""
    return {file.name: _read(file) for file in FOLDER.iterdir() if file.suffix in _TYPES}


def _read(file: Path) -> StaticFile:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return StaticFile(content, _TYPES[file.suffix], f"/static/{digest}/{file.name}")
