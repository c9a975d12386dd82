"""The operations on a resource collection and its members."""

from __future__ import annotations

from collections.abc import Callable

from app.tmf630 import lifecycle, outbox, patching, row_access
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.errors import PreconditionFailed
from app.tmf630.representation import encode, href, in_form, render, render_all
from app.tmf630.selection import selected
from handlers.handler_context import HandlerContext
from handlers.listing import Listing
from handlers.preconditions import entity_tag
from handlers.request_context import RequestContext
from handlers.responses import Response, empty_response, json_response
from handlers.writing import result_may_conflict, write_of
from storage import (
    Delete,
    Document,
    DocumentExists,
    DocumentNotFound,
    Insertion,
    Write,
    update,
)


class ResourceHandlers:
    """List, create, retrieve, patch, replace and delete, for one resource definition."""

    def __init__(self, definition: ResourceDefinition, context: HandlerContext) -> None:
        self._definition = definition
        self._store = context.store
        self._context = context
        self._listing = Listing(definition, context)

    def list(self, request: RequestContext) -> Response:
        """Answer with the matching resources; see `Listing.answer`."""
        return self._listing.answer(request)

    def create(self, request: RequestContext) -> Response:
        """Answer 201, or as the contract has it, with the new resource, `Location` and `ETag`.

        Of a list of bodies, all are created or none; the answer is the list of the new resources.

        Raises:
            InvalidResource: the body breaks a rule that only the whole resource shows.
            DocumentExists: the contract lets clients choose the id, and it is taken.
            RowAccessDenied: the caller would not see the resource itself.
            PreconditionFailed: it is taken, and the request says `If-None-Match: *`.
        """
        collection, created = self._definition.collection, self._definition.answers.created
        try:
            if isinstance(request.body, list):
                new = [self._new(request, each)[1] for each in request.body]
                return self._answer_all(request, self._store.insert_all(collection, new), created)
            id, one = self._new(request, request.body)
            document = self._store.insert(
                collection, one.id, one.content, form=one.form, events=one.events
            )
        except DocumentExists:
            if request.preconditions.creates_only:
                raise PreconditionFailed("a resource with this id exists") from None
            raise
        location = href(self._definition, request.base_url, id)
        return self._answer(request, document, created, {"Location": location})

    def _new(self, request: RequestContext, body: Resource) -> tuple[str, Insertion]:
        """Return the id of the resource that a body makes, and what adds it to the store."""
        resource = lifecycle.created(self._definition, body)
        self._definition.check(resource)
        content = encode(self._definition, resource)
        row_access.check_written(self._definition, content, request.parties)
        id: str = resource["id"]
        events = outbox.created(self._definition, id, content, request.event_origin)
        key, form = self._definition.key(id), self._definition.forms.name
        return id, Insertion(key, content, form, tuple(events))

    def retrieve(self, request: RequestContext, id: str) -> Response:
        """Answer 200 with the resource, or 304 when the client has this version already.

        Raises:
            DocumentNotFound: there is none of that id.
        """
        document = self._get(request, id)
        if request.preconditions.is_unchanged(document):
            return empty_response(304, {"ETag": entity_tag(document)})
        return self._answer(request, document, 200)

    def patch(self, request: RequestContext, id: str) -> Response:
        """Answer 200 with the resource as the patch leaves it.

        Raises:
            AttributesNotPatchable: the patch changes attributes that clients may not change.
            BadPatch, PatchConflict: it is not a patch, does not fit the resource, or its result
                breaks the contract.
            DocumentNotFound: there is none of that id.
            RowAccessDenied: the caller would not see the resource any more.
            PreconditionFailed: `If-Match` names another version.
            UpdateContended: the resource kept changing.
        """
        return self._change(
            request,
            id,
            lambda before: self._as_shown(
                request,
                before,
                lambda seen: patching.patched(
                    self._definition,
                    seen,
                    request.media_type,
                    request.body,
                    self._context.limits,
                ),
            ),
            self._definition.answers.changed,
        )

    def replace(self, request: RequestContext, id: str) -> Response:
        """Answer 200 with the resource as the request's body has it.

        Raises:
            AttributesNotPatchable: the body changes attributes that clients may not change.
            DocumentNotFound: there is none of that id.
            PatchConflict: the result would break the contract.
            PreconditionFailed: `If-Match` names another version.
            UpdateContended: the resource kept changing.
        """
        body: Resource = request.body
        return self._change(
            request,
            id,
            lambda before: self._as_shown(
                request, before, lambda seen: patching.replaced(self._definition, seen, body)
            ),
            self._definition.answers.replaced,
        )

    def delete(self, request: RequestContext, id: str) -> Response:
        """Answer 204; the resource is gone.

        Raises:
            DocumentNotFound: there is none of that id.
            PreconditionFailed: `If-Match` names another version.
            UpdateContended: the resource kept changing.
        """

        def decide(present: Document | None) -> Delete:
            document = self._checked(request, id, present)
            request.preconditions.check_write(document, required=self._context.require_if_match)
            return Delete(
                outbox.deleted(
                    self._definition, id, document.content, document.form, request.event_origin
                )
            )

        update(self._store, self._definition.collection, self._definition.key(id), decide)
        return empty_response(self._definition.answers.deleted)

    def _as_shown(
        self, request: RequestContext, before: Resource, change: Callable[[Resource], Resource]
    ) -> Resource:
        """Return a resource as a change of what the client sees, `href` included, leaves it."""
        seen = before | {
            "id": self._definition.shown_id(before["id"]),
            "href": href(self._definition, request.base_url, before["id"]),
        }
        after = change(seen)
        after["id"] = before["id"]
        return {name: value for name, value in after.items() if name != "href"}

    def _get(self, request: RequestContext, id: str) -> Document:
        document = self._store.get(self._definition.collection, self._definition.key(id))
        request.check_parse(len(document.content))
        return self._checked(request, id, document)

    def _checked(self, request: RequestContext, id: str, document: Document | None) -> Document:
        """Return a document that exists and that the caller may see."""
        if document is None:
            raise DocumentNotFound(self._definition.collection, self._definition.key(id))
        row_access.check_seen(self._definition, document, request.parties)
        return document

    def _change(
        self,
        request: RequestContext,
        id: str,
        change: Callable[[Resource], Resource],
        status: int,
    ) -> Response:
        """Change a resource as it stands at the moment of writing.

        When another change comes between reading and writing, this one starts again from the
        newer resource, so that none is lost; `If-Match` then decides whether it still may.
        """

        def decide(present: Document | None) -> Write | None:
            document = self._checked(request, id, present)
            request.preconditions.check_write(document, required=self._context.require_if_match)
            with result_may_conflict():
                return write_of(
                    self._definition,
                    document,
                    change,
                    largest=self._context.limits.resource_size,
                    parties=request.parties,
                    origin=request.event_origin,
                )

        key = self._definition.key(id)
        document = update(
            self._store, self._definition.collection, key, decide, attempts=request.attempts
        )
        assert document is not None  # noqa: S101 - `decide` deletes nothing
        return self._answer(request, document, status)

    def _answer_all(
        self, request: RequestContext, documents: tuple[Document, ...], status: int
    ) -> Response:
        """Return documents as a list, or what `fields` selects of each."""
        if status == 204:
            return empty_response(status)
        select = selected(self._definition, request.values("fields"), strict=request.strict)
        shown = tuple(in_form(self._definition, each).selected(select) for each in documents)
        return json_response(render_all(self._definition, shown, request.base_url), status)

    def _answer(
        self,
        request: RequestContext,
        document: Document,
        status: int,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Return a document, or what `fields` selects of it, with its entity tag.

        Where the contract has no better success than 204 there is nothing to see.
        """
        tag = entity_tag(document)
        if status == 204:
            return empty_response(status, {**(headers or {}), "ETag": tag})
        select = selected(self._definition, request.values("fields"), strict=request.strict)
        document = in_form(self._definition, document).selected(select)
        return json_response(
            render(self._definition, document, request.base_url),
            status,
            {**(headers or {}), "ETag": tag},
        )
