"""Subscriptions: who has registered at which hub, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.contract import Contract, Kind
from app.delivery.events import Announcer, EventContent, OutgoingEvent
from handlers.definition import Limits, ResourceDefinition
from handlers.errors import BadQuery
from handlers.hub import SubscriptionQuery, parse_query
from handlers.representation import PARTIES
from storage import Store, UnsupportedQuery, every, holds, json
from storage.projection import select, selection_of


@dataclass(frozen=True, slots=True)
class Subscription:
    """One listener; `callback` is where its events go.

    Of a listener that is bound to parties, `parties` has their ids: it hears of what they have a
    part in, and of nothing else.
    """

    id: str
    callback: str
    wants: SubscriptionQuery
    announcer: Announcer
    parties: tuple[str, ...] | None = None

    def events_of(self, record: dict[str, Any]) -> list[OutgoingEvent]:
        """Return the events of a record that the listener wants, as it wants them."""
        found: list[OutgoingEvent] = []
        if self.parties is not None and not self.announcer.concerns(record, self.parties):
            return found
        for event in self.announcer.events_of(record):
            if self.wants.where is not None and not holds(self.wants.where, event.body):
                continue
            body = event.body
            if self.wants.fields:
                body = select(selection_of(self.wants.fields), body)
            found.append(replace(event, body=body))
        return found


@dataclass(frozen=True, slots=True)
class _Hub:
    definition: ResourceDefinition
    announcer: Announcer


class Subscriptions:
    """The subscriptions at the hubs of all contracts."""

    def __init__(
        self,
        contracts: Sequence[Contract],
        store: Store,
        limits: Limits,
        content: EventContent = EventContent.CONTRACT,
    ) -> None:
        self._store = store
        self._limits = limits
        self._known: dict[tuple[str, str], Subscription] = {}
        self._hubs = [
            _Hub(binding.definition, Announcer(contract, content))
            for contract in contracts
            for binding in contract.bindings
            if binding.kind is Kind.SUBSCRIBE
            and binding.definition is not None
            and not binding.definition.parents
        ]

    def read(self) -> dict[str, Subscription]:
        """Return every subscription by its lane's name."""
        found = {}
        for hub in self._hubs:
            for document in every(self._store, hub.definition.collection):
                subscription = self._parsed(hub, document.content, document.id)
                if subscription is not None:
                    found[lane_of(hub.definition, document.id)] = subscription
        return found

    def _parsed(self, hub: _Hub, content: bytes, id: str) -> Subscription | None:
        key = (hub.definition.collection, id)
        if key not in self._known:
            body = json.loads(content)
            try:
                wants = parse_query(hub.definition, body.get("query") or "", self._limits)
            except (BadQuery, UnsupportedQuery):
                return None  # registered under wider limits
            parties = tuple(body[PARTIES]) if PARTIES in body else None
            self._known[key] = Subscription(id, body["callback"], wants, hub.announcer, parties)
        return self._known[key]


def lane_of(definition: ResourceDefinition, id: str) -> str:
    """Return the name of a subscription's lane, unlike that of any other hub's."""
    return f"{definition.collection}/{id}"
