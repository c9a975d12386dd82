"""The console's pages, on top of the operator API: reading it and acting by its operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import flask
from flask import Blueprint, Response

from app.pages.api import ApiError, ApiResponse
from app.pages.site import Page, Section, Site

_PAGE = 50
_MOST_OFFSET = 100_000
_SUBSCRIPTION_ACTIONS = ("pause", "resume", "retry")
_DONE = frozenset({"pause", "resume", "retry", "purge", "remove", "apply"})
_REFUSALS = frozenset({400, 404, 409})


def routes(site: Site) -> Blueprint:
    """Return the routes of the console."""
    blueprint = site.blueprint("console", Section("console", "/console"))
    views = _Views(site)
    read: dict[str, Callable[..., Response]] = {
        "/console": views.overview,
        "/console/subscriptions": views.subscriptions,
        "/console/subscriptions/<id>": views.subscription,
        "/console/deliveries": views.deliveries,
        "/console/deliveries/<id>": views.delivery,
        "/console/received": views.received,
        "/console/received/<id>": views.received_event,
        "/console/settings": views.settings,
    }
    acts: dict[str, Callable[..., Response]] = {
        "/console/subscriptions/<id>/test": views.test,
        "/console/subscriptions/<id>/remove": views.remove,
        "/console/subscriptions/<id>/<action>": views.change_subscription,
        "/console/deliveries/purge": views.purge_all,
        "/console/deliveries/<id>/retry": views.retry,
        "/console/deliveries/<id>/purge": views.purge,
        "/console/received/<id>/apply": views.apply,
    }
    for path, view in read.items():
        blueprint.get(path)(view)
    for path, view in acts.items():
        blueprint.post(path)(view)
    return blueprint


class _Views:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._base = f"{site.root_path}/admin"

    def overview(self) -> Response:
        """Answer with what the server does: APIs, health, store, backlog."""
        return self._render(
            "overview",
            "api",
            apis=self._get("api").json(),
            health=self._get("health").json(),
            store=self._get("store").json(),
            backlog=self._get("backlog").json(),
        )

    def subscriptions(self) -> Response:
        """Answer with the subscriptions at all hubs."""
        return self._list("subscriptions", "subscription", {})

    def subscription(self, id: str) -> Response:
        """Answer with a subscription, its failed deliveries and what can be done about it."""
        return self._show_subscription(id)

    def _show_subscription(self, id: str, **values: Any) -> Response:
        path = _member("subscription", id)
        shown = self._get(path).json()
        query = urlencode({"subscription": id, "limit": _PAGE})
        failed = self._get("delivery", query).json()
        return self._render("subscription", path, shown=shown, deliveries=failed, **values)

    def change_subscription(self, id: str, action: str) -> Response:
        """Pause, resume or retry a subscription."""
        if action not in _SUBSCRIPTION_ACTIONS:
            flask.abort(404)
        return self._act(f"{_member('subscription', id)}/{action}", f"/subscriptions/{id}", action)

    def test(self, id: str) -> Response:
        """Send a test event, and answer with the subscription and what the listener said."""
        try:
            result = self._change("POST", f"{_member('subscription', id)}/test").json()
        except ApiError as error:
            return self._refused(error, f"/subscriptions/{id}")
        return self._show_subscription(id, tested=result)

    def remove(self, id: str) -> Response:
        """Remove a subscription."""
        return self._act(_member("subscription", id), "/subscriptions", "remove", method="DELETE")

    def deliveries(self) -> Response:
        """Answer with the failed deliveries."""
        state = flask.request.args.get("state", "")
        filters = {"state": state} if state in ("waiting", "parked") else {}
        return self._list("deliveries", "delivery", filters, self._listeners)

    def delivery(self, id: str) -> Response:
        """Answer with a delivery and its payload."""
        path = _member("delivery", id)
        return self._render("delivery", path, shown=self._get(path).json())

    def retry(self, id: str) -> Response:
        """Try a delivery again; it may be gone before its page could be shown again."""
        return self._act(f"{_member('delivery', id)}/retry", "/deliveries", "retry")

    def purge(self, id: str) -> Response:
        """Remove a delivery."""
        return self._act(_member("delivery", id), "/deliveries", "purge", method="DELETE")

    def purge_all(self) -> Response:
        """Remove every parked delivery."""
        return self._act("delivery/purge", "/deliveries", "purge")

    def received(self) -> Response:
        """Answer with the events that other systems have sent."""
        failed = flask.request.args.get("outcome") == "failed"
        return self._list("received", "received", {"outcome": "failed"} if failed else {})

    def received_event(self, id: str) -> Response:
        """Answer with a received event as it came."""
        path = _member("received", id)
        return self._render("received_event", path, shown=self._get(path).json())

    def apply(self, id: str) -> Response:
        """Apply a received event again."""
        return self._act(f"{_member('received', id)}/apply", f"/received/{id}", "apply")

    def settings(self) -> Response:
        """Answer with the effective settings."""
        return self._render("settings", "setting", rows=self._get("setting").json())

    def _listeners(self, rows: list[Any]) -> dict[str, Any]:
        """Return the callback of each subscription that a delivery belongs to."""
        found = {}
        for id in {row["subscription"] for row in rows}:
            path = f"{self._base}/{_member('subscription', id)}"
            answer = self._page.api.request("GET", path)
            if answer.ok:
                found[id] = answer.json().get("callback", id)
        return {"listeners": found}

    def _list(
        self,
        template: str,
        name: str,
        filters: dict[str, str],
        more: Callable[[list[Any]], dict[str, Any]] = lambda rows: {},
    ) -> Response:
        """Answer with one page of a list of the operator API; `more` makes further values."""
        stated = flask.request.args.get("offset", "")
        offset = min(int(stated), _MOST_OFFSET) if stated.isascii() and stated.isdigit() else 0
        query = urlencode({**filters, "limit": _PAGE, "offset": offset})
        answer = self._get(name, query)
        rows, total = answer.json(), int(answer.headers["x-total-count"])
        around = {
            word: urlencode({**filters, "offset": place})
            for word, place in (("newer", offset - _PAGE), ("older", offset + _PAGE))
            if -_PAGE < place < total and (word == "older" or offset)
        }
        return self._render(
            template,
            name,
            query,
            rows=rows,
            total=total,
            filters=filters,
            around=around,
            **more(rows),
        )

    def _render(self, template: str, path: str, query: str = "", **values: Any) -> Response:
        done = flask.request.args.get("done", "")
        page = self._site.page()
        return page.render(
            f"console/{template}.html.jinja",
            source=f"{self._base}/{path}",
            query=query,
            **{"done": done if done in _DONE else "", "tested": None, **values},
        )

    def _act(self, path: str, then: str, done: str, *, method: str = "POST") -> Response:
        """Do something by the operator API, and lead to a page that says so."""
        try:
            self._change(method, path)
        except ApiError as error:
            return self._refused(error, then)
        return self._page.redirect(f"/console{quote(then, safe='/:')}?done={done}")

    def _refused(self, error: ApiError, back: str) -> Response:
        """Answer with why the operation is not possible, and the way back."""
        if error.status not in _REFUSALS:
            raise error
        return self._page.render(
            "console/refused.html.jinja", error.status, error=error, back=f"/console{back}"
        )

    @property
    def _page(self) -> Page:
        return self._site.page()

    def _get(self, path: str, query: str = "") -> ApiResponse:
        return self._page.api.get(f"{self._base}/{path}", query)

    def _change(self, method: str, path: str) -> ApiResponse:
        return self._page.api.change(method, f"{self._base}/{path}")


def _member(name: str, id: str) -> str:
    """Return the path of one thing in the operator API."""
    return f"{name}/{id}"
