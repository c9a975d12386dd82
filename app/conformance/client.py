"""The HTTP client of a conformance run, which records what it sends and receives."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from app.conformance.outcome import Message

SECONDS = 60.0
"""How long an answer may take, unless the run says otherwise."""

HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
"""Sent with every request, with a body or without, as the kits of TM Forum do."""


@dataclass(frozen=True, slots=True)
class Transport:
    """How a run reaches the server: headers of every request, seconds to wait, TLS.

    `insecure` accepts any certificate; `ca` is a file with the authorities to trust.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = SECONDS
    insecure: bool = False
    ca: Path | None = None

    def open(self) -> httpx.Client:
        """Return a client; the caller closes it.

        Raises:
            OSError: the file of authorities cannot be read (`ssl.SSLError` among them).
        """
        verify: bool | ssl.SSLContext = not self.insecure
        if self.ca is not None:
            verify = ssl.create_default_context(cafile=self.ca)
        sent = {**HEADERS, **self.headers}
        return httpx.Client(
            headers=sent, timeout=self.seconds, follow_redirects=True, verify=verify
        )


class NoAnswer(Exception):
    """The request got no answer; the message says why, `sent` is what was to be sent."""

    def __init__(self, message: str, sent: Message) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the request as it was sent."""

    status: int
    content: bytes
    headers: httpx.Headers
    milliseconds: float
    sent: Message
    received: Message


def send(
    client: httpx.Client,
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request with a JSON body, if there is one.

    Raises:
        NoAnswer: no connection, no answer in time, or a URL that is none.
    """
    try:
        request = client.build_request(method, url, json=body, headers=headers)
    except httpx.InvalidURL as error:
        raise NoAnswer(f"InvalidURL: {error}", Message(())) from None
    sent = Message(_stated(request.headers), request.content.decode("utf-8", "replace"))
    begin = perf_counter()
    try:
        response = client.send(request)
    except (httpx.RequestError, httpx.InvalidURL) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}", sent) from None
    milliseconds = (perf_counter() - begin) * 1000
    received = Message(
        tuple(response.headers.multi_items()), response.content.decode("utf-8", "replace")
    )
    return Answer(
        response.status_code, response.content, response.headers, milliseconds, sent, received
    )


def is_removed(client: httpx.Client, url: str) -> bool:
    """Delete a resource that a run created; return whether the server has it no more."""
    try:
        status = send(client, "DELETE", url).status
    except NoAnswer:
        return False
    return status < 300 or status == 404


_IMPLIED = frozenset({"accept-encoding", "connection", "content-length", "host", "user-agent"})


def _stated(headers: httpx.Headers) -> tuple[tuple[str, str], ...]:
    """Return the headers that a reader needs to repeat a request."""
    return tuple(
        (name, value) for name, value in headers.multi_items() if name.lower() not in _IMPLIED
    )
