"""The suite makes the certificate's requests and assertions, no more and no fewer."""

from __future__ import annotations

import json

import pytest

from app.conformance import load_suite, run, text_report
from tests.app.conformance.tiny import TinyApi, certificate_state, serving
from tests.conformance_run import SUITE

CERTIFICATE = [
    ("POST /partyInteraction", 11),
    ("POST /partyInteraction", 11),
    ("GET /partyInteraction", 149),
    ("GET /partyInteraction/{{PI01.id}}", 15),
    ("GET /partyInteraction/{{PI02.id}}", 15),
    ("GET /partyInteraction?fields=direction", 0),
    ("GET /partyInteraction?direction={{PI01.direction}}", 95),
    ("GET /partyInteraction?direction={{PI02.direction}}", 55),
    ("GET /partyInteraction?fields=href", 0),
    ("GET /partyInteraction?href={{PI01.href}}", 15),
    ("GET /partyInteraction?href={{PI02.href}}", 15),
    ("GET /partyInteraction?fields=id", 0),
    ("GET /partyInteraction?id={{PI01.id}}", 15),
    ("GET /partyInteraction?id={{PI02.id}}", 15),
    ("GET /partyInteraction?fields=reason", 0),
    ("GET /partyInteraction?reason={{PI01.reason}}", 15),
    ("GET /partyInteraction?reason={{PI02.reason}}", 115),
    ("GET /partyInteraction/{{404ID}}", 1),
]
"""Requests of the certificate and how many assertions each of its answers got: 542 in all.

Its lists held 14, 9 (outbound), 5 (inbounds) and 11 (the second creation's reason) items.
"""

STORED_BEFORE = certificate_state(
    {"outbound": 8, "inbounds": 4},
    {"Customer asked when the engineer will come": 10, "Another question": 2},
)


def test_the_assertions_add_up_to_the_certificates_when_the_lists_hold_as_much() -> None:
    with serving(TinyApi()) as api:
        for body in STORED_BEFORE:
            api.add(body)
        outcome = run(load_suite(SUITE), api.url)
    assert outcome.failed == 0, text_report(outcome)
    counts = [(each.request.label, len(each.assertions)) for each in outcome.exchanges]
    assert counts == CERTIFICATE
    assert outcome.assertions == 542


def test_the_assertions_of_one_item_carry_the_certificates_names() -> None:
    with serving(TinyApi()) as api:
        outcome = run(load_suite(SUITE), api.url)
    found = [tally.name for tally in outcome.exchanges[4].tallies()]
    assert found == [
        "Status code is 200",
        "Instance has all mandatory attributes",
        "Response has channel attribute",
        "Response has direction attribute",
        "Response has href attribute",
        "Response has id attribute",
        "Response has reason attribute",
        "Body includes value held on direction",
        "Body includes value held on href",
        "Body includes value held on id",
        "Body includes value held on reason",
        "direction is inbounds",
        f"href is {api.url}/partyInteraction/46",
        "id is 46",
        "reason is Customer asked when the engineer will come",
    ]


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_requests_are_spelled_as_real_clients_spell_them(slash: str) -> None:
    with serving(TinyApi()) as api:
        run(load_suite(SUITE), api.url + slash)
    lines = [line.split()[1].partition("/v4")[2] for line, _, _ in api.requests]
    assert lines[2] == "/partyInteraction"
    assert lines[9] == f"/partyInteraction?href={api.url}/partyInteraction/45"
    assert (
        lines[15]
        == "/partyInteraction?reason=Offer%20for%20a%20second%20line%20at%20the%20caf%C3%A9"
    )
    for line, headers, _ in api.requests:
        assert headers["Content-Type"] == headers["Accept"] == "application/json", line


@pytest.mark.parametrize("minimal", [False, True])
def test_a_minimal_creation_carries_only_what_the_profile_makes_mandatory(minimal: bool) -> None:
    with serving(TinyApi()) as api:
        run(load_suite(SUITE), api.url, minimal=minimal)
    first, second = (json.loads(body) for _, _, body in api.requests[:2])
    profile = {"channel", "direction", "reason"}
    assert set(second) == profile
    assert [set(channel) for channel in second["channel"]] == [{"id"}]
    assert second["direction"] == "inbounds"
    assert " " in second["reason"]
    if minimal:
        assert set(first) == profile
        assert [set(channel) for channel in first["channel"]] == [{"id"}]
    else:
        assert set(first) > profile
