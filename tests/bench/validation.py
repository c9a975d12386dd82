"""`make bench-validation`: the time to validate a creation, beside stock jsonschema, in one run.

The stock validator is the one connexion builds: it knows no discriminators and refuses TM Forum's
own example, so what it is given is the part of the example that it accepts.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import jsonschema

from app.contract import Kind, open_contract
from app.contract.document.load import load
from app.contract.document.overlay import read_overlays
from app.contract.schema.schemas import body_schema
from app.settings import OPENAPI_FOLDER
from tests.conftest import OURS_V5

LIMIT = 100.0
"""Microseconds that a creation may take."""

PARTY = {
    "@type": "RelatedPartyOrPartyRole",
    "role": "customer",
    "partyOrPartyRole": {"@type": "PartyRef", "id": "42", "@referredType": "Individual"},
}
PLAIN: dict[str, Any] = {
    "@type": "PartyInteraction",
    "reason": "A question about the bill",
    "direction": "inbound",
    "interactionDate": {"startDateTime": "2026-11-23T10:00:00Z"},
    "relatedChannel": [
        {
            "@type": "RelatedChannel",
            "role": "first contact",
            "channel": {"@type": "ChannelRef", "id": "shop-12", "name": "Shop"},
        }
    ],
    "note": [{"@type": "Note", "author": "agent 7", "text": "call back tomorrow"}] * 3,
    "interactionItem": [
        {"@type": "InteractionItem", "reason": "r", "note": [{"@type": "Note", "text": "n"}]}
    ]
    * 3,
}
WHOLE = PLAIN | {"relatedParty": [PARTY, PARTY]}


def microseconds(work: Callable[[], object]) -> float:
    """Return the time of one call, the best of several series."""
    best = float("inf")
    for _ in range(5):
        calls, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < 0.2:
            for _ in range(20):
                work()
            calls += 20
        best = min(best, (time.perf_counter() - begin) / calls)
    return best * 1e6


def main() -> int:
    """Measure, print, and return 1 when a creation takes too long."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    contract = open_contract(OURS_V5, overlays=read_overlays(OPENAPI_FOLDER / "overlays"))
    create = next(each for each in contract.bindings if each.kind is Kind.CREATE)
    ours = create.bodies["application/json"]
    assert ours.accepts(WHOLE)
    document = load(OURS_V5)
    body = document["components"]["requestBodies"]["PartyInteraction_FVO"]
    schema = body_schema({"requestBody": body})
    stock = jsonschema.Draft4Validator({**document, **(schema or {})})
    stock_says = "accepts" if stock.is_valid(WHOLE) else "refuses"
    rows = [("whole, ours", microseconds(lambda: ours.accepts(WHOLE)))]
    rows += [("without parties, ours", microseconds(lambda: ours.accepts(PLAIN)))]
    rows += [("without parties, jsonschema", microseconds(lambda: stock.is_valid(PLAIN)))]
    print(f"{platform.machine()}, Python {platform.python_version()}, {date.today()}")
    print(f"a v5 creation of {len(json.dumps(WHOLE))} bytes; stock jsonschema {stock_says} it")
    for name, spent in rows:
        print(f"  {name:28} {spent:9.1f} µs")
    print(f"  {rows[2][1] / rows[1][1]:.0f} times as fast")
    return int(rows[0][1] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
