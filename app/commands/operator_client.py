"""A client of the operator API: the operations of operators, on a running server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from app.events.operator.errors import OperationConflict
from app.events.operator.views import (
    DeliveryView,
    Listed,
    ReceivedView,
    SubscriptionView,
    TestResult,
    public_id,
)
from app.events.outbound.failed_deliveries import State
from storage import DocumentNotFound, Window

_SECONDS = 60.0
"""A test event may take as long as a listener may."""


class OperatorApiError(Exception):
    """The operator API cannot be used; the message says why."""


class OperatorClient:
    """`app.events.operator.operations.Operations` by HTTP.

    `url` is that of the server, without `/admin`. Methods raise `OperatorApiError` when the server
    cannot be reached or refuses. `client` makes the requests, one of its own by default.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], client: httpx.Client | None = None
    ) -> None:
        self._base = f"{url.rstrip('/')}/admin"
        self._client = client or httpx.Client(headers=dict(headers), timeout=_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def subscriptions(self, window: Window) -> Listed[SubscriptionView]:
        """See `Operations.subscriptions`."""
        return self._list("subscription", window)

    def subscription(self, id: str) -> SubscriptionView:
        """See `Operations.subscription`."""
        found: SubscriptionView = self._ask("GET", "subscription", id)
        return found

    def pause(self, id: str) -> SubscriptionView:
        """See `Operations.pause`."""
        found: SubscriptionView = self._ask("POST", "subscription", id, "/pause")
        return found

    def resume(self, id: str) -> SubscriptionView:
        """See `Operations.resume`."""
        found: SubscriptionView = self._ask("POST", "subscription", id, "/resume")
        return found

    def test(self, id: str) -> TestResult:
        """See `Operations.test`."""
        found: TestResult = self._ask("POST", "subscription", id, "/test")
        return found

    def remove(self, id: str) -> None:
        """See `Operations.remove`."""
        self._ask("DELETE", "subscription", id)

    def deliveries(
        self,
        window: Window,
        *,
        state: State | None = None,
        subscription: str | None = None,
        event: str | None = None,
    ) -> Listed[DeliveryView]:
        """See `Operations.deliveries`."""
        named = public_id(subscription) if subscription else None
        return self._list("delivery", window, state=state, subscription=named, event=event)

    def delivery(self, id: str) -> DeliveryView:
        """See `Operations.delivery`."""
        found: DeliveryView = self._ask("GET", "delivery", id)
        return found

    def retry(self, id: str) -> DeliveryView:
        """See `Operations.retry`."""
        found: DeliveryView = self._ask("POST", "delivery", id, "/retry")
        return found

    def retry_all(self, subscription: str) -> int:
        """See `Operations.retry_all`."""
        return int(self._ask("POST", "subscription", subscription, "/retry")["deliveries"])

    def purge(self, id: str) -> None:
        """See `Operations.purge`."""
        self._ask("DELETE", "delivery", id)

    def purge_all(self, subscription: str | None = None) -> int:
        """See `Operations.purge_all`."""
        query = {"subscription": public_id(subscription)} if subscription else {}
        answer = self._send("POST", "delivery/purge", query)
        if answer.status_code == 404 and subscription:
            raise DocumentNotFound("subscription", public_id(subscription))
        return int(_body(answer)["deliveries"])

    def received(self, window: Window, *, failed: bool = False) -> Listed[ReceivedView]:
        """See `Operations.received`."""
        return self._list("received", window, outcome="failed" if failed else None)

    def received_event(self, id: str) -> ReceivedView:
        """See `Operations.received_event`."""
        found: ReceivedView = self._ask("GET", "received", id, kind="received event")
        return found

    def apply(self, id: str) -> ReceivedView:
        """See `Operations.apply`."""
        found: ReceivedView = self._ask("POST", "received", id, "/apply", kind="received event")
        return found

    def _list(self, name: str, window: Window, **filters: str | None) -> Listed[Any]:
        query = {key: value for key, value in filters.items() if value is not None}
        paging = {"offset": str(window.offset), "limit": str(window.limit)}
        answer = self._send("GET", name, query | paging)
        items = _body(answer)
        return Listed(items, int(answer.headers["X-Total-Count"]))

    def _ask(self, method: str, name: str, id: str, action: str = "", *, kind: str = "") -> Any:
        known = public_id(id)
        answer = self._send(method, f"{name}/{quote(known, safe=':')}{action}", {})
        if answer.status_code == 404 and _code(answer) == "notFound":
            raise DocumentNotFound(kind or name, known)
        return _body(answer)

    def _send(self, method: str, path: str, query: Mapping[str, str]) -> httpx.Response:
        try:
            return self._client.request(method, f"{self._base}/{path}", params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OperatorApiError(f"{self._base} cannot be reached: {error}") from None


def _body(answer: httpx.Response) -> Any:
    """Return the JSON body of a success, None without one.

    Raises:
        OperationConflict, OperatorApiError: the server refuses; the message is its own.
    """
    if answer.status_code == 204:
        return None
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.is_success and body is not None:
        return body
    told = body if isinstance(body, dict) else {}
    reason = told.get("message") or told.get("reason") or "it is no operator API"
    if answer.status_code == 409:
        raise OperationConflict(reason)
    raise OperatorApiError(f"{answer.request.url} answers {answer.status_code}: {reason}")


def _code(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("code", "")) if isinstance(body, dict) else ""
