"""`make conformance`: the certificate's requests against servers with 10,000 interactions stored.

It prints the mean response time, and fails for assertions only.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from app.bootstrap import open_contracts, open_prepared_store
from app.conformance import Outcome, load_suite, run, text_report
from app.contract import Kind
from app.settings import OPENAPI_FOLDER, Settings
from app.tmf630.lifecycle import created
from app.tmf630.representation import encode
from tests.server import running_server

SUITE = OPENAPI_FOLDER / "conformance" / "tmf683-v4.0.0.yaml"
OURS = OPENAPI_FOLDER / "tmf683-v4.0.0.yaml"
OFFICIAL_NAME = "TMF683-PartyInteraction-v4.0.0.swagger.json"

STORED = 10_000


def official() -> Path | None:
    """Return the official document; None when `TMF_OFFICIAL_SPECS` does not say where it is."""
    folder = os.environ.get("TMF_OFFICIAL_SPECS")
    return Path(folder) / OFFICIAL_NAME if folder else None


def seed(spec: Path, store_url: str, count: int) -> None:
    """Put `count` interactions into the store, as creations over HTTP would have."""
    settings = Settings(spec=(spec,), store=store_url)
    contracts = open_contracts(settings)
    definition = next(
        binding.definition
        for binding in contracts[0].bindings
        if binding.kind is Kind.CREATE and binding.definition is not None
    )
    store = open_prepared_store(settings, contracts)
    try:
        with store.batch():
            for number in range(count):
                resource = created(definition, _interaction(number))
                store.insert(definition.collection, resource["id"], encode(definition, resource))
    finally:
        store.close()


def _interaction(number: int) -> dict[str, object]:
    return {
        "direction": ("inbound", "outbound", "inbounds")[number % 3],
        "reason": f"Question {number % 500} about the bill",
        "status": ("opened", "inProgress", "completed")[number % 3],
        "interactionDate": {"startDateTime": f"2026-{number % 12 + 1:02}-01T10:00:00Z"},
        "channel": [{"id": str(number % 20), "href": f"/channel/{number % 20}", "name": "shop"}],
        "relatedParty": [
            {"id": str(number), "href": f"/individual/{number}", "@referredType": "Individual"}
        ],
        "note": [{"text": "The customer will call again.", "author": "agent 7"}],
    }


def runs(spec: Path) -> tuple[Outcome, Outcome]:
    """Run the suite on a well-filled server for the document: as it is, and minimal."""
    suite = load_suite(SUITE)
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/conformance.db"
        seed(spec, store, STORED)
        with running_server(spec, store=store) as server:
            full, minimal = (run(suite, server.base_url, minimal=each) for each in (False, True))
            return full, minimal


def main() -> int:
    """Run everything and print the tables; return 1 when an assertion failed."""
    failed = False
    for spec in (OURS, official()):
        if spec is None:
            print(f"TMF_OFFICIAL_SPECS is not set: {OFFICIAL_NAME} left out")
            continue
        for kind, outcome in zip(("full", "minimal"), runs(spec), strict=True):
            print(f"{spec.name}, {STORED} stored, {kind} creations")
            print(f"{text_report(outcome)}\n")
            failed = failed or bool(outcome.failed)
    print("failed" if failed else "passed")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
