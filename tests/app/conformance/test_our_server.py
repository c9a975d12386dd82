"""The real server passes the suite, on our document and on the official one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from app.conformance import Outcome, load_suite, run, text_report
from tests.app.conformance.test_certificate import CERTIFICATE, STORED_BEFORE
from tests.conformance_run import OURS, SUITE, official, runs
from tests.conftest import NO_OFFICIAL_SPECS
from tests.server import running_server

OFFICIAL = pytest.param(
    official(),
    id="official",
    marks=pytest.mark.skipif(official() is None, reason=NO_OFFICIAL_SPECS),
)
DOCUMENTS = [pytest.param(OURS, id="ours"), OFFICIAL]


@pytest.fixture(scope="module", params=DOCUMENTS)
def outcomes(request: pytest.FixtureRequest) -> tuple[Outcome, Outcome]:
    return runs(request.param)


@pytest.mark.parametrize("minimal", [0, 1], ids=["full", "minimal"])
def test_the_server_passes_with_ten_thousand_interactions_stored(
    outcomes: tuple[Outcome, Outcome], minimal: int
) -> None:
    outcome = outcomes[minimal]
    assert outcome.failed == 0, text_report(outcome)
    assert len(outcome.exchanges) == 18
    # Lists hold the default limit of 100: the reports would be short if they had stayed empty.
    assert len(outcome.exchanges[2].assertions) == 1 + 100 * 10 + 8


@pytest.mark.parametrize("spec", DOCUMENTS)
def test_the_server_earns_the_certificates_542(spec: Path) -> None:
    with running_server(spec) as server:
        for body in STORED_BEFORE:
            httpx.post(
                f"{server.base_url}/partyInteraction", json=body, trust_env=False
            ).raise_for_status()
        outcome = run(load_suite(SUITE), server.base_url)
    assert outcome.failed == 0, text_report(outcome)
    assert [len(each.assertions) for each in outcome.exchanges] == [n for _, n in CERTIFICATE]
