"""Who reads the events of each resource: the subscriptions at the hubs of its contracts.

A delivery cursor is stored before its subscription is acknowledged, so that whoever is told of a
subscription misses none of the events that follow. The cursors of hubs that no contract here has
belong to other servers, and count as readers of everything.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.contract import Contract, Kind
from app.events.outbound.delivery_cursors import CURSORS
from storage import EventReaders


def event_readers(contracts: Sequence[Contract]) -> dict[str, EventReaders]:
    """Return who reads the events of each collection that the contracts announce changes of."""
    hubs: set[str] = set()
    hubs_of: dict[str, set[str]] = {}
    for contract in contracts:
        own = {
            f"{binding.definition.collection}/"
            for binding in contract.bindings
            if binding.kind is Kind.SUBSCRIBE and binding.definition is not None
        }
        hubs |= own
        for announced in contract.announced:
            hubs_of.setdefault(announced.definition.collection, set()).update(own)
    return {
        collection: EventReaders(CURSORS, tuple(sorted(hubs - own)))
        for collection, own in hubs_of.items()
    }
