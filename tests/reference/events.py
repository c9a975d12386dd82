"""The catalogue of events: what each contract that comes with the server declares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from app.bootstrap import open_contracts
from app.conformance.suite import load_suite
from app.contract import Contract
from app.events.outbound.payloads import EventRenderer
from app.settings import OPENAPI_FOLDER, Settings
from app.tmf630 import lifecycle
from app.tmf630.definitions import Change
from app.tmf630.representation import encode
from tests.conftest import OURS, OURS_V5

_SUITES = OPENAPI_FOLDER / "conformance"
_ID = "01a2189a-4c2a-7056-9de7-79923f726954"
_TIME = "2026-03-02T09:30:00.000Z"
_WHEN = {
    Change.CREATE: "a resource is created",
    Change.ATTRIBUTE: "attributes change other than the status",
    Change.STATUS: "the status changes",
    Change.DELETE: "a resource is deleted",
}


def event_pages() -> Iterator[str]:
    """Yield the parts of the page."""
    yield (
        "A listener registers at the hub of an API, and gets the events as that API's contract has"
        " them: `POST` of the body below to its callback, with the [headers](headers.md) of events."
        " Other contracts have the events that their listeners or schemas declare; `tmf683 check"
        " FILE` lists them. `TMF_EVENT_CONTENT` chooses how much of the resource an event carries."
    )
    yield (
        "An event is delivered at least once, those of one resource in their order. Any answer from"
        " 200 to 299 takes it; 410 suspends the subscription; other answers are repeated"
        " `TMF_DELIVERY_ATTEMPTS` times, then the event is parked."
    )
    for contract in open_contracts(Settings(spec=(OURS, OURS_V5), store="memory:")):
        yield f"## {contract.title} {contract.version}"
        yield from _events(contract)


def _events(contract: Contract) -> Iterator[str]:
    renderer = EventRenderer(contract)
    for announced in contract.announced:
        definition = announced.definition
        body = next(
            each.body
            for each in load_suite(_SUITES / f"tmf683-v{contract.version}.yaml").requests
            if each.method == "POST" and each.body
        )
        resource = lifecycle.created(definition, body, id=_ID, time=_TIME)
        for change, event in announced.events.items():
            record: dict[str, Any] = {
                "key": "0b9d3f0a-2c1e-4f57-8f0a-6f6a3c1d9e21",
                "time": _TIME,
                "change": Change.ATTRIBUTE if change is Change.STATUS else change,
                "collection": definition.collection,
                "id": _ID,
                "form": definition.forms.name,
                "base": "https://api.example.com",
                "correlation": "order-4711",
                "attributes": ["status"] if change is Change.STATUS else ["description"],
                "status": ["status"] if change is Change.STATUS else [],
                "content": json.loads(encode(definition, resource)),
            }
            (sent,) = renderer.events_of(record)
            yield f"### {event.type}\n\nSent when {_WHEN[change]}."
            text = json.dumps(sent.body, indent=2, ensure_ascii=False)
            yield f"```json\n{text}\n```"
