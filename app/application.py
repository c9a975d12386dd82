"""The application: contracts, handlers and store put together on connexion and Flask."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from connexion.resolver import Resolver
from starlette.types import ASGIApp

from app.bootstrap import (
    collections_of,
    limits_of,
    open_contracts,
    open_prepared_store,
    open_sources,
)
from app.contract import Binding, Contract, Kind
from app.contract.binding.event_sources import read_sources
from app.contract.binding.security import scopes_of
from app.events.inbound.replication import ReplicationRule
from app.events.inbound.routes import ReplicationRules
from app.events.outbound.delivery_cursors import open_cursor
from app.events.outbound.processes import DeliveryThread, callback_policy, delivery_worker
from app.events.outbound.subscriptions import cursor_name
from app.identity.security import authenticators_of
from app.observability.metrics import Metrics
from app.observability.missing_indexes import Missing
from app.observability.observed_store import ObservedStore
from app.observability.traces import open_tracing
from app.pages import entry_points
from app.settings import OPENAPI_FOLDER, Settings, read_settings
from app.tmf630 import row_access
from app.tmf630.definitions import ResourceDefinition
from app.tmf630.paging import Cursors
from app.web.bridge import ContractApp, current_context, current_scope
from app.web.middleware import Means, middleware_of
from app.web.public_url import PublicUrl
from app.web.routing import routes_of
from handlers.handler_context import HandlerContext
from handlers.hub import HubHandlers
from handlers.listener import ListenerHandlers
from handlers.not_implemented import NotImplementedHandler
from handlers.request_context import RequestContext
from handlers.resources import ResourceHandlers
from storage import Store

Handler: TypeAlias = Callable[..., Any]


def create_app(
    settings: Settings | None = None,
    *,
    contracts: Sequence[Contract] | None = None,
    sources: Sequence[Contract] | None = None,
    store: Store | None = None,
) -> ASGIApp:
    """Make the ASGI application; without arguments, from the environment's settings.

    The application closes the store when its lifespan ends.
    """
    settings = settings or read_settings()
    contracts = contracts or open_contracts(settings)
    sources = open_sources(settings) if sources is None else sources
    store = store or open_prepared_store(settings, [*contracts, *sources])
    tracing, metrics = open_tracing(), Metrics()
    store = ObservedStore(store, metrics, tracing.store_span if tracing else None)
    served = {contract.base_path for contract in contracts}
    routed = [*contracts, *(each for each in sources if each.base_path not in served)]
    delivery = None
    if settings.delivery == "server" and store.single_process:
        worker = delivery_worker(
            settings, contracts, store, limits_of(settings), metrics=metrics, tracing=tracing
        )
        delivery = DeliveryThread(worker)
    authenticators = authenticators_of(settings, scopes_of(routed[0].document))
    means = Means(
        contracts=routed,
        store=store,
        authenticators=authenticators,
        metrics=metrics,
        missing=Missing(store, collections_of(routed)).count,
        tracing=tracing,
    )
    app = ContractApp(
        "app",
        threads=settings.threads,
        store=store,
        background=delivery,
        within=tracing.within if tracing else None,
        middlewares=middleware_of(settings, means),
    )
    public_url = PublicUrl(settings.public_url, trust_forwarded=settings.trust_forwarded)
    context = HandlerContext(
        store=store,
        limits=limits_of(settings),
        cursors=Cursors(settings.cursor_key or secrets.token_hex(16)),
        require_if_match=settings.require_if_match,
        return_duplicates=settings.hub_duplicate == "return",
        check_callback=callback_policy(settings).check,
        begin_delivery=partial(_begin_delivery, store),
    )
    known = frozenset(collections_of(contracts))
    replications = ReplicationRules(
        contracts,
        sources,
        read_sources(OPENAPI_FOLDER / "mappings"),
        apply=settings.listener == "apply",
    )
    for contract in routed:
        bindings = {binding.operation_id: binding for binding in contract.bindings}
        views = {
            name: _view(binding, context, known, replications.of(contract, binding))
            for name, binding in bindings.items()
        }
        app.add_api(
            routes_of(contract.document),
            base_path=contract.base_path,
            resolver=Resolver(views.__getitem__),
            bindings=bindings,
            max_body=settings.max_body,
            public_url=public_url,
            security_map=authenticators.security_map(),
        )
    app.app.register_blueprint(
        entry_points.blueprint(routed, settings.root_path, lambda: public_url.of(current_scope()))
    )
    return app


def _begin_delivery(store: Store, hub: ResourceDefinition, id: str) -> None:
    open_cursor(store, cursor_name(hub, id), store.last_event())


def _view(
    binding: Binding,
    context: HandlerContext,
    known: frozenset[str],
    replications: Sequence[ReplicationRule],
) -> Callable[..., Any]:
    """Return the function that Flask calls for an operation, with the path's parameters.

    Parameters are passed by position, since contracts choose their names.
    """
    handler = _handler(binding, context, known, replications)

    def view(**path: str) -> Any:
        return handler(current_context(), *path.values())

    return view


def _handler(
    binding: Binding,
    context: HandlerContext,
    known: frozenset[str],
    replications: Sequence[ReplicationRule],
) -> Handler:
    """Return the handler of an operation; it takes a request and the path's parameters."""
    if binding.listener is not None:
        return ListenerHandlers(binding.listener, context, replications).receive
    definition = binding.definition
    if definition is None:
        return NotImplementedHandler(binding.unserved or "no handler fits").refuse
    if not definition.parents:
        return _resource_handler(binding.kind, definition, context)

    def nested(request: RequestContext, *path: str) -> Any:
        parents, rest = path[: len(definition.parents)], path[len(definition.parents) :]
        inside = definition.inside(parents)
        row_access.condition(inside, request.parties)  # before anything of the parents is revealed
        if definition.within is not None and definition.within in known:
            context.store.get(definition.within, "/".join(parents))
        return _resource_handler(binding.kind, inside, context)(request, *rest)

    return nested


def _resource_handler(
    kind: Kind, definition: ResourceDefinition, context: HandlerContext
) -> Handler:
    """Return the handler of a kind of operation; it takes a request, and an id of a member."""
    hub = HubHandlers(definition, context)
    resources = ResourceHandlers(definition, context)
    handlers: dict[Kind, Handler] = {
        Kind.SUBSCRIBE: hub.register,
        Kind.SUBSCRIPTION: hub.retrieve,
        Kind.SUBSCRIPTIONS: hub.list,
        Kind.UNSUBSCRIBE: hub.unregister,
        Kind.LIST: resources.list,
        Kind.CREATE: resources.create,
        Kind.RETRIEVE: resources.retrieve,
        Kind.PATCH: resources.patch,
        Kind.REPLACE: resources.replace,
        Kind.DELETE: resources.delete,
    }
    return handlers[kind]
