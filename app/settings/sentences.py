"""What is wrong with the value of a setting, as a sentence that says what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

_WHOLE_NUMBER = frozenset({"int_parsing", "int_type", "int_from_float", "int_parsing_size"})
_NUMBER = frozenset({"float_parsing", "float_type", "finite_number"})
_BOUND = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_TRUTH = frozenset({"bool_parsing", "bool_type"})
_OTHER_FORMS = {
    "string_type": "write a text, in quotes in a file",
    "tuple_type": "write a list of texts",
    "path_type": "write paths as texts",
}
_LONGEST_SHOWN = 60


def sentence(kind: str, message: str, value: Any, field: FieldInfo) -> str:
    """Return the sentence for an error that pydantic reports.

    `kind` and `message` are pydantic's type and text, `value` is what was given for the field.
    """
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    given = _given(value)
    if kind in _WHOLE_NUMBER:
        return f"{given} is not a whole number; write {_range('one', field)}"
    if kind in _NUMBER:
        return f"{given} is not a number; write {_range('one', field)}"
    if kind in _BOUND:
        return f"{given} is out of bounds; write {_range('a number', field)}"
    if kind in _TRUTH:
        return f"{given} is neither true nor false; write one of these"
    if kind == "literal_error":
        choices = [str(each) for each in get_args(field.annotation)]
        return f"{given} is not one of {', '.join(choices)}{did_you_mean(value, choices)}"
    return f"{given} has the wrong form; {_OTHER_FORMS.get(kind, message)}"


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """Return the question for a name that is like a known one, empty when none is."""
    found = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _given(value: Any) -> str:
    if value == "":
        return "an empty value"
    if isinstance(value, Mapping):
        return "a table"
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _range(noun: str, field: FieldInfo) -> str:
    """Return the numbers that a field takes, in words."""
    lowest = next((f"from {each.ge}" for each in field.metadata if isinstance(each, Ge)), "")
    above = next((f"above {each.gt}" for each in field.metadata if isinstance(each, Gt)), "")
    below = next((f"below {each.lt}" for each in field.metadata if isinstance(each, Lt)), "")
    most = next((str(each.le) for each in field.metadata if isinstance(each, Le)), "")
    if lowest and most:
        return f"{noun} {lowest} to {most}"
    words = [f"{lowest} upwards" if lowest else above, f"up to {most}" if most else below]
    return " ".join([noun, *filter(None, words)])
