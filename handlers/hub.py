"""Event subscriptions: registering listeners at an API's hub (TMF630 part 1, notifications)."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask import Response

from handlers import filtering, request, selection
from handlers.definition import Limits, Resource, ResourceDefinition
from handlers.errors import SubscriptionExists
from handlers.representation import encode, href, render
from handlers.resources import ResourceHandlers
from handlers.response import json_response
from handlers.surroundings import Surroundings
from storage import Condition, Document, DocumentExists, DocumentNotFound, Path, holds


@dataclass(frozen=True, slots=True)
class SubscriptionQuery:
    """Which events a listener wants, and which attributes of them; all of both when empty."""

    where: Condition | None
    fields: tuple[Path, ...]


def parse_query(definition: ResourceDefinition, query: str, limits: Limits) -> SubscriptionQuery:
    """Parse a subscription's query: the filters of a list, on events, and `fields`.

    Raises:
        BadQuery, UnsupportedQuery: it has no meaning.
    """
    query = query.removeprefix("?")
    where = filtering.condition(definition, query, limits)
    if where is not None:
        holds(where, {})  # refuses patterns that are not RE2's
    fields = [value for name, value in parse_qsl(query) if name == "fields"]
    return SubscriptionQuery(where, selection.parse(fields, ("eventId", "eventType")))


_NAMESPACE = uuid.UUID("a6a1f2a4-7a0e-5d0f-9c4b-3c1f3c0d2b77")


class HubHandlers:
    """Register, retrieve and unregister listeners, for one hub."""

    def __init__(self, definition: ResourceDefinition, surroundings: Surroundings) -> None:
        self._definition = definition
        self._around = surroundings
        self._subscriptions = ResourceHandlers(definition, surroundings)

    def register(self) -> Response:
        """Answer 201 with the new subscription and its `Location`.

        A subscription's id follows from its callback and query: two requests to register the same
        cannot both succeed, whichever process they reach.

        Raises:
            BadCallback: events may not be sent there.
            BadQuery, UnsupportedQuery: the query has no meaning.
            SubscriptionExists: the callback is registered with this query already.
        """
        body = request.current().body
        query = body.get("query") or ""
        parse_query(self._definition, query, self._around.limits)
        self._around.check_callback(body["callback"])
        id = str(uuid.uuid5(_NAMESPACE, f"{query}\n{body['callback']}"))
        subscription = {**body, "id": id}
        self._definition.check(subscription)
        try:
            document = self._insert(id, subscription)
        except DocumentExists:
            if not self._around.return_duplicates:
                raise SubscriptionExists(id) from None
            key = self._definition.key(id)
            document = self._around.store.get(self._definition.collection, key)
        base = self._around.base_url()
        return json_response(
            render(self._definition, document, base),
            self._definition.answers.created,
            {"Location": href(self._definition, base, id)},
        )

    def _insert(self, id: str, subscription: Resource) -> Document:
        """Keep a subscription; its lane comes first, and begins where the log ends now.

        Raises:
            DocumentExists: it is there.
        """
        store, key = self._around.store, self._definition.key(id)
        with suppress(DocumentNotFound):
            store.get(self._definition.collection, key)
            raise DocumentExists(self._definition.collection, key)
        self._around.begin_lane(self._definition, key)
        return store.insert(
            self._definition.collection,
            key,
            encode(self._definition, subscription),
            form=self._definition.forms.name,
        )

    def retrieve(self, id: str) -> Response:
        """Answer 200 with the subscription.

        Raises:
            DocumentNotFound: there is none of that id.
        """
        return self._subscriptions.retrieve(id)

    def unregister(self, id: str) -> Response:
        """Answer 204; the listener hears no more.

        Raises:
            DocumentNotFound: there is no subscription of that id.
        """
        return self._subscriptions.delete(id)
