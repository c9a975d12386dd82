"""A ticket API with FastAPI, as somebody else would write it, with faults that can be switched on.

`PUT /fault` with `{"name": …}` switches one on, and removes all tickets; an empty name, none.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, ValidationError

BASE = "/tmf-api/ticket/v1"
Ticket = dict[str, Any]


class Note(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    text: str


class Update(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    name: str | None = None
    severity: Literal["low", "high"] | None = None
    priority: int | None = None
    open: bool | None = None
    note: list[Note] | None = None


class NewTicket(Update):
    name: str
    severity: Literal["low", "high"]


class NewHub(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    callback: str


class Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Peer:
    """The tickets, the listeners, and the fault that is on."""

    def __init__(self) -> None:
        self.fault = ""
        self.tickets: dict[str, Ticket] = {}
        self.versions: dict[str, int] = {}
        self.hubs: dict[str, str] = {}

    def checked(self, model: type[BaseModel], body: Any) -> Any:
        waived = {
            "required not enforced": ("missing",),
            "type not enforced": ("_type",),
            "enum not enforced": ("literal_error",),
        }.get(self.fault, ())
        try:
            model.model_validate(body)
        except ValidationError as error:
            broken = [
                each for each in error.errors() if not each["type"].endswith(waived or ("-",))
            ]
            if broken and not (self.fault == "hub without callback" and model is NewHub):
                raise Refused(400, f"{broken[0]['loc']}: {broken[0]['msg']}") from None
        return body

    def found(self, id: str) -> Ticket:
        if id not in self.tickets and self.fault != "unknown id found":
            raise Refused(404, f"no ticket {id}")
        return self.tickets.get(id) or next(iter(self.tickets.values()))

    def answer(self, ticket: Ticket, status: int = 200, **headers: str) -> Response:
        shown = {**ticket}
        if self.fault == "href missing":
            shown.pop("href", None)
        version = 0 if self.fault == "ETag not changing" else self.versions[ticket["id"]]
        headers["ETag"] = f'"{version}"'
        if self.fault == "content type":
            return PlainTextResponse(JSONResponse(shown).body, status, headers)
        return JSONResponse(shown, status, headers)

    def tell(self, kind: str, ticket: Ticket) -> None:
        if self.fault == "event not delivered" or self.fault == f"{kind} event not delivered":
            return
        event = {
            "eventId": uuid.uuid4().hex,
            "eventTime": datetime.now(UTC).isoformat(),
            "eventType": f"Ticket{kind}Event",
            "event": {"ticket": {**ticket}},
        }
        if self.fault == "event without time":
            del event["eventTime"]
        for callback in self.hubs.values():
            threading.Thread(target=_post, args=(callback, event), daemon=True).start()


def _post(url: str, event: dict[str, Any]) -> None:
    if "127.0.0.1" in url:
        with suppress(httpx.HTTPError):  # the run has ended
            httpx.post(url, json=event, trust_env=False, timeout=5)


def _selected(ticket: Ticket, fields: str | None) -> Ticket:
    names = {"id", "href", *fields.split(",")} if fields else set(ticket)
    return {name: value for name, value in ticket.items() if name in names}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def create() -> FastAPI:
    """Return the application."""
    app = FastAPI()
    peer = Peer()

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> Response:
        body = {"code": str(error.status), "reason": error.reason}
        if peer.fault == "error without code":
            del body["code"]
        return JSONResponse(body, error.status)

    @app.exception_handler(RequestValidationError)
    def unreadable(request: Request, error: RequestValidationError) -> Response:
        return refused(request, Refused(400, "the request cannot be read"))

    @app.put("/fault", status_code=204)
    async def switch(request: Request) -> None:
        peer.__init__()  # type: ignore[misc]
        peer.fault = (await request.json())["name"]

    @app.post(f"{BASE}/ticket")
    async def create_ticket(request: Request) -> Response:
        body = peer.checked(NewTicket, await request.json())
        id = uuid.uuid4().hex
        ticket = {**body, "id": id, "href": f"{BASE}/ticket/{id}"}
        if peer.fault == "value changed":
            ticket["name"] = str(ticket["name"]).upper()
        peer.tickets[id], peer.versions[id] = ticket, 1
        peer.tell("Create", ticket)
        status = 200 if peer.fault == "creation answered 200" else 201
        located = {} if peer.fault == "Location missing" else {"Location": ticket["href"]}
        return peer.answer(ticket, status, **located)

    @app.get(f"{BASE}/ticket")
    async def list_tickets(
        request: Request,
        fields: str | None = None,
        offset: int = 0,
        limit: int = 100,
        sort: str = "",
    ) -> Response:
        wanted = {
            name: value
            for name, value in request.query_params.items()
            if name not in ("fields", "offset", "limit", "sort")
        }
        if peer.fault == "filter ignored":
            wanted = {}
        found = [
            each
            for each in peer.tickets.values()
            if all(_text(each.get(name)) == value for name, value in wanted.items())
        ]
        if sort and peer.fault != "sort ignored":
            found.sort(key=lambda each: _text(each.get(sort.lstrip("-"))), reverse=sort[0] == "-")
        total = len(peer.tickets) if peer.fault == "total wrong" else len(found)
        found = found[0 if peer.fault == "offset ignored" else offset :]
        found = found[: None if peer.fault == "limit ignored" else limit]
        shown = [_selected(each, fields) for each in found]
        counts = {"X-Total-Count": str(total), "X-Result-Count": str(len(shown))}
        if peer.fault == "list in an object":
            return JSONResponse({"items": shown}, headers=counts)
        return JSONResponse(shown, headers=counts)

    @app.get(f"{BASE}/ticket/{{id}}")
    def retrieve(id: str, request: Request, fields: str | None = None) -> Response:
        ticket = peer.found(id)
        if peer.fault == "fields ignored":
            fields = None
        answer = peer.answer(_selected(ticket, fields))
        known = request.headers.get("If-None-Match") == answer.headers["ETag"]
        if known and peer.fault != "If-None-Match ignored":
            return Response(status_code=304, headers={"ETag": answer.headers["ETag"]})
        return answer

    @app.patch(f"{BASE}/ticket/{{id}}")
    async def patch(id: str, request: Request) -> Response:
        ticket, body = peer.found(id), await request.json()
        tag = request.headers.get("If-Match")
        if tag and tag != peer.answer(ticket).headers["ETag"] and peer.fault != "If-Match ignored":
            raise Refused(412, "the ticket is of another version")
        kind = request.headers["Content-Type"]
        if kind == "application/merge-patch+json" and peer.fault == "merge patch refused":
            raise Refused(415, "not understood")
        if kind == "application/json-patch+json":
            body = {each["path"][1:]: each["value"] for each in body}
        peer.checked(Update, body)
        if peer.fault == "patch replaces":
            kept = {name: ticket[name] for name in ("id", "href", "name", "severity")}
            ticket = {**kept, **body}
        elif peer.fault != "patch ignored":
            ticket = {**ticket, **body}
        peer.tickets[id] = ticket
        peer.versions[id] += 1
        peer.tell("AttributeValueChange", ticket)
        return peer.answer(ticket)

    @app.delete(f"{BASE}/ticket/{{id}}", status_code=204)
    def delete(id: str) -> None:
        ticket = peer.found(id)
        if peer.fault != "delete ignored":
            del peer.tickets[id]
        peer.tell("Delete", ticket)

    @app.post(f"{BASE}/hub", status_code=201)
    async def register(request: Request) -> dict[str, Any]:
        body = peer.checked(NewHub, await request.json())
        id = uuid.uuid4().hex
        peer.hubs[id] = body.get("callback", "")
        return {**body, "id": id, "callback": peer.hubs[id]}

    @app.delete(f"{BASE}/hub/{{id}}", status_code=204)
    def unregister(id: str) -> None:
        if id not in peer.hubs:
            raise Refused(404, f"no subscription {id}")
        if peer.fault != "unregister ignored":
            del peer.hubs[id]

    @app.post(f"{BASE}/listener/{{name}}", status_code=204)
    def listen(name: str) -> None:
        """Accept an event."""

    return app
