"""Subscriptions: the listeners that are registered at the hubs, and what each of them wants."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.contract import Contract, Kind
from app.events.outbound.payloads import EventContent, EventRenderer, OutgoingEvent
from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.errors import BadQuery
from app.tmf630.representation import PARTIES
from app.tmf630.subscription_query import SubscriptionQuery, parse_query
from storage import Document, DocumentNotFound, Store, UnsupportedQuery, every, holds, json
from storage.projection import select, selection_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One listener; `callback` is where its events go.

    Of a listener that is bound to parties, `parties` has their ids: it hears of what they have a
    part in, and of nothing else.
    """

    id: str
    callback: str
    wants: SubscriptionQuery
    renderer: EventRenderer
    parties: tuple[str, ...] | None = None

    def events_of(self, record: dict[str, Any]) -> list[OutgoingEvent]:
        """Return the events of a record that the listener wants, as it wants them."""
        found: list[OutgoingEvent] = []
        if self.parties is not None and not self.renderer.concerns(record, self.parties):
            return found
        for event in self.renderer.events_of(record):
            if self.wants.where is not None and not holds(self.wants.where, event.body):
                continue
            if self.wants.fields:
                event = replace(event, body=select(selection_of(self.wants.fields), event.body))
            found.append(event)
        return found


@dataclass(frozen=True, slots=True)
class _Hub:
    definition: ResourceDefinition
    renderer: EventRenderer


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
        self._parsed: dict[str, tuple[bytes, Subscription | None]] = {}
        self._hubs = [
            _Hub(binding.definition, EventRenderer(contract, content))
            for contract in contracts
            for binding in contract.bindings
            if binding.kind is Kind.SUBSCRIBE
            and binding.definition is not None
            and not binding.definition.parents
        ]

    def read(self) -> dict[str, Subscription]:
        """Return every subscription by its cursor's name."""
        parsed = {}
        for hub in self._hubs:
            for document in every(self._store, hub.definition.collection):
                name = cursor_name(hub.definition, document.id)
                known = self._parsed.get(name)
                if known is None or known[0] != document.content:  # registered anew, it may differ
                    known = (document.content, self._parse(hub, document))
                parsed[name] = known
        self._parsed = parsed
        return {name: found for name, (_, found) in parsed.items() if found is not None}

    def is_gone(self, cursor: str) -> bool:
        """Whether the subscription of a cursor was removed; its hub may be another server's."""
        collection, _, id = cursor.rpartition("/")
        try:
            self._store.get(collection, id)
        except DocumentNotFound:
            return True
        return False

    def _parse(self, hub: _Hub, document: Document) -> Subscription | None:
        body = json.loads(document.content)
        try:
            wants = parse_query(hub.definition, body.get("query") or "", self._limits)
        except (BadQuery, UnsupportedQuery) as error:  # registered under wider limits
            _log.warning("subscription %s is not served: its query %s", document.id, error)
            return None
        parties = tuple(body[PARTIES]) if PARTIES in body else None
        return Subscription(document.id, body["callback"], wants, hub.renderer, parties)


def cursor_name(definition: ResourceDefinition, id: str) -> str:
    """Return the name of a subscription's cursor, unlike that of any other hub's."""
    return f"{definition.collection}/{id}"
