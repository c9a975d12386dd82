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

import orjson
from connexion.exceptions import OAuthProblem
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.exceptions import HTTPException as FlaskException

from app.contract.schema.parameters import InvalidParameter
from app.identity.errors import AccessMissing, KeysUnavailable, NotAuthenticated
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
    OutOfBounds,
    PatchConflict,
    PreconditionFailed,
    PreconditionRequired,
    SubscriptionExists,
)
from app.web.body import BodyTooLarge, BodyTooSlow, ClientGone, MalformedBody
from app.web.limits.errors import Overloaded, RateLimited, RequestTimedOut
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
_REALM = "tmf683"
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """What a client is told of an exception; `message` where there is more to say than the reason.

    TM Forum's Error wants no more than `code` and `reason`.
    """

    status: int
    code: str
    reason: str
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the TMF Error as JSON."""
        told = {"code": self.code, "reason": self.reason}
        if self.message:
            told["message"] = self.message
        return orjson.dumps({**told, "status": str(self.status), "@type": "Error"})


def failure_of(error: Exception) -> Failure:
    """Return what a client is told of an exception."""
    text = str(error)
    match error:
        case MalformedBody():
            return Failure(400, "malformedBody", "The request body is not acceptable JSON.", text)
        case InvalidBody() | InvalidResource():
            return Failure(400, "invalidBody", "The request does not follow the contract.", text)
        case InvalidParameter(name=name, rule=rule):
            return Failure(
                400, "invalidParameter", "A parameter is not valid.", f"parameter {name} {rule}"
            )
        case BadQuery(parameter=parameter):
            return Failure(
                400,
                "invalidQuery",
                "The query cannot be answered.",
                f"parameter {parameter} {text}",
            )
        case BadPatch():
            return Failure(400, "invalidPatch", "The patch cannot be applied.", text)
        case PatchConflict():
            return Failure(409, "patchConflict", "The patch does not fit the resource.", text)
        case NoSuchPage():
            return Failure(404, "noSuchPage", "There is no such page.", text)
        case BadPrecondition():
            return Failure(400, "invalidPrecondition", "A precondition is not valid.", text)
        case PreconditionFailed():
            return Failure(412, "preconditionFailed", "The resource is in another state.", text)
        case PreconditionRequired():
            return Failure(428, "preconditionRequired", "The request must be conditional.", text)
        case UnsupportedQuery():
            return Failure(400, "invalidQuery", "The query cannot be answered.", text)
        case AttributesNotPatchable(attributes=attributes):
            names = ", ".join(f"/{name}" for name in attributes)
            return Failure(
                400, "notPatchable", "An attribute cannot be changed.", f"{names} cannot be patched"
            )
        case NotAuthenticated():
            return _unauthenticated(text)
        case OAuthProblem():  # connexion found nothing that could prove anything
            return _unauthenticated("the request has no bearer token and no API key")
        case AccessMissing(scope=scope):
            challenge = f'Bearer realm="{_REALM}", error="insufficient_scope", scope="{scope}"'
            return Failure(
                403,
                "insufficientScope",
                "The caller may not do this.",
                text,
                {"WWW-Authenticate": challenge},
            )
        case OutOfBounds():
            return Failure(403, "outOfBounds", "The caller may not do this.", text)
        case KeysUnavailable():
            return Failure(
                503,
                "keysUnavailable",
                "The caller's token cannot be verified now.",
                text,
                {"Retry-After": "10"},
            )
        case BadHost():
            return Failure(400, "invalidHost", "The Host header is not valid.", text)
        case DocumentNotFound(id=id):
            return Failure(
                404, "notFound", "There is no such resource.", f"no resource has id {id}"
            )
        case DocumentExists(id=id):
            return Failure(409, "exists", "The resource exists already.", f"id {id} is taken")
        case MalformedCallback():
            return Failure(
                400, "invalidCallback", "No event can be sent there.", f"/callback {text}"
            )
        case BadCallback():
            return Failure(403, "callbackRefused", "The callback is refused.", f"/callback {text}")
        case SubscriptionExists():
            return Failure(409, "subscribed", "The listener is registered already.", text)
        case UpdateContended():
            return Failure(409, "conflict", "The resource is being changed by others.", text)
        case DocumentTooLarge():
            return Failure(413, "resourceTooLarge", "The resource would be too large.", text)
        case BodyTooLarge():
            return Failure(413, "bodyTooLarge", "The request body is too large.", text)
        case BodyTooSlow():
            return Failure(408, "bodyTooSlow", "The request body came too slowly.", text)
        case RateLimited(wait=wait):
            return Failure(
                429,
                "rateLimited",
                "The client asks too often.",
                text,
                {"Retry-After": str(math.ceil(wait))},
            )
        case Overloaded():
            return Failure(503, "overloaded", "The server is busy.", text, {"Retry-After": "1"})
        case RequestTimedOut():
            return Failure(
                503, "requestTimeout", "The request took too long.", text, {"Retry-After": "5"}
            )
        case UnsupportedMediaType(patches=patches):
            return Failure(
                415,
                "mediaType",
                "The request's media type is not supported.",
                text,
                {"Accept-Patch": ", ".join(patches)} if patches else {},
            )
        case NotServed():
            return Failure(501, "notImplemented", "The server does not offer this operation.", text)
        case QueryTooSlow():
            return Failure(
                503, "queryTooSlow", "The query took too long.", f"{text}; ask for less at once"
            )
        case StoreError():
            return Failure(
                503,
                "storeUnavailable",
                "The store cannot serve the request now.",
                "try again later",
                {"Retry-After": "1"},
            )
        case HTTPException(status_code=status, headers=headers):
            return _http_failure(status, headers or {})
        case FlaskException(code=status):
            return _http_failure(status or 500, {})
    return Failure(500, "internalError", "The server failed to handle the request.")


def _unauthenticated(text: str) -> Failure:
    """Return a 401 with the challenge that RFC 6750 §3 wants."""
    challenge = f'Bearer realm="{_REALM}"'
    if "no bearer token" not in text:
        said = text.encode("ascii", "replace").decode().replace('"', "'")
        challenge += f', error="invalid_token", error_description="{said}"'
    return Failure(
        401,
        "notAuthenticated",
        "The caller has not proved who it is.",
        text,
        {"WWW-Authenticate": challenge},
    )


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


class ErrorBoundary:
    """The outermost middleware: whatever is raised within leaves as a TMF Error.

    `allowed` tells the methods a path has, for the `Allow` header of a 405. Server errors are
    logged with the request's id.
    """

    def __init__(self, app: ASGIApp, *, allowed: Callable[[str], frozenset[str]]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and answer for what goes wrong."""
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
                _log.error(
                    "%s failed: %s",
                    scope["method"],
                    error if isinstance(error, StoreError) else type(error).__name__,
                    exc_info=None if isinstance(error, StoreError) else error,
                    extra={"fields": {"request_id": record.request_id}},
                )
            if started:
                raise
            await self._answer(scope, send, failure)

    async def _answer(self, scope: Scope, send: Send, failure: Failure) -> None:
        headers = {**failure.headers, "X-Content-Type-Options": "nosniff"}
        path = scope["path"]
        if failure.status == 405:
            headers["Allow"] = ", ".join(sorted(self._allowed(path))) or "GET"
            said = f"{_shortened(path)} has {headers['Allow']}, and not {scope['method']}"
            failure = replace(failure, message=said)
        elif failure.status == 404 and not failure.message:
            failure = replace(failure, message=f"no operation and no page is at {_shortened(path)}")
        content = failure.body()
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
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
        await send({"type": "http.response.body", "body": content})
