"""The listener: receiving the events of other systems, and keeping each once."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from flask import Response

from handlers import request
from handlers.definition import ListenerDefinition
from handlers.lifecycle import now
from handlers.resources import Surroundings
from handlers.response import empty_response, json_response
from storage import DocumentExists, json


class ListenerHandlers:
    """Receive the events of one listener path."""

    def __init__(self, definition: ListenerDefinition, surroundings: Surroundings) -> None:
        self._definition = definition
        self._around = surroundings

    def receive(self) -> Response:
        """Answer with the contract's success; an event received before changes nothing.

        An event is the same when its `eventId` is; one without is the same when all of it is.
        """
        body = request.current().body
        named = body.get("eventId")
        same = named if isinstance(named, str) and named else json.dumps(body).decode()
        id = hashlib.sha256(f"{self._definition.event}\n{same}".encode()).hexdigest()[:32]
        kept = {"id": id, "listener": self._definition.event, "receivedAt": now(), "event": body}
        with suppress(DocumentExists):
            self._around.store.insert(self._definition.collection, id, json.dumps(kept))
        if not self._definition.answers_body:
            return empty_response(self._definition.status)
        here = self._around.base_url() + self._definition.path
        answer = json.dumps({"id": id, "callback": here})
        return json_response(answer, self._definition.status)
