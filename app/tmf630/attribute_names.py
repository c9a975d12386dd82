"""Checks that the attributes which a query names exist in the contract."""

from __future__ import annotations

from difflib import get_close_matches

from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import BadQuery
from storage import And, AnyElement, Comparison, Condition, Matches, Not, Or, Path

_LONGEST = 50
"""Characters of a name that is compared with those that exist."""


def check_known(definition: ResourceDefinition, path: Path, parameter: str | None = None) -> None:
    """Check that the contract has an attribute; `parameter` names it, where it is not the name.

    Raises:
        BadQuery: there is none; the message suggests one of a similar name.
    """
    if definition.attributes.knows(path):
        return
    name = ".".join(path)
    what = f"names {name[:_LONGEST]}, which is not" if parameter else "is not"
    of = "the events of this API" if definition.event_types else "this resource"
    message = f"{what} an attribute of {of}{_suggestion(definition, path)}"
    raise BadQuery(parameter or name, message)


def check_all_known(
    definition: ResourceDefinition, parameter: str, tree: Condition, here: Path = ()
) -> None:
    """Check that the contract has every attribute of a condition.

    Raises:
        BadQuery: see `check_known`.
    """
    match tree:
        case Comparison(path) | Matches(path):
            check_known(definition, here + path, parameter)
        case AnyElement(path, inner):
            check_all_known(definition, parameter, inner, here + path)
        case Not(inner):
            check_all_known(definition, parameter, inner, here)
        case And(conditions) | Or(conditions):
            for each in conditions:
                check_all_known(definition, parameter, each, here)


def _suggestion(definition: ResourceDefinition, path: Path) -> str:
    known = 0
    while known < len(path) and definition.attributes.knows(path[: known + 1]):
        known += 1
    wrong = path[known][:_LONGEST]
    names = {name.lower(): name for name in sorted(definition.attributes.names(path[:known]))}
    close = get_close_matches(wrong.lower(), names, n=1)
    if not close:
        return (
            f"; there are {', '.join(names.values())}" if names and definition.event_types else ""
        )
    return f"; did you mean {'.'.join((*path[:known], names[close[0]], *path[known + 1 :]))}?"
