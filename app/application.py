"""The application: contracts, handlers and store put together on connexion and Flask."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from app.bootstrap import (
    collections_of,
    limits_of,
    open_admin_api,
    open_contracts,
    open_operations,
    open_prepared_store,
    open_received,
    open_sources,
    routed,
)
from app.contract import Binding, Contract
from app.contract.binding.security import scopes_of
from app.events.inbound.received import ReceivedEvents
from app.events.outbound.delivery_cursors import open_cursor
from app.events.outbound.processes import DeliveryThread, callback_policy, delivery_worker
from app.events.outbound.subscriptions import cursor_name
from app.observability.access_log import AccessLog
from app.observability.logs import wants_json
from app.observability.metrics import Metrics
from app.observability.missing_indexes import MissingIndexes
from app.observability.observed_store import ObservedStore
from app.observability.traces import open_tracing
from app.operation_handlers import handler_of
from app.pages import entry_points
from app.pages.assembly import open_pages
from app.settings import Settings, read_settings
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.paging import Cursors
from app.web.bridge import Background, ContractApp, FlaskBridge, current_scope, run_operation
from app.web.connexion_parts import Resolver
from app.web.health import Health
from app.web.limits.admission import Slots
from app.web.limits.client import ClientNames
from app.web.middleware import MiddlewareResources, middleware_of
from app.web.operation_call import Handler
from app.web.public_url import PublicUrl
from app.web.routing import routes_of
from app.web.security import Authenticators, authenticators_of
from app.web.server_status import RunningServer
from handlers.admin import AdminHandlers
from handlers.handler_context import HandlerContext
from storage import Store

if TYPE_CHECKING:
    from app.observability.tracing import Tracing


@dataclass(frozen=True, slots=True)
class PreparedApp:
    """An application that lacks its store, and so threads, files and connections.

    Processes that are forked from this one share its memory; each opens it once.
    """

    app: ContractApp
    store: ObservedStore
    metrics: Metrics
    access_log: AccessLog | None
    health: Health
    delivery: Callable[[], Background] | None
    """Makes the delivery of events in a thread; None where the settings want none."""

    def open(self, store: Store, *, deliver: bool | None = None) -> ASGIApp:
        """Return the application on a store, which it closes when its lifespan ends.

        `deliver` is that of `create_app`.
        """
        self.store.observe(store)
        background: list[Background] = [self.metrics]
        if self.access_log is not None:
            background.append(self.access_log)
        if self.delivery and (store.single_process if deliver is None else deliver):
            background.append(self.delivery())
        if not store.reads_without_io_wait:
            background.append(self.health)
        self.app.open(background)
        return self.app


def create_app(
    settings: Settings | None = None,
    *,
    contracts: Sequence[Contract] | None = None,
    sources: Sequence[Contract] | None = None,
    store: Store | None = None,
    deliver: bool | None = None,
) -> ASGIApp:
    """Make the ASGI application; without arguments, from the environment's settings.

    `deliver` says whether the application delivers events itself, in a thread; by default only
    where no other process can, since the store belongs to this one. The application closes the
    store when its lifespan ends.
    """
    settings = settings or read_settings()
    contracts = contracts or open_contracts(settings)
    sources = open_sources(settings) if sources is None else sources
    prepared = prepare_app(settings, contracts, sources)
    store = store or open_prepared_store(settings, [*contracts, *sources])
    return prepared.open(store, deliver=deliver)


def prepare_app(
    settings: Settings, contracts: Sequence[Contract], sources: Sequence[Contract]
) -> PreparedApp:
    """Put the application together without a store."""
    tracing, metrics = open_tracing(), Metrics()
    store = ObservedStore(
        None,
        metrics,
        tracing.store_span if tracing else None,
        slow_seconds=settings.slow_query_seconds,
    )
    access_log = AccessLog(json=wants_json(settings)) if settings.access_log else None
    delivery = None
    if settings.delivery == "server":
        delivery = partial(_delivery, settings, contracts, store, metrics, tracing)

    with_routes = routed(contracts, sources)
    admin = open_admin_api(settings)
    authenticators = authenticators_of(settings, scopes_of(with_routes[0].document))
    clients = ClientNames(forwarded=settings.trust_forwarded)
    public_url = PublicUrl(settings.public_url, trust_forwarded=settings.trust_forwarded)
    key = settings.cursor_key or secrets.token_hex(16)
    pages = None
    if settings.pages == "on":
        pages = open_pages(settings, contracts, authenticators, public_url, key, api=lambda: app)
    collections = collections_of(with_routes)
    health = Health(
        store,
        metrics,
        MissingIndexes(store, collections),
        most_pending=settings.ready_backlog,
        delivers=settings.delivery == "server",
    )
    resources = MiddlewareResources(
        contracts=[*with_routes, admin],
        store=store,
        authenticators=authenticators,
        metrics=metrics,
        health=health,
        clients=clients,
        access_log=access_log,
        tracing=tracing,
        error_page=pages.error_page if pages else None,
    )
    bridge = FlaskBridge(
        "app",
        {},
        threads=settings.threads,
        slots=Slots(settings.max_concurrent),
        client_of=clients.of,
        within=tracing.within if tracing else None,
    )
    app = ContractApp(
        "app",
        bridge=bridge,
        store=store,
        middlewares=middleware_of(settings, resources),
    )
    received = open_received(settings, contracts, sources, store)
    operations = open_operations(settings, store, list(received.values()))
    status = RunningServer(settings, with_routes, store, health, collections)
    administer = AdminHandlers(operations, status, limits_of(settings), admin.base_path).by_name()
    handler_for = _handlers(settings, contracts, received, store, key)
    apis: list[tuple[Contract, Mapping[str, Handler]]] = [
        (each, {binding.operation_id: handler_for(binding) for binding in each.bindings})
        for each in with_routes
    ]
    _add_apis(app, [*apis, (admin, administer)], settings, authenticators, public_url)
    listing = entry_points.blueprint(
        with_routes,
        settings.root_path,
        lambda: public_url.of(current_scope()),
        pages.home if pages else None,
        unlisted=[admin],
    )
    for blueprint in (listing, *(pages.blueprints if pages else ())):
        app.app.register_blueprint(blueprint)
    app.build()
    return PreparedApp(app, store, metrics, access_log, health, delivery)


def _delivery(
    settings: Settings,
    contracts: Sequence[Contract],
    store: Store,
    metrics: Metrics,
    tracing: Tracing | None,
) -> DeliveryThread:
    """Return the delivery of events in a thread of this process."""
    worker = partial(
        delivery_worker,
        settings,
        contracts,
        store,
        limits_of(settings),
        metrics=metrics,
        tracing=tracing,
    )
    return DeliveryThread(lambda restarts: worker(restarts=restarts), settings.delivery_timeout)


def _add_apis(
    app: ContractApp,
    apis: Sequence[tuple[Contract, Mapping[str, Handler]]],
    settings: Settings,
    authenticators: Authenticators,
    public_url: PublicUrl,
) -> None:
    """Add the routes of contracts; the handlers of each are keyed by operation id."""
    for contract, handlers in apis:
        app.add_api(
            routes_of(contract.document),
            base_path=contract.base_path,
            resolver=Resolver(lambda _: run_operation),
            bindings={binding.operation_id: binding for binding in contract.bindings},
            handlers=handlers,
            max_body=settings.max_body,
            public_url=public_url,
            security_map=authenticators.security_map(),
        )


def _handlers(
    settings: Settings,
    contracts: Sequence[Contract],
    received: Mapping[str, ReceivedEvents],
    store: Store,
    key: str,
) -> Callable[[Binding], Handler]:
    """Return a function that returns the handler of a contract's operation."""
    context = HandlerContext(
        store=store,
        limits=limits_of(settings),
        cursors=Cursors(key),
        require_if_match=settings.require_if_match,
        return_duplicates=settings.hub_duplicate == "return",
        check_callback=callback_policy(settings).check,
        begin_delivery=partial(_begin_delivery, store),
    )
    collections = frozenset(collections_of(contracts))
    return lambda binding: handler_of(binding, context, collections, received)


def _begin_delivery(store: Store, hub: ResourceDefinition, id: str) -> None:
    open_cursor(store, cursor_name(hub, id), store.last_event())
