"""Embedded resources: elements of an array of their parent, as documents of their own.

`EmbeddedDocuments` shows the array as a collection, so that the handlers of other resources serve
it. Each write is a write of the parent: one atomic step with its version and its events. The
version of an element is that of its parent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from app.tmf630 import row_access
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.representation import decode, encode
from app.tmf630.row_access import Parties
from handlers.handler_context import HandlerContext
from handlers.request_context import RequestContext, TooMuchForEventLoop
from handlers.writing import result_may_conflict, write_of
from storage import (
    Document,
    DocumentExists,
    DocumentNotFound,
    Documents,
    Insertion,
    Page,
    Position,
    Query,
    VersionConflict,
    Write,
    json,
    newest_first,
    open_store,
    update,
)


def embedded_documents(
    definition: ResourceDefinition,
    ids: Sequence[str],
    request: RequestContext,
    context: HandlerContext,
) -> EmbeddedDocuments:
    """Return the elements of an array as a collection; `ids` are those of the resources around it.

    What the caller may see and change is decided by the outermost resource.

    Raises:
        RowAccessDenied: the caller can see no resource of that kind.
    """
    parent = definition.embedded_in
    assert parent is not None  # noqa: S101 - the caller has looked
    documents, parties = context.store, request.parties
    if parent.embedded_in is not None:
        documents, parties = embedded_documents(parent, ids[:-1], request, context), None
    if parent.parents:
        parent = parent.inside(ids[:-1])
    row_access.condition(parent, parties)
    return EmbeddedDocuments(
        definition.inside(ids), parent, ids[-1], documents, request, context, parties
    )


class EmbeddedDocuments:
    """The elements of an array of one resource (`storage.Documents`), for one request."""

    def __init__(
        self,
        definition: ResourceDefinition,
        parent: ResourceDefinition,
        id: str,
        documents: Documents,
        request: RequestContext,
        context: HandlerContext,
        parties: Parties,
    ) -> None:
        self._definition = definition
        self._parent = parent
        self._key = parent.key(id)
        self._documents = documents
        self._request = request
        self._largest = context.limits.resource_size
        self._parties = parties

    def get(self, collection: str, id: str) -> Document:
        """See `Documents.get`; the parent may be what is not found."""
        parent = self._documents.get(self._parent.collection, self._key)
        self._request.check_parse(len(parent.content))
        for element in self._elements(parent):
            if self._key_of(element) == id:
                return self._document(parent, element)
        raise DocumentNotFound(collection, id)

    def find(self, collection: str, query: Query) -> Page:
        """See `Documents.find`; without sort keys, in the order of the array.

        A position names the element that a page ended with, so that it stays where it is when the
        array changes.
        """
        if self._request.parse_limit is not None:
            raise TooMuchForEventLoop
        parent = self._documents.get(self._parent.collection, self._key)
        elements = self._elements(parent)
        found = [self._document(parent, each) for each in elements if isinstance(each, dict)]
        with closing(open_store("memory:")) as store:
            store.prepare(collection, ())
            store.insert_many(collection, found[::-1])  # the newest come first
            if query.after is not None:
                query = replace(query, after=_in_store(query, query.after, found))
            page = store.find(collection, query)
        if page.end is None:
            return page
        place = len(found) - int(str(page.end[-1]))
        return page._replace(end=(*page.end[:-1], found[place].id, place))

    def insert(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        """Append an element; see `Documents.insert` and `insert_all`."""
        (document,) = self.insert_all(collection, [Insertion(id, content, form, tuple(events))])
        return document

    def insert_all(self, collection: str, insertions: Sequence[Insertion]) -> tuple[Document, ...]:
        """Append elements; see `Documents.insert_all`.

        Raises:
            DocumentNotFound: there is no parent.
            InvalidResource: the parent's schema does not allow such elements.
        """
        new = {each.id: Document(each.id, 1, each.content, each.form) for each in insertions}
        elements = [self._element(each) for each in new.values()]
        events = [event for each in insertions for event in each.events]

        def decide(parent: Document | None) -> Write:
            if parent is None:
                raise DocumentNotFound(self._parent.collection, self._key)
            present = self._elements(parent)
            keys = [*map(self._key_of, present), *(each.id for each in insertions)]
            for id in new:
                if keys.count(id) > 1:
                    raise DocumentExists(collection, id)
            return self._write(parent, [*present, *elements], events)

        written = update(
            self._documents,
            self._parent.collection,
            self._key,
            decide,
            attempts=self._request.attempts,
        )
        assert written is not None  # noqa: S101 - `decide` deletes nothing
        return tuple(each._replace(version=written.version) for each in new.values())

    def replace(
        self,
        collection: str,
        id: str,
        content: bytes,
        *,
        version: int,
        form: str = "",
        events: Sequence[bytes] = (),
    ) -> Document:
        """Replace an element; see `Documents.replace`.

        Raises:
            PatchConflict: the parent's schema does not allow such an element.
        """
        changed = self._element(Document(id, version, content, form))
        written = self._change(collection, id, changed, version, events)
        return Document(id, written.version, content, form)

    def delete(
        self, collection: str, id: str, *, version: int, events: Sequence[bytes] = ()
    ) -> None:
        """Remove an element; see `Documents.delete`.

        Raises:
            PatchConflict: the parent cannot be without it.
        """
        self._change(collection, id, None, version, events)

    def _change(
        self,
        collection: str,
        id: str,
        changed: Resource | None,
        version: int,
        events: Sequence[bytes],
    ) -> Document:
        """Put another element in the place of one, or none; return the parent."""
        parent = self._documents.get(self._parent.collection, self._key)
        if parent.version != version:
            raise VersionConflict(collection, id, expected=version)
        present = self._elements(parent)
        place = next((n for n, each in enumerate(present) if self._key_of(each) == id), None)
        if place is None:
            raise DocumentNotFound(collection, id)
        links = {"href": present[place]["href"]} if "href" in present[place] else {}
        put = [] if changed is None else [changed | links]
        with result_may_conflict():
            write = self._write(parent, [*present[:place], *put, *present[place + 1 :]], events)
        return self._documents.replace(
            self._parent.collection,
            self._key,
            write.content,
            version=version,
            form=write.form,
            events=write.events,
        )

    def _write(self, parent: Document, elements: list[Any], events: Sequence[bytes]) -> Write:
        write = write_of(
            self._parent,
            parent,
            lambda before: before | {self._definition.array: elements},
            largest=self._largest,
            parties=self._parties,
            origin=self._request.event_origin,
        )
        if write is None:  # an element like the one that was there
            return Write(parent.content, parent.form, events)
        return replace(write, events=(*events, *write.events))

    def _elements(self, parent: Document) -> list[Any]:
        """Return the elements of a parent that the caller may see, objects with their ids."""
        row_access.check_seen(self._parent, parent, self._parties)
        elements = decode(self._parent, parent).get(self._definition.array)
        return _with_ids(elements) if isinstance(elements, list) else []

    def _document(self, parent: Document, element: Resource) -> Document:
        content = encode(self._definition, element | {"id": str(element["id"])})
        key = self._definition.key(str(element["id"]))
        return Document(key, parent.version, content, self._definition.forms.name)

    def _element(self, document: Document) -> Resource:
        element = decode(self._definition, document)
        return {**element, "id": self._definition.shown_id(element["id"])}

    def _key_of(self, element: Any) -> str | None:
        return self._definition.key(str(element["id"])) if isinstance(element, dict) else None


def _in_store(query: Query, position: Position, found: Sequence[Document]) -> Position:
    """Return a position among elements as one of the store, which numbers them from the last.

    Where the element is gone, the one that came behind it has its place.
    """
    *values, id, place = position
    number = next((len(found) - n for n, each in enumerate(found) if each.id == id), None)
    if number is None:
        number = len(found) - int(str(place)) + newest_first(query.sort)
    return (*values, number)


def _with_ids(elements: list[Any]) -> list[Any]:
    """Return elements of which every object has an id that a path can name.

    Those that were stored without are known by their content until the array is changed.
    """
    found: list[Any] = []
    same: Counter[bytes] = Counter()
    for element in elements:
        if isinstance(element, dict) and element.get("id", "") == "":
            content = json.dumps(element)
            same[content] += 1
            salt = same[content].to_bytes(4, "big")
            id = blake2b(content, digest_size=16, salt=salt).hexdigest()
            element = {"id": id} | {name: element[name] for name in element if name != "id"}
        found.append(element)
    return found
