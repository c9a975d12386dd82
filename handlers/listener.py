"""The listener: receiving the events of other systems, keeping each once, and applying them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress

from app.events.inbound.replication import ReplicationRule, Replicator
from app.tmf630.definitions import ListenerDefinition
from app.tmf630.errors import OutOfBounds
from app.tmf630.lifecycle import now
from handlers.handler_context import HandlerContext
from handlers.request_context import RequestContext
from handlers.responses import Response, empty_response, json_response
from storage import DocumentExists, json


class ListenerHandlers:
    """Receive the events of one listener path."""

    def __init__(
        self,
        definition: ListenerDefinition,
        context: HandlerContext,
        replications: Sequence[ReplicationRule] = (),
    ) -> None:
        self._definition = definition
        self._store = context.store
        self._rules = replications
        self._applier = Replicator(context.store)

    def receive(self, request: RequestContext) -> Response:
        """Answer with the contract's success; an event received before changes nothing.

        An event is the same when its `eventId` is; one without is the same when all of it is.

        Raises:
            OutOfBounds: the caller is bound to a party.
        """
        if request.parties is not None:
            raise OutOfBounds("a caller that is bound to a party cannot send events")
        body = request.body
        named = body.get("eventId")
        same = named if isinstance(named, str) and named else json.dumps(body).decode()
        id = hashlib.sha256(f"{self._definition.event}\n{same}".encode()).hexdigest()[:32]
        received = now()
        kept = {"id": id, "listener": self._definition.event, "receivedAt": received, "event": body}
        for application in self._rules:
            # First, so that an event that was only half applied is applied when it comes again.
            self._applier.apply(application, body, received, request.event_origin)
        with suppress(DocumentExists):
            self._store.insert(self._definition.collection, id, json.dumps(kept))
        if not self._definition.answers_body:
            return empty_response(self._definition.status)
        here = request.base_url + self._definition.path
        answer = json.dumps({"id": id, "callback": here})
        return json_response(answer, self._definition.status)
