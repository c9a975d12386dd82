"""Request bodies: strict JSON, read within bounds.

Stricter than JSON requires where leniency would lose or change a client's data: duplicate names,
numbers that cannot be represented, characters that a store cannot hold.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from starlette.types import Receive

from app.tmf630.patching import DEEPEST
from app.web.limits.deadlines import Deadlines

_SECONDS = 20.0
_GRACE_SECONDS = 5.0
_LOWEST_RATE = 500
"""Bytes a second that a body has to come at, after the grace time."""

_LONGEST_INTEGER = 308
"""Digits of an integer; one more and a reader that knows only doubles reads infinity."""

_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Texts and brackets. Depth is checked before the body is known to be JSON, so a text may lack its
end: it then reaches to the end of the body. Possessive, so that the time is linear in any case."""


class MalformedBody(Exception):
    """The body is not JSON as this server accepts it; the message says where and why."""


class BodyTooLarge(Exception):
    """The body has more bytes than the server accepts."""

    def __init__(self, maximum: int) -> None:
        super().__init__(f"the body may have at most {maximum} bytes")


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class BodyReceiver:
    """Receives request bodies of at most `maximum` bytes, within a time and at a minimum rate."""

    def __init__(self, maximum: int, *, seconds: float = _SECONDS) -> None:
        self._maximum = maximum
        self._deadlines = Deadlines(seconds)

    async def receive(self, receive: Receive, declared: int | None) -> bytes:
        """Return a request's body; `declared` is its Content-Length.

        Raises:
            BodyTooLarge: it is too long, by its declared length or as it arrives.
            BodyTooSlow: it did not arrive in time, or at less than the minimum rate.
            ClientGone: the connection closed in the middle.
        """
        if declared is not None and declared > self._maximum:
            raise BodyTooLarge(self._maximum)
        deadline = self._deadlines.begin()
        try:
            return await self._receive(receive)
        except asyncio.CancelledError:
            if not deadline.was_cause():
                raise
            message = f"the body did not come within {self._deadlines.seconds:g} seconds"
            raise BodyTooSlow(message) from None
        finally:
            self._deadlines.end(deadline)

    async def _receive(self, receive: Receive) -> bytes:
        loop = asyncio.get_running_loop()
        slow_from = loop.time() + _GRACE_SECONDS
        parts, length = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            length += len(part)
            if length > self._maximum:
                raise BodyTooLarge(self._maximum)
            parts.append(part)
            if not message.get("more_body", False):
                return part if len(parts) == 1 else b"".join(parts)
            if length < (loop.time() - slow_from) * _LOWEST_RATE:
                raise BodyTooSlow(f"the body comes at less than {_LOWEST_RATE} bytes a second")


def parse(content: bytes) -> Any:
    """Parse a body. A byte order mark before it is ignored (RFC 8259 §8.1).

    Raises:
        MalformedBody: it is not UTF-8, not JSON, nested deeper than `DEEPEST`, names an
            attribute twice in one object, or holds a number or character that would not be kept.
    """
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the byte at position {error.start} is not UTF-8") from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedBody(f"{error.msg}, at line {error.lineno}, column {error.colno}") from None
    if "\\ud" in text or "\\uD" in text or "\\u0000" in text:
        _check_characters(value)
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKENS.finditer(text):
        character = token[0]
        if character in "[{":
            depth += 1
            if depth > DEEPEST:
                line = text.count("\n", 0, token.start()) + 1
                column = token.start() - text.rfind("\n", 0, token.start())
                raise MalformedBody(
                    f"nested deeper than {DEEPEST} levels, at line {line}, column {column}"
                )
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise MalformedBody(f"the attribute {name[:80]!r} appears twice in one object")
            seen.add(name)
    return result


def _integer(text: str) -> int:
    if len(text) <= _LONGEST_INTEGER:
        return int(text)
    raise MalformedBody(f"the number {text[:24]}… is out of range (double precision)")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise MalformedBody(f"the number {text[:24]} is out of range (double precision)")
    return number


def _constant(text: str) -> float:
    raise MalformedBody(f"{text} is not a JSON number")


def _check_characters(value: Any) -> None:
    """Refuse characters that no store keeps and compares alike."""
    for text in _texts(value):
        if "\0" in text:
            raise MalformedBody("a text holds U+0000, which is not supported")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise MalformedBody("a text holds half of a surrogate pair (\\ud800 to \\udfff)")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
