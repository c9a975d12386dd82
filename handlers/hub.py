"""Event subscriptions: registering listeners at an API's hub (TMF630 part 1, notifications)."""

from __future__ import annotations

import uuid

from flask import Response

from handlers import request
from handlers.definition import ResourceDefinition
from handlers.errors import SubscriptionExists
from handlers.representation import encode, href, render
from handlers.resources import ResourceHandlers, Surroundings
from handlers.response import json_response
from storage import DocumentExists

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
            SubscriptionExists: the callback is registered with this query already.
        """
        body = request.current().body
        query = body.get("query") or ""
        id = str(uuid.uuid5(_NAMESPACE, f"{query}\n{body['callback']}"))
        subscription = {**body, "id": id}
        self._definition.check(subscription)
        try:
            document = self._around.store.insert(
                self._definition.collection,
                self._definition.key(id),
                encode(self._definition, subscription),
                form=self._definition.forms.name,
            )
        except DocumentExists:
            raise SubscriptionExists(id) from None
        base = self._around.base_url()
        return json_response(
            render(self._definition, document, base),
            self._definition.answers.created,
            {"Location": href(self._definition, base, id)},
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
