"""Assertions: from an answer and what is expected of it to what holds and what does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.conformance.outcome import Assertion
from app.conformance.suite import Attributes, Expectation, Request

Item: TypeAlias = dict[str, Any]
"""A resource as the server returned it."""

SHOWN = 200
"""How many characters of a value a report shows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of a response."""

    status: int
    body: bytes


class Unreadable(Exception):
    """The body is not what the expectation says it returns."""


def evaluate(
    attributes: Attributes,
    request: Request,
    answer: Answer,
    *,
    sent: Mapping[str, Any] | None = None,
    created: Mapping[str, Item] | None = None,
) -> tuple[Assertion, ...]:
    """Return the assertions that the request's expectation makes of its answer.

    `sent` is the request's body: a creation must return the values it was given. `created` holds
    the resources created so far by the names the suite gives them.

    An expectation without a status asserts nothing of it, yet an error in answer to such a
    request is a failure.
    """
    expect = request.expect
    found: list[Assertion] = []
    if expect.status is not None:
        wrong = None if answer.status == expect.status else f"it is {answer.status}"
        found.append(Assertion(f"Status code is {expect.status}", wrong))
    elif answer.status >= 400:
        found.append(Assertion("Status code is no error", f"it is {answer.status}"))
    if expect.returns is None:
        return tuple(found)
    items: Sequence[Item] | None
    try:
        text, items = read(answer.body, expect.returns)
    except Unreadable as error:
        found += (Assertion(name, str(error)) for name in _names(attributes))
        items = None
    else:
        for position, item in enumerate(items):
            place = f"item {position + 1} of {len(items)}: " if expect.returns == "list" else ""
            found += _of_item(attributes, item, text, sent or {}, place)
    for name in expect.finds:
        found += _of_creation(attributes, expect, name, (created or {}).get(name, {}), items)
    return tuple(found)


def read(body: bytes, returns: str) -> tuple[str, list[Item]]:
    """Return the body as text and as the resources it holds.

    Raises:
        Unreadable: it is not JSON in UTF-8, or not an object ("item") or array of them ("list").
    """
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "UTF-8" if isinstance(error, UnicodeDecodeError) else "JSON"
        raise Unreadable(f"the body is not {reason}: {shown(body)}") from None
    if returns == "item":
        if not isinstance(value, dict):
            raise Unreadable(f"the body is not an object: {shown(body)}")
        return text, [value]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Unreadable(f"the body is not an array of objects: {shown(body)}")
    return text, value


def shown(value: object) -> str:
    """Return a value as a report shows it: one line, not long, nothing a file cannot hold."""
    if isinstance(value, bytes):
        value = value[: 4 * SHOWN].decode(errors="replace")
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "nested too deeply to be shown"
    text = "".join(each if each.isprintable() else " " for each in text[: SHOWN + 1])
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _names(attributes: Attributes) -> Iterator[str]:
    yield "Instance has all mandatory attributes"
    yield from (f"Response has {name} attribute" for name in attributes.present)
    yield from (f"Body includes value held on {name}" for name in attributes.held)


def _of_item(
    attributes: Attributes, item: Item, text: str, sent: Mapping[str, Any], place: str
) -> Iterator[Assertion]:
    """Yield the assertions of one resource returned."""
    missing = [name for name in attributes.mandatory if not _has(item, name.split("."))]
    failures: list[str | None] = [f"{', '.join(missing)} missing" if missing else None]
    failures += (
        None if _has(item, name.split(".")) else f"{name} missing" for name in attributes.present
    )
    failures += (_not_included(item, name, text, sent) for name in attributes.held)
    for name, failure in zip(_names(attributes), failures, strict=True):
        yield Assertion(name, None if failure is None else place + failure)


def _has(value: Any, path: Sequence[str]) -> bool:
    """Whether there is a value at the end of the path, in every element of arrays on it."""
    if not path:
        return value is not None
    if isinstance(value, list):
        return bool(value) and all(_has(element, path) for element in value)
    return isinstance(value, dict) and path[0] in value and _has(value[path[0]], path[1:])


def _not_included(item: Item, name: str, text: str, sent: Mapping[str, Any]) -> str | None:
    if name not in item:
        return f"{name} missing"
    value = item[name]
    if not isinstance(value, str):
        return f"{name} is no text: {shown(value)}"
    if name in sent and value != sent[name]:
        return f"{name} is {shown(value)}, but {shown(sent[name])} was sent"
    # As the kit does: the plain text, so `\u00e9` or `\/` in the body is a failure. What JSON
    # cannot hold without a backslash may have one.
    if value in text or json.dumps(value, ensure_ascii=False)[1:-1] in text:
        return None
    return f"the body holds {shown(value)} in another spelling, with escapes"


def _of_creation(
    attributes: Attributes,
    expect: Expectation,
    name: str,
    creation: Item,
    items: Sequence[Item] | None,
) -> Iterator[Assertion]:
    """Yield the assertions about a created resource among those returned."""
    id = creation.get("id")
    match = next((each for each in items or () if id is not None and each.get("id") == id), None)
    for attribute in attributes.held:
        if attribute not in creation:
            yield Assertion(
                f"{attribute} is {{{{{name}.{attribute}}}}}", "its creation did not return it"
            )
            continue
        value = creation[attribute]
        failure: str | None = None
        if items is None:
            failure = "the body cannot be read"
        elif match is None:
            failure = f"not among what is returned ({len(items)} in all): id {shown(id)}"
        elif attribute not in match or match[attribute] != value:
            failure = f"it is {shown(match.get(attribute))}"
        elif attribute == expect.filters:
            failure = _unfiltered(attribute, value, items)
        key = f"{attribute} is {{{{{name}.{attribute}}}}}"
        yield Assertion(f"{attribute} is {shown(value)}", failure, key=key)


def _unfiltered(attribute: str, value: Any, items: Sequence[Item]) -> str | None:
    others = [each.get(attribute) for each in items if each.get(attribute) != value]
    if not others:
        return None
    return f"{len(others)} of {len(items)} returned hold another, such as {shown(others[0])}"
