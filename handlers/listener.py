"""The listener: receiving the events of other systems, keeping each once, and applying them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress

from flask import Response

from handlers import request
from handlers.applying import Application, Applier
from handlers.definition import ListenerDefinition
from handlers.errors import OutOfBounds
from handlers.lifecycle import now
from handlers.response import empty_response, json_response
from handlers.surroundings import Surroundings
from storage import DocumentExists, json


class ListenerHandlers:
    """Receive the events of one listener path."""

    def __init__(
        self,
        definition: ListenerDefinition,
        surroundings: Surroundings,
        applications: Sequence[Application] = (),
    ) -> None:
        self._definition = definition
        self._around = surroundings
        self._applications = applications
        self._applier = Applier(surroundings.store, surroundings.base_url)

    def receive(self) -> Response:
        """Answer with the contract's success; an event received before changes nothing.

        An event is the same when its `eventId` is; one without is the same when all of it is.

        Raises:
            OutOfBounds: the caller is bound to a party.
        """
        asked = request.current()
        if asked.identity is not None and asked.identity.parties is not None:
            raise OutOfBounds("events are of everybody; a caller bound to a party cannot send them")
        body = asked.body
        named = body.get("eventId")
        same = named if isinstance(named, str) and named else json.dumps(body).decode()
        id = hashlib.sha256(f"{self._definition.event}\n{same}".encode()).hexdigest()[:32]
        received = now()
        kept = {"id": id, "listener": self._definition.event, "receivedAt": received, "event": body}
        for application in self._applications:
            # First, so that an event that was only half applied is applied when it comes again.
            self._applier.apply(application, body, received)
        with suppress(DocumentExists):
            self._around.store.insert(self._definition.collection, id, json.dumps(kept))
        if not self._definition.answers_body:
            return empty_response(self._definition.status)
        here = self._around.base_url() + self._definition.path
        answer = json.dumps({"id": id, "callback": here})
        return json_response(answer, self._definition.status)
