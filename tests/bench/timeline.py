"""`make bench-timeline`: what the timeline costs the server over a large store.

The pages are asked for within the process, through the whole application; the time is that from the
request to the end of the answer. Every case asks for other parties, so that no page is cached.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts, open_prepared_store
from app.pages.timeline.source import timeline_source
from app.settings import OPENAPI_FOLDER, Settings
from storage import Document, open_store
from tests.bench.interactions import interaction, parties

DOCUMENTS = 1_000_000
LIMIT = 50.0
"""Milliseconds that the first view of a customer may take."""
FIRST_VIEW = "first view of a customer"
_SAMPLES = 15


def named(number: int, total: int) -> dict[str, object]:
    """Return an interaction whose parties have names, as searches by name need them."""
    made = interaction(number, total)
    for party in made["relatedParty"]:  # type: ignore[attr-defined]
        party["name"] = f"Customer {party['id'].rpartition('-')[2]} of many"
    return made


def fill(settings: Settings, total: int) -> None:
    """Store the interactions; tell of it every few seconds. Indexes are made when all are there."""
    source = timeline_source(open_contracts(settings))
    assert source is not None
    store = open_store(settings.store, durability="normal")
    told = time.monotonic()
    try:
        store.prepare(source.definition.collection, ())
        for first in range(0, total, 2000):
            made = [named(number, total) for number in range(first, min(first + 2000, total))]
            store.insert_many(
                source.definition.collection,
                [Document(str(each["id"]), 1, json.dumps(each).encode()) for each in made],
            )
            if time.monotonic() - told > 5:
                told = time.monotonic()
                print(f"loading: {first + 2000:,} of {total:,}", file=sys.stderr)
    finally:
        store.close()


def cases(total: int) -> Iterator[tuple[str, list[str]]]:
    """Yield what is measured: its name, and the addresses to ask for."""
    last = parties(total) - 1
    chosen = [f"party-{last * step // _SAMPLES}" for step in range(1, _SAMPLES + 1)]

    def timelines(**more: str) -> list[str]:
        return [f"/timeline?{urlencode({'relatedParty.id': each, **more})}" for each in chosen]

    yield FIRST_VIEW, timelines()
    yield "a customer, inbound only", timelines(direction="inbound")
    yield "the latest contacts of all", ["/timeline"] * _SAMPLES
    yield "search by id", [f"/timeline?search={each}" for each in chosen]
    names = [each.rpartition("-")[2] for each in chosen]
    yield "search by a name", [f"/timeline?search=customer+{each}+of" for each in names[:3]]
    yield "search by a part of many names", ["/timeline?search=of+many"] * 3
    yield "search by a name that nobody has", ["/timeline?search=nobody"] * 3


def main() -> int:
    """Fill a store, measure, print a table; 1 when the first view takes longer than it may."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    total = parser.parse_args().documents
    with tempfile.TemporaryDirectory(prefix="tmf683-timeline-") as folder:
        settings = Settings(
            store=f"sqlite:///{Path(folder) / 'timeline.db'}",
            spec=(OPENAPI_FOLDER / "tmf683-v4.0.0.yaml",),
            delivery="off",
            durability="normal",
            access_log=False,
        )
        begin = time.perf_counter()
        fill(settings, total)
        open_prepared_store(settings, open_contracts(settings)).close()
        print(f"{total:,} interactions loaded in {time.perf_counter() - begin:.0f} s")
        print(f"{platform.machine()}, Python {platform.python_version()}, {date.today()}")
        print(f"{'milliseconds':36}{'median':>10}{'slowest':>10}  answers")
        medians = {}
        with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
            client.get("/timeline", headers={"Accept": "text/html"})
            for name, addresses in cases(total):
                times, statuses = [], set()
                for address in addresses:
                    begin = time.perf_counter()
                    answer = client.get(
                        address, headers={"Accept": "text/html"}, follow_redirects=False
                    )
                    times.append((time.perf_counter() - begin) * 1000)
                    statuses.add(answer.status_code)
                medians[name] = statistics.median(times)
                codes = ", ".join(map(str, sorted(statuses)))
                print(f"{name:36}{medians[name]:10.1f}{max(times):10.1f}  {codes}", flush=True)
    return int(medians[FIRST_VIEW] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
