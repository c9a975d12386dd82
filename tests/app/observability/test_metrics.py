"""What the metrics say of the store, and of what it holds."""

from __future__ import annotations

import asyncio

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


def numbers(metrics: Metrics) -> list[str]:
    text = metrics.text("", Backlog())[0].decode()
    return [line for line in text.splitlines() if line[:1] != "#" and "_created" not in line]


def use(metrics: Metrics) -> None:
    # A bound itself belongs to its bucket; the last is beyond all bounds.
    for seconds in (0.0, 0.001, 0.0011, 0.25, 7.0):
        metrics.request("GET /things", 200, seconds)
        metrics.store("find", seconds)
    metrics.request("GET /things", 404, 0.25)


def test_batches_say_what_single_observations_do() -> None:
    alone, batched = Metrics(), Metrics()

    async def batches() -> None:
        batched.start()
        use(batched)
        assert numbers(batched) == numbers(alone)
        use(batched)
        batched.stop()

    use(alone)
    asyncio.run(batches())
    use(alone)
    assert numbers(batched) == numbers(alone)
    assert 'tmf_http_requests_total{operation="GET /things",status="200"} 10.0' in numbers(alone)


def test_a_batch_is_written_within_some_time_without_being_asked_for() -> None:
    metrics = Metrics()

    async def wait() -> None:
        metrics.start()
        use(metrics)
        (counter, _) = metrics._known["GET /things", 404]
        async with asyncio.timeout(20):
            while counter._value.get() == 0:  # `text` would write the batch itself
                await asyncio.sleep(0.05)

    asyncio.run(wait())
