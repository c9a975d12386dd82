"""Request validation: connexion's middleware with the contract's compiled validators in it.

What stock connexion builds for every request (URI parser, parameter and body validators) is built
once here, a body without a `Content-Type` is validated like any other, and a `Content-Type` on a
request without a body means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from app.contract import Binding, Kind
from app.contract.schema.parameters import InvalidParameter, QueryParameters
from app.contract.schema.violations import Violation, in_words
from app.observability.request_record import record_of
from app.tmf630.errors import sentence_of
from app.tmf630.json_equality import without_nulls
from app.tmf630.patching import JSON_PATCH, OPERATIONS
from app.web import body
from app.web.connexion_parts import (
    AbstractOperation,
    RequestValidationAPI,
    RequestValidationMiddleware,
)
from app.web.operation_call import Execution, Handler, OperationCall, set_call
from app.web.public_url import PublicUrl
from handlers.preconditions import Preconditions
from handlers.request_context import RequestContext

_MOST_PARAMETERS = 200
_LONGEST_NAME = 50
_MOST_VIOLATIONS = 100
"""How many broken rules are looked for in a body; the message says those that fit."""
_SHORT_PAGE = 100
"""Resources in a list that the event loop reads and renders; longer lists go to a thread."""
_SHORT_QUERY = 512
"""Bytes of a query that the event loop understands and answers; longer ones go to a thread."""
_SHORT_BODY = 16 * 1024
"""Bytes of a body that the event loop applies and stores; larger ones go to a thread."""
_PARSE_LIMIT = 256 * 1024
"""Bytes of stored documents that the event loop parses; more go to a thread."""


class InvalidBody(Exception):
    """The body is JSON, but not what the contract asks for."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(sentence_of(in_words(violations)))
        self.keywords = tuple(each.keyword for each in violations)


class UnsupportedMediaType(Exception):
    """The operation does not read bodies of this media type; the message says which it does.

    `headers` of the response say so to programs (RFC 9110 §15.5.16).
    """

    def __init__(self, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class ValidatedOperation:
    """One operation of the contract: validates the request, then passes it on."""

    def __init__(
        self,
        next_app: ASGIApp,
        binding: Binding,
        handler: Handler,
        bodies: body.BodyReceiver,
        public_url: PublicUrl,
    ) -> None:
        self._next_app = next_app
        self._binding = binding
        self._handler = handler
        self._bodies = bodies
        self._public_url = public_url
        self._query = QueryParameters(each for each in binding.parameters if each.place == "query")
        self._headers = tuple(each for each in binding.parameters if each.place == "header")
        self._nested = binding.definition is not None and bool(binding.definition.parents)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Validate and pass on.

        Raises:
            InvalidParameter, MalformedBody, BodyTooLarge, UnsupportedMediaType, InvalidBody
        """
        query: dict[str, list[str]] = {}
        if scope["query_string"]:
            query = _parse_query(scope["query_string"])
        parameters = self._query.read(query)
        if self._headers:
            self._check_headers(scope)
        content, media_type, length = None, "application/json", 0
        if self._binding.bodies and self._binding.unserved is None:
            content, media_type, length = await self._body(scope, receive)
        raw_query = scope["query_string"].decode("latin-1")
        record = record_of(scope)
        headers = _headers(scope)
        execution = self._execution(scope["query_string"], parameters, media_type, length)
        context = RequestContext(
            base_url=self._public_url.of(scope),
            id=record.request_id,
            query=query,
            raw_query=raw_query,
            parameters=parameters,
            body=content,
            media_type=media_type,
            identity=record.identity,
            preconditions=Preconditions(headers.get("if-match"), headers.get("if-none-match")),
            correlation_id=headers.get("x-correlation-id"),
            traceparent=headers.get("traceparent"),
            strict="handling=strict" in headers.get("prefer", ""),
            parse_limit=_PARSE_LIMIT if execution in _IN_EVENT_LOOP else None,
        )
        path = tuple(scope["path_params"].values())
        set_call(scope, OperationCall(self._handler, context, path, execution))
        await self._next_app(scope, receive, send)

    def _execution(
        self, query_string: bytes, parameters: Mapping[str, Any], media_type: str, length: int
    ) -> Execution:
        match self._binding.kind:
            case (
                Kind.CREATE
                | Kind.PATCH
                | Kind.REPLACE
                | Kind.DELETE
                | Kind.UNSUBSCRIBE
                | Kind.LISTEN
            ):
                if length <= _SHORT_BODY and media_type not in OPERATIONS:
                    return Execution.WRITE
                changes = self._binding.kind in (Kind.PATCH, Kind.REPLACE)
                return Execution.CHANGE if changes else Execution.LONG_WRITE
            case Kind.RETRIEVE | Kind.SUBSCRIPTION:
                return Execution.EVENT_LOOP
            case Kind.LIST if not self._nested and _asks_little(query_string, parameters):
                return Execution.EVENT_LOOP
        return Execution.POOL  # it searches, renders many documents or resolves host names

    async def _body(self, scope: Scope, receive: Receive) -> tuple[Any, str, int]:
        content_type, length = b"", None
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-encoding" and value.lower() not in (b"", b"identity"):
                raise UnsupportedMediaType(
                    "bodies are read as they are: without Content-Encoding",
                    {"Accept-Encoding": "identity"},
                )
            elif name == b"content-length":
                length = int(value)
        content = await self._bodies.receive(receive, length)
        if not content:
            if self._binding.body_required:
                raise body.MalformedBody("the request has no body, and the operation requires one")
            return None, "application/json", 0
        media_type = self._media_type(content_type)
        validator = self._binding.bodies[media_type]
        value = body.parse(content)
        if isinstance(value, list) and self._binding.kind is Kind.PATCH:
            self._check_operations(media_type)
        accepted = validator.accepts(value)
        if not accepted and self._binding.null_is_absent and b"null" in content:
            value = without_nulls(value)
            accepted = validator.accepts(value)
        if not accepted:
            raise InvalidBody(validator.violations(value, _MOST_VIOLATIONS))
        return value, media_type, len(content)

    def _check_operations(self, media_type: str) -> None:
        """Refuse a list of operations that is sent as a merge patch, which is an object."""
        if media_type not in OPERATIONS and JSON_PATCH in self._binding.bodies:
            raise UnsupportedMediaType(
                f"a list of operations is a JSON Patch: send it as Content-Type: {JSON_PATCH}",
                self._accepted(),
            )

    def _media_type(self, content_type: bytes) -> str:
        bodies = self._binding.bodies
        if not content_type:
            return "application/json" if "application/json" in bodies else next(iter(bodies))
        media_type, _, parameters = content_type.decode("latin-1").lower().partition(";")
        media_type = media_type.strip()
        if media_type not in bodies:
            message = f"Content-Type must be {' or '.join(bodies)}"
            raise UnsupportedMediaType(message, self._accepted())
        charset = parameters.partition("charset=")[2].split(";")[0].strip(' "')
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            message = "JSON is UTF-8 (RFC 8259 §8.1); no other charset is read"
            raise UnsupportedMediaType(message, self._accepted())
        return media_type

    def _accepted(self) -> Mapping[str, str]:
        """Return the header that names the media types the operation reads (RFC 5789 §2.2)."""
        name = "Accept-Patch" if self._binding.kind is Kind.PATCH else "Accept"
        return {name: ", ".join(self._binding.bodies)}

    def _check_headers(self, scope: Scope) -> None:
        given = [
            (name.decode("latin-1"), text.decode("latin-1")) for name, text in scope["headers"]
        ]
        for parameter in self._headers:
            parameter.read([text for name, text in given if name == parameter.name.lower()])


class ContractValidationAPI(RequestValidationAPI):
    """Makes the validated operations of one contract."""

    def __init__(
        self,
        *args: Any,
        bindings: Mapping[str, Binding],
        handlers: Mapping[str, Handler],
        max_body: int,
        public_url: PublicUrl,
        **kwargs: Any,
    ) -> None:
        self._bindings = bindings
        self._handlers = handlers
        self._bodies = body.BodyReceiver(max_body)
        self._public_url = public_url
        super().__init__(*args, **kwargs)

    def make_operation(self, operation: AbstractOperation) -> ValidatedOperation:
        """Make the operation that connexion routes an operationId to."""
        return ValidatedOperation(
            self.next_app,
            self._bindings[operation.operation_id],
            self._handlers[operation.operation_id],
            self._bodies,
            self._public_url,
        )


class ContractValidationMiddleware(RequestValidationMiddleware):
    """Validates requests by the contract.

    `add_api` takes its arguments: `bindings`, `handlers`, `max_body` and `public_url`.
    """

    api_cls = ContractValidationAPI


_IN_EVENT_LOOP = (Execution.EVENT_LOOP, Execution.WRITE)

_CONTEXT_HEADERS = frozenset(
    {b"if-match", b"if-none-match", b"prefer", b"traceparent", b"x-correlation-id"}
)


def _asks_little(query_string: bytes, parameters: Mapping[str, Any]) -> bool:
    """Whether the event loop may try to answer a list request; the handler bounds what it costs."""
    limit = parameters.get("limit", 0)
    return len(query_string) <= _SHORT_QUERY and limit <= _SHORT_PAGE


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers that become part of the context; repeated ones are joined."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name in _CONTEXT_HEADERS:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            found[key] = f"{found[key]},{text}" if key in found else text
    return found


def _parse_query(query_string: bytes) -> dict[str, list[str]]:
    """Return the values of each query parameter, decoded, in their order."""
    found: dict[str, list[str]] = {}
    for name, value in _pairs(query_string):
        found.setdefault(name, []).append(value)
    return found


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    plain = query_string.isascii() and b"%" not in query_string and b"+" not in query_string
    if plain and query_string.count(b"&") < _MOST_PARAMETERS:
        pieces = [piece.partition("=") for piece in query_string.decode().split("&") if piece]
        return [(name, value) for name, _, value in pieces]
    try:
        return parse_qsl(
            query_string.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except UnicodeDecodeError:
        name = next(filter(_is_not_utf8, query_string.split(b"&")), b"").partition(b"=")[0]
        shown = unquote(name.decode(errors="replace"))[:_LONGEST_NAME]
        raise InvalidParameter(shown, "is not UTF-8 once decoded") from None
    except ValueError:
        name = query_string.split(b"&")[_MOST_PARAMETERS].partition(b"=")[0]
        shown = unquote(name.decode(errors="replace"))[:_LONGEST_NAME]
        raise InvalidParameter(
            shown, f"is one of more than {_MOST_PARAMETERS} parameters"
        ) from None


def _is_not_utf8(piece: bytes) -> bool:
    try:
        unquote_to_bytes(piece).decode()
    except UnicodeDecodeError:
        return True
    return False
