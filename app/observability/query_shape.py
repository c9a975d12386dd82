"""The shape of a query: its paths and operators without values, which may be personal."""

from __future__ import annotations

from storage import And, AnyElement, Comparison, Condition, Matches, Not, Or, Query
from storage.query import InForm

_MOST = 500


def shape_of(query: Query) -> str:
    """Return a query in one line: `status = ? and channel[id = ?] sort -creationDate limit 100`.

    Alternatives of one shape are told once.
    """
    parts = [_shape(query.where)] if query.where is not None else ["all"]
    if query.sort:
        keys = (f"{'-' if key.descending else ''}{'.'.join(key.path)}" for key in query.sort)
        parts.append(f"sort {','.join(keys)}")
    if query.window.offset:
        parts.append(f"offset {query.window.offset}")
    parts.append(f"limit {query.window.limit}")
    if query.count:
        parts.append("counted")
    text = " ".join(parts)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _shape(condition: Condition) -> str:
    match condition:
        case Comparison(path, operator, value):
            return f"{'.'.join(path)} {operator} {'null' if value is None else '?'}"
        case Matches(path, _):
            return f"{'.'.join(path)} matches ?"
        case AnyElement(path, inner):
            return f"{'.'.join(path)}[{_shape(inner)}]"
        case InForm(forms):
            return f"form in {','.join(forms)}"
        case Not(inner):
            return f"not ({_shape(inner)})"
        case And(conditions):
            return _joined(" and ", conditions)
        case Or(conditions):
            return _joined(" or ", conditions)


def _joined(word: str, conditions: tuple[Condition, ...]) -> str:
    shapes = list(dict.fromkeys(map(_shape, conditions)))
    return shapes[0] if len(shapes) == 1 else f"({word.join(shapes)})"
