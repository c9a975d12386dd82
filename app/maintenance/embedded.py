"""Embedded resources that an earlier release stored as documents of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from app.maintenance.collections import Source
from app.tmf630 import lifecycle
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.errors import InvalidResource
from app.tmf630.representation import INSIDE, decode, encode_change
from storage import (
    Document,
    DocumentNotFound,
    Store,
    UpdateContended,
    Write,
    json,
    put,
    remove,
    update,
)

OUTSIDE = "lies outside of the array of its parent; migrate moves it there"


Elsewhere: TypeAlias = Callable[[ResourceDefinition, str], Document | None]
"""Finds a resource that is not where a contract keeps it, by its definition and key."""


def move(source: Source, stored: Document, store: Store, copies: str) -> None:
    """Move a document into the array of its parent; an element with its id that is there stays.

    The document is copied into the collection `copies` before it is removed. Interrupted, it can be
    moved again.

    Raises:
        InvalidResource: there is no parent, or the document does not fit it.
    """
    place = _Place(source.definition, stored)

    def decide(present: Document | None) -> Write | None:
        before = decode(place.root, present) if present is not None else None
        after = place.changed(before)
        if present is None or before is None or after is before:
            return None
        return Write(*encode_change(place.root, present, before, after))

    try:
        update(store, place.root.collection, place.key, decide)
    except UpdateContended:
        raise InvalidResource(["its parent kept changing"]) from None
    put(store, copies, stored.id, stored.content, form=stored.form)
    remove(store, source.collection, stored.id)


def check_move(source: Source, stored: Document, store: Store, elsewhere: Elsewhere) -> None:
    """See whether a document can be moved, also into a parent that `elsewhere` finds.

    Raises:
        InvalidResource: it cannot.
    """
    place = _Place(source.definition, stored)
    parent: Document | None
    try:
        parent = store.get(place.root.collection, place.key)
    except DocumentNotFound:
        parent = elsewhere(place.root, place.key)
    place.changed(decode(place.root, parent) if parent else None, elsewhere)


class _Place:
    """Where a document has its place: the outermost resource and the arrays that lead there."""

    def __init__(self, definition: ResourceDefinition, stored: Document) -> None:
        path = [definition]
        while (outer := path[0].embedded_in) is not None:
            path.insert(0, outer)
        self.root, *self._inner = path
        self._ids = str(json.loads(stored.content).get(INSIDE, "")).split("/")
        if len(self._ids) != len(definition.parents):
            raise InvalidResource(["does not name its parent"])
        depth = len(self.root.parents) + 1
        self.key, self._within = "/".join(self._ids[:depth]), self._ids[depth:]
        self._element = _element(definition, stored)
        self._arrays = [each.array for each in self._inner]

    def changed(self, before: Resource | None, elsewhere: Elsewhere | None = None) -> Resource:
        """Return the outermost resource with the document in it; itself where it is in there.

        `elsewhere` finds elements in between that are not there yet.

        Raises:
            InvalidResource: a resource around it is missing, or it does not fit.
        """
        holder = before
        if holder is not None and elsewhere is not None:
            for level, definition in enumerate(self._inner[:-1], 1):
                found = elsewhere(definition, f"{self.key}/{'/'.join(self._within[:level])}")
                if found is not None:
                    element = _element(definition, found)
                    arrays, ids = self._arrays[:level], self._within[: level - 1]
                    holder = _with_element(holder, arrays, ids, element) or holder
        after = _with_element(holder, self._arrays, self._within, self._element) if holder else None
        if before is None or after is None:
            raise InvalidResource(["its parent is not stored"])
        if after is not before:
            lifecycle.fill(self.root.fills, after, lifecycle.now())
            self.root.check(after, before)
        return after


def _element(definition: ResourceDefinition, stored: Document) -> Resource:
    element = decode(definition, stored)
    return {**element, "id": definition.shown_id(element["id"])}


def _with_element(
    holder: Resource, arrays: list[str], ids: list[str], element: Resource
) -> Resource | None:
    """Return a resource with an element put first; itself where one has the id already.

    None where one of the elements around it is missing; `ids` are theirs.
    """
    name, *inner = arrays
    elements: list[Any] = list(holder.get(name) or ())
    at = {str(each["id"]): n for n, each in enumerate(elements) if _has_id(each)}
    if not inner:
        found = str(element["id"]) in at
        return holder if found else {**holder, name: [element, *elements]}
    if ids[0] not in at:
        return None
    place = at[ids[0]]
    changed = _with_element(elements[place], inner, ids[1:], element)
    if changed is None or changed is elements[place]:
        return changed and holder
    elements[place] = changed
    return {**holder, name: elements}


def _has_id(element: Any) -> bool:
    return isinstance(element, dict) and "id" in element
