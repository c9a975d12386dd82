"""Every exception as a TMF Error: the one place where failures become HTTP.

The body is TM Forum's `Error` object (TMF630 part 1): `code` for programs, `reason` for people,
`message` with the attribute and the rule, `status` the HTTP status as text.
"""

from __future__ import annotations

import http
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import orjson
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.exceptions import HTTPException as FlaskException

from app.contract.schema.parameters import InvalidParameter
from app.events.operator.errors import OperationConflict
from app.identity.errors import (
    AccessMissing,
    KeysUnavailable,
    NoCredentials,
    NotAuthenticated,
)
from app.observability.rate_limit import RateLimit
from app.observability.request_record import record_of
from app.tmf630.errors import (
    AttributesNotPatchable,
    BadCallback,
    BadPatch,
    BadPrecondition,
    BadQuery,
    InvalidResource,
    MalformedCallback,
    NoSuchPage,
    NotServed,
    PatchConflict,
    PreconditionFailed,
    PreconditionRequired,
    RowAccessDenied,
    SubscriptionExists,
)
from app.web.body import BodyTooLarge, BodyTooSlow, ClientGone, MalformedBody
from app.web.browser_guard import ForeignOrigin, UnknownHost
from app.web.connexion_parts import OAuthProblem
from app.web.limits.errors import Overloaded, RateLimited, RequestTimedOut
from app.web.negotiation import wants_html
from app.web.public_url import BadHost
from app.web.request_validation import InvalidBody, UnsupportedMediaType
from storage import (
    DocumentExists,
    DocumentNotFound,
    DocumentTooLarge,
    QueryTooSlow,
    StoreError,
    UnsupportedQuery,
    UpdateContended,
)

_log = logging.getLogger("tmf683.error")
_QUIET_SECONDS = 10.0
"""Seconds between two log lines about expected failures of one kind."""
_REALM = "tmf683"
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error: `message` where there is more to say than the reason.

    TM Forum's Error requires `code` and `reason` alone.
    """

    status: int
    code: str
    reason: str
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, integers: frozenset[str] = frozenset()) -> bytes:
        """Return the TMF Error as JSON.

        `integers` are those of `code` and `status` that the contract has as integers; a code is
        then the HTTP status.
        """
        error: dict[str, str | int] = {"code": self.code, "reason": self.reason}
        if self.message:
            error["message"] = self.message
        error |= {"status": str(self.status), "@type": "Error"}
        return orjson.dumps(error | dict.fromkeys(integers, self.status))


@dataclass(frozen=True, slots=True)
class _Rule:
    """How exceptions of one class become a `Failure`; the message is the exception's by default."""

    status: int
    code: str
    reason: str
    message: Callable[[Any], str] = str
    headers: Callable[[Any], Mapping[str, str]] = lambda error: {}


def _retry_after(seconds: int) -> Callable[[Any], Mapping[str, str]]:
    return lambda error: {"Retry-After": str(seconds)}


def _insufficient_scope(error: AccessMissing) -> Mapping[str, str]:
    challenge = f'Bearer realm="{_REALM}", error="insufficient_scope", scope="{error.scope}"'
    return {"WWW-Authenticate": challenge}


def _invalid_token(error: NotAuthenticated) -> Mapping[str, str]:
    """Return the challenge of RFC 6750 §3."""
    challenge = f'Bearer realm="{_REALM}"'
    if not isinstance(error, NoCredentials):
        description = str(error).encode("ascii", "replace").decode().replace('"', "'")
        challenge += f', error="invalid_token", error_description="{description}"'
    return {"WWW-Authenticate": challenge}


_BODY = "The request does not follow the contract."
_QUERY = "The query cannot be answered."
_FORBIDDEN = "The caller may not do this."
_UNAUTHENTICATED = "The caller is not authenticated."

_RULES: dict[type[Exception], _Rule] = {
    # 400: syntax and contract
    MalformedBody: _Rule(400, "malformedBody", "The request body is not acceptable JSON."),
    InvalidBody: _Rule(400, "invalidBody", _BODY),
    InvalidResource: _Rule(400, "invalidBody", _BODY),
    InvalidParameter: _Rule(
        400,
        "invalidParameter",
        "A parameter is not valid.",
        lambda error: f"parameter {error.name} {error.rule}",
    ),
    BadQuery: _Rule(
        400, "invalidQuery", _QUERY, lambda error: f"parameter {error.parameter} {error}"
    ),
    UnsupportedQuery: _Rule(400, "invalidQuery", _QUERY),
    BadPatch: _Rule(400, "invalidPatch", "The patch cannot be applied."),
    BadPrecondition: _Rule(400, "invalidPrecondition", "A precondition is not valid."),
    AttributesNotPatchable: _Rule(
        400,
        "notPatchable",
        "An attribute cannot be changed.",
        lambda error: ", ".join(f"/{name}" for name in error.attributes) + " cannot be patched",
    ),
    BadHost: _Rule(400, "invalidHost", "The Host header is not valid."),
    MalformedCallback: _Rule(
        400, "invalidCallback", "No event can be sent there.", lambda error: f"/callback {error}"
    ),
    # 401 and 403: identity and access
    NotAuthenticated: _Rule(401, "notAuthenticated", _UNAUTHENTICATED, headers=_invalid_token),
    OAuthProblem: _Rule(  # connexion found no credentials
        401,
        "notAuthenticated",
        _UNAUTHENTICATED,
        lambda error: str(NoCredentials()),
        lambda error: _invalid_token(NoCredentials()),
    ),
    AccessMissing: _Rule(403, "insufficientScope", _FORBIDDEN, headers=_insufficient_scope),
    RowAccessDenied: _Rule(403, "outOfBounds", _FORBIDDEN),
    ForeignOrigin: _Rule(403, "foreignOrigin", "Web pages of other origins may not do this."),
    UnknownHost: _Rule(403, "unknownHost", "The server is not known by this host name."),
    BadCallback: _Rule(
        403, "callbackRefused", "The callback is refused.", lambda error: f"/callback {error}"
    ),
    # 404, 409, 412, 428: the state of the resource
    DocumentNotFound: _Rule(
        404,
        "notFound",
        "There is no such resource.",
        lambda error: f"no resource has id {error.id}",
    ),
    NoSuchPage: _Rule(404, "noSuchPage", "There is no such page."),
    DocumentExists: _Rule(
        409, "exists", "The resource exists already.", lambda error: f"id {error.id} is taken"
    ),
    PatchConflict: _Rule(409, "patchConflict", "The patch does not fit the resource."),
    SubscriptionExists: _Rule(409, "subscribed", "The listener is registered already."),
    OperationConflict: _Rule(409, "stateConflict", "The operation does not fit the state."),
    UpdateContended: _Rule(409, "conflict", "The resource is being changed by others."),
    PreconditionFailed: _Rule(412, "preconditionFailed", "The resource is in another state."),
    PreconditionRequired: _Rule(428, "preconditionRequired", "The request must be conditional."),
    # 408, 413, 415: the body as a whole
    BodyTooSlow: _Rule(408, "bodyTooSlow", "The request body came too slowly."),
    BodyTooLarge: _Rule(413, "bodyTooLarge", "The request body is too large."),
    DocumentTooLarge: _Rule(413, "resourceTooLarge", "The resource would be too large."),
    UnsupportedMediaType: _Rule(
        415,
        "mediaType",
        "The request's media type is not supported.",
        headers=lambda error: error.headers,
    ),
    # 429, 501, 503: the server
    RateLimited: _Rule(
        429,
        "rateLimited",
        "The client sends too many requests.",
        headers=lambda error: {"Retry-After": str(math.ceil(error.wait))},
    ),
    NotServed: _Rule(501, "notImplemented", "The server does not offer this operation."),
    KeysUnavailable: _Rule(
        503, "keysUnavailable", "The token cannot be verified now.", headers=_retry_after(10)
    ),
    Overloaded: _Rule(503, "overloaded", "The server is busy.", headers=_retry_after(1)),
    RequestTimedOut: _Rule(
        503, "requestTimeout", "The request took too long.", headers=_retry_after(5)
    ),
    QueryTooSlow: _Rule(
        503,
        "queryTooSlow",
        "The query took too long.",
        lambda error: f"{error}; ask for less at once",
    ),
    StoreError: _Rule(
        503,
        "storeUnavailable",
        "The store cannot serve the request now.",
        lambda error: "try again later",
        _retry_after(1),
    ),
}
"""The rule of each class of exception; a class without one has that of its nearest ancestor."""


def failure_of(error: Exception) -> Failure:
    """Return the HTTP error that an exception becomes; 500 for one that is not expected."""
    for kind in type(error).__mro__:
        rule = _RULES.get(kind)
        if rule is not None:
            return Failure(
                rule.status, rule.code, rule.reason, rule.message(error), rule.headers(error)
            )
    if isinstance(error, HTTPException):
        return _http_failure(error.status_code, error.headers or {})
    if isinstance(error, FlaskException):
        return _http_failure(error.code or 500, {})
    return Failure(500, "internalError", "The server failed to handle the request.")


def _http_failure(status: int, headers: Mapping[str, str]) -> Failure:
    phrase = http.HTTPStatus(status).phrase
    words = phrase.split()
    code = words[0].lower() + "".join(words[1:])
    reasons = {
        404: "There is nothing at this address.",
        405: "The method is not allowed here.",
    }
    return Failure(status, code, reasons.get(status, f"{phrase}."), headers=headers)


def _shortened(path: str) -> str:
    return path if len(path) <= _LONGEST_PATH else f"{path[: _LONGEST_PATH - 1]}…"


ErrorPage: TypeAlias = Callable[[Scope, Failure], tuple[bytes, Mapping[str, str]]]


class ErrorBoundary:
    """Turns every exception of the middleware and handlers within into a TMF Error.

    `allowed` returns the methods that a path takes, for the `Allow` header of a 405. Server errors
    are logged with the request's id. `page` makes a failure a page, with headers of its own, for
    people with browsers; None where there are no pages. `integers` are, by base path, what is an
    integer in the errors of an API.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed: Callable[[str], frozenset[str]],
        page: ErrorPage | None = None,
        integers: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self._app = app
        self._allowed = allowed
        self._page = page
        self._integers = integers or {}
        self._limit = RateLimit(_QUIET_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer with an error if it fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientGone:
            return
        except Exception as error:
            record = record_of(scope)
            failure = failure_of(error)
            record.code = failure.code
            record.keywords = error.keywords if isinstance(error, InvalidBody) else ()
            if failure.status >= 500 and failure.status != 501:
                self._log(scope["method"], error, failure.status, record.request_id)
            if started:
                raise
            await self._answer(scope, send, failure)

    def _log(self, method: str, error: Exception, status: int, request_id: str) -> None:
        """Log a failure: with a traceback if it is unexpected, else at a limited rate."""
        fields: dict[str, object] = {"request_id": request_id}
        foreseen = isinstance(error, StoreError) or status != 500
        if foreseen and not isinstance(error, StoreError):
            suppressed = self._limit.admit(type(error).__name__)
            if suppressed is None:
                return
            fields["suppressed"] = suppressed
        _log.error(
            "%s failed: %s",
            method,
            error if isinstance(error, StoreError) else type(error).__name__,
            exc_info=None if foreseen else error,
            extra={"fields": fields},
        )

    async def _answer(self, scope: Scope, send: Send, failure: Failure) -> None:
        headers = {**failure.headers, "X-Content-Type-Options": "nosniff"}
        path = scope["path"]
        if failure.status == 405:
            headers["Allow"] = ", ".join(sorted(self._allowed(path))) or "GET"
            message = f"{_shortened(path)} has {headers['Allow']}, and not {scope['method']}"
            failure = replace(failure, message=message)
        elif failure.status == 404 and not failure.message:
            failure = replace(failure, message=f"no operation and no page is at {_shortened(path)}")
        content, kind = failure.body(self._integers_at(path)), "application/json"
        if self._page is not None:
            headers["Vary"] = "Accept"
            if wants_html(scope) and (scope["method"] in ("GET", "HEAD") or _is_form(scope)):
                content, own = self._page(scope, failure)
                headers |= own
                kind = "text/html; charset=utf-8"
        headers |= {"Content-Type": kind, "Content-Length": str(len(content))}
        if failure.status in (408, 413):
            headers["Connection"] = "close"  # the rest of the body is not read
        await send(
            {
                "type": "http.response.start",
                "status": failure.status,
                "headers": [
                    (name.lower().encode(), value.encode("latin-1"))
                    for name, value in headers.items()
                ],
            }
        )
        body = b"" if scope["method"] == "HEAD" else content
        await send({"type": "http.response.body", "body": body})

    def _integers_at(self, path: str) -> frozenset[str]:
        """Return what is an integer in the errors of the API that a path belongs to."""
        bases = [each for each in self._integers if path == each or path.startswith(f"{each}/")]
        return self._integers[max(bases, key=len)] if bases else frozenset()


def _is_form(scope: Scope) -> bool:
    """Whether a page sent the request: operations take JSON."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return bytes(kind).lower().startswith(b"application/x-www-form-urlencoded")
