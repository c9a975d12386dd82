"""Operation calls: a validated request together with the handler that answers it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from starlette.types import Scope

from handlers.request_context import RequestContext
from handlers.responses import Response

Handler: TypeAlias = Callable[..., Response]
"""Takes the request context, and the path parameters by position: contracts choose their names."""

_CALL = "tmf.call"


class Execution(Enum):
    """Where a handler runs, if the store reads without waiting for I/O; else in the pool."""

    EVENT_LOOP = auto()
    """It reads by key, or searches within bounds: a thread would cost more than the work."""
    WRITE = auto()
    """It changes one document, in the event loop, as part of a group commit."""
    LONG_WRITE = auto()
    """It stores one document and may take milliseconds: in the group commit's thread."""
    CHANGE = auto()
    """It computes a document from the present one and may take long: in the pool, so that other
    writes do not wait meanwhile."""
    POOL = auto()
    """Its cost may grow with the data."""


class OperationCall(NamedTuple):
    """A handler and its arguments."""

    handler: Handler
    context: RequestContext
    path: tuple[str, ...]
    execution: Execution

    def run(self) -> Response:
        """Call the handler; its exceptions pass through."""
        return self.handler(self.context, *self.path)

    def in_thread(self) -> OperationCall:
        """Return the same call without the bounds on what the event loop may do."""
        if self.context.parse_limit is None:
            return self
        return self._replace(context=self.context._replace(parse_limit=None))

    def tried(self, attempts: int) -> OperationCall:
        """Return the same call, in a thread, giving up when others come first so many times."""
        context = self.context._replace(parse_limit=None, attempts=attempts)
        return self._replace(context=context)


def set_call(scope: Scope, call: OperationCall) -> None:
    """Put the call of a validated request into its scope."""
    scope[_CALL] = call


def call_of(scope: Scope) -> OperationCall | None:
    """Return the call of a validated request; None when the path is no operation's."""
    call: OperationCall | None = scope.get(_CALL)
    return call
