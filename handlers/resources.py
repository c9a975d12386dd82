"""The operations on a resource collection and its members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Response

from handlers import (
    announcing,
    filtering,
    jsonpath,
    lifecycle,
    paging,
    patching,
    request,
    scope,
    selection,
)
from handlers.definition import Limits, Resource, ResourceDefinition
from handlers.errors import (
    BadQuery,
    InvalidResource,
    NoSuchPage,
    PatchConflict,
    PreconditionFailed,
    UpdateContended,
)
from handlers.paging import Cursor, Cursors
from handlers.preconditions import check_write, entity_tag, is_unchanged
from handlers.representation import (
    INSIDE,
    decode,
    encode,
    encode_change,
    href,
    in_form,
    render,
    render_all,
)
from handlers.response import empty_response, json_response
from storage import (
    And,
    Condition,
    Document,
    DocumentExists,
    Page,
    Path,
    Query,
    SortKey,
    Store,
    VersionConflict,
    Window,
)

PATCH_ATTEMPTS = 20
"""How often a change starts again because another came between its read and its write."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What handlers share: the store, bounds, and where clients reach the server.

    `base_url` gives scheme, host and prefix, without trailing slash, for the current request.
    `check_callback` raises `BadCallback` for an address that events may not be sent to, and
    `begin_lane` lets events flow to a new subscription from now on; `return_duplicates` says what
    becomes of a subscription that is there already.
    """

    store: Store
    base_url: Callable[[], str]
    limits: Limits
    cursors: Cursors
    require_if_match: bool = False
    return_duplicates: bool = False
    check_callback: Callable[[str], None] = lambda url: None
    begin_lane: Callable[[ResourceDefinition, str], None] = lambda hub, id: None


class ResourceHandlers:
    """List, create, retrieve, patch, replace and delete, for one resource definition."""

    def __init__(self, definition: ResourceDefinition, surroundings: Surroundings) -> None:
        self._definition = definition
        self._store = surroundings.store
        self._around = surroundings

    def list(self) -> Response:
        """Answer 200 with the matching resources, newest first unless `sort` says otherwise.

        `X-Total-Count` counts all that match, `X-Result-Count` those in this answer. A part of the
        list is a 206 where the contract declares that (TMF630 part 1).

        Raises:
            BadQuery: a filter, sort or paging parameter has no meaning.
            NoSuchPage: the cursor in `after` leads nowhere.
        """
        asked = request.current()
        where = scope.scoped(self._definition, self._condition())
        sort = paging.sort_keys(self._definition, asked.values("sort"), self._around.limits)
        window = paging.window(asked.parameters, self._around.limits)
        query = paging.fingerprint(self._definition, where, sort)
        cursor = None
        if asked.values("before"):
            raise NoSuchPage("parameter before is not a cursor of this server")
        if after := asked.values("after"):
            cursor = self._around.cursors.read(query, after[-1])
        page = self._find(where, sort, window, cursor)
        total = cursor.total if cursor else page.total or 0
        base = self._around.base_url()
        next_ = None
        if page.end is not None:
            next_ = self._around.cursors.write(query, Cursor(page.end, total))
        url = base + self._definition.path
        return json_response(
            render_all(self._definition, page.documents, base),
            206 if self._definition.partial and len(page.documents) < total else 200,
            {
                "X-Total-Count": str(total),
                "X-Result-Count": str(len(page.documents)),
                "Link": paging.links(asked, url, window, page, next_),
            },
        )

    def create(self) -> Response:
        """Answer 201, or as the contract has it, with the new resource, `Location` and `ETag`.

        Raises:
            InvalidResource: the body breaks a rule that only the whole resource shows.
            DocumentExists: the contract lets clients choose the id, and it is taken.
            PreconditionFailed: it is taken, and the request says `If-None-Match: *`.
        """
        resource = lifecycle.created(self._definition, request.current().body)
        self._definition.check(resource)
        content, base = encode(self._definition, resource), self._around.base_url()
        try:
            document = self._store.insert(
                self._definition.collection,
                self._definition.key(resource["id"]),
                content,
                form=self._definition.forms.name,
                events=announcing.created(self._definition, resource["id"], content, base),
            )
        except DocumentExists:
            if request.header("If-None-Match") == "*":
                raise PreconditionFailed("a resource with this id exists") from None
            raise
        location = href(self._definition, base, resource["id"])
        return self._answer(document, self._definition.answers.created, {"Location": location})

    def retrieve(self, id: str) -> Response:
        """Answer 200 with the resource, or 304 when the client has this version already.

        Raises:
            DocumentNotFound: there is none of that id.
        """
        document = self._get(id)
        if is_unchanged(document):
            return empty_response(304, {"ETag": entity_tag(document)})
        return self._answer(document, 200)

    def patch(self, id: str) -> Response:
        """Answer 200 with the resource as the patch leaves it.

        Raises:
            AttributesNotPatchable: the patch names attributes that clients may not change.
            BadPatch, PatchConflict: it is not a patch, does not fit the resource, or its result
                breaks the contract.
            DocumentNotFound: there is none of that id.
            PreconditionFailed: `If-Match` names another version.
            UpdateContended: the resource kept changing.
        """
        asked = request.current()
        return self._change(
            id,
            lambda before: patching.patched(self._definition, before, asked.media_type, asked.body),
            self._definition.answers.changed,
        )

    def replace(self, id: str) -> Response:
        """Answer 200 with the resource as the request's body has it, id and managed values kept.

        Raises:
            DocumentNotFound: there is none of that id.
            PatchConflict: the result would break the contract.
            PreconditionFailed: `If-Match` names another version.
            UpdateContended: the resource kept changing.
        """
        body: Resource = request.current().body
        return self._change(
            id,
            lambda before: {**body, "id": before["id"]},
            self._definition.answers.replaced,
        )

    def delete(self, id: str) -> Response:
        """Answer 204; the resource is gone.

        Raises:
            DocumentNotFound: there is none of that id.
            PreconditionFailed: `If-Match` names another version.
        """
        for _ in range(PATCH_ATTEMPTS):
            document = self._get(id)
            check_write(document, required=self._around.require_if_match)
            try:
                self._store.delete(
                    self._definition.collection,
                    document.id,
                    version=document.version,
                    events=announcing.deleted(
                        self._definition,
                        id,
                        document.content,
                        document.form,
                        self._around.base_url(),
                    ),
                )
            except VersionConflict:
                continue
            return empty_response(self._definition.answers.deleted)
        raise UpdateContended(f"{id} kept changing while it was being deleted")

    def _condition(self) -> Condition | None:
        asked = request.current()
        strict = "handling=strict" in (request.header("Prefer") or "")
        limits = self._around.limits
        conditions = [
            filtering.condition(self._definition, asked.raw_query, limits, strict=strict),
            *(jsonpath.condition(text, limits) for text in asked.values("filter")),
        ]
        stated = tuple(each for each in conditions if each is not None)
        return And(stated) if len(stated) > 1 else next(iter(stated), None)

    def _find(
        self,
        where: Condition | None,
        sort: tuple[SortKey, ...],
        window: Window,
        cursor: Cursor | None,
    ) -> Page:
        select = self._selected()
        aliases = (other for path in select for other in self._definition.forms.aliases(path))
        far = window.offset > self._around.limits.largest_offset
        page = self._store.find(
            self._definition.collection,
            Query(
                where=where,
                sort=sort,
                window=Window(0, 0) if far else window,
                after=cursor.position if cursor else None,
                select=(*select, *aliases),
                count=cursor is None,
            ),
        )
        if far and (page.total or 0) > window.offset:
            raise BadQuery("offset", "goes too far; follow the Link header's next instead")
        return replace(page, documents=tuple(self._shown(each, select) for each in page.documents))

    def _get(self, id: str) -> Document:
        return self._store.get(self._definition.collection, self._definition.key(id))

    def _shown(self, document: Document, select: tuple[Path, ...]) -> Document:
        """Return what the store selected of a document, as this contract has it."""
        if document.form == self._definition.forms.name:
            return document
        return in_form(self._definition, document).selected(select)

    def _change(self, id: str, change: Callable[[Resource], Resource], status: int) -> Response:
        """Change a resource as it stands at the moment of writing.

        When another change comes between reading and writing, this one starts again from the
        newer resource, so that none is lost; `If-Match` then decides whether it still may.
        """
        for _ in range(PATCH_ATTEMPTS):
            document = self._get(id)
            check_write(document, required=self._around.require_if_match)
            before = decode(self._definition, document)
            after = lifecycle.changed(self._definition, before, change(before))
            if after == before:
                return self._answer(document, status)
            try:
                self._definition.check(after, before)
            except InvalidResource as error:
                raise PatchConflict(f"the result breaks the contract: {error}") from None
            content, form = encode_change(self._definition, document, before, after)
            base = self._around.base_url()
            try:
                document = self._store.replace(
                    self._definition.collection,
                    document.id,
                    content,
                    version=document.version,
                    form=form,
                    events=announcing.changed(self._definition, before, after, content, form, base),
                )
            except VersionConflict:
                continue
            return self._answer(document, status)
        raise UpdateContended(f"{id} kept changing while it was being changed")

    def _answer(
        self, document: Document, status: int, headers: dict[str, str] | None = None
    ) -> Response:
        """Return a document, or what `fields` selects of it, with its entity tag."""
        tag = entity_tag(document)
        document = in_form(self._definition, document).selected(self._selected())
        return json_response(
            render(self._definition, document, self._around.base_url()),
            status,
            {**(headers or {}), "ETag": tag},
        )

    def _selected(self) -> tuple[Path, ...]:
        paths = selection.parse(request.current().values("fields"), self._definition.identity)
        return (*paths, (INSIDE,)) if paths and self._definition.parent is not None else paths
