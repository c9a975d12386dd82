"""Interactions to fill a collection with: what selects little selects as little of any number."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

START = datetime(2024, 1, 1, tzinfo=UTC)


def parties(total: int) -> int:
    """Return how many parties `total` interactions have: about 20 interactions each."""
    return max(1, total // 20)


def shops(total: int) -> int:
    """Return how many shops `total` interactions have: about 50 interactions each."""
    return max(1, total // 50)


def interaction(number: int, total: int) -> dict[str, object]:
    """Return one of `total` interactions spread evenly over two years; parties have about 20."""
    chance = random.Random(number)
    created = START + timedelta(days=730) * (number / total)
    return {
        "id": f"{number:08d}",
        "creationDate": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status": chance.choice(["opened", "inProgress", "completed"]),
        "direction": chance.choice(["inbound", "outbound"]),
        "reason": f"{chance.choice(['Fault', 'Order', 'Bill'])} {chance.randrange(total):08d}",
        "channel": [{"id": f"shop-{chance.randrange(shops(total))}", "href": "/shop"}],
        "relatedParty": [
            {
                "id": f"party-{chance.randrange(parties(total))}",
                "href": "/party",
                "role": "customer",
                "@referredType": "Individual",
            }
        ],
        "interactionDate": {"startDateTime": created.isoformat()},
        "note": [{"author": f"agent {chance.randrange(500)}", "text": "spoke with the customer"}],
        "@type": "PartyInteraction",
    }
