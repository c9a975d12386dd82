"""The listener: receiving the events of other systems."""

from __future__ import annotations

from app.events.inbound.received import ReceivedEvents
from app.tmf630.definitions import ListenerDefinition
from app.tmf630.errors import RowAccessDenied
from handlers.request_context import RequestContext
from handlers.responses import Response, empty_response, json_response
from storage import json


class ListenerHandlers:
    """Receive the events of one listener path."""

    def __init__(self, definition: ListenerDefinition, received: ReceivedEvents) -> None:
        self._definition = definition
        self._received = received

    def receive(self, request: RequestContext) -> Response:
        """Answer with the contract's success; an event received before changes nothing.

        An event that cannot be applied is kept with the reason, and answered like any other: its
        sender could do nothing about it, and would give it up.

        Raises:
            RowAccessDenied: the caller is bound to a party.
        """
        if request.parties is not None:
            raise RowAccessDenied("a caller that is bound to a party cannot send events")
        id = self._received.receive(self._definition, request.body, request.event_origin)
        if not self._definition.answers_body:
            return empty_response(self._definition.status)
        here = request.base_url + self._definition.path
        answer = json.dumps({"id": id, "callback": here})
        return json_response(answer, self._definition.status)
