"""JSON text and values, without losing anything on the way.

orjson does the work. Integers beyond 64 bits, which it would round or refuse, go the slower way
through the standard library, which keeps them.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"\d{19}")


def loads(content: bytes) -> Any:
    """Return the value of JSON text that `dumps` has written."""
    return json.loads(content) if _LONG_NUMBER.search(content) else orjson.loads(content)


def dumps(value: Any) -> bytes:
    """Return a JSON value as compact text in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
