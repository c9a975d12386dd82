"""Literals of filters: what a piece of text may mean as a stored value (TMF630 part 1).

A text always stands for itself. Unquoted, it also stands for the number, boolean, null or instant
that it reads as; a date alone is the whole day. Double quotes are never part of the text; single
ones, which some of TM Forum's conformance kits put around dates, may be.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from storage import And, Comparison, Condition, Operator, Or, Path, Value

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*([Zz]|[+ -]\d\d:?\d\d)?", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d++(\.\d*+)?|\.\d++)([eE][+-]?\d{1,3})?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None}
_SHOWN = 40

EXAMPLE = "2026-01-31T09:30:00Z"
"""A date-time in the form that is always understood."""


def is_quoted(text: str) -> bool:
    """Whether a text is wrapped in double quotes and so means the text inside alone."""
    return len(text) > 1 and text[0] == text[-1] == '"'


def compare(path: Path, operator: Operator, text: str, type: str | None = None) -> Condition:
    """Return the condition that a value at `path` stands in `operator` to a literal.

    `type` is what the contract says of the values there (`Attributes.type_of`). Where it says
    nothing, an order compares only values of the type that the literal reads as.

    Raises:
        ValueError: no value of this type can be compared with the literal; the message says what
            can be.
    """
    if operator is not Operator.EQ:
        return _order(path, operator, text, type)
    if type == "date-time" and text != "null":
        inside = text[1:-1] if _is_in_quotes(text) else text
        check_equality(type, inside)
        return _equal(path, inside)
    if is_quoted(text):
        return Comparison(path, operator, text[1:-1])
    if len(text) > 1 and text[0] == text[-1] == "'":
        return _either(_equal(path, text[1:-1]), path, text)
    return _equal(path, text)


def check_equality(type: str | None, value: Value) -> None:
    """Check that values of a type that the contract states can equal a value.

    A date-time equals instants and days alone; null asks whether there is one.

    Raises:
        ValueError: they cannot; the message says what can be compared.
    """
    readable = isinstance(value, datetime) or (isinstance(value, str) and is_time(value))
    if type == "date-time" and value is not None and not readable:
        raise ValueError(_is_no_time(value))


def check_order(type: str | None, value: Value) -> None:
    """Check that values of a type that the contract states can be ordered by a value.

    Raises:
        ValueError: they cannot; the message says what can be compared.
    """
    if type == "date-time" and not isinstance(value, datetime):
        raise ValueError(_is_no_time(value))
    if type in ("number", "integer") and not isinstance(value, int | float):
        raise ValueError(f"is of type {type}: compare it with a number")
    if type == "string" and isinstance(value, int | float):
        raise ValueError("is of type string: compare it with a text in quotes, not a number")
    if type in ("boolean", "object"):
        raise ValueError(f"is of type {type}, which has no order")


def is_time(text: str) -> bool:
    """Whether a text reads as an instant or a day."""
    return instant(text) is not None or _day(text) is not None


def instant(text: str) -> datetime | None:
    """Return the instant a text reads as; UTC when it has no offset, None when it is none.

    The `+` of an offset often arrives as a space. A leap second is the second after it.
    """
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        return None
    time, offset = found[2], (found[3] or "Z").replace(" ", "+").upper()
    leap = time[6:8] == "60"
    if leap:
        time = f"{time[:6]}59{time[8:]}"
    try:
        return datetime.fromisoformat(f"{found[1]}T{time}{offset}") + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        return None


def _equal(path: Path, text: str) -> Condition:
    day = _day(text)
    if day is not None:
        next_day = day + timedelta(days=1)
        from_, to = Comparison(path, Operator.GE, day), Comparison(path, Operator.LT, next_day)
        return _either(And((from_, to)), path, text)
    moment = instant(text)
    if moment is not None:
        return _either(Comparison(path, Operator.EQ, moment), path, text)
    meanings: list[Value] = [text]
    number = _number(text)
    if number is not None:
        meanings.append(number)
    if text in _WORDS:
        meanings.append(_WORDS[text])
    found = tuple(Comparison(path, Operator.EQ, value) for value in meanings)
    return found[0] if len(found) == 1 else Or(found)


def _is_no_time(value: Value) -> str:
    shown = "a boolean" if isinstance(value, bool) else "a number"
    if isinstance(value, str):
        shown = repr(value[:_SHOWN])
    return f"is a date-time: compare it with one, as {EXAMPLE} or 2026-01-31, not {shown}"


def _is_in_quotes(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"


def _order(path: Path, operator: Operator, text: str, type: str | None) -> Condition:
    quoted = _is_in_quotes(text)
    inside = text[1:-1] if quoted else text
    if type == "date-time" or text[:1] != '"':
        day = _day(inside)
        if day is not None:
            check_order(type, day)
            late = operator in (Operator.GT, Operator.LE)  # than or as the whole day
            operator = {Operator.GT: Operator.GE, Operator.LE: Operator.LT}.get(operator, operator)
            return Comparison(path, operator, day + timedelta(days=1) if late else day)
        moment = instant(inside)
        if moment is not None:
            check_order(type, moment)
            return Comparison(path, operator, moment)
    number = None if quoted or type == "string" else _number(text)
    value = inside if number is None else number
    check_order(type, value)
    return Comparison(path, operator, value)


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
    if text.lstrip("+-").isdigit():
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else None
