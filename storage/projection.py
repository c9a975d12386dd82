"""Projection: the part of a document at some paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from storage.query import Path

Selection: TypeAlias = dict[str, "Selection"]
"""Attribute names to keep, each with what to keep below it; an empty selection keeps all."""


def selection_of(paths: Iterable[Path]) -> Selection:
    """Return the selection of the values at these paths; a path selects all below it."""
    root: Selection = {}
    for path in paths:
        selection = root
        *parents, last = path
        for name in parents:
            if selection.get(name) == {}:
                break  # the whole attribute is selected already
            selection = selection.setdefault(name, {})
        else:
            selection[last] = {}
    return root


def select(selection: Selection, value: Any) -> Any:
    """Return the selected part of a JSON value; arrays are entered, scalars have no parts."""
    if not selection:
        return value
    if isinstance(value, list):
        return [select(selection, each) for each in value if isinstance(each, dict | list)]
    return {
        name: select(selection[name], inner)
        for name, inner in value.items()
        if name in selection and (not selection[name] or isinstance(inner, dict | list))
    }
