"""Changes that take long are computed while other writes go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.web import bridge as module
from app.web.bridge import FlaskBridge
from app.web.limits.admission import Slots
from app.web.operation_call import Execution, OperationCall
from handlers.request_context import RequestContext
from handlers.responses import Response
from storage import UpdateContended, Write, put, update
from storage.sqlite.store import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "s.db", durability="normal", busy_seconds=1)
    store.prepare("c", ())
    put(store, "c", "1", b'{"n":0}')
    yield store
    store.close()


@pytest.fixture
def bridge(store: SqliteStore) -> Iterator[FlaskBridge]:
    bridge = FlaskBridge("x", {}, threads=4, slots=Slots(9), client_of=lambda _: "", within=None)
    bridge.open(store)
    yield bridge
    bridge.close()


def call(handler: Any, execution: Execution) -> OperationCall:
    return OperationCall(handler, RequestContext(base_url=""), (), execution)


def test_other_writes_are_answered_while_a_change_is_computed(
    bridge: FlaskBridge, store: SqliteStore
) -> None:
    others_done = threading.Event()

    def compute(context: RequestContext) -> Response:
        def decide(present: Any) -> Write:
            assert others_done.wait(30), "another write waits for this one"
            return Write(b'{"n":1}')

        update(store, "c", "1", decide, attempts=context.attempts)
        return Response(b"", 200, {})

    def other(context: RequestContext) -> Response:
        put(store, "c", "2", b"{}")
        return Response(b"", 201, {})

    async def run() -> None:
        long = asyncio.create_task(bridge._run_call(call(compute, Execution.CHANGE), {}, ""))
        await asyncio.sleep(0)
        assert (await bridge._run_call(call(other, Execution.WRITE), {}, ""))[0] == 201
        others_done.set()
        assert (await long)[0] == 200

    asyncio.run(run())
    assert store.get("c", "1").content == b'{"n":1}'


def contended(store: SqliteStore, tries: list[int], losing: int) -> Any:
    """Return a handler whose change comes second so many times."""

    def handler(context: RequestContext) -> Response:
        def decide(present: Any) -> Write:
            tries.append(present.version)
            if len(tries) <= losing:
                other = SqliteStore(store._connections._file)
                put(other, "c", "1", b'{"n":9}')
                other.close()
            return Write(b'{"n":1}')

        update(store, "c", "1", decide, attempts=context.attempts)
        return Response(b"", 200, {})

    return handler


def test_a_change_that_others_come_before_is_made_in_its_turn(
    bridge: FlaskBridge, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHORT_SECONDS", 60)
    tries: list[int] = []
    change = call(contended(store, tries, losing=5), Execution.CHANGE)
    assert asyncio.run(bridge._run_call(change, {}, ""))[0] == 200
    assert len(tries) == 6


def test_a_change_that_takes_long_and_comes_second_is_given_up(
    bridge: FlaskBridge, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHORT_SECONDS", 0)
    change = call(contended(store, [], losing=5), Execution.CHANGE)
    with pytest.raises(UpdateContended):
        asyncio.run(bridge._run_call(change, {}, ""))
    assert store.get("c", "1").content == b'{"n":9}'
