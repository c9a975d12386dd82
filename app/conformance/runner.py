"""Running a suite: its requests over HTTP, one after the other, against a base URL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from app.conformance.assertions import Answer, Item, Unreadable, evaluate, read
from app.conformance.client import NoAnswer, Transport, is_removed, send
from app.conformance.outcome import Assertion, Exchange, Outcome
from app.conformance.suite import PLACEHOLDER, Request, Suite

_PLAIN = Transport()


class Unknown(Exception):
    """A target needs a value that no creation returned."""


def run(
    suite: Suite,
    base_url: str,
    *,
    minimal: bool = False,
    keep: bool = False,
    transport: Transport = _PLAIN,
) -> Outcome:
    """Run the suite against the API at `base_url`, with or without a trailing slash.

    With `minimal` every creation carries no more than what is mandatory. Resources that the run
    created are removed at its end, unless `keep`. A request that cannot be made, or gets no answer
    in time, is a failed assertion; nothing is raised for it.
    """
    base_url = base_url.rstrip("/")
    started = datetime.now(UTC)
    with transport.open() as client:
        session = _Session(suite, base_url, client, minimal)
        exchanges = tuple(
            session.exchange(number, each) for number, each in enumerate(suite.requests, 1)
        )
        left = session.created_urls() if keep else session.remove()
    return Outcome(suite.title, base_url, started, exchanges, left=left)


class _Session:
    """One run: what was created so far, for the requests that follow."""

    def __init__(self, suite: Suite, base_url: str, client: httpx.Client, minimal: bool) -> None:
        self._suite = suite
        self._base_url = base_url
        self._client = client
        self._minimal = minimal
        self._created: dict[str, Item] = {}
        self._urls: list[str] = []

    def exchange(self, number: int, request: Request) -> Exchange:
        name = f"{number:02} {request.label}"
        try:
            url = self._base_url + _resolve(request.target, self._suite.variables, self._created)
        except Unknown as error:
            failed = Assertion("Request can be made", str(error))
            return Exchange(request, (failed,), operation=name)
        body = request.minimal if self._minimal and request.minimal is not None else request.body
        try:
            answer = send(self._client, request.method, url, body)
        except NoAnswer as error:
            failed = Assertion("Request is answered", str(error))
            return Exchange(request, (failed,), url, operation=name, sent=error.sent)
        read_as = Answer(answer.status, answer.content)
        if request.creates is not None:
            self._keep(request.creates, url, read_as)
        return Exchange(
            request,
            evaluate(self._suite.attributes, request, read_as, sent=body, created=self._created),
            url,
            answer.status,
            answer.milliseconds,
            len(answer.content),
            operation=name,
            sent=answer.sent,
            received=answer.received,
        )

    def created_urls(self) -> tuple[str, ...]:
        return tuple(self._urls)

    def remove(self) -> tuple[str, ...]:
        """Delete what the run created; return the URLs that remain."""
        return tuple(url for url in self._urls if not is_removed(self._client, url))

    def _keep(self, name: str, url: str, answer: Answer) -> None:
        if answer.status >= 300:
            return
        try:
            _, (item,) = read(answer.body, "item")
        except Unreadable:
            return
        self._created[name] = item
        if isinstance(item.get("id"), str):
            self._urls.append(f"{url}/{quote(item['id'], safe=':')}")


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
