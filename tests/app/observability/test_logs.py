"""What a line of the log looks like."""

from __future__ import annotations

import json
import logging

import pytest

from app.observability.logs import LineFormatter

FORGED = "/partyInteraction/x\n12:00:00 info tmf683.audit token:root\x1b[2J\x9b2Jé"


@pytest.mark.parametrize("lines", [LineFormatter(json=False), LineFormatter(json=True)])
def test_what_a_client_sends_forges_no_line(lines: logging.Formatter) -> None:
    record = logging.LogRecord("tmf683.audit", logging.INFO, "", 1, "%s refused", (FORGED,), None)
    record.fields = {"resource": FORGED}
    line = lines.format(record)
    assert "é" in line
    assert "\n" not in line
    assert "\x1b" not in line


def test_a_line_of_json_is_one_object() -> None:
    record = logging.LogRecord("tmf683.access", logging.INFO, "", 1, "request", (), None)
    record.fields = {"status": 200}
    told = json.loads(LineFormatter(json=True).format(record))
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "info",
        "logger": "tmf683.access",
        "message": "request",
        "status": 200,
    }
