"""What operators see of a running server: metrics, health, logs, and traces where asked for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as open_metrics

from app.identity.api_keys import make_key
from app.tmf630.caller import Access
from tests.app.events.receiver import receiving
from tests.conftest import OURS
from tests.deploy.tools import tool
from tests.http.conftest import MINIMAL, create, error_of
from tests.server import Server, clean_environment, eventually, free_port, running_server

COLLECTION = "/tmf-api/partyInteraction/v4/partyInteraction"
OPEN = {"Accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture(scope="module")
def observed() -> Iterator[Server]:
    with running_server(OURS, workers=2, env={"TMF_LOG_FORMAT": "json"}) as server:
        # Metrics exist once something has happened: no test depends on the requests of another.
        for body, status in ((MINIMAL, 201), (MINIMAL | {"channel": []}, 400)):
            answer = httpx.post(server.url + COLLECTION, json=body, trust_env=False)
            assert answer.status_code == status, answer.text
        # Each worker writes its numbers once a second; until then they are 0.
        operations = {f"POST {COLLECTION},201": 1.0, f"POST {COLLECTION},400": 1.0}
        counted = partial(samples, server, "tmf_http_requests_total")
        assert eventually(lambda: operations.items() <= counted().items()), counted()
        yield server


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(server.url + path, headers=headers, trust_env=False, timeout=30)


def samples(server: Server, name: str) -> dict[str, float]:
    """Return the values of a metric by its labels, as text."""
    found = {}
    for family in parser.text_string_to_metric_families(get(server, "/metrics").text):
        for sample in family.samples:
            if sample.name == name:
                found[",".join(sample.labels.values())] = sample.value
    return found


def test_requests_of_every_worker_are_counted(observed: Server) -> None:
    operation = f"POST {COLLECTION},201"
    before = samples(observed, "tmf_http_requests_total").get(operation, 0)
    for _ in range(40):
        httpx.post(observed.url + COLLECTION, json=MINIMAL, trust_env=False).raise_for_status()
    counted = partial(samples, observed, "tmf_http_requests_total")
    assert eventually(lambda: counted().get(operation) == before + 40), counted()
    timed = samples(observed, "tmf_http_request_duration_seconds_count")[f"POST {COLLECTION}"]
    assert timed >= before + 40
    assert samples(observed, "tmf_store_duration_seconds_count")["insert"] >= 40


def test_what_was_refused_is_counted_by_code_and_rule(observed: Server) -> None:
    before = samples(observed, "tmf_validation_failures_total").get("minItems", 0)
    httpx.post(observed.url + COLLECTION, json=MINIMAL | {"channel": []}, trust_env=False)
    failures = partial(samples, observed, "tmf_validation_failures_total")
    assert eventually(lambda: failures().get("minItems") == before + 1), failures()
    assert samples(observed, "tmf_refusals_total")["invalidBody"] >= 1


def test_no_label_holds_what_a_client_chooses(observed: Server) -> None:
    with httpx.Client(base_url=observed.url, trust_env=False) as client:
        for name in ("secret-path", "tmf-api/secret-path/v4", f"{COLLECTION[1:]}/secret-id"):
            client.get(f"/{name}")
            client.request("PURGE", f"/{name}")
            client.get(f"/{name}?secret=1", headers={"X-Request-ID": "secret"})
    text = get(observed, "/metrics").text
    assert "secret" not in text
    assert "PURGE" not in text


def families(text: str, *, strict: bool) -> list[Metric]:
    read = open_metrics if strict else parser
    return list(read.text_string_to_metric_families(text))


@pytest.mark.parametrize("strict", [True, False])
def test_the_metrics_are_as_the_format_and_its_conventions_want(
    observed: Server, strict: bool
) -> None:
    answer = get(observed, "/metrics", **(OPEN if strict else {}))
    kind = "application/openmetrics-text" if strict else "text/plain"
    assert answer.headers["content-type"].startswith(kind)
    found = families(answer.text, strict=strict)
    assert len(found) >= 10
    for family in found:
        assert family.documentation.endswith("."), family.name
        assert re.fullmatch(r"tmf(_[a-z]+)+", family.name)
        words = set(family.name.split("_"))
        assert not words & {"ms", "milliseconds", "s", "kb", "mb", "counter", "gauge", "histogram"}
        assert not family.name.endswith(("_count", "_sum", "_bucket", "_total", "_info"))
        if family.type == "counter":
            assert all(each.name.endswith("_total") for each in family.samples)
        if "duration" in words:
            assert family.name.endswith("_seconds")
            assert family.type == "histogram"
        for sample in family.samples:
            assert not {"le", "quantile"} & sample.labels.keys() or family.type == "histogram"
    assert answer.text.endswith("# EOF\n") == strict


@pytest.mark.deploy
@pytest.mark.timeout(900)  # the first use of a tool builds it
def test_promlint_has_nothing_to_say(observed: Server) -> None:
    done = tool("metrics", text=get(observed, "/metrics").text)
    assert done.returncode == 0, done.stdout


def test_a_process_says_that_it_lives_and_what_it_is_ready_for(observed: Server) -> None:
    assert get(observed, "/health/live").json() == {"status": "live"}

    def checks() -> Any:
        return get(observed, "/health/ready").json()["checks"]

    # Each worker looks for itself, at most once a second.
    wanted = {"store": "ready", "indexes": "ready", "delivery": "ready"}
    assert eventually(lambda: all(checks() == wanted for _ in range(20)))
    assert get(observed, "/health/ready").status_code == 200
    assert get(observed, "/health/other").status_code == 404
    answer = httpx.post(f"{observed.url}/health/ready", trust_env=False)
    assert answer.status_code == 405


def lines_of(server: Server, logger: str, wanted: int = 1, **having: str) -> list[dict[str, Any]]:
    """Return what a logger wrote; a line follows its answer, so `wanted` are waited for."""
    found: list[dict[str, Any]] = []

    def written() -> bool:
        lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
        found[:] = [each for each in lines if each["logger"] == logger]
        found[:] = [each for each in found if having.items() <= each.items()]
        return len(found) >= wanted

    eventually(written)
    return found


def test_every_request_leaves_one_line_without_personal_data(observed: Server) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = httpx.get(
        f"{observed.url}{COLLECTION}?relatedParty.id=personal-42",
        headers={
            "X-Request-ID": "request-7",
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
            "Authorization": "Bearer personal-token",
        },
        trust_env=False,
    )
    assert answer.headers["x-request-id"] == "request-7"
    (line,) = lines_of(observed, "tmf683.access", request_id="request-7")
    assert line["operation"] == f"GET {COLLECTION}"
    assert line["status"] == 200
    assert line["trace_id"] == trace
    assert line["duration_ms"] > 0
    assert line["bytes"] == len(answer.content)
    assert "personal" not in observed.log()
    assert "127.0.0.1:" not in json.dumps(line)


def test_a_request_without_an_id_gets_one(observed: Server) -> None:
    first, second = (get(observed, COLLECTION).headers["x-request-id"] for _ in range(2))
    assert first != second
    odd = get(observed, COLLECTION, **{"X-Request-ID": "a b\tc"})
    assert odd.headers["x-request-id"] != "a b\tc"


def test_metrics_have_a_port_of_their_own_when_asked() -> None:
    port = free_port()
    with running_server(OURS, env={"TMF_MANAGEMENT_PORT": str(port)}) as server:
        assert get(server, "/metrics").status_code == 404
        assert get(server, "/health/live").status_code == 200
        own = f"http://127.0.0.1:{port}"
        assert "tmf_http" in httpx.get(f"{own}/metrics", trust_env=False).text
        assert httpx.get(f"{own}/health/ready", trust_env=False).status_code == 200
        assert httpx.get(f"{own}{COLLECTION}", trust_env=False).status_code == 404


@pytest.mark.slow
def test_a_delivery_worker_of_its_own_has_metrics_of_its_own(tmp_path: Path) -> None:
    store, port = f"sqlite:///{tmp_path}/store.db", free_port()
    env = {"TMF_DELIVERY": "off", "TMF_CALLBACK_ALLOW": "127.0.0.0/8"}
    command = [str(Path(sys.executable).with_name("tmf683")), "deliver", "--store", store]
    with running_server(OURS, store=store, env=env) as server, receiving() as receiver:
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:
            client.post("/hub", json={"callback": receiver.url()})
            create(client)
        own = clean_environment(env | {"TMF_MANAGEMENT_PORT": str(port), "TMF_SPEC": str(OURS)})
        with subprocess.Popen(command, env=own) as worker:
            assert receiver.wait(lambda: bool(receiver.got))
            url = f"http://127.0.0.1:{port}/metrics"

            def text() -> str:
                return httpx.get(url, trust_env=False).text

            assert receiver.wait(lambda: "tmf_events_delivered_total 1.0" in text())
            worker.terminate()


def test_where_callers_say_who_they_are_metrics_are_for_operators() -> None:
    reader, first = make_key("reader", [Access.READ])
    operator, second = make_key("operator", [Access.OPERATE])
    with running_server(OURS, env={"TMF_API_KEYS": f"{first},{second}"}) as server:
        error_of(get(server, "/metrics"), 401)
        error_of(get(server, "/metrics", **{"X-API-Key": reader}), 403)
        assert get(server, "/metrics", **{"X-API-Key": operator}).status_code == 200
        assert get(server, "/health/ready").status_code == 200


def test_the_audit_log_says_who_did_what() -> None:
    key, entry = make_key("crm", [Access.READ, Access.WRITE])
    env = {"TMF_API_KEYS": entry, "TMF_LOG_FORMAT": "json"}
    with running_server(OURS, env=env) as server:
        headers = {"X-API-Key": key}
        with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as client:
            made = create(client, description="personal")
            client.get(f"/partyInteraction/{made['id']}")
            client.delete(f"/partyInteraction/{made['id']}")
        get(server, COLLECTION)
        lines = lines_of(server, "tmf683.audit", wanted=3)
        told = [(line["who"], line["action"], line["outcome"]) for line in lines]
        assert told == [
            ("key:crm", "POST", "201"),
            ("key:crm", "DELETE", "refused"),
            ("nobody", "GET", "refused"),
        ]
        assert any(line.get("resource", "").endswith(made["id"]) for line in lines)
        assert key not in server.log()
        assert "personal" not in server.log()


@pytest.mark.slow
def test_too_many_events_to_deliver_make_a_server_not_ready() -> None:
    env = {
        "TMF_READY_BACKLOG": "3",
        "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
        "TMF_DELIVERY": "off",
    }
    with running_server(OURS, env=env) as server, receiving() as receiver:
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:
            client.post("/hub", json={"callback": receiver.url()})
            assert get(server, "/health/ready").status_code == 200
            for _ in range(5):
                create(client)
        # The backlog is counted at most every two seconds.
        assert eventually(lambda: get(server, "/health/ready").status_code == 503)
        answer = get(server, "/health/ready")
        assert answer.json()["checks"]["delivery"] == "late"
        assert answer.json()["events"]["pending"] == 5


@pytest.mark.slow
def test_without_otel_variables_nothing_of_it_is_imported() -> None:
    program = (
        "import sys; from app.application import create_app\n"
        "from app.settings import read_settings\n"
        f"create_app(read_settings(store='memory:', spec=({str(OURS)!r},)))\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={})


class Collector(BaseHTTPRequestHandler):
    """Takes spans as an OpenTelemetry collector does (OTLP over HTTP)."""

    got: list[Any]

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            content = gzip.decompress(content)
        request = ExportTraceServiceRequest.FromString(content)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.got.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.slow
def test_a_trace_leads_from_the_client_through_the_store_to_the_listener() -> None:
    class Mine(Collector):
        got: list[Any] = []  # noqa: RUF012

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    Thread(target=collector.serve_forever, daemon=True).start()
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
    }
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with running_server(OURS, env=env) as server, receiving() as receiver:
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:
            client.post("/hub", json={"callback": receiver.url()})
            carried = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
            client.post("/partyInteraction", json=MINIMAL, headers=carried)
        assert receiver.wait(lambda: bool(receiver.got))
        (event,) = receiver.got
        assert event.headers["traceparent"].split("-")[1] == trace
        assert event.body["correlationId"] == trace
        wanted = {f"POST {COLLECTION}", "store insert", "deliver PartyInteractionCreateEvent"}

        def names() -> set[str]:
            return {span.name for span in Mine.got if span.trace_id.hex() == trace}

        assert receiver.wait(lambda: wanted <= names()), names()
        spans = {span.name: span for span in Mine.got if span.trace_id.hex() == trace}
        request = spans[f"POST {COLLECTION}"]
        assert request.parent_span_id.hex() == "00f067aa0ba902b7"
        assert spans["store insert"].parent_span_id == request.span_id
        assert spans["deliver PartyInteractionCreateEvent"].parent_span_id == request.span_id
    collector.shutdown()


@pytest.mark.slow
def test_a_trace_is_carried_on_where_none_are_kept() -> None:
    env = {"TMF_CALLBACK_ALLOW": "127.0.0.0/8"}
    with running_server(OURS, env=env) as server, receiving() as receiver:
        carried = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:
            client.post("/hub", json={"callback": receiver.url()})
            client.post("/partyInteraction", json=MINIMAL, headers=carried)
        assert receiver.wait(lambda: bool(receiver.got))
        assert receiver.got[0].headers["traceparent"] == carried["traceparent"]
