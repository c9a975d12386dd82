"""Event payloads: renders an outbox record as the events that a contract declares for it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.contract import Contract
from app.contract.binding.event_definitions import EventDefinition
from app.contract.contract import Announced
from app.tmf630.definitions import Change, Resource, ResourceDefinition
from app.tmf630.representation import INSIDE, KEPT
from app.tmf630.row_access import part_of
from storage import holds


class EventContent(StrEnum):
    """How much of a resource an event carries.

    `contract` follows the release: the whole resource up to 4, since then what TM Forum's authoring
    rules want: all of it when created, what has changed, its identity when deleted.
    """

    CONTRACT = "contract"
    WHOLE = "whole"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """An event as a listener gets it; `id` is the same however often it is sent.

    `trace` is the `traceparent` of the request that caused it, empty when that had none.
    """

    id: str
    type: str
    body: Resource
    trace: str = ""


class EventRenderer:
    """Renders the events of one contract."""

    def __init__(self, contract: Contract, content: EventContent = EventContent.CONTRACT) -> None:
        self._title = contract.title
        self._announced = {each.definition.collection: each for each in contract.announced}
        late = contract.major.isdigit() and int(contract.major) >= 5
        self._whole = content is EventContent.WHOLE or (
            content is EventContent.CONTRACT and not late
        )

    def events_of(self, record: Mapping[str, Any]) -> Iterator[OutgoingEvent]:
        """Yield the events of a record; none when the contract has none for it."""
        announced = self._announced.get(record["collection"])
        if announced is None:
            return
        resource = self._resource(announced.definition, record)
        form = record["form"]
        named = announced.definition.forms.named
        names = [named(name, form) for name in record.get("attributes", ())]
        status = [named(name, form) for name in record.get("status", ())]
        for change in self._changes(announced, Change(record["change"]), names, status):
            event = announced.events[change]
            paths = status if change is Change.STATUS else [n for n in names if n not in status]
            if change is Change.ATTRIBUTE and Change.STATUS not in announced.events:
                paths = names
            payload = self._payload(announced.definition, change, resource, paths)
            yield self._event(event, record, payload, paths)

    def concerns(self, record: Mapping[str, Any], parties: tuple[str, ...]) -> bool:
        """Whether one of the parties has a part in what a record is about."""
        announced = self._announced.get(record["collection"])
        if announced is None or not announced.definition.parties:
            return False
        rule = part_of(announced.definition, parties)
        return holds(rule, record["content"], form=record["form"])

    @staticmethod
    def _changes(
        announced: Announced, change: Change, names: list[str], status: list[str]
    ) -> Iterator[Change]:
        """Yield which events one change is: a status may move together with other attributes."""
        events = announced.events
        if change in (Change.CREATE, Change.DELETE):
            if change in events:
                yield change
            return
        if status and Change.STATUS in events:
            yield Change.STATUS
            names = [name for name in names if name not in status]
        if names and Change.ATTRIBUTE in events:
            yield Change.ATTRIBUTE

    @staticmethod
    def _resource(definition: ResourceDefinition, record: Mapping[str, Any]) -> Resource:
        if record.get("parent"):
            definition = definition.inside(record["parent"].split("/"))
        content = {name: value for name, value in record["content"].items() if name != INSIDE}
        if record["form"] != definition.forms.name:
            content = definition.forms.read(content, record["form"])
        content.pop(KEPT, None)
        address = f"{record['base']}{definition.path}/{record['id']}"
        content["id"] = definition.shown_id(record["id"])
        return {"id": content["id"], "href": address, **content}

    def _payload(
        self,
        definition: ResourceDefinition,
        change: Change,
        resource: Resource,
        paths: list[str],
    ) -> Resource:
        if self._whole or change is Change.CREATE:
            return resource
        kept = {"id", "href", "@type", *definition.identity}
        if change is not Change.DELETE:
            kept |= set(paths)
        return {name: value for name, value in resource.items() if name in kept}

    def _event(
        self,
        event: EventDefinition,
        record: Mapping[str, Any],
        payload: Resource,
        paths: list[str],
    ) -> OutgoingEvent:
        id = str(uuid.uuid5(uuid.UUID(record["key"]), event.change))
        described = {
            "@type": event.class_name,
            "eventId": id,
            "eventTime": record["time"],
            "eventType": event.type,
            "correlationId": record.get("correlation"),
            "domain": self._title,
            "title": event.type,
            "description": f"{event.type} of {payload['href']}",
            "timeOcurred": record["time"],
            "timeOccurred": record["time"],
            "fieldPath": ",".join(paths) if event.change is Change.ATTRIBUTE else None,
            "event": {event.payload: payload},
        }
        body = {
            name: value
            for name, value in described.items()
            if name in event.attributes and value is not None
        }
        return OutgoingEvent(id, event.type, body, record.get("traceparent") or "")
