"""What the metrics say of the store, and of what it holds."""

from __future__ import annotations

from prometheus_client import parser

from app.observability.metrics import Backlog, Metrics


def values(text: bytes) -> dict[str, float]:
    families = parser.text_string_to_metric_families(text.decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_a_store_that_answers_is_up_and_its_backlog_is_known() -> None:
    text, _ = Metrics().text("", Backlog(pending=4, waiting=3, parked=2, suspended=1), missing=5)
    found = values(text)
    assert found["tmf_store_up"] == 1
    assert found["tmf_store_missing_indexes"] == 5
    assert found["tmf_events_pending"] == 4
    assert found["tmf_events_waiting"] == 3
    assert found["tmf_events_parked"] == 2
    assert found["tmf_subscriptions_suspended"] == 1


def test_a_store_that_does_not_answer_is_down_and_nothing_else_is_said_of_it() -> None:
    found = values(Metrics().text("", None)[0])
    assert found["tmf_store_up"] == 0
    assert not {"tmf_store_missing_indexes", "tmf_events_pending"} & found.keys()
