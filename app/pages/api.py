"""The API as pages use it: requests within the process, through the whole of the web stack.

Pages have no other access to data. Their requests carry the reader's credentials, and pass the same
checks, limits, events and audit as those of other clients.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote

import orjson
from starlette.types import ASGIApp, Message, Scope

from app.web.bridge import WITHIN_PAGE

_FORWARDED = frozenset({b"host", b"forwarded", b"traceparent"})


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An answer of the API; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the body; None where there is none."""
        return orjson.loads(self.content) if self.content else None

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status < 400


class ApiError(Exception):
    """The API refused a request; `code`, `reason` and `message` are those of its TMF Error."""

    def __init__(self, response: ApiResponse) -> None:
        error = response.json()
        error = error if isinstance(error, dict) else {}
        self.response = response
        self.status = response.status
        self.code = str(error.get("code", "internalError"))
        self.reason = str(error.get("reason", ""))
        self.message = str(error.get("message", ""))
        super().__init__(self.message or self.reason)


@dataclass(frozen=True, slots=True)
class Api:
    """The API for one reader: `scope` is the page's request, `headers` the reader's credentials.

    `loop` runs the server; pages run in threads beside it.
    """

    app: Callable[[], ASGIApp]
    loop: asyncio.AbstractEventLoop
    scope: Scope
    headers: Mapping[str, str]

    def get(self, path: str, query: str = "", **headers: str) -> ApiResponse:
        """Return the answer to a GET; a header's underscores are hyphens.

        Raises:
            ApiError: the API refuses the request.
        """
        return self._checked(self.request("GET", path, query, headers=headers))

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: object = None,
        *,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> ApiResponse:
        """Send a request and return its answer, whatever its status.

        `path` is not percent-encoded and has the API's base path, `query` is encoded; `body` is
        sent as JSON.
        """
        content = b"" if body is None else orjson.dumps(body)
        scope = self._scope(method, path, query, content, media_type, headers or {})
        answer = asyncio.run_coroutine_threadsafe(_call(self.app(), scope, content), self.loop)
        return answer.result()

    def change(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        media_type: str = "application/json",
        **headers: str,
    ) -> ApiResponse:
        """Return the answer to a request that changes something; see `request`.

        Raises:
            ApiError: the API refuses it.
        """
        return self._checked(
            self.request(method, path, "", body, media_type=media_type, headers=headers)
        )

    @staticmethod
    def _checked(response: ApiResponse) -> ApiResponse:
        if not response.ok:
            raise ApiError(response)
        return response

    def _scope(
        self,
        method: str,
        path: str,
        query: str,
        content: bytes,
        media_type: str,
        headers: Mapping[str, str],
    ) -> Scope:
        given = {
            "accept": "application/json",
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if content:
            given |= {"content-type": media_type, "content-length": str(len(content))}
        return {
            "type": "http",
            "asgi": self.scope.get("asgi", {"version": "3.0"}),
            "http_version": "1.1",
            "method": method,
            "scheme": self.scope["scheme"],
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                *(
                    (name, value)
                    for name, value in self.scope["headers"]
                    if name in _FORWARDED or name.startswith(b"x-forwarded-")
                ),
                *(
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in given.items()
                ),
            ],
            "client": self.scope.get("client"),
            "server": self.scope.get("server"),
            "extensions": {},
            WITHIN_PAGE: True,
        }


async def _call(app: ASGIApp, scope: Scope, content: bytes) -> ApiResponse:
    status, headers, parts = 500, {}, []

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message["headers"]
            }
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return ApiResponse(status, headers, b"".join(parts))


def next_cursor(links: str) -> str:
    """Return the cursor of the next page from a `Link` header, "" on the last."""
    for target, parameters in re.findall(r"<([^<>]*+)>([^<]*+)", links):
        if 'rel="next"' in parameters:
            query = target.partition("?")[2]
            return next((value for name, value in parse_qsl(query) if name == "after"), "")
    return ""
