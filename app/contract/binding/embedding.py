"""Embedded resources: those at `/{parent}/{id}/{name}` that the parent's array `name` holds.

They are recognised by that array: its elements have an id and every attribute of the resource.
Where the elements are only references, the resources are documents of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.tmf630.definitions import NEW_ID, NEW_INTEGER_ID, Fill, ResourceDefinition

_OF_REFERENCES = frozenset(
    {"id", "href", "name", "role", "@type", "@baseType", "@schemaLocation", "@referredType"}
)


def embed(definitions: Mapping[str, ResourceDefinition]) -> dict[str, ResourceDefinition]:
    """Return the definitions of a contract, by path; those of embedded resources name their parent.

    Elements that are written with the parent are given ids.
    """
    arrays: dict[str, tuple[str, str]] = {}
    fills: dict[str, list[Fill]] = {}
    for path, definition in definitions.items():
        parent, _, rest = path.rpartition("/{")
        name = rest.partition("}/")[2]
        if parent in definitions and _holds(definitions[parent], name, definition):
            arrays[path] = (parent, name)
    for path in arrays:
        new = NEW_INTEGER_ID if definitions[path].integer_ids else NEW_ID
        holder, place = path, ["id"]
        while holder in arrays:
            holder, name = arrays[holder]
            place.insert(0, name)
            fills.setdefault(holder, []).append(Fill(tuple(place), new))
    found: dict[str, ResourceDefinition] = {}
    for path in sorted(definitions, key=len):
        definition = definitions[path]
        definition = replace(definition, fills=(*definition.fills, *fills.get(path, ())))
        if path in arrays:
            parent, name = arrays[path]
            definition = replace(definition, embedded_in=found[parent], array=name)
        found[path] = definition
    return found


def _holds(parent: ResourceDefinition, name: str, definition: ResourceDefinition) -> bool:
    """Whether the elements of an array are resources of this definition."""
    own = definition.attributes.names(()) - _OF_REFERENCES
    elements = parent.attributes.names((name,))
    return bool(own) and parent.attributes.is_array((name,)) and own | {"id"} <= elements
