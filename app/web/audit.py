"""The audit log: one line per change or refusal, with the caller, the action and the resource."""

from __future__ import annotations

import logging
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.identity.errors import AccessMissing, NotAuthenticated
from app.observability.request_record import record_of
from app.web.connexion_parts import OAuthProblem

_log = logging.getLogger("tmf683.audit")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Audit:
    """Logs the requests of authenticated callers, and refused requests.

    It is inside the error boundary, so that it sees the exceptions. A line names the
    caller, the method, the resource's path (a new one's by its `Location`) and the status, or the
    exception that refuses; never a query, a body or a token.
    """

    def __init__(self, app: ASGIApp, *, what: Literal["changes", "all"]) -> None:
        self._app = app
        self._all = what == "all"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, location = 0, ""

        async def watched(message: Message) -> None:
            nonlocal status, location
            if message["type"] == "http.response.start":
                status = message["status"]
                location = _location(message)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (NotAuthenticated, AccessMissing, OAuthProblem) as error:
            self._write(scope, "refused", scope["path"], _reason(error))
            raise
        except Exception as error:
            self._log_outcome(scope, type(error).__name__, "")
            raise
        self._log_outcome(scope, str(status), location)

    def _log_outcome(self, scope: Scope, outcome: str, location: str) -> None:
        if record_of(scope).identity is None:
            return
        if self._all or scope["method"] not in _READING:
            self._write(scope, outcome, location or scope["path"])

    @staticmethod
    def _write(scope: Scope, outcome: str, resource: str, reason: str = "") -> None:
        record = record_of(scope)
        fields = {
            "who": record.identity.name if record.identity else "nobody",
            "action": scope["method"],
            "resource": resource,
            "outcome": outcome,
            "request_id": record.request_id,
            **({"reason": reason} if reason else {}),
        }
        _log.info("%(who)s %(action)s %(resource)s: %(outcome)s", fields, extra={"fields": fields})


def _reason(error: Exception) -> str:
    return "no credentials" if isinstance(error, OAuthProblem) else str(error)


def _location(message: Message) -> str:
    for name, value in message["headers"]:
        if name == b"location":
            return bytes(value).decode("latin-1")
    return ""
