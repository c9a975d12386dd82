"""Bodies are parsed in time that is linear in their length."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.web.body import MalformedBody, parse

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
