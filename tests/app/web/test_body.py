"""Bodies are parsed in time that is linear in their length."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from app.web.body import BodyReceiver, BodyTooLarge, BodyTooSlow, MalformedBody, parse

MANY = "[" + "[]," * 70
HOSTILE = {
    "a text without end": MANY + '"' + '\\"' * 500_000,
    "texts without end": MANY + '"a' * 500_000,
    "a lone backslash": MANY + "\\" * 1_000_000,
    "brackets in a text": MANY + '"' + "[{" * 500_000,
    "brackets behind a text": MANY + '"a"' + '"\\\\"' * 250_000 + "[" * 500_000,
    "a backslash at the end": MANY + '"' + "\\" * 999_999,
    "line ends": MANY + '"' + "\n" * 1_000_000,
}
PROGRAM = """
import sys
from app.web.body import MalformedBody, parse
try:
    parse(sys.stdin.buffer.read())
except MalformedBody:
    sys.exit(0)
"""


@pytest.mark.parametrize("case", HOSTILE)
def test_a_megabyte_of_hostile_text_is_refused(case: str) -> None:
    """Quadratic, one of them would take hours; the deadline is that of a start of Python."""
    subprocess.run(
        [sys.executable, "-c", PROGRAM], input=HOSTILE[case].encode(), check=True, timeout=60
    )


def test_brackets_in_texts_are_no_levels() -> None:
    text = "[" * 100
    assert parse(f'["{text}","\\"{text}"]'.encode()) == [text, f'"{text}']
    with pytest.raises(MalformedBody, match="nested deeper than 64 levels, at line 2, column 68"):
        parse(b'{"a":"]]]]]",\n"b":' + b"[" * 100)


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_a_body_comes_in_time_or_not_at_all() -> None:
    async def never() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    async def at_once() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def run() -> None:
        bodies = BodyReceiver(10, seconds=0.01)
        with pytest.raises(BodyTooSlow):
            await bodies.receive(never, None)
        assert await bodies.receive(at_once, None) == b"{}"
        with pytest.raises(BodyTooLarge):
            await bodies.receive(at_once, 11)

    asyncio.run(run())


def test_a_body_that_trickles_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.body._GRACE_SECONDS", -3600)

    async def trickle() -> dict[str, object]:
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(BodyTooSlow, match="bytes a second"):
        asyncio.run(BodyReceiver(10**6).receive(trickle, None))
