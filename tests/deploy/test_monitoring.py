"""Alerts, runbook and dashboard, by Prometheus' own parser and engine, over a server's metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from click import Group
from prometheus_client import parser
from prometheus_client.samples import Sample

from app.cli import main
from app.settings import Settings
from tests.deploy.tools import ROOT, prom_ql, resources, tool
from tests.http.conftest import MINIMAL
from tests.server import eventually, running_server

FILE = ROOT / "deploy/helm/files/alerts.yaml"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(FILE.read_text())["groups"]
    for rule in group["rules"]
}
DASHBOARD = json.loads((ROOT / "deploy/helm/files/dashboard.json").read_text())
RUNBOOK = (ROOT / "deploy/runbook.md").read_text()
SCRAPED = {"job", "namespace", "instance"}
"""Labels that Prometheus adds."""
MINUTES = 60
pytestmark = pytest.mark.timeout(900)  # the first use of a tool builds it


@pytest.fixture(scope="module")
def scraped() -> Iterator[list[Sample]]:
    """Return the samples of a server that has answered well, badly and not at all."""
    with running_server(workers=1) as server, httpx.Client(trust_env=False) as client:
        collection = f"{server.url}/tmf-api/partyInteraction/v4/partyInteraction"
        client.post(collection, json=MINIMAL).raise_for_status()
        client.get(collection).raise_for_status()
        assert client.get(f"{collection}/missing").status_code == 404
        assert client.post(collection, json=MINIMAL | {"channel": []}).status_code == 400
        found: list[Sample] = []

        def all_counted() -> bool:
            text = client.get(f"{server.url}/metrics").text
            families = parser.text_string_to_metric_families(text)
            found[:] = [sample for family in families for sample in family.samples]
            return sum(s.value for s in found if s.name == "tmf_http_requests_total") >= 4

        assert eventually(all_counted)
        yield found


def series(samples: list[Sample], without: str = "") -> str:
    """Return an hour of a server: counters grow by their value each minute, gauges stay."""
    lines = ["load 1m"]
    for sample in samples:
        if without and sample.name.startswith(without):
            continue
        labels = sample.labels | {"job": "tmf683", "namespace": "prod", "instance": "one"}
        written = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
        counted = sample.name.endswith(("_total", "_bucket", "_count", "_sum"))
        values = f"0+{sample.value}x{MINUTES}" if counted else f"{sample.value}x{MINUTES}"
        lines.append(f"  {sample.name}{{{written}}} {values}")
    return "\n".join(lines)


def evaluate(load: str, *expressions: str) -> list[dict[str, Any]]:
    return prom_ql(load, MINUTES * 60.0, *expressions)


def test_prometheus_accepts_the_rules() -> None:
    done = tool("rules", FILE)
    assert done.returncode == 0, done.stderr


def test_prometheus_refuses_rules_that_are_wrong() -> None:
    wrong = ROOT / "build" / "wrong-alerts.yaml"
    wrong.write_text(FILE.read_text().replace("min by", "mim by"))
    done = tool("rules", wrong)
    wrong.unlink()
    assert done.returncode != 0
    assert "TMF683StoreUnreachable" in done.stderr


def known(samples: list[Sample]) -> dict[str, set[str]]:
    labels: dict[str, set[str]] = {}
    for sample in samples:
        labels.setdefault(sample.name, set()).update(sample.labels, SCRAPED)
    return labels


def test_every_alert_is_about_metrics_that_a_server_has_and_none_fires_for_a_healthy_one(
    scraped: list[Sample],
) -> None:
    answers = evaluate(series(scraped), *(rule["expr"] for rule in ALERTS.values()))
    for name, answer in zip(ALERTS, answers, strict=True):
        assert answer["selectors"], name
        for selector in answer["selectors"]:
            assert selector["name"] in known(scraped), name
            assert set(selector["labels"]) <= known(scraped)[selector["name"]], name
            assert "job" in selector["labels"], name
        assert answer["result"] == [], name


ELSEWHERE = 'job="tmf683",namespace="prod",instance="two"'
REQUEST = f'{ELSEWHERE},operation="x"'
SLOW = {"0.25": "0x60", "1.0": "0x60", "5.0": "0+99x60", "+Inf": "0+99x60"}
TROUBLE = {
    "TMF683StoreUnreachable": f"tmf_store_up{{{ELSEWHERE}}} 0x60",
    "TMF683ServerErrors": f'tmf_http_requests_total{{{REQUEST},status="503"}} 0+9x60',
    "TMF683Slow": "\n  ".join(
        f'tmf_http_request_duration_seconds_bucket{{{REQUEST},le="{bound}"}} {values}'
        for bound, values in SLOW.items()
    ),
    "TMF683IndexMissing": f"tmf_store_missing_indexes{{{ELSEWHERE}}} 2x60",
    "TMF683BacklogGrowing": f"tmf_events_pending{{{ELSEWHERE}}} 900+10x60",
    "TMF683DeliveriesParked": f"tmf_events_parked{{{ELSEWHERE}}} 3x60",
    "TMF683SubscriberSuspended": f"tmf_subscriptions_suspended{{{ELSEWHERE}}} 1x60",
}


@pytest.mark.parametrize("name", TROUBLE)
def test_an_alert_fires_for_what_it_is_about_and_no_other_does(
    scraped: list[Sample], name: str
) -> None:
    load = f"{series(scraped)}\n  {TROUBLE[name]}"
    answers = evaluate(load, *(rule["expr"] for rule in ALERTS.values()))
    firing = {each for each, answer in zip(ALERTS, answers, strict=True) if answer["result"]}
    assert firing == {name}
    (found,) = next(answer["result"] for answer in answers if answer["result"])
    assert found["labels"] == {"job": "tmf683", "namespace": "prod"}


def test_servers_that_are_gone_are_missed(scraped: list[Sample]) -> None:
    (answer,) = evaluate(series(scraped, without="tmf_"), ALERTS["TMF683Absent"]["expr"])
    assert len(answer["result"]) == 1
    assert TROUBLE.keys() | {"TMF683Absent"} == ALERTS.keys()


@pytest.mark.parametrize("pending", ["5000x60", "5000-10x60", "0+10x60"])
def test_a_backlog_that_is_small_or_does_not_grow_is_none(pending: str) -> None:
    load = f"load 1m\n  tmf_events_pending{{{ELSEWHERE}}} {pending}"
    (answer,) = evaluate(load, ALERTS["TMF683BacklogGrowing"]["expr"])
    assert answer["result"] == []


def headings() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_alert_has_a_severity_a_summary_and_a_section_in_the_runbook() -> None:
    assert headings().keys() == ALERTS.keys()
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["runbook_url"] == f"deploy/runbook.md#{name.lower()}"
        assert "Meaning:" in headings()[name]
        assert re.search(r"^1\. ", headings()[name], re.MULTILINE)


def test_the_runbook_names_commands_settings_and_panels_that_there_are() -> None:
    titles = {panel["title"] for panel in DASHBOARD["panels"]}
    known_settings = {f"TMF_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"TMF_[A-Z_]+", RUNBOOK)) <= known_settings
    for words in re.findall(r"tmf683 ([a-z]+(?: [a-z]+)?)", RUNBOOK):
        command: Any = main
        for word in words.split():
            if isinstance(command, Group):
                command = command.get_command(None, word)  # type: ignore[arg-type]
                assert command is not None, words
    for title in re.findall(r'"([A-Z][^"]+)"', RUNBOOK):
        assert title in titles
    links = re.findall(r"\(#([a-z0-9]+)\)", RUNBOOK)
    assert set(links) <= {name.lower() for name in ALERTS}


def test_the_chart_s_alerts_are_about_the_release_and_link_to_the_runbook() -> None:
    made = resources(
        "secrets.store=s", "identity.insecure=true", "prometheusRule.enabled=true",
        "prometheusRule.runbook=https://wiki.example/tmf683",
    )  # fmt: skip
    (rule,) = [each for each in made if each["kind"] == "PrometheusRule"]
    metrics = next(
        each["metadata"]["name"]
        for each in made
        if each["kind"] == "Service" and each["metadata"]["name"].endswith("-metrics")
    )
    (group,) = rule["spec"]["groups"]
    assert len(group["rules"]) == len(ALERTS)
    answers = prom_ql("load 1m", 60, *(each["expr"] for each in group["rules"]))
    for each, answer in zip(group["rules"], answers, strict=True):
        assert f'namespace="default",job="{metrics}"' in each["expr"]
        assert all({"namespace", "job"} <= set(s["labels"]) for s in answer["selectors"])
        assert each["annotations"]["runbook_url"].startswith("https://wiki.example/tmf683#")


def targets() -> list[tuple[str, dict[str, str]]]:
    return [
        (panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]
    ]


def test_every_query_of_the_dashboard_has_a_result_over_a_server_s_metrics(
    scraped: list[Sample],
) -> None:
    queries = [
        target["expr"].replace("$__rate_interval", "5m").replace("$job", "tmf683")
        for _, target in targets()
    ]
    answers = evaluate(series(scraped), *queries)
    for (title, target), answer in zip(targets(), answers, strict=True):
        for selector in answer["selectors"]:
            assert selector["name"] in known(scraped), title
            assert set(selector["labels"]) <= known(scraped)[selector["name"]], title
        assert answer["result"], title
        for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
            assert all(label in each["labels"] for each in answer["result"]), title


def test_the_dashboard_shows_every_metric_and_no_panel_covers_another(
    scraped: list[Sample],
) -> None:
    text = json.dumps(DASHBOARD)
    for name in known(scraped):
        base = re.sub(r"_(bucket|count|sum|total|created)$", "", name)
        assert base in text, name
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        assert max(x for x, _ in own) < 24
        cells |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_chart_brings_the_dashboard_as_it_is() -> None:
    made = resources("secrets.store=s", "identity.insecure=true", "dashboard.enabled=true")
    (found,) = [each for each in made if each["metadata"]["name"].endswith("-dashboard")]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["tmf683.json"]) == DASHBOARD
