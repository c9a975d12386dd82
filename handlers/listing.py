"""Finding resources: filters, order, pages and selection, asked of the store in one query."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from app.tmf630 import filtering, jsonpath, paging, row_access, stored_query
from app.tmf630.caller import Identity
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import BadQuery, NoSuchPage
from app.tmf630.paging import Cursor
from app.tmf630.representation import KEPT, in_form, render_all
from app.tmf630.selection import selected
from handlers.handler_context import HandlerContext
from handlers.request_context import RequestContext, TooMuchForEventLoop
from handlers.responses import Response, json_response
from storage import And, Condition, Document, Page, Path, Query, QueryTooSlow, SortKey, Window

_PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of the documents in one response; a longer list continues at the `Link` header's next."""

_EVENT_LOOP_SECONDS = 0.003
"""How long the store may search while the event loop waits; a longer search goes to a thread."""

_EVENT_LOOP_CONVERSIONS = 20
"""How many documents in the form of another version the event loop converts."""

_PARSED_QUERIES = 256
_LONGEST_PARSED_QUERY = 1024
"""Parsed queries that are kept, and the characters of the longest: the pages of one list repeat
their query, and so do clients that look again and again."""


@dataclass(frozen=True)
class ListQuery:
    """A list request as the store is asked: which documents, in which order, and what of them."""

    definition: ResourceDefinition
    where: Condition | None
    sort: tuple[SortKey, ...]
    select: tuple[Path, ...]

    @cached_property
    def fingerprint(self) -> str:
        """The text that ties cursors to the query; a list of one page needs none."""
        return paging.fingerprint(self.definition, self.where, self.sort)


class Listing:
    """The list operation of one resource definition."""

    def __init__(self, definition: ResourceDefinition, context: HandlerContext) -> None:
        self._definition = definition
        self._store = context.store
        self._context = context
        self._parsed = lru_cache(_PARSED_QUERIES)(self._parse)

    def answer(self, request: RequestContext) -> Response:
        """Answer 200 with the matching resources, newest first unless `sort` says otherwise.

        `X-Total-Count` counts all that match, `X-Result-Count` those in this answer. A part of the
        list is a 206 where the contract declares that (TMF630 part 1).

        Raises:
            BadQuery: a filter, sort or paging parameter has no meaning.
            NoSuchPage: the cursor in `after` leads nowhere.
            RowAccessDenied: the caller can see no resource of this kind.
        """
        query = self._query(request)
        window = paging.window(request.parameters, self._context.limits)
        cursor = None
        if request.values("before"):
            raise NoSuchPage("parameter before is not a cursor of this server")
        if after := request.values("after"):
            cursor = self._context.cursors.read(query.fingerprint, after[-1])
        page = self._find(request, query, window, cursor)
        total = cursor.total if cursor else page.total
        base = request.base_url
        next_ = None
        if page.end is not None:
            next_ = self._context.cursors.write(query.fingerprint, Cursor(page.end, total))
        links = paging.links(request.raw_query, base + self._definition.path, window, page, next_)
        return json_response(
            render_all(self._definition, page.documents, base),
            206 if self._definition.partial and is_partial(page, window, cursor, total) else 200,
            {
                **({} if total is None else {"X-Total-Count": str(total)}),
                "X-Result-Count": str(len(page.documents)),
                **({"Link": links} if links else {}),
            },
        )

    def _query(self, request: RequestContext) -> ListQuery:
        parse = self._parse if len(request.raw_query) > _LONGEST_PARSED_QUERY else self._parsed
        return parse(
            paging.without_position(request.raw_query),
            tuple(jsonpath.texts(request.raw_query)) if request.values("filter") else (),
            tuple(request.values("sort")),
            tuple(request.values("fields")),
            request.identity,
            request.strict,
        )

    def _parse(
        self,
        raw_query: str,
        filters: tuple[str, ...],
        sort: tuple[str, ...],
        fields: tuple[str, ...],
        identity: Identity | None,
        strict: bool,
    ) -> ListQuery:
        limits, definition = self._context.limits, self._definition
        conditions = [
            filtering.condition(definition, raw_query, limits, strict=strict),
            *(jsonpath.condition(definition, text, limits, strict=strict) for text in filters),
        ]
        stated = tuple(each for each in conditions if each is not None)
        where = And(stated) if len(stated) > 1 else next(iter(stated), None)
        where = stored_query.scoped(definition, where)
        if (rule := self._rule(identity)) is not None:
            where = rule if where is None else And((rule, where))
        keys = paging.sort_keys(definition, sort, limits, strict=strict)
        return ListQuery(definition, where, keys, selected(definition, fields, strict=strict))

    def _rule(self, identity: Identity | None) -> Condition | None:
        """Return the condition on what the caller may see; None when it may see all."""
        return row_access.condition(self._definition, identity.parties if identity else None)

    def _find(
        self,
        request: RequestContext,
        asked: ListQuery,
        window: Window,
        cursor: Cursor | None,
    ) -> Page:
        select = asked.select
        elsewhere = [other for path in select for other in self._definition.forms.aliases(path)]
        more = bool(elsewhere)
        if select:
            elsewhere.append((KEPT,))
        far = window.offset > self._context.limits.largest_offset
        query = Query(
            where=asked.where,
            sort=asked.sort,
            window=Window(0, 0) if far else window,
            after=cursor.position if cursor else None,
            select=(*select, *elsewhere),
            count=cursor is None,
            most_bytes=_PAGE_BYTES if request.parse_limit is None else request.parse_limit,
            seconds=None if request.parse_limit is None else _EVENT_LOOP_SECONDS,
        )
        if request.parse_limit is None:
            page = self._store.find(self._definition.collection, query)
        else:
            page = self._find_in_event_loop(query)
        if far and (page.total or 0) > window.offset:
            raise BadQuery("offset", "goes too far; follow the Link header's next instead")
        return page._replace(documents=self._shown(page.documents, select, more=more))

    def _find_in_event_loop(self, query: Query) -> Page:
        """Return a page that takes the event loop little time to find and to render.

        Raises:
            TooMuchForEventLoop: it would take longer.
        """
        try:
            page = self._store.find(self._definition.collection, query)
        except QueryTooSlow:
            raise TooMuchForEventLoop from None
        if page.end is not None and len(page.documents) < query.window.limit:
            raise TooMuchForEventLoop
        if len(page.documents) > _EVENT_LOOP_CONVERSIONS:
            form = self._definition.forms.name
            if sum(each.form != form for each in page.documents) > _EVENT_LOOP_CONVERSIONS:
                raise TooMuchForEventLoop
        return page

    def _shown(
        self, documents: tuple[Document, ...], select: tuple[Path, ...], *, more: bool
    ) -> tuple[Document, ...]:
        """Return what is selected of documents, as this contract has it.

        `more` says that the store selected other paths too.
        """
        form = self._definition.forms.name
        if not more and {each.form for each in documents} <= {form}:
            return documents
        return tuple(
            each
            if each.form == form and not more
            else in_form(self._definition, each).selected(select)
            for each in documents
        )


def is_partial(page: Page, window: Window, cursor: Cursor | None, total: int | None) -> bool:
    """Whether more match than a page has; `total` is None where counting took too long."""
    if total is None:
        return page.end is not None or cursor is not None or window.offset > 0
    return len(page.documents) < total
