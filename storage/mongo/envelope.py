"""Documents as MongoDB keeps them.

A document lies in an envelope, `{_id, v, n, f, d}`: its id, version, place in the order of
insertion, form, and its JSON as BSON; `p` and `e` are there while events wait in it, `x` when it is
a tombstone. Under `d`, attribute names are escaped, so that `$`, dots and
NUL in JSON from clients are data, never operators or paths. Endings that no escaped name has are
ours:

- `a%t` beside `a` holds the instant (or the instants of an array) that the text of `a` reads as;
- `a%n` holds the digits of an integer that BSON has no type for; for an array that has such, a list
  of theirs, with null for the elements before them that are none; `a` holds the nearest numbers;
- `{"%a": […]}` is an array directly within an array.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import Any, TypeAlias

from storage.instants import instant_of
from storage.json import as_double
from storage.query import Path

Bson: TypeAlias = dict[str, Any]

PENDING = "p"
EVENTS = "e"
DELETED = "x"

INSTANT_SUFFIX = "%t"
DIGITS_SUFFIX = "%n"
NESTED = "%a"

_WHOLE = {"": "%e", "_id": "%i"}
"""Names escaped as a whole: the empty one, and the one that servers move to the front."""

_WHOLE_BACK = {key: name for name, key in _WHOLE.items()}

_CODE = re.compile("%([0-9A-F]{2})")

_LARGEST = 2**63


def escape(name: str) -> str:
    """Return an attribute name as a BSON key that is no operator, no path and not empty."""
    if name in _WHOLE:
        return _WHOLE[name]
    if name.isascii() and name.isdigit():  # MongoDB would take it for an array's index
        return f"%{ord(name[0]):X}{name[1:]}"
    if name.isidentifier() or not any(sign in name for sign in "%.$\0"):
        return name
    for sign, code in (("%", "%25"), (".", "%2E"), ("$", "%24"), ("\0", "%00")):
        name = name.replace(sign, code)
    return name


def unescape(key: str) -> str:
    """Return the attribute name behind a key."""
    if "%" not in key:
        return key
    if key in _WHOLE_BACK:
        return _WHOLE_BACK[key]
    return _CODE.sub(lambda code: chr(int(code[1], 16)), key)


def field(path: Path, prefix: str = "d.") -> str:
    """Return a path as MongoDB spells it, below the envelope or relative (`prefix` empty)."""
    return prefix + ".".join(map(escape, path))


def encode(value: Any) -> Any:
    """Return a JSON value as BSON."""
    if isinstance(value, dict):
        encoded: Bson = {}
        for name, inner in value.items():
            key = escape(name)
            encoded[key] = encode(inner)
            if isinstance(inner, str | list):
                instants = _instants(inner)
                if instants:
                    encoded[key + INSTANT_SUFFIX] = instants
                if digits := _digits(inner):
                    encoded[key + DIGITS_SUFFIX] = digits
            elif is_long(inner):
                encoded[key + DIGITS_SUFFIX] = str(inner)
        return encoded
    if isinstance(value, list):
        return [_element(inner) for inner in value]
    return stored_double(value) if is_long(value) else value


def decode(value: Any) -> Any:
    """Return the JSON value that `encode` made BSON of."""
    if isinstance(value, dict):
        if NESTED in value:
            return _with_digits(decode(value[NESTED]), value.get(NESTED + DIGITS_SUFFIX))
        if DIGITS_SUFFIX in value:  # an element, as earlier versions stored it
            return int(value[DIGITS_SUFFIX])
        decoded = {}
        for key, inner in value.items():
            if key.endswith((INSTANT_SUFFIX, DIGITS_SUFFIX)):
                continue
            decoded[unescape(key)] = _with_digits(decode(inner), value.get(key + DIGITS_SUFFIX))
        return decoded
    if isinstance(value, list):
        return [decode(inner) for inner in value]
    return value


def stored_double(value: int) -> float:
    """Return the number that is stored for a long integer: the nearest, and never infinity.

    Some engines with MongoDB's protocol refuse infinity.
    """
    most = sys.float_info.max
    return min(max(as_double(value), -most), most)


def is_long(value: Any) -> bool:
    """Whether the value is an integer that BSON has no type for."""
    return isinstance(value, int) and not -_LARGEST <= value < _LARGEST


def _element(value: Any) -> Any:
    if not isinstance(value, list):
        return encode(value)
    digits = _digits(value)
    return {NESTED: encode(value), **({NESTED + DIGITS_SUFFIX: digits} if digits else {})}


def _digits(value: str | list[Any]) -> list[str | None]:
    """Return the digits of the long integers directly in an array, None for what is before them."""
    if isinstance(value, str):
        return []
    digits = [str(each) if is_long(each) else None for each in value]
    while digits and digits[-1] is None:
        digits.pop()
    return digits


def _with_digits(value: Any, digits: Any) -> Any:
    """Return a decoded value with its long integers as they were."""
    if digits is None:
        return value
    if isinstance(digits, str):
        return int(digits)
    places = digits.items() if isinstance(digits, dict) else enumerate(digits)  # as stored earlier
    for place, each in places:
        if each is not None:
            value[int(place)] = int(each)
    return value


def _instants(value: str | list[Any]) -> datetime | list[datetime] | None:
    if isinstance(value, str):
        return instant_of(value)
    found = (instant_of(each) for each in value if isinstance(each, str))
    return [instant for instant in found if instant is not None]
