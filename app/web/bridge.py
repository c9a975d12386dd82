"""The bridge from ASGI to handlers and to Flask.

connexion's own bridge (a2wsgi) crosses threads four times per request. Here an operation's handler
is called directly with the request context that validation made; requests for pages, and those
that match nothing, run Flask once in a thread. Either way the response is sent as two ASGI
messages.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import lru_cache, partial
from typing import Any, Protocol, TypeAlias

import flask
from starlette.types import Receive, Scope, Send

from app.web.body import BodyReceiver
from app.web.connexion_parts import FlaskApp, FlaskASGIApp, PlainFlaskApi
from app.web.group_commit import GroupCommit
from app.web.limits.admission import Slots
from app.web.limits.fair_executor import FairExecutor
from app.web.operation_call import Execution, OperationCall, call_of
from handlers.request_context import TooMuchForEventLoop
from handlers.responses import Response
from storage import Store, UpdateContended

WITHIN_PAGE = "tmf.within-page"
"""Marks the scope of a request that a page makes: the page's thread waits for its answer."""

_SCOPE = "tmf.scope"

_ATTEMPTS = 5
"""Attempts to compute a change while other writes go on, before they are held back."""
_SHORT_SECONDS = 0.05
"""Seconds that other writes are held back for one attempt."""
_LOOP = "tmf.loop"
_FORM = b"application/x-www-form-urlencoded"
_LARGEST_FORM = 64 * 1024
_PAGE_THREADS = 4
_MOST_PAGES = 64
"""Requests for pages that a worker handles at once."""

Within: TypeAlias = Callable[[Scope], AbstractContextManager[None]]
Environ: TypeAlias = dict[str, Any]
Answer: TypeAlias = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body as ASGI sends them."""


def current_scope() -> Scope:
    """Return the ASGI scope of the request that Flask is handling."""
    scope: Scope = flask.request.environ[_SCOPE]
    return scope


def current_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that runs the server, for a view that calls it from its thread."""
    loop: asyncio.AbstractEventLoop = flask.request.environ[_LOOP]
    return loop


def run_operation(**_path: str) -> Response:
    """Run the operation that was routed and validated: the Flask view of every operation.

    The bridge calls handlers directly; this view serves requests that are dispatched through Flask.
    """
    call = call_of(current_scope())
    if call is None:
        flask.abort(404)
    return call.run()


class FlaskBridge(FlaskASGIApp):
    """Handlers and Flask as an ASGI application, at the end of connexion's middleware.

    With a store that reads without waiting for I/O, reads by key run in the event loop, since a
    thread would cost more than they do, and so do writes, which share a commit: `open` names the
    store. `within` makes the context that a request is handled in, for traces. `slots` bounds the
    requests that are handled at once.
    """

    def __init__(
        self,
        import_name: str,
        server_args: dict[str, Any],
        *,
        threads: int,
        slots: Slots,
        client_of: Callable[[Scope], str],
        within: Within | None,
    ) -> None:
        super().__init__(import_name, server_args)
        self._within = within
        self._slots = slots
        self._client_of = client_of
        self._in_event_loop = False
        self._pool = FairExecutor(threads)
        # Pages wait for operations, which need threads and slots themselves.
        self._page_slots = Slots(_MOST_PAGES)
        self._page_pool = FairExecutor(_PAGE_THREADS)
        self._forms = BodyReceiver(_LARGEST_FORM)
        self._writes: GroupCommit | None = None

    def open(self, store: Store) -> None:
        """Run handlers as their store allows, before the first request."""
        self._in_event_loop = store.reads_without_io_wait
        group = store.group()
        self._writes = GroupCommit(group) if group is not None else None

    def add_api(
        self, specification: Any, *, name: str | None = None, **kwargs: Any
    ) -> PlainFlaskApi:
        """Register one API's operations as a Flask blueprint."""
        api = PlainFlaskApi(specification, **kwargs)
        self.app.register_blueprint(api.blueprint, name=name or api.blueprint.name)
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            Overloaded: as many requests as the worker or the client may have are being handled.
        """
        if scope["type"] != "http":
            return
        call, client = call_of(scope), self._client_of(scope)
        if call is None:
            form = await self._form(scope, receive)
            run = partial(self._run_flask, form, asyncio.get_running_loop())
            pool = self._pool if scope.get(WITHIN_PAGE) else self._page_pool
            self._page_slots.take(client)
            try:
                answer = await pool.run(run, scope, client)
            finally:
                self._page_slots.give_back(client)
        else:
            self._slots.take(client)
            try:
                answer = await self._run_call(call, scope, client)
            finally:
                self._slots.give_back(client)
        status, headers, content = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else content
        await send({"type": "http.response.body", "body": body})

    async def _run_call(self, call: OperationCall, scope: Scope, client: str) -> Answer:
        run = self._run if self._within is None else partial(self._run_within, scope)
        execution = call.execution if self._in_event_loop else Execution.POOL
        if execution is Execution.EVENT_LOOP:
            try:
                return run(call)
            except TooMuchForEventLoop:
                pass
        elif execution is not Execution.POOL and self._writes is not None:
            if execution is Execution.CHANGE:
                return await self._change(self._writes, run, call, client)
            try:
                return await self._writes.run(run, call, long=execution is Execution.LONG_WRITE)
            except TooMuchForEventLoop:
                return await self._change(self._writes, run, call, client)
        return await self._pool.run(run, call.in_thread(), client)

    async def _change(
        self,
        writes: GroupCommit,
        run: Callable[[OperationCall], Answer],
        call: OperationCall,
        client: str,
    ) -> Answer:
        """Run a call that computes a document from the present one, and then writes it.

        Other writes go on meanwhile, and may come first. A short computation is then done while
        they wait, one that takes long is given up.
        """

        def attempt(call: OperationCall) -> Answer | None:
            begun = time.monotonic()
            try:
                return run(call)
            except UpdateContended:
                if time.monotonic() - begun > _ATTEMPTS * _SHORT_SECONDS:
                    raise
                return None

        answer = await self._pool.run(attempt, call.tried(_ATTEMPTS), client)
        if answer is not None:
            return answer
        return await writes.run(run, call.in_thread(), long=True)

    @staticmethod
    def _run(call: OperationCall) -> Answer:
        response = call.run()
        headers = [
            (_field_name(name), value.encode("latin-1")) for name, value in response.headers.items()
        ]
        return response.status, headers, response.content

    def _run_within(self, scope: Scope, call: OperationCall) -> Answer:
        assert self._within is not None  # noqa: S101 - narrows the type
        with self._within(scope):
            return self._run(call)

    async def _form(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body of a form; others are nothing that a page could read."""
        headers = dict(scope["headers"])
        if not headers.get(b"content-type", b"").lower().startswith(_FORM):
            return b""
        length = headers.get(b"content-length")
        return await self._forms.receive(receive, None if length is None else int(length))

    def _run_flask(self, form: bytes, loop: asyncio.AbstractEventLoop, scope: Scope) -> Answer:
        """Run Flask on a request; exceptions pass through."""
        status, headers = 500, []
        environ = environ_of(scope) | {
            "wsgi.input": io.BytesIO(form),
            "CONTENT_LENGTH": str(len(form)),
            _LOOP: loop,
        }

        def start_response(
            line: str, fields: list[tuple[str, str]], exc_info: object = None
        ) -> Callable[[bytes], object]:
            nonlocal status, headers
            status = int(line[:3])
            headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields
            ]
            return lambda _: None

        with nullcontext() if self._within is None else self._within(scope):
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
        self._page_pool.stop()


@lru_cache(maxsize=64)
def _field_name(name: str) -> bytes:
    """Return the name of a header that handlers set, as ASGI has it."""
    return name.lower().encode("latin-1")


class Background(Protocol):
    """Work in threads of its own."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, and return when it has ended."""


class ContractApp(FlaskApp):
    """`connexion.FlaskApp` on the bridge above; closes its threads and the store when it ends.

    Until `open` it has no threads, files or connections, so that it can be shared with processes
    that are forked from this one.
    """

    def __init__(
        self,
        import_name: str,
        *,
        bridge: FlaskBridge,
        store: Store,
        **options: Any,
    ) -> None:
        super().__init__(import_name, lifespan=self._lifespan, **options)
        # FlaskApp offers no way to choose its Flask side.
        self.bridge = bridge
        self._middleware_app = bridge
        self.middleware.app = bridge
        self.app: flask.Flask = bridge.app
        self._store = store
        self._background: tuple[Background, ...] = ()

    def build(self) -> None:
        """Build the middleware, to which no API can be added any more, before the first request."""
        middleware = self.middleware
        middleware.app, middleware.middleware_stack = middleware._build_middleware_stack()

    def open(self, background: Iterable[Background]) -> None:
        """Begin to use the store, which is open now; each of `background` works beside it."""
        self.bridge.open(self._store)
        self._background = tuple(background)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        for each in self._background:
            each.start()
        yield
        self.bridge.close()
        for each in reversed(self._background):
            each.stop()
        self._store.close()


def environ_of(scope: Scope) -> Environ:
    """Return the WSGI environment (PEP 3333) of an ASGI HTTP scope, without a body."""
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
        _SCOPE: scope,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
