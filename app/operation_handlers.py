"""Operation handlers: the handler of each operation of a contract."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.contract import Binding, Kind
from app.events.inbound.received import ReceivedEvents
from app.tmf630 import row_access
from app.tmf630.definitions import ResourceDefinition
from app.web.operation_call import Handler
from handlers.embedded import embedded_documents
from handlers.handler_context import HandlerContext
from handlers.hub import HubHandlers
from handlers.listener import ListenerHandlers
from handlers.not_implemented import NotImplementedHandler
from handlers.request_context import RequestContext
from handlers.resources import ResourceHandlers
from handlers.responses import Response


def handler_of(
    binding: Binding,
    context: HandlerContext,
    collections: Collection[str],
    received: Mapping[str, ReceivedEvents],
) -> Handler:
    """Return the handler of an operation.

    `collections` are those that are served here, so that a nested resource can be refused where its
    parent does not exist. `received` are the received events by their collection.
    """
    if binding.listener is not None:
        return ListenerHandlers(binding.listener, received[binding.listener.collection]).receive
    definition = binding.definition
    if definition is None:
        return NotImplementedHandler(binding.unserved or "no handler fits").refuse
    if not definition.parents:
        return _resource_handler(binding.kind, definition, context)

    def nested(request: RequestContext, *path: str) -> Response:
        parents, rest = path[: len(definition.parents)], path[len(definition.parents) :]
        inside = definition.inside(parents)
        if definition.embedded_in is not None:
            inner = replace(
                context, store=embedded_documents(definition, parents, request, context)
            )
            return _resource_handler(binding.kind, inside, inner)(request.unbound(), *rest)
        row_access.condition(inside, request.parties)  # before anything of the parents is revealed
        if definition.within is not None and definition.within in collections:
            context.store.get(definition.within, "/".join(parents))
        return _resource_handler(binding.kind, inside, context)(request, *rest)

    return nested


def _resource_handler(
    kind: Kind, definition: ResourceDefinition, context: HandlerContext
) -> Handler:
    """Return the handler of an operation kind for one resource definition."""
    hub = HubHandlers(definition, context)
    resources = ResourceHandlers(definition, context)
    handlers: Mapping[Kind, Handler] = {
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
