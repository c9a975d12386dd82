"""Event subscriptions: registering listeners at an API's hub (TMF630 part 1, notifications)."""

from __future__ import annotations

import uuid
from contextlib import suppress

from app.tmf630 import selection
from app.tmf630.caller import Access, Identity
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.errors import SubscriptionExists
from app.tmf630.representation import OWNER, PARTIES, decode, encode, href, render
from app.tmf630.subscription_query import check_can_match, parse_query
from handlers.handler_context import HandlerContext
from handlers.listing import Listing
from handlers.preconditions import entity_tag
from handlers.request_context import RequestContext
from handlers.responses import Response, empty_response, json_response
from storage import (
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

_NAMESPACE = uuid.UUID("a6a1f2a4-7a0e-5d0f-9c4b-3c1f3c0d2b77")


class HubHandlers:
    """Register, retrieve and unregister listeners, for one hub."""

    def __init__(self, definition: ResourceDefinition, context: HandlerContext) -> None:
        self._definition = definition
        self._context = context

    def register(self, request: RequestContext) -> Response:
        """Answer 201 with the new subscription and its `Location`.

        A subscription's id follows from its callback, query and owner: two requests to register the
        same cannot both succeed, whichever process they reach. A caller that is bound to parties
        receives the events of resources that name one of them.

        Raises:
            MalformedCallback: the callback is no URL that events could be sent to.
            BadCallback: events may not be sent there.
            BadQuery, UnsupportedQuery: the query has no meaning, or no event can match it.
            SubscriptionExists: the callback is registered with this query already.
        """
        body = request.body
        query = body.get("query") or ""
        parse_query(self._definition, query, self._context.limits)
        check_can_match(self._definition, query, self._context.limits)
        self._context.check_callback(body["callback"])
        owned = _ownership(request.identity)
        mark = "".join(f"\n{each}" for each in owned.values())
        id = str(uuid.uuid5(_NAMESPACE, f"{query}\n{body['callback']}{mark}"))
        subscription = {**body, "id": id}
        self._definition.check(subscription)
        try:
            document = self._insert(id, subscription, owned)
        except DocumentExists:
            if not self._context.return_duplicates:
                raise SubscriptionExists(id) from None
            key = self._definition.key(id)
            document = self._context.store.get(self._definition.collection, key)
        base = request.base_url
        return json_response(
            render(self._definition, _shown(self._definition, document), base),
            self._definition.answers.created,
            {"Location": href(self._definition, base, id)},
        )

    def _insert(self, id: str, subscription: Resource, owned: Resource) -> Document:
        """Keep a subscription and whose it is.

        Its delivery cursor is written first, at the current end of the event log.

        Raises:
            DocumentExists: it is there.
        """
        store, key = self._context.store, self._definition.key(id)
        with suppress(DocumentNotFound):
            store.get(self._definition.collection, key)
            raise DocumentExists(self._definition.collection, key)
        self._context.begin_delivery(self._definition, key)
        content = json.loads(encode(self._definition, subscription)) | owned
        return store.insert(
            self._definition.collection,
            key,
            json.dumps(content),
            form=self._definition.forms.name,
        )

    def list(self, request: RequestContext) -> Response:
        """Answer 200 with the caller's subscriptions, of all callers to operators."""
        return _Subscriptions(self._definition, self._context).answer(request)

    def retrieve(self, request: RequestContext, id: str) -> Response:
        """Answer 200 with the subscription, or 304 when the client has it already.

        Raises:
            DocumentNotFound: there is none of that id, or it belongs to another caller.
        """
        document = self._own(request, id)
        if request.preconditions.is_unchanged(document):
            return empty_response(304, {"ETag": entity_tag(document)})
        select = selection.selected(self._definition, request.values("fields"))
        shown = _shown(self._definition, document).selected(select)
        return json_response(
            render(self._definition, shown, request.base_url),
            200,
            {"ETag": entity_tag(document)},
        )

    def unregister(self, request: RequestContext, id: str) -> Response:
        """Answer 204; the listener receives no further events.

        Raises:
            DocumentNotFound: there is no subscription of that id, or it belongs to another caller.
            PreconditionFailed: `If-Match` names another version.
        """
        document = self._own(request, id)
        request.preconditions.check_write(document, required=self._context.require_if_match)
        with suppress(VersionConflict):  # subscriptions do not change: somebody else removed it
            self._context.store.delete(
                self._definition.collection, document.id, version=document.version
            )
        return empty_response(self._definition.answers.deleted)

    def _own(self, request: RequestContext, id: str) -> Document:
        """Return a subscription of the caller's; operators may have any."""
        collection = self._definition.collection
        document = self._context.store.get(collection, self._definition.key(id))
        rule = _ownership_rule(request.identity)
        if rule is not None and not holds(rule, json.loads(document.content), form=document.form):
            raise DocumentNotFound(collection, id)
        return document


class _Subscriptions(Listing):
    """The subscriptions that a caller may see."""

    def _rule(self, identity: Identity | None) -> Condition | None:
        return _ownership_rule(identity)

    def _shown(
        self, documents: tuple[Document, ...], select: tuple[Path, ...], *, more: bool
    ) -> tuple[Document, ...]:
        return tuple(_shown(self._definition, each) for each in documents)


def _ownership_rule(identity: Identity | None) -> Condition | None:
    """Return the condition on the caller's own subscriptions.

    None for operators and without authentication: they see every subscription.
    """
    if identity is None or Access.OPERATE in identity.access:
        return None
    return Comparison((OWNER,), Operator.EQ, identity.name)


def _shown(definition: ResourceDefinition, document: Document) -> Document:
    """Return a subscription without what clients are not shown."""
    return document._replace(content=encode(definition, decode(definition, document)))


def _ownership(identity: Identity | None) -> Resource:
    """Return what a subscription stores of its owner; nothing without authentication."""
    if identity is None:
        return {}
    bound = {} if identity.parties is None else {PARTIES: sorted(identity.parties)}
    return {OWNER: identity.name, **bound}
