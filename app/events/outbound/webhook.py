"""Sending one event to a listener: a signed POST to a checked address (Standard Webhooks 1.0)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks.webhooks import Webhook
from yarl import URL

from app.events.outbound.callback_policy import CallbackPolicy, parse_callback
from app.events.outbound.payloads import OutgoingEvent
from app.observability.metrics import Metrics
from app.tmf630.errors import BadCallback
from storage import json

if TYPE_CHECKING:
    from app.observability.tracing import Tracing

_MOST_READ = 16 * 1024
"""Bytes of an answer that are worth reading to use its connection again."""

_RESOLVED_AT_ONCE = 64
_BEGUN_AT_ONCE = 32
_PACE_SECONDS = 0.01
"""So many requests begin in this time: more would wait for each other until they time out."""
_LONGEST_WAIT = 24 * 3600.0
_ABSENT = frozenset({408, 425, 429})
"""Statuses below 500 that do not refuse the event: the listener is busy or asks to retry later."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one attempt: `error` is empty when the listener has accepted the event.

    `refused` says that the listener answered and does not want this event (4xx), `gone` that it
    wants no events any more (410). `wait` is how many seconds the listener asks to wait.
    """

    error: str = ""
    wait: float = 0.0
    gone: bool = False
    refused: bool = False

    @property
    def delivered(self) -> bool:
        """Whether the listener has accepted the event."""
        return not self.error


class WebhookSender:
    """Posts events; made and closed within a running event loop."""

    def __init__(
        self,
        policy: CallbackPolicy,
        *,
        keys: Sequence[str] = (),
        seconds: float = 10.0,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._policy = policy
        self._metrics = metrics
        self._tracing = tracing
        self._webhooks = [Webhook(key) for key in keys]
        self._pace = asyncio.Semaphore(_BEGUN_AT_ONCE)
        self.sent_at = 0.0  # when the last attempt began, in seconds since 1970
        connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=0, resolver=_CheckedResolver(policy), ttl_dns_cache=10
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=seconds),
            headers={"User-Agent": f"tmf683/{_version()}"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def turn(self) -> None:
        """Wait until one more request may begin.

        They begin at a pace that the event loop keeps up with, however long the answers take.
        """
        await self._pace.acquire()
        asyncio.get_running_loop().call_later(_PACE_SECONDS, self._pace.release)

    async def send(self, callback: str, event: OutgoingEvent) -> DeliveryResult:
        """Post an event, once; whatever goes wrong is in the result."""
        self.sent_at = time.time()
        if self._tracing is None:
            result = await self._post(callback, event)
        else:
            with self._tracing.delivery(event.trace, event.type) as trace:
                result = await self._post(callback, replace(event, trace=trace))
        if self._metrics is not None:
            self._metrics.delivery(delivered=result.delivered)
        return result

    async def _post(self, callback: str, event: OutgoingEvent) -> DeliveryResult:
        body = json.dumps(event.body)
        try:
            async with self._session.post(
                self._checked(callback),
                data=body,
                headers=self._headers(event, body),
                allow_redirects=False,
            ) as answer:
                with suppress(TimeoutError, aiohttp.ClientError, OSError):
                    await _drain(answer)  # the status is all that matters
                return _result(answer)
        except BadCallback as error:
            return DeliveryResult(f"the callback {error}")
        except TimeoutError:
            return DeliveryResult("no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return DeliveryResult(_reason(error))

    def _headers(self, event: OutgoingEvent, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "webhook-id": event.id}
        if event.trace:
            headers["traceparent"] = event.trace
        if self._webhooks:
            at = datetime.now(UTC)
            text = body.decode()
            headers["webhook-timestamp"] = str(int(at.timestamp()))
            headers["webhook-signature"] = " ".join(
                each.sign(event.id, at, text) for each in self._webhooks
            )
        return headers

    def _checked(self, callback: str) -> URL:
        """Return the URL of a callback; an address in it is checked here, no resolver sees it."""
        url = parse_callback(callback)
        host = str(url.raw_host)
        with suppress(ValueError):
            ipaddress.ip_address(host)
            self._policy.check_address(host, host)
        return url


class _CheckedResolver(AbstractResolver):
    """Resolves names to addresses that the callback policy allows, and to no others.

    It has threads of its own: a name server that does not answer holds up nothing else.
    """

    def __init__(self, policy: CallbackPolicy) -> None:
        self._policy = policy
        self._threads = ThreadPoolExecutor(_RESOLVED_AT_ONCE, thread_name_prefix="resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: it has none, or one of them is refused (the cause is a `BadCallback`).
        """
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM
        )
        results: list[ResolveResult] = []
        for kind, _, protocol, _, place in found:
            address: Any = place[0]
            try:
                self._policy.check_address(host, address)
            except BadCallback as error:
                raise OSError(f"the callback {error}") from error
            results.append(
                ResolveResult(
                    hostname=host,
                    host=address,
                    port=port,
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    async def close(self) -> None:
        """Release the threads without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Read a short answer, so that the connection can be used again; leave a long one."""
    length = answer.content_length
    if length is not None and length <= _MOST_READ:
        await answer.read()
    elif length is None:
        read = 0
        async for part in answer.content.iter_chunked(4096):
            read += len(part)
            if read > _MOST_READ:
                answer.close()
                return
    else:
        answer.close()


def _result(answer: aiohttp.ClientResponse) -> DeliveryResult:
    if 200 <= answer.status < 300:
        return DeliveryResult()
    gone = answer.status == 410
    return DeliveryResult(
        f"the listener answered {answer.status}",
        wait=_seconds(answer.headers.get("Retry-After", "")),
        gone=gone,
        refused=400 <= answer.status < 500 and answer.status not in _ABSENT and not gone,
    )


def _reason(error: BaseException) -> str:
    """Return what went wrong; the message of the callback policy if that refused the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BadCallback):
            return f"the callback {cause}"
        cause = cause.__cause__
    return f"{type(error).__name__}: {error}"[:300]


def _seconds(text: str) -> float:
    """Return how long a `Retry-After` asks to wait (RFC 9110 §10.2.3)."""
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, min((at - datetime.now(UTC)).total_seconds(), _LONGEST_WAIT))


def _version() -> str:
    try:
        return version("tmf683")
    except PackageNotFoundError:  # run from a folder, without having been installed
        return "0"
