"""A server that breaks one thing fails the suite, and the report says which."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.conformance import load_suite, run, text_report
from tests.app.conformance.tiny import COLLECTION, TinyApi, serving
from tests.conformance_run import SUITE

SUITE_OF_TMF683 = load_suite(SUITE)


def is_list(method: str, target: str) -> bool:
    return method == "GET" and target.partition("?")[0] == COLLECTION


def when(
    applies: Callable[[str, str], bool], change: Callable[[int, Any], tuple[int, Any]]
) -> TinyApi:
    """Return an API whose answers are changed where the request is of that kind."""
    return TinyApi(
        break_answer=lambda method, target, status, value: (
            change(status, value) if applies(method, target) else (status, value)
        )
    )


def always(method: str, target: str) -> bool:
    return True


def on_create(method: str, target: str) -> bool:
    return method == "POST"


def on_retrieve(method: str, target: str) -> bool:
    return target.startswith(f"{COLLECTION}/")


def on_fields(method: str, target: str) -> bool:
    return "fields=" in target


def each(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    return [change(item) for item in value] if isinstance(value, list) else change(value)


def without(name: str) -> Callable[[int, Any], tuple[int, Any]]:
    return lambda status, value: (
        status,
        each(value, lambda item: {key: item[key] for key in item if key != name}),
    )


def with_value(name: str, make: Callable[[Any], Any]) -> Callable[[int, Any], tuple[int, Any]]:
    return lambda status, value: (
        status,
        each(value, lambda item: {**item, name: make(item[name])} if name in item else item),
    )


BROKEN: dict[str, tuple[TinyApi, int, str]] = {
    "creation answered 200": (
        when(on_create, lambda status, value: (200, value)),
        1,
        "Status code is 201",
    ),
    "creation refused": (
        when(on_create, lambda status, value: (400, {"code": "1"})),
        2,
        "Status code is 201",
    ),
    "list answered 206": (
        when(is_list, lambda status, value: (206, value)),
        3,
        "Status code is 200",
    ),
    "unknown id answered 200": (
        when(on_retrieve, lambda status, value: (200, value)),
        18,
        "Status code is 404",
    ),
    "selection answered 500": (
        when(on_fields, lambda status, value: (500, {})),
        6,
        "Status code is no error",
    ),
    "attribute dropped": (
        when(on_retrieve, without("channel")),
        4,
        "Response has channel attribute",
    ),
    "attribute dropped from lists": (
        when(is_list, without("reason")),
        3,
        "Body includes value held on reason",
    ),
    "attribute null": (
        when(is_list, with_value("channel", lambda _: None)),
        3,
        "Response has channel attribute",
    ),
    "id of a channel dropped": (
        when(always, with_value("channel", lambda _: [{"name": "shop"}])),
        1,
        "Instance has all mandatory attributes",
    ),
    "non-ASCII escaped": (
        TinyApi(encode=lambda value: json.dumps(value).encode()),
        1,
        "Body includes value held on reason",
    ),
    "slashes escaped": (
        TinyApi(
            encode=lambda value: json.dumps(value, ensure_ascii=False).replace("/", r"\/").encode()
        ),
        1,
        "Body includes value held on href",
    ),
    "Latin-1": (
        TinyApi(encode=lambda value: json.dumps(value, ensure_ascii=False).encode("latin-1")),
        1,
        "Body includes value held on reason",
    ),
    "id a number": (
        when(always, with_value("id", int)),
        1,
        "Body includes value held on id",
    ),
    "value changed at creation": (
        when(on_create, with_value("reason", str.upper)),
        1,
        "Body includes value held on reason",
    ),
    "value changed later": (
        when(on_retrieve, with_value("direction", str.upper)),
        4,
        "direction is outbound",
    ),
    "another href in lists": (
        when(is_list, with_value("href", lambda href: href.replace("127.0.0.1", "internal"))),
        3,
        "href is {url}/partyInteraction/45",
    ),
    "filter ignored": (
        TinyApi(finds=lambda item, name, value: True),
        7,
        "direction is outbound",
    ),
    "filter finds nothing": (
        TinyApi(finds=lambda item, name, value: name != "href" and item[name] == value),
        10,
        "id is 45",
    ),
    "filter cut at the first space": (
        TinyApi(finds=lambda item, name, value: item[name] == value.split()[0]),
        16,
        "reason is Offer for a second line at the café",
    ),
    "created not listed": (
        when(is_list, lambda status, value: (status, value[:1])),
        3,
        "id is 45",
    ),
    "list in an envelope": (
        when(is_list, lambda status, value: (status, {"items": value})),
        3,
        "Instance has all mandatory attributes",
    ),
    "item in an array": (
        when(on_retrieve, lambda status, value: (status, [value])),
        4,
        "Response has id attribute",
    ),
    "a page instead of JSON": (
        when(is_list, lambda status, value: (200, b"<html>It works</html>")),
        3,
        "Response has id attribute",
    ),
    "no body": (when(is_list, lambda status, value: (200, b"")), 3, "id is 45"),
    "hangs up": (when(is_list, lambda status, value: (0, b"")), 3, "Request is answered"),
}


@pytest.mark.parametrize("breakage", BROKEN)
def test_a_server_broken_in_one_way_fails_the_assertion_that_says_so(breakage: str) -> None:
    broken, number, assertion = BROKEN[breakage]
    with serving(broken) as api:
        outcome = run(SUITE_OF_TMF683, api.url)
    report = text_report(outcome)
    failing = {each.name for each in outcome.exchanges[number - 1].tallies() if each.failed}
    assert assertion.replace("{url}", api.url) in failing, report
    assert f"\n{number}. {outcome.exchanges[number - 1].request.label}\n" in report
    assert f"   {assertion.replace('{url}', api.url)}" in report


@pytest.mark.parametrize("depth", [500, 985, 993, 5000])
def test_a_body_nested_however_deeply_is_a_failed_assertion(depth: int) -> None:
    deep = b'{"id":' + b"[" * depth + b"]" * depth + b"}"
    with serving(when(on_retrieve, lambda status, value: (200, deep))) as api:
        outcome = run(SUITE_OF_TMF683, api.url)
    failing = {each.name for each in outcome.exchanges[3].tallies() if each.failed}
    assert "Body includes value held on id" in failing


def test_every_item_of_a_long_list_is_judged_and_its_place_named() -> None:
    broken = TinyApi()
    broken.break_answer = lambda method, target, status, value: (
        (status, [*value, {"id": "bare"}]) if is_list(method, target) else (status, value)
    )
    with serving(broken) as api:
        outcome = run(SUITE_OF_TMF683, api.url)
    tallies = {each.name: each for each in outcome.exchanges[2].tallies()}
    tally = tallies["Response has reason attribute"]
    assert (tally.passed, tally.failed) == (2, 1)
    assert tally.failure == "item 3 of 3: reason missing"


def test_what_a_failed_creation_should_have_given_is_not_guessed() -> None:
    with serving(when(on_create, lambda status, value: (500, b"oops"))) as api:
        outcome = run(SUITE_OF_TMF683, api.url)
    retrieve = outcome.exchanges[3]
    assert retrieve.url is None
    assert [each.name for each in retrieve.assertions] == ["Request can be made"]
    assert retrieve.failed == 1
