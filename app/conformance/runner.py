"""Running a suite: its requests over HTTP, one after the other, against a base URL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from urllib.parse import quote

import httpx

from app.conformance.assertions import Answer, Item, Unreadable, evaluate, read
from app.conformance.outcome import Assertion, Exchange, Outcome
from app.conformance.suite import PLACEHOLDER, Request, Suite

SECONDS = 60.0
"""How long an answer may take."""

HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
"""Sent with every request, with a body or without, as the kits of TM Forum do."""


class Unknown(Exception):
    """A target needs a value that no creation returned."""


def run(
    suite: Suite,
    base_url: str,
    *,
    minimal: bool = False,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Outcome:
    """Run the suite against the API at `base_url`, with or without a trailing slash.

    With `minimal` every creation carries no more than what is mandatory; `headers` go with every
    request. A request that cannot be
    made, or gets no answer within `seconds`, is a failed assertion; nothing is raised for it.
    """
    base_url = base_url.rstrip("/")
    started = datetime.now(UTC)
    sent = {**HEADERS, **(headers or {})}
    with httpx.Client(headers=sent, timeout=seconds, follow_redirects=True) as client:
        session = _Session(suite, base_url, client, minimal)
        exchanges = tuple(session.exchange(each) for each in suite.requests)
    return Outcome(suite.title, base_url, started, exchanges)


class _Session:
    """One run: what was created so far, for the requests that follow."""

    def __init__(self, suite: Suite, base_url: str, client: httpx.Client, minimal: bool) -> None:
        self._suite = suite
        self._base_url = base_url
        self._client = client
        self._minimal = minimal
        self._created: dict[str, Item] = {}

    def exchange(self, request: Request) -> Exchange:
        try:
            url = self._base_url + _resolve(request.target, self._suite.variables, self._created)
        except Unknown as error:
            return Exchange(request, (Assertion("Request can be made", str(error)),))
        body = request.minimal if self._minimal and request.minimal is not None else request.body
        begin = perf_counter()
        try:
            response = self._client.request(request.method, url, json=body)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = f"{type(error).__name__}: {error}"
            return Exchange(request, (Assertion("Request is answered", failure),), url)
        milliseconds = (perf_counter() - begin) * 1000
        answer = Answer(response.status_code, response.content)
        if request.creates is not None:
            self._keep(request.creates, answer)
        return Exchange(
            request,
            evaluate(self._suite.attributes, request, answer, sent=body, created=self._created),
            url,
            answer.status,
            milliseconds,
            len(answer.body),
        )

    def _keep(self, name: str, answer: Answer) -> None:
        if answer.status < 300:
            try:
                _, (self._created[name],) = read(answer.body, "item")
            except Unreadable:
                return


def _resolve(target: str, variables: Mapping[str, str], created: Mapping[str, Item]) -> str:
    """Fill the placeholders in, encoded no more than clients encode: `:` stays, in a query `/` too.

    Raises:
        Unknown: a value was not returned.
    """
    path, mark, query = target.partition("?")

    def text(name: str) -> str:
        if name in variables:
            return variables[name]
        creation, _, attribute = name.partition(".")
        value: Any = created.get(creation, {}).get(attribute)
        if value is None:
            raise Unknown(f"no value for {{{{{name}}}}}: its creation did not return it")
        return str(value)

    def fill(template: str, safe: str) -> str:
        return PLACEHOLDER.sub(
            lambda match: quote(text(match[1]), safe=safe, errors="replace"), template
        )

    return fill(path, ":") + mark + fill(query, ":/")
