"""The HTML report fits a phone, and says in words what colours and columns say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from app.conformance import html_report, load_suite, run
from tests import chromium
from tests.app.conformance.tiny import TinyApi, serving
from tests.conformance_run import SUITE

PHONE = 420
FRAME = """<!DOCTYPE html><body><iframe src="report.html" style="width:{width}px"></iframe>
<script>addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument;
  document.title = [page.documentElement.scrollWidth, page.documentElement.clientWidth,
    page.querySelector("summary").innerText.replaceAll("\\n", " ")].join("|");
}})</script>"""


@pytest.fixture(scope="module")
def report() -> str:
    """The report of a run with failures, long values among them."""
    with serving(TinyApi(finds=lambda item, name, value: True)) as api:
        return html_report(run(load_suite(SUITE), f"{api.url}/{'long' * 40}/.."))


def test_the_figures_of_a_request_have_words(report: str) -> None:
    summary = re.search(r"<summary>(.*?)</summary>", report, re.DOTALL)
    assert summary is not None
    text = re.sub(r"<[^>]+>|\s+", " ", summary[1])
    assert re.search(r"status +\d{3} .*\d+ +passed .*\d+ +failed ", text)


def test_a_report_has_one_main_part_and_headings_in_order(report: str) -> None:
    assert report.count("<main>") == report.count("<h1>") == 1
    assert re.findall(r"<h(\d)", report)[:2] == ["1", "2"]
    assert '<html lang="en">' in report
    assert "<th>" not in report


@pytest.mark.browser
def test_a_report_fits_a_phone(report: str, tmp_path: Path) -> None:
    browser = chromium.executable()
    if browser is None:
        pytest.skip(chromium.MISSING)
    (tmp_path / "report.html").write_text(report)
    (tmp_path / "frame.html").write_text(FRAME.format(width=PHONE))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--allow-file-access-from-files", f"file://{tmp_path}/frame.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stdout
    content, seen, summary = title[1].split("|")
    assert int(content) <= int(seen) <= PHONE
    assert "status" in summary
    assert "passed" in summary
