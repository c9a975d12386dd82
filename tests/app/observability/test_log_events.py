"""Lines of the log about events: their names, and what they say of queries."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.observability.log_events import LogEvent, log_event
from app.observability.metrics import Metrics
from app.observability.observed_store import ObservedStore
from app.observability.query_shape import shape_of
from storage import (
    And,
    AnyElement,
    Comparison,
    Matches,
    Not,
    Operator,
    Or,
    Query,
    SortKey,
    Window,
    open_store,
)
from tests.conftest import OURS
from tests.server import clean_environment, eventually, running_server

ROOT = OURS.parent.parent
SOURCES = [file for name in ("app", "handlers", "storage") for file in (ROOT / name).rglob("*.py")]


def test_every_event_is_logged_somewhere_and_named_in_one_place() -> None:
    """The page of the reference is compared with the same names in tests/reference."""
    texts = {
        file: file.read_text()
        for file in SOURCES
        if file.name != "log_events.py" or file.parent.name != "observability"
    }
    used = {name for text in texts.values() for name in re.findall(r"LogEvent\.([A-Z_]+)", text)}
    assert used == set(LogEvent.__members__)
    for file, text in texts.items():
        assert not re.search(r'"fields": \{"event"|fields = \{"event": "', text), file
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)+", each) for each in LogEvent)


def test_a_line_has_the_name_and_the_fields(caplog: pytest.LogCaptureFixture) -> None:
    log_event(logging.WARNING, LogEvent.SERVER_NOT_READY, reason="100 % full")
    (record,) = caplog.records
    assert record.getMessage() == "server not ready"
    assert record.fields == {"event": "server.not_ready", "reason": "100 % full"}  # type: ignore[attr-defined]


def test_the_shape_of_a_query_has_no_values() -> None:
    where = And(
        (
            Comparison(("status",), Operator.EQ, "secret"),
            Or((Comparison(("id",), Operator.EQ, "secret"), Comparison(("id",), Operator.EQ, "s"))),
            AnyElement(("note",), Matches(("text",), "secret")),
            Not(Comparison(("a", "b"), Operator.GE, 5)),
            Comparison(("c",), Operator.EQ, None),
        )
    )
    query = Query(where=where, sort=(SortKey(("d",), descending=True),), window=Window(10, 5))
    assert shape_of(query) == (
        "(status = ? and id = ? and note[text matches ?] and not (a.b >= ?) and c = null)"
        " sort -d offset 10 limit 5 counted"
    )
    assert shape_of(Query(count=False)) == "all limit 100"


@pytest.mark.parametrize(("seconds", "told"), [(1e-9, 1), (0.0, 0), (1000.0, 0)])
def test_a_slow_query_is_told_once_by_its_shape(
    seconds: float, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = ObservedStore(open_store("memory:"), Metrics(), slow_seconds=seconds)
    store.prepare("c", ())
    for value in ("secret", "another"):
        store.find("c", Query(where=Comparison(("name",), Operator.EQ, value)))
    store.close()
    lines: list[dict[str, Any]] = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert len(lines) == told
    for line in lines:
        assert line["event"] == "query.slow"
        assert (line["collection"], line["query"]) == ("c", "name = ? limit 100 counted")
        assert "secret" not in str(line)


def test_a_server_tells_of_its_life() -> None:
    with running_server(OURS, env={"TMF_LOG_FORMAT": "json"}) as server:

        def events() -> list[str]:
            lines = [json.loads(line) for line in server.log().splitlines() if line[:1] == "{"]
            return [line["event"] for line in lines if "event" in line]

        server.process.send_signal(signal.SIGHUP)
        wanted = ("worker.ready", "worker.ready", "worker.stopped")
        assert eventually(lambda: all(events().count(e) >= wanted.count(e) for e in wanted))
        server.process.terminate()
        server.process.wait(60)
        found = [each for each in events() if each.startswith(("server", "worker"))]
    assert found[:3] == ["server.starting", "server.ready", "worker.ready"]
    assert found[3] == "server.reloading"
    assert found.index("worker.draining") < found.index("worker.stopped")
    assert found.count("server.ready") == 1
    assert found.count("worker.ready") == found.count("worker.stopped") == 2
    assert found.index("server.stopping") < len(found) - 1
    assert found[-1] == "server.stopped"


@pytest.mark.parametrize(
    ("command", "environment", "says"),
    [
        (["serve", "--store", "nonsense:"], {}, "nonsense"),
        (["serve"], {"TMF_PORT": "x"}, "TMF_PORT"),
        (["deliver", "--spec", "/nowhere.yaml"], {}, "/nowhere.yaml"),
    ],
)
def test_a_refused_start_is_a_line_of_the_log(
    command: list[str], environment: dict[str, str], says: str, tmp_path: Path
) -> None:
    for form in ("json", "auto"):
        done = subprocess.run(
            [str(Path(sys.executable).with_name("tmf683")), *command],
            env=clean_environment({"TMF_LOG_FORMAT": form, **environment}),
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        if form == "auto":
            assert line.startswith("tmf683: ")
        else:
            told = json.loads(line)
            assert (told["event"], told["level"]) == ("start.refused", "error")
            assert says in told["message"]
