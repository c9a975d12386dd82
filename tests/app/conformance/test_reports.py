"""Reports and the command: what a run leaves for people and for build servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from tests.app.conformance.tiny import TinyApi, serving
from tests.conftest import OURS_V5
from tests.server import free_port, running_server


@pytest.fixture
def api() -> Iterator[TinyApi]:
    with serving(TinyApi()) as running:
        yield running


def conformance(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["conformance", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def test_a_conforming_server_exits_0_with_a_table_and_totals(api: TinyApi) -> None:
    result = conformance("--url", api.url)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert ["1", "POST", "/partyInteraction", "201", "11", "0"] in [row[:6] for row in rows]
    assert ["18", "GET", "/partyInteraction/{{404ID}}", "404", "1", "0"] in [
        row[:6] for row in rows
    ]
    # Two items listed: 11 + 11 + 29, 15 for each of the ten answers with one, and 1.
    assert "18 requests, 202 assertions, 0 failed, mean response" in result.output


def test_a_failing_server_exits_1_and_names_request_and_assertion(api: TinyApi) -> None:
    api.finds = lambda item, name, value: True
    result = conformance("--url", api.url)
    assert result.exit_code == 1
    assert "7. GET /partyInteraction?direction={{PI01.direction}}" in result.output
    assert "direction is outbound: 1 of 2 returned hold another, such as inbounds" in result.output


def test_an_unreachable_server_exits_1_with_one_line() -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    result = conformance("--url", url)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith(f"tmf683: {url} does not answer: ConnectError")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing option '--url'"),
        (("--url", "localhost:8080"), "http://host:port/path"),
        (("--url", "http://"), "http://host:port/path"),
        (("--url", "http://host:port/"), "http://host:port/path"),
        (("--url", "http://host/?query"), "http://host:port/path"),
        (("--url", "http://host", "--suite", "/nowhere.yaml"), "/nowhere.yaml"),
        (("--url", "http://host", "--html", "/nowhere/report.html"), "/nowhere/report.html"),
    ],
)
def test_wrong_usage_exits_2_and_says_why(arguments: tuple[str, ...], message: str) -> None:
    result = conformance(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_the_page_holds_every_request_and_failure_and_escapes_what_servers_say(
    api: TinyApi, tmp_path: Path
) -> None:
    api.break_answer = lambda method, target, status, value: (
        (200, b"<script>alert(1)</script>") if "?id=" in target else (status, value)
    )
    page = tmp_path / "report.html"
    assert conformance("--url", api.url, "--html", page).exit_code == 1
    html = page.read_text("utf-8")
    assert html.count("<details") == 18
    assert html.count("<details open") == 2
    assert "<code>GET /partyInteraction?id={{PI01.id}}</code>" in html
    assert f"GET {api.url}/partyInteraction?id=45" in html
    assert "Body includes value held on reason" in html
    assert "the body is not JSON: &lt;script&gt;" in html
    assert "<script" not in html
    assert "18 requests" in html
    assert "http" not in html.replace(api.url, "").partition("<body>")[0], "not self-contained"


def test_the_junit_report_counts_what_the_table_counts(api: TinyApi, tmp_path: Path) -> None:
    # A value that XML cannot hold, which must not spoil the file.
    api.break_answer = lambda method, target, status, value: (
        (status, {**value, "reason": "bell \x07 \ud800"})
        if method == "GET" and target.endswith("/45")
        else (status, value)
    )
    api.encode = _json_with_surrogates
    file = tmp_path / "report.xml"
    result = conformance("--url", api.url, "--junit", file)
    assert result.exit_code == 1
    root = ElementTree.parse(file).getroot()
    suites = root.findall("testsuite")
    assert len(suites) == 18
    for suite in suites:
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert len({case.attrib["name"] for case in cases}) == len(cases), suite.attrib["name"]
    assert int(root.attrib["tests"]) == len(root.findall("*/testcase"))
    assert int(root.attrib["failures"]) == len(root.findall("*/*/failure"))
    summary = f"{root.attrib['tests']} assertions, {root.attrib['failures']} failed"
    assert summary in result.output
    failures = {case.attrib["name"] for case in suites[3] if case.find("failure") is not None}
    assert "reason is Offer for a second line at the café" in failures


def _json_with_surrogates(value: object) -> bytes:
    """Encode plainly, with an escape only for what UTF-8 cannot hold."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\ud800", r"\ud800").encode()


def test_a_baseline_lets_known_failures_pass_and_tells_new_and_fixed_ones(
    api: TinyApi, tmp_path: Path
) -> None:
    known = tmp_path / "known.json"
    api.finds = lambda item, name, value: True
    assert conformance("--url", api.url, "--write-baseline", known).exit_code == 1
    assert conformance("--url", api.url, "--baseline", known).exit_code == 0
    api.break_answer = lambda method, target, status, value: (
        (500, value) if "?fields=id" in target else (status, value)
    )
    result = conformance("--url", api.url, "--baseline", known)
    assert result.exit_code == 1
    assert (
        "new failure: 12 GET /partyInteraction?fields=id: Status code is no error" in result.output
    )
    api.finds = lambda item, name, value: item.get(name) == value
    api.break_answer = lambda method, target, status, value: (status, value)
    result = conformance("--url", api.url, "--baseline", known)
    assert result.exit_code == 0
    assert "fixed: 07 GET /partyInteraction?direction={{PI01.direction}}" in result.output
    known.write_text("[]")
    assert "is not {" in conformance("--url", api.url, "--baseline", known).output


def test_json_holds_the_whole_run(api: TinyApi) -> None:
    result = conformance("--url", api.url, "--json")
    assert result.exit_code == 0
    report = json.loads(result.output)
    assert (report["requests"], report["failed"], report["notTried"]) == (18, 0, [])
    first = report["exchanges"][0]
    assert first["status"] == 201
    assert first["curl"].startswith(f"curl -i -X POST {api.url}/partyInteraction -H ")
    assert {each["name"] for each in first["assertions"]} >= {"Status code is 201"}


def test_untried_operations_are_skipped_cases(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    with running_server(OURS_V5, store="memory:") as server:
        result = conformance(
            "--url", server.base_url, "--spec", OURS_V5, "--skip", "*hub*", "--junit", file
        )
    assert result.exit_code == 0, result.output
    assert "POST /hub: left out by --skip" in result.output
    root = ElementTree.parse(file).getroot()
    skipped = [case.attrib["name"] for case in root.findall("*/testcase[skipped]")]
    assert "POST /hub" in skipped
    assert int(root.attrib["skipped"]) == len(skipped)


def test_the_certificate_has_an_edition_for_version_5() -> None:
    with running_server(OURS_V5, store="memory:") as server:
        result = conformance("--url", f"{server.base_url}/")
    assert result.exit_code == 0, result.output
    assert "TMF683 Party Interaction 5.0.0" in result.output
    assert "18 requests, 202 assertions, 0 failed" in result.output
