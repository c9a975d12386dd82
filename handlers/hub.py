"""Event subscriptions: registering listeners at an API's hub (TMF630 part 1, notifications)."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from flask import Response

from app.tmf630 import filtering, jsonpath, selection
from app.tmf630.caller import Access
from app.tmf630.definitions import Limits, Resource, ResourceDefinition
from app.tmf630.errors import BadQuery, SubscriptionExists
from app.tmf630.representation import OWNER, PARTIES, decode, encode, href, render
from handlers import request_context
from handlers.handler_context import Surroundings
from handlers.listing import Listing
from handlers.preconditions import check_write, entity_tag, is_unchanged
from handlers.responses import empty_response, json_response
from storage import (
    And,
    Comparison,
    Condition,
    Document,
    DocumentExists,
    DocumentNotFound,
    Operator,
    Path,
    VersionConflict,
    holds,
    json,
)


@dataclass(frozen=True, slots=True)
class SubscriptionQuery:
    """Which events a listener wants, and which attributes of them; all of both when empty."""

    where: Condition | None
    fields: tuple[Path, ...]


def parse_query(definition: ResourceDefinition, query: str, limits: Limits) -> SubscriptionQuery:
    """Parse a subscription's query: the filters of a list, on events, `filter` and `fields`.

    Raises:
        BadQuery, UnsupportedQuery: it has no meaning.
    """
    query = query.removeprefix("?")
    given = parse_qsl(query, keep_blank_values=True)
    for name in _OF_LISTS.intersection(name for name, _ in given):
        raise BadQuery(name, "is for lists; events have no order to choose, and no pages")
    conditions = [
        filtering.condition(definition, query, limits),
        *(jsonpath.condition(definition, text, limits) for name, text in given if name == "filter"),
    ]
    stated = tuple(each for each in conditions if each is not None)
    where = And(stated) if len(stated) > 1 else next(iter(stated), None)
    if where is not None:
        holds(where, {})  # refuses patterns that are not RE2's
    fields = [value for name, value in given if name == "fields"]
    return SubscriptionQuery(where, selection.parse(fields, ("eventId", "eventType")))


_OF_LISTS = frozenset({"offset", "limit", "sort", "before", "after"})
_NAMESPACE = uuid.UUID("a6a1f2a4-7a0e-5d0f-9c4b-3c1f3c0d2b77")


class HubHandlers:
    """Register, retrieve and unregister listeners, for one hub."""

    def __init__(self, definition: ResourceDefinition, surroundings: Surroundings) -> None:
        self._definition = definition
        self._around = surroundings

    def register(self) -> Response:
        """Answer 201 with the new subscription and its `Location`.

        A subscription's id follows from its callback, query and owner: two requests to register the
        same cannot both succeed, whichever process they reach. Of a caller that is bound to
        parties it brings what they have a part in.

        Raises:
            MalformedCallback: the callback is no URL that events could be sent to.
            BadCallback: events may not be sent there.
            BadQuery, UnsupportedQuery: the query has no meaning.
            SubscriptionExists: the callback is registered with this query already.
        """
        body = request_context.current().body
        query = body.get("query") or ""
        parse_query(self._definition, query, self._around.limits)
        self._around.check_callback(body["callback"])
        owned = _ownership()
        mark = "".join(f"\n{each}" for each in owned.values())
        id = str(uuid.uuid5(_NAMESPACE, f"{query}\n{body['callback']}{mark}"))
        subscription = {**body, "id": id}
        self._definition.check(subscription)
        try:
            document = self._insert(id, subscription, owned)
        except DocumentExists:
            if not self._around.return_duplicates:
                raise SubscriptionExists(id) from None
            key = self._definition.key(id)
            document = self._around.store.get(self._definition.collection, key)
        base = self._around.base_url()
        return json_response(
            render(self._definition, _shown(self._definition, document), base),
            self._definition.answers.created,
            {"Location": href(self._definition, base, id)},
        )

    def _insert(self, id: str, subscription: Resource, owned: Resource) -> Document:
        """Keep a subscription and whose it is.

        Its lane comes first, and begins where the log ends now.

        Raises:
            DocumentExists: it is there.
        """
        store, key = self._around.store, self._definition.key(id)
        with suppress(DocumentNotFound):
            store.get(self._definition.collection, key)
            raise DocumentExists(self._definition.collection, key)
        self._around.begin_lane(self._definition, key)
        content = json.loads(encode(self._definition, subscription)) | owned
        return store.insert(
            self._definition.collection,
            key,
            json.dumps(content),
            form=self._definition.forms.name,
        )

    def list(self) -> Response:
        """Answer 200 with the caller's subscriptions, of all callers to operators."""
        return _Subscriptions(self._definition, self._around).answer()

    def retrieve(self, id: str) -> Response:
        """Answer 200 with the subscription, or 304 when the client has it already.

        Raises:
            DocumentNotFound: there is none of that id, or it is another's.
        """
        document = self._own(id)
        if is_unchanged(document):
            return empty_response(304, {"ETag": entity_tag(document)})
        shown = _shown(self._definition, document).selected(selection.selected(self._definition))
        return json_response(
            render(self._definition, shown, self._around.base_url()),
            200,
            {"ETag": entity_tag(document)},
        )

    def unregister(self, id: str) -> Response:
        """Answer 204; the listener hears no more.

        Raises:
            DocumentNotFound: there is no subscription of that id, or it is another's.
            PreconditionFailed: `If-Match` names another version.
        """
        document = self._own(id)
        check_write(document, required=self._around.require_if_match)
        with suppress(VersionConflict):  # subscriptions do not change: somebody else removed it
            self._around.store.delete(
                self._definition.collection, document.id, version=document.version
            )
        return empty_response(self._definition.answers.deleted)

    def _own(self, id: str) -> Document:
        """Return a subscription of the caller's; operators may have any."""
        collection = self._definition.collection
        document = self._around.store.get(collection, self._definition.key(id))
        rule = _ownership_rule()
        if rule is not None and not holds(rule, json.loads(document.content)):
            raise DocumentNotFound(collection, id)
        return document


class _Subscriptions(Listing):
    """The subscriptions that a caller may see."""

    def _rule(self) -> Condition | None:
        return _ownership_rule()

    def _shown(self, document: Document, select: tuple[Path, ...]) -> Document:
        return _shown(self._definition, document)


def _ownership_rule() -> Condition | None:
    """Return what holds for the caller's subscriptions alone; None for operators and nobody."""
    identity = request_context.current().identity
    if identity is None or Access.OPERATE in identity.access:
        return None
    return Comparison((OWNER,), Operator.EQ, identity.name)


def _shown(definition: ResourceDefinition, document: Document) -> Document:
    """Return a subscription without what clients are not shown."""
    return replace(document, content=encode(definition, decode(definition, document)))


def _ownership() -> Resource:
    """Return what is kept of the caller with its subscription; nothing of an anonymous one."""
    identity = request_context.current().identity
    if identity is None:
        return {}
    bound = {} if identity.parties is None else {PARTIES: sorted(identity.parties)}
    return {OWNER: identity.name, **bound}
