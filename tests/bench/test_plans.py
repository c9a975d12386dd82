"""Explanations of MongoDB, in the forms that its releases give them, are read and judged."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pymongo.errors import NetworkTimeout

from storage import Query
from storage.mongo import MongoStore
from tests.bench.plans import plans, read

STATS = {"nReturned": 21, "totalDocsExamined": 22}
SCAN = {"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "status"}}
WHOLE = {"stage": "COLLSCAN"}


def answer(plan: Any, stats: Any = STATS) -> dict[str, Any]:
    rejected = [{"stage": "SORT", "inputStage": WHOLE}]
    planner = {"winningPlan": plan, "rejectedPlans": rejected}
    return {"queryPlanner": planner, "executionStats": stats}


@pytest.mark.parametrize(
    ("explained", "indexes", "ratio", "bad"),
    [
        (answer({"stage": "LIMIT", "inputStage": SCAN}), ("status",), 22 / 21, False),
        (
            answer({"queryPlan": SCAN, "slotBasedPlan": {"stages": "x"}}),
            ("status",),
            22 / 21,
            False,
        ),
        (answer({"stage": "OR", "inputStages": [SCAN, SCAN]}), ("status",), 22 / 21, False),
        (
            answer({"stage": "IDHACK"}, {"nReturned": 1, "totalDocsExamined": 1}),
            ("_id_",),
            1,
            False,
        ),
        (answer(SCAN, {"nReturned": 10, "totalDocsExamined": 21}), ("status",), 2.1, True),
        (answer({"stage": "SORT", "inputStage": SCAN}), ("status",), 22 / 21, False),
        (answer(WHOLE), ("none",), 22 / 21, True),
        (
            {"stages": [{"$cursor": answer(SCAN)}, {"$addFields": {}}, {"$sort": {}}]},
            ("status",),
            22 / 21,
            False,
        ),
    ],
)
def test_a_plan_is_bad_that_examines_too_much(
    explained: dict[str, Any], indexes: tuple[str, ...], ratio: float, bad: bool
) -> None:
    plan = read("status", explained, 21, judged=True)
    assert (plan.indexes, plan.ratio, plan.bad) == (indexes, ratio, bad)
    assert not read("status", explained, 21, judged=False).bad


def test_figures_that_do_not_stop_at_the_limit_are_none() -> None:
    plan = read(
        "status", answer(SCAN, {"nReturned": 400, "totalDocsExamined": 400}), 21, judged=True
    )
    assert (plan.returned, plan.ratio, plan.bad) == (None, None, False)


def test_what_reads_everything_is_said_to_whatever_the_limit() -> None:
    everything = answer(WHOLE, {"nReturned": 400, "totalDocsExamined": 400})
    plan = read("status", everything, 20, judged=False)
    assert (plan.examined, plan.returned, plan.ratio) == (400, 20, 20)


def test_a_server_that_gives_no_figures_has_none() -> None:
    plan = read("status", answer(SCAN, None), 21, judged=True)
    assert (plan.examined, plan.returned, plan.bad) == (None, None, False)
    assert str(plan).split() == ["status", "status"]


@pytest.mark.parametrize(
    ("explained", "sorts"),
    [
        (answer(SCAN), False),
        (answer({"stage": "SORT", "inputStage": SCAN}), True),
        ({"stages": [{"$cursor": answer(SCAN)}, {"$sort": {"s0": 1}}]}, True),
    ],
)
def test_a_plan_tells_of_a_sort_in_memory(explained: dict[str, Any], sorts: bool) -> None:
    plan = read("status", explained, 21, judged=True)
    assert ("sorted in memory" in str(plan)) == sorts


def test_a_server_that_does_not_explain_in_time_keeps_the_others_from_nothing() -> None:
    class Late:
        def explain(self, query: Query) -> list[Any]:
            raise NetworkTimeout("timed out")

    class Store:
        def finder(self, collection: str) -> Late:
            return Late()

    found = list(plans(cast(MongoStore, Store()), "things", 100))
    assert len(found) > 20
    assert not any(plan.bad for plan in found)
    assert "no answer in time" in str(found[0])
