"""Embedded resources that an earlier release stored as documents of their own."""

from __future__ import annotations

from typing import Any

from app.maintenance.collections import Source
from app.tmf630 import lifecycle
from app.tmf630.definitions import Resource
from app.tmf630.errors import InvalidResource
from app.tmf630.representation import INSIDE, decode, encode_change
from storage import Document, Store, UpdateContended, Write, json, put, remove, update

OUTSIDE = "lies outside of the array of its parent; migrate moves it there"


def move(source: Source, stored: Document, store: Store, copies: str, *, dry_run: bool) -> None:
    """Move a document into the array of its parent; an element with its id that is there stays.

    The document is copied into the collection `copies` before it is removed. Interrupted, it can be
    moved again. A dry run only looks for the parent.

    Raises:
        InvalidResource: there is no parent, or the document does not fit it.
    """
    definition = source.definition
    place = [definition]
    while (outer := place[0].embedded_in) is not None:
        place.insert(0, outer)
    root, *inner = place
    ids = str(json.loads(stored.content).get(INSIDE, "")).split("/")
    if len(ids) != len(definition.parents):
        raise InvalidResource(["does not name its parent"])
    depth = len(root.parents) + 1
    key, within = "/".join(ids[:depth]), ids[depth:]
    element = decode(definition, stored)
    element["id"] = definition.shown_id(element["id"])
    arrays = [each.array for each in inner]

    def decide(present: Document | None) -> Write | None:
        before = decode(root, present) if present is not None else None
        after = _with_element(before, arrays, within, element) if before is not None else None
        if present is None or before is None or after is None:
            raise InvalidResource(["its parent is not stored"])
        if after is before:
            return None
        lifecycle.fill(root.fills, after, lifecycle.now())
        root.check(after, before)
        return None if dry_run else Write(*encode_change(root, present, before, after))

    try:
        update(store, root.collection, key, decide)
    except UpdateContended:
        raise InvalidResource(["its parent kept changing"]) from None
    if not dry_run:
        put(store, copies, stored.id, stored.content, form=stored.form)
        remove(store, source.collection, stored.id)


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
