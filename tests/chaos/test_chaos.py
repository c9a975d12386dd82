"""A short run: everything that can go wrong does once, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.disturbances import Site
from tests.chaos.ledger import DELETION, Ledger
from tests.chaos.run import run


@pytest.mark.crash
def test_nothing_is_lost_whatever_goes_wrong(tmp_path: Path) -> None:
    ledger = run(0.1, 683, tmp_path)
    print(ledger.report())
    # How soon progress is stored depends on the machine: `make chaos` checks repeats.
    assert [each for each in ledger.problems if not each.startswith("repeated")] == []
    assert ledger.counts["acknowledged"] > 50
    kinds = {kind for kind, _, _ in ledger.disturbances}
    assert kinds == set(Site(tmp_path, ledger, 683).kinds)


def filled() -> Ledger:
    ledger = Ledger()
    ledger.subscribe("/x")
    ledger.since["/x"] = 0.0
    for number in (0, 1, 2):
        ledger.attempt("r", number, 1.0)
        ledger.acknowledge("r", number)
    ledger.attempt("r", 3, 1.0)
    return ledger


def deliver(ledger: Ledger, *numbers: int) -> None:
    for number in numbers:
        ledger.deliver("/x", "r", number, f"e{number}")


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ((0, 1, 2), []),
        ((0, 1, 2, 3), []),
        ((0, 2), ["lost"]),
        ((0, 2, 1), ["out of order"]),
        ((0, 1, 2, 4), ["invented"]),
        ((0, 1, 1, 2), ["repeated"]),
        ((0, 1, 2, DELETION), ["invented"]),
    ],
)
def test_the_ledger_finds_events_that_are_wrong(numbers: tuple[int, ...], found: list[str]) -> None:
    ledger = filled()
    deliver(ledger, *numbers)
    ledger.check_deliveries()
    assert [each.partition(":")[0] for each in ledger.problems] == found


def test_a_repetition_near_a_disturbance_is_promised() -> None:
    ledger = filled()
    deliver(ledger, 0, 1, 1, 2)
    ledger.disturb("kills", ledger.deliveries["/x"][0].at)
    ledger.check_deliveries()
    assert ledger.problems == []


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ({"r": 2}, []),
        ({"r": 3}, []),
        ({"r": 1}, ["lost"]),
        ({"r": 4}, ["invented"]),
        ({}, ["lost"]),
    ],
)
def test_the_ledger_finds_documents_that_are_wrong(
    stored: dict[str, int], found: list[str]
) -> None:
    ledger = filled()
    ledger.check_stored(stored)
    assert [each.partition(":")[0] for each in ledger.problems] == found
