"""Patterns in RE2's syntax, which match in linear time."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from storage.errors import UnsupportedQuery

_LITERAL = re.compile(
    r"(?:[A-Za-z0-9 _@:/%,;='\"<>~&!#-]|[\x80-\U0010fffe]|\\[.+*?()|\[\]{}^$\\/-])*"
)
_UNBOUNDED = r"(?:[*+]|\{\d*,\})"
_TOKEN = re.compile(
    r"\\.|\[\^?+\]?+(?:\\.|[^\]\\])*+\]?+"  # escaped characters and classes mean nothing here
    rf"|(?P<open>\()|(?P<close>\))(?P<after>{_UNBOUNDED}?)|(?P<repeat>{_UNBOUNDED})",
    re.DOTALL,
)
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """Return the compiled pattern.

    Raises:
        UnsupportedQuery: it is not RE2 syntax (no look-around, no back-references), or repeats a
            repetition, as in `(a+)+`, which takes other engines exponential time.
    """
    if _repeats_repetition(pattern):
        raise UnsupportedQuery("the regular expression repeats a repetition")
    if any(token[0] == r"\C" for token in _TOKEN.finditer(pattern)):
        raise UnsupportedQuery(r"the regular expression asks for single bytes (\C)")
    try:
        return re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else "syntax error"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise UnsupportedQuery(f"not a regular expression in RE2's syntax: {text}") from None


def literal_prefix(pattern: str) -> str:
    """Return text that every match begins with, for an anchored pattern; else the empty text."""
    if not pattern.startswith("^") or "|" in pattern:
        return ""
    found = _LITERAL.match(pattern, 1)
    text = found[0] if found else ""
    rest = pattern[1 + len(text) :]
    pieces = re.findall(r"\\.|[^\\]", text, re.DOTALL)
    if rest[:1] in ("*", "?", "{"):
        pieces = pieces[:-1]  # the last character may be absent
    return "".join(piece[-1] for piece in pieces)


def literal(pattern: str) -> str | None:
    """Return the text that a pattern looks for anywhere, when it is nothing but text."""
    if _LITERAL.fullmatch(pattern) is None:
        return None
    return re.sub(r"\\(.)", r"\1", pattern)


def after_prefix(prefix: str) -> str:
    """Return the least text that is greater than every text with this prefix."""
    last = ord(prefix[-1]) + 1
    if 0xD800 <= last <= 0xDFFF:
        last = 0xE000
    return prefix[:-1] + chr(min(last, 0x10FFFF))


def _repeats_repetition(pattern: str) -> bool:
    """Whether an unbounded repetition applies to a group that holds another."""
    open_groups = [False]  # for each open group, whether a repetition is in it
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            open_groups.append(False)
        elif token["close"] and len(open_groups) > 1:
            repeated = open_groups.pop()
            unbounded = token["after"] != ""
            if repeated and unbounded:
                return True
            open_groups[-1] = open_groups[-1] or repeated or unbounded
        elif token["repeat"]:
            open_groups[-1] = True
    return False
