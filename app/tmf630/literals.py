"""Literals of filters: what a piece of text may mean as a stored value (TMF630 part 1).

A text always stands for itself. Unquoted, it also stands for the number, boolean, null or instant
that it reads as; a date alone is the whole day. Double quotes are never part of the text; single
ones, which some of TM Forum's conformance kits put around dates, may be.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from storage import And, Comparison, Condition, Operator, Or, Path

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*([Zz]|[+ -]\d\d:?\d\d)?", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d++(\.\d*+)?|\.\d++)([eE][+-]?\d{1,3})?", re.ASCII)
_WORDS = {"true": True, "false": False}


def is_quoted(text: str) -> bool:
    """Whether a text is wrapped in double quotes and so means the text inside alone."""
    return len(text) > 1 and text[0] == text[-1] == '"'


def compare(path: Path, operator: Operator, text: str) -> Condition:
    """Return the condition that a value at `path` stands in `operator` to a literal."""
    if is_quoted(text):
        return Comparison(path, operator, text[1:-1])
    if len(text) > 1 and text[0] == text[-1] == "'":
        inside = _compare_bare(path, operator, text[1:-1])
        return _either(inside, path, text) if operator is Operator.EQ else inside
    return _compare_bare(path, operator, text)


def is_time(text: str) -> bool:
    """Whether a text reads as an instant or a day."""
    return instant(text) is not None or _day(text) is not None


def instant(text: str) -> datetime | None:
    """Return the instant a text reads as; UTC when it has no offset, None when it is none.

    The `+` of an offset often arrives as a space.
    """
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        return None
    offset = (found[3] or "Z").replace(" ", "+").upper()
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}")
    except ValueError:
        return None


def _compare_bare(path: Path, operator: Operator, text: str) -> Condition:
    day = _day(text)
    if day is not None:
        return _compare_day(path, operator, text, day)
    moment = instant(text)
    if moment is not None:
        exact = Comparison(path, operator, moment)
        return _either(exact, path, text) if operator is Operator.EQ else exact
    meanings: list[Condition] = [Comparison(path, operator, text)]
    number = _number(text)
    if number is not None:
        meanings.append(Comparison(path, operator, number))
    if operator is Operator.EQ and text in _WORDS:
        meanings.append(Comparison(path, operator, _WORDS[text]))
    if operator is Operator.EQ and text == "null":
        meanings.append(Comparison(path, operator, None))
    return meanings[0] if len(meanings) == 1 else Or(tuple(meanings))


def _compare_day(path: Path, operator: Operator, text: str, day: datetime) -> Condition:
    next_day = day + timedelta(days=1)
    match operator:
        case Operator.EQ:
            whole = And(
                (
                    Comparison(path, Operator.GE, day),
                    Comparison(path, Operator.LT, next_day),
                )
            )
            return _either(whole, path, text)
        case Operator.GT:
            return Comparison(path, Operator.GE, next_day)
        case Operator.LE:
            return Comparison(path, Operator.LT, next_day)
    return Comparison(path, operator, day)


def _either(condition: Condition, path: Path, text: str) -> Condition:
    return Or((condition, Comparison(path, Operator.EQ, text)))


def _day(text: str) -> datetime | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdigit() and len(text) < 19:
        return int(text)
    number = float(text)
    return number if abs(number) < float("inf") else None
