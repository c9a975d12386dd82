"""Texts that make a regular expression backtrack, made from its own parts.

As a program it reads an expression, its flags and the methods to try, and is killed by a timer of
the time that its own CPU took when one of them takes more than linear time.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator
from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

CPU_SECONDS = 0.25
"""What a linear expression needs less than a tenth of, whatever else the machine does."""

LONG = 60_000
"""Repetitions that take CPU seconds where the time is quadratic."""

SHORT = 40
"""Repetitions that take ages where the time is exponential."""

OTHERS = "a0 .\"'\\/,\n\x00"


def attacks(pattern: str, flags: int) -> Iterator[str]:
    """Yield texts that repeat what an expression's parts match, and then fail to match."""
    parsed = parser.parse(pattern, flags)
    letters = sorted(
        {letter for node in nodes(parsed) for letter in letters_of(node)} | set(OTHERS)
    )
    bodies = {example(node[1][2]) for node in nodes(parsed) if is_repeat(node)} - {""}
    beginnings = {"", *(example(parsed[:end]) for end in range(len(parsed)))}
    for beginning in sorted(beginnings):
        for end in ("", "\x01", "!a"):
            for body in [*letters, *sorted(bodies)]:
                yield beginning + body * LONG + end
            for first in letters:
                for second in letters:
                    yield beginning + (first + second) * SHORT + end


def is_repeat(node: Any) -> bool:
    return node[0] in (constants.MAX_REPEAT, constants.MIN_REPEAT, constants.POSSESSIVE_REPEAT)


def nodes(parsed: Any) -> Iterator[Any]:
    """Yield every node of a parsed expression."""
    for node in parsed:
        yield node
        for part in parts(node):
            yield from nodes(part)


def parts(node: Any) -> list[Any]:
    kind, value = node
    if is_repeat(node):
        return [value[2]]
    if kind is constants.SUBPATTERN:
        return [value[3]]
    if kind is constants.BRANCH:
        return list(value[1])
    if kind in (constants.ASSERT, constants.ASSERT_NOT):
        return [value[1]]
    return [value] if kind is constants.ATOMIC_GROUP else []


def letters_of(node: Any) -> set[str]:
    """Return characters that a node for one character matches: one of each of its members."""
    kind, value = node
    if kind is constants.LITERAL:
        return {chr(value)}
    if kind is constants.NOT_LITERAL:
        return {next(each for each in "ab" if ord(each) != value)}
    if kind is constants.ANY:
        return {"a"}
    if kind is not constants.IN:
        return set()
    if value[0][0] is constants.NEGATE:
        excluded = {letter for member in value[1:] for letter in members(member)}
        return {next(each for each in "ab0 -~é" if each not in excluded)}
    return {letter for member in value for letter in members(member)}


def members(member: Any) -> set[str]:
    kind, value = member
    if kind is constants.RANGE:
        return {chr(value[0]), chr(value[1])}
    if kind is constants.CATEGORY:
        letter = {"DIGIT": "0", "SPACE": " ", "WORD": "a"}.get(str(value).rpartition("_")[2], "a")
        return {"!"} if "_NOT_" in str(value) else {letter}
    return {chr(value)}


def example(parsed: Any) -> str:
    """Return a short text that a parsed expression matches."""
    text = ""
    for node in parsed:
        kind, value = node
        if is_repeat(node):
            text += example(value[2]) * max(value[0], 1)
        elif kind in (constants.ASSERT, constants.ASSERT_NOT, constants.AT):
            continue
        elif parts(node):
            text += example(parts(node)[0])
        else:
            text += min(letters_of(node), default="")
    return text


def attack(pattern: str, flags: int, methods: list[str], *, binary: bool) -> None:
    """Run an expression on its attacks; the process dies when one takes too long."""
    compiled: Any = re.compile(pattern.encode("latin-1") if binary else pattern, flags)
    for text in attacks(pattern, flags):
        target = text.encode() if binary else text
        for method in methods:
            signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
            if method in ("match", "fullmatch", "search"):
                getattr(compiled, method)(target)
            else:
                for _ in compiled.finditer(target):
                    pass
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)


if __name__ == "__main__":
    attack(**json.load(sys.stdin))
