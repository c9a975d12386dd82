"""The bridge from ASGI to Flask, and the connexion application that crosses it.

connexion's own bridge (a2wsgi) crosses threads four times a request, and its decorator inspects
the handler's signature and rebuilds its arguments each time. This one runs Flask in an executor
once and sends its answer as two ASGI messages; handlers take path parameters and nothing else.
"""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Protocol, TypeAlias

import flask
from connexion import FlaskApp
from connexion.apps.flask import FlaskApi, FlaskASGIApp
from connexion.operations import AbstractOperation
from starlette.types import Receive, Scope, Send

from app.executor import HandlerExecutor
from app.web.group_commit import GroupCommit
from app.web.request_validation import CONTEXT_KEY, LANE_KEY, Lane
from app.web.routed import ROUTE_KEY, KnownRules, route_of
from handlers.request_context import RequestContext
from storage import Store

_WITHIN = "tmf.within"
_SCOPE = "tmf.scope"

Within: TypeAlias = Callable[[Scope], AbstractContextManager[None]]
Environ: TypeAlias = dict[str, Any]
Answer: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]


def current_context() -> RequestContext:
    """Return the context of the operation that Flask is handling."""
    context: RequestContext = flask.request.environ[CONTEXT_KEY]
    return context


def current_scope() -> Scope:
    """Return the ASGI scope of the request that Flask is handling."""
    scope: Scope = flask.request.environ[_SCOPE]
    return scope


class PlainFlaskApi(FlaskApi):
    """Registers handlers with Flask as they are, without connexion's decorator."""

    def make_operation(self, operation: AbstractOperation) -> Callable[..., Any]:
        """Return the handler itself."""
        function: Callable[..., Any] = operation.function
        return function


class FlaskBridge(FlaskASGIApp):
    """Flask as an ASGI application at the end of connexion's middleware.

    Handlers run in threads, since a store may take its time. With a store that is quick, reading by
    key runs at once in the event loop (the way to a thread and back costs more than it does), and
    so do writes, which are made durable together.
    """

    def __init__(
        self,
        import_name: str,
        server_args: dict[str, Any],
        *,
        threads: int,
        store: Store,
        within: Within | None,
    ) -> None:
        super().__init__(import_name, server_args)
        KnownRules(self.app)
        self._within = within
        self._quick = store.reads_without_io_wait
        self._pool = HandlerExecutor(threads)
        group = store.group()
        self._writes = GroupCommit(group) if group is not None else None

    def add_api(self, specification: Any, *, name: str | None = None, **kwargs: Any) -> FlaskApi:
        """Register one API's operations as a Flask blueprint."""
        api = PlainFlaskApi(specification, **kwargs)
        self.app.register_blueprint(api.blueprint, name=name or api.blueprint.name)
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        environ = environ_of(scope)
        if self._within is not None:
            environ[_WITHIN] = self._within(scope)
        status, headers, content = await self._answered(
            scope.get(LANE_KEY, Lane.POOL) if self._quick else Lane.POOL, environ
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answered(self, lane: Lane, environ: Environ) -> Answer:
        if lane is Lane.LOOP:
            return self.answer(environ)
        if lane is Lane.POOL or self._writes is None:
            return await self._pool.run(self.answer, environ)
        return await self._writes.run(self.answer, environ, long=lane is Lane.LONG_WRITE)

    def answer(self, environ: Environ) -> Answer:
        """Run Flask on a WSGI environment; exceptions pass through."""
        within: AbstractContextManager[None] | None = environ.pop(_WITHIN, None)
        if within is None:
            return self._run(environ)
        with within:
            return self._run(environ)

    def _run(self, environ: Environ) -> Answer:
        status, headers = 500, []

        def start_response(
            line: str, fields: list[tuple[str, str]], exc_info: object = None
        ) -> Callable[[bytes], object]:
            nonlocal status, headers
            status = int(line[:3])
            headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields
            ]
            return lambda _: None

        parts: Iterable[bytes] = self.app.wsgi_app(environ, start_response)
        try:
            content = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        return status, headers, content

    def close(self) -> None:
        """Let running handlers finish and stop the threads."""
        if self._writes is not None:
            self._writes.stop()
        self._pool.stop()


class Background(Protocol):
    """Work in threads of its own."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, and return when it has ended."""


class ContractApp(FlaskApp):
    """`connexion.FlaskApp` on the bridge above; closes its threads and the store when it ends.

    `background` works beside it from start to end, and each request is handled inside what `within`
    makes of its scope.
    """

    def __init__(
        self,
        import_name: str,
        *,
        threads: int,
        store: Store,
        background: Background | None = None,
        within: Within | None = None,
        **options: Any,
    ) -> None:
        super().__init__(import_name, lifespan=self._lifespan, **options)
        # FlaskApp offers no way to choose its Flask side; test_bridge.py watches these.
        self.bridge = FlaskBridge(import_name, {}, threads=threads, store=store, within=within)
        self._middleware_app = self.bridge
        self.middleware.app = self.bridge
        self.app: flask.Flask = self.bridge.app
        self._store = store
        self._background = background

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        if self._background:
            self._background.start()
        yield
        self.bridge.close()
        if self._background:
            self._background.stop()
        self._store.close()


def environ_of(scope: Scope) -> Environ:
    """Return the WSGI environment (PEP 3333) of an ASGI HTTP scope whose body is read already."""
    server = scope.get("server") or ("localhost", 80)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", "").encode().decode("latin-1"),
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        CONTEXT_KEY: scope.get(CONTEXT_KEY),
        _SCOPE: scope,
        ROUTE_KEY: route_of(scope),
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
