"""Attribute selection: the `fields` parameter (TMF630 part 1)."""

from __future__ import annotations

from collections.abc import Iterable

from app.tmf630.attribute_names import check_known
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.representation import INSIDE
from storage import Path


def parse(values: Iterable[str], identity: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the paths that every `fields` parameter together selects; none selects everything.

    Names are separated by commas, levels by dots; `none` selects the identity alone. Identity
    attributes always come along. Unknown names select nothing, which is no error.
    """
    names = [name.strip() for value in values for name in value.split(",")]
    names = [name for name in names if name]
    if not names:
        return ()
    paths = [(name,) for name in identity]
    return (*paths, *(tuple(name.split(".")) for name in names if name != "none"))


def selected(
    definition: ResourceDefinition, fields: Iterable[str], *, strict: bool = False
) -> tuple[Path, ...]:
    """Return the paths of a resource that the values of `fields` select; none selects all.

    Raises:
        BadQuery: `strict`, and the contract does not have one of the attributes.
    """
    paths = parse(fields, definition.identity)
    if strict:
        for path in paths[len(definition.identity) :]:
            check_known(definition, path, "fields")
    return (*paths, (INSIDE,)) if paths and definition.parent is not None else paths
