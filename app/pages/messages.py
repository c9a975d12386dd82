"""The texts of the pages: a catalogue for each language, one JSON file each in `messages/`.

Another language is another file with the same keys. A text may have named places (`{count}`); a key
with `.one` beside it has that text where `count` is 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

FOLDER = Path(__file__).parent / "messages"
DEFAULT_LANGUAGE = "en"

_RANGE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([0-9.]{1,5})\s*)?")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language; what it lacks is in the default language."""

    language: str
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """Return a text with its places filled in; the key itself where there is none."""
        if values.get("count") == 1:
            key = f"{key}.one" if f"{key}.one" in self.texts else key
        text = self.texts.get(key, key)
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def has(self, key: str) -> bool:
        """Whether there is a text of this key."""
        return key in self.texts

    def value(self, kind: str, value: str) -> str:
        """Return the text for a value of the API, the value itself where there is none."""
        return self.texts.get(f"{kind}.{value}", value)


@cache
def catalogues() -> Mapping[str, Catalogue]:
    """Return the catalogue of every language, by its code (ISO 639-1)."""
    found = {file.stem: orjson.loads(file.read_bytes()) for file in sorted(FOLDER.glob("*.json"))}
    default = found[DEFAULT_LANGUAGE]
    return {code: Catalogue(code, {**default, **texts}) for code, texts in found.items()}


def preferred_language(accept_language: str) -> str:
    """Return the language that suits an `Accept-Language` header best (RFC 9110 §12.5.4)."""
    known, best, best_weight = catalogues(), DEFAULT_LANGUAGE, 0.0
    for part in accept_language[:500].split(","):
        found = _RANGE.fullmatch(part)
        if found is None or found[1].lower() not in known:
            continue
        try:
            weight = float(found[2] or 1)
        except ValueError:
            continue
        if weight > best_weight:
            best, best_weight = found[1].lower(), weight
    return best
