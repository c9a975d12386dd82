"""Attribute selection: the `fields` parameter (TMF630 part 1)."""

from __future__ import annotations

from typing import Any, TypeAlias

Selection: TypeAlias = dict[str, "Selection"]
"""Attribute names to keep, each with what to keep below it; an empty selection keeps all."""


def parse(values: list[str], identity: tuple[str, ...]) -> Selection:
    """Parse the values of every `fields` parameter.

    Names are separated by commas, levels by dots; `none` selects the identity alone. Identity
    attributes always come along. Unknown names select nothing, which is no error.
    """
    names = [name.strip() for value in values for name in value.split(",")]
    names = [name for name in names if name]
    selection: Selection = {}
    if names:
        for name in (*identity, *names):
            if name != "none":
                _add(selection, name.split("."))
    return selection


def select(selection: Selection, value: Any) -> Any:
    """Return the selected part of a JSON value; arrays are entered, scalars stay as they are."""
    if not selection:
        return value
    if isinstance(value, list):
        return [select(selection, element) for element in value]
    if isinstance(value, dict):
        return {
            name: select(selection[name], inner)
            for name, inner in value.items()
            if name in selection
        }
    return value


def _add(selection: Selection, path: list[str]) -> None:
    *parents, last = path
    for name in parents:
        if selection.get(name) == {}:
            return  # the whole attribute is selected already
        selection = selection.setdefault(name, {})
    selection[last] = {}
