"""The operator API: what operators see of events and of the server, and what they do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from app.events.operator.operations import EventOperations, Operations
from app.events.operator.views import Listed
from app.tmf630 import paging
from app.tmf630.definitions import Limits
from app.tmf630.errors import RowAccessDenied
from handlers.request_context import RequestContext
from handlers.responses import Response, empty_response, json_response
from storage import Window, json


class ServerStatus(Protocol):
    """What the server tells operators of itself, in the form of the operator API's answers."""

    def apis(self) -> list[dict[str, Any]]:
        """Return the APIs that are served, with the warnings about their contracts."""

    def health(self) -> dict[str, Any]:
        """Return what the health endpoint says."""

    def store(self) -> dict[str, Any]:
        """Return the store, its collections and their indexes."""

    def backlog(self) -> dict[str, Any]:
        """Return the events that wait, and the workers that deliver them."""

    def settings(self) -> list[dict[str, Any]]:
        """Return the effective settings with origin and meaning, secrets masked."""


class AdminHandlers:
    """The handlers of the operator API, for callers that are not bound to parties."""

    def __init__(
        self, operations: EventOperations, status: ServerStatus, limits: Limits, path: str
    ) -> None:
        self._operations = operations
        self._status = status
        self._limits = limits
        self._path = path

    def by_name(self) -> Mapping[str, Callable[..., Response]]:
        """Return the handlers by the operationIds of the API's document."""
        operations: Mapping[str, Callable[..., Response]] = {
            "listSubscriptions": self._subscriptions,
            "showSubscription": lambda request, id: _one(self._for(request).subscription(id)),
            "removeSubscription": self._remove,
            "pauseSubscription": lambda request, id: _one(self._for(request).pause(id)),
            "resumeSubscription": lambda request, id: _one(self._for(request).resume(id)),
            "testSubscription": lambda request, id: _one(self._for(request).test(id)),
            "retryDeliveries": lambda request, id: _number(self._for(request).retry_all(id)),
            "listDeliveries": self._deliveries,
            "showDelivery": lambda request, id: _one(self._for(request).delivery(id)),
            "retryDelivery": lambda request, id: _one(self._for(request).retry(id)),
            "purgeDelivery": self._purge,
            "purgeDeliveries": self._purge_all,
            "listReceived": self._received,
            "showReceived": lambda request, id: _one(self._for(request).received_event(id)),
            "applyReceived": lambda request, id: _one(self._for(request).apply(id)),
            "listApis": lambda request: _one(self._status.apis()),
            "showHealth": lambda request: _one(self._status.health()),
            "showStore": lambda request: _one(self._status.store()),
            "showBacklog": lambda request: _one(self._status.backlog()),
            "listSettings": lambda request: _one(self._status.settings()),
        }
        return {name: partial(_for_operators, each) for name, each in operations.items()}

    def _for(self, request: RequestContext) -> Operations:
        """Return the operations on behalf of the caller."""
        by = "" if request.identity is None else request.identity.name
        return self._operations.on_behalf_of(by, request.event_origin)

    def _subscriptions(self, request: RequestContext) -> Response:
        window = paging.window(request.parameters, self._limits)
        return self._list(request, "subscription", window, self._operations.subscriptions(window))

    def _deliveries(self, request: RequestContext) -> Response:
        window = paging.window(request.parameters, self._limits)
        found = self._operations.deliveries(
            window,
            state=request.parameters.get("state"),
            subscription=request.parameters.get("subscription"),
            event=request.parameters.get("event"),
        )
        return self._list(request, "delivery", window, found)

    def _received(self, request: RequestContext) -> Response:
        window = paging.window(request.parameters, self._limits)
        failed = "outcome" in request.parameters
        found = self._operations.received(window, failed=failed)
        return self._list(request, "received", window, found)

    def _list(
        self, request: RequestContext, name: str, window: Window, found: Listed[Any]
    ) -> Response:
        url = f"{request.base_url}{self._path}/{name}"
        links = paging.offset_links(request.raw_query, url, window, found.total)
        return json_response(
            json.dumps(found.items),
            200,
            {
                "X-Total-Count": str(found.total),
                "X-Result-Count": str(len(found.items)),
                **({"Link": links} if links else {}),
            },
        )

    def _remove(self, request: RequestContext, id: str) -> Response:
        self._for(request).remove(id)
        return empty_response(204)

    def _purge(self, request: RequestContext, id: str) -> Response:
        self._for(request).purge(id)
        return empty_response(204)

    def _purge_all(self, request: RequestContext) -> Response:
        return _number(self._for(request).purge_all(request.parameters.get("subscription")))


def _for_operators(
    handler: Callable[..., Response], request: RequestContext, *path: str
) -> Response:
    """Call a handler for a caller that is not bound to parties.

    Raises:
        RowAccessDenied: the caller is; what operators see is about every party.
    """
    if request.parties is not None:
        raise RowAccessDenied("a caller that is bound to a party cannot use the operator API")
    return handler(request, *path)


def _one(value: Mapping[str, Any] | Sequence[Any]) -> Response:
    return json_response(json.dumps(value))


def _number(deliveries: int) -> Response:
    return _one({"deliveries": deliveries})
