"""Bootstrap: opens the contracts, event sources and store that the settings name.

Separate from the application, because most commands need these and no web stack.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.contract import Authentication, Contract, ContractError, open_contract
from app.contract.binding.event_sources import Source, read_sources
from app.contract.contract import open_own_api
from app.contract.document.normalise import conventional_path
from app.contract.document.overlay import Overlay, read_overlays
from app.contract.errors import Problem
from app.contract.evolution.mapping import Mapping, read_mappings
from app.contract.schema.validators import UnknownTypes
from app.events.inbound.received import RECEIVED_INDEXES, ReceivedEvents, received_events
from app.events.inbound.routes import ReplicationRules, listeners_of
from app.events.operator.operations import EventOperations
from app.events.operator.sample_event import sending
from app.events.outbound.delivery_cursors import prepare_cursors
from app.events.outbound.event_readers import event_readers
from app.events.outbound.heartbeat import prepare_heartbeats
from app.observability.log_events import LogEvent, log_event
from app.settings import OPENAPI_FOLDER, Settings
from app.tmf630.definitions import Limits, ResourceDefinition, UnknownFilters
from app.web.limits.token_bucket import BUCKETS
from storage import Index, Store, StoreLate, open_store

if TYPE_CHECKING:
    from app.events.outbound.webhook import WebhookSender

_OPENINGS = 5
"""How often a store that answers late is opened."""

_OPENING_SECONDS = 1.0


def open_contracts(settings: Settings) -> tuple[Contract, ...]:
    """Open every contract the settings name.

    Raises:
        ContractError: one cannot be served, or is to be served where another is.
    """
    return tuple(_open_all(settings, settings.spec, settings.base_path))


def open_sources(settings: Settings) -> tuple[Contract, ...]:
    """Open the contracts whose events become resources here: their listeners alone.

    Raises:
        ContractError: one cannot be served.
    """
    return tuple(map(listeners_of, _open_all(settings, settings.sources, None)))


def _open_all(
    settings: Settings, files: Sequence[Path], base_path: str | None
) -> Iterator[Contract]:
    """Open contracts, each at a base path of its own.

    Published documents copy one another's: the later one moves to where TM Forum's convention puts
    an API of its title.
    """
    opened = partial(
        open_contract,
        overlays=overlays_of(settings),
        mappings=mappings_of(settings),
        profile=settings.profile,
        root_path=settings.root_path,
        unknown_types=UnknownTypes(settings.unknown_types),
        authentication=authentication_of(settings),
    )
    taken: dict[str, Path] = {}
    for file in files:
        contract = opened(file, base_path=base_path)
        if contract.base_path in taken:
            moved = opened(file, base_path=conventional_path(contract.document))
            contract = replace(moved, moved_from=contract.base_path)
        if contract.base_path in taken:
            rule = (
                f"would be served at {contract.base_path}, as {taken[contract.base_path]} is: one"
                " server has one document of a version of an API; serve one of them, or the other"
                " by a server with a store of its own"
            )
            raise ContractError(str(file), [Problem("", rule)])
        taken[contract.base_path] = file
        yield contract


def overlays_of(settings: Settings) -> tuple[Overlay, ...]:
    """Return the overlays that come with the server, and those of the settings after them.

    Raises:
        ContractError: one is not an overlay document.
    """
    return read_overlays(OPENAPI_FOLDER / "overlays", *settings.overlays)


def mappings_of(settings: Settings) -> tuple[Mapping, ...]:
    """Return the mappings that come with the server, and those of the settings.

    Raises:
        ContractError: one is not a mapping.
    """
    return read_mappings(OPENAPI_FOLDER / "mappings", *settings.mappings)


def event_sources_of(settings: Settings) -> tuple[Source, ...]:
    """Return what the events of other APIs become: as it comes with the server, and as set.

    Raises:
        ContractError: a file does not say that.
    """
    return read_sources(OPENAPI_FOLDER / "mappings", *settings.mappings)


def authentication_of(settings: Settings) -> Authentication:
    """Return how the settings want callers to prove who they are."""
    return Authentication(settings.oidc_issuer, bool(settings.api_keys))


def open_prepared_store(
    settings: Settings, contracts: Sequence[Contract], *, make: bool = True
) -> Store:
    """Open the store with the collections and indexes the contracts need.

    One that is there and answers late is asked a few times.

    Raises:
        StoreError: it cannot be opened, or is not there and `make` is false.
    """
    for left in reversed(range(_OPENINGS)):
        store = open_store(
            settings.store,
            durability=settings.durability,
            busy_seconds=settings.busy_seconds,
            query_seconds=settings.query_seconds,
            make=make,
        )
        try:
            _prepare(store, settings, contracts)
            break
        except StoreLate as error:
            store.close()
            if not left:
                raise
            log_event(logging.WARNING, LogEvent.STORE_LATE, message=f"{error}; it is asked again")
            time.sleep(_OPENING_SECONDS)
    return store


def _prepare(store: Store, settings: Settings, contracts: Sequence[Contract]) -> None:
    for collection, indexes in collections_of(contracts).items():
        store.prepare(collection, indexes)
    prepare_cursors(store)
    prepare_heartbeats(store)
    if settings.event_log == "subscribed":
        for collection, readers in event_readers(contracts).items():
            store.log_events_for(collection, readers)
    if settings.rate_limit and settings.rate_shared:
        store.prepare(BUCKETS, ())


def open_received(
    settings: Settings, contracts: Sequence[Contract], sources: Sequence[Contract], store: Store
) -> dict[str, ReceivedEvents]:
    """Return the received events by their collection, with what each listener's events change."""
    rules = ReplicationRules(
        contracts,
        sources,
        event_sources_of(settings),
        apply=settings.listener == "apply",
    )
    listeners = [
        (binding.listener, rules.of(contract, binding))
        for contract in routed(contracts, sources)
        for binding in contract.bindings
        if binding.listener is not None
    ]
    return received_events(store, listeners)


def open_operations(
    settings: Settings, store: Store, received: Sequence[ReceivedEvents]
) -> EventOperations:
    """Return the operations of operators on the events of a store."""

    def make_sender() -> WebhookSender:
        # The HTTP client is slow to import.
        from app.events.outbound.processes import callback_policy
        from app.events.outbound.webhook import WebhookSender

        return WebhookSender(
            callback_policy(settings),
            keys=settings.webhook_keys,
            seconds=settings.delivery_timeout,
        )

    return EventOperations(store, sending(make_sender), received)


def open_admin_api(settings: Settings) -> Contract:
    """Open the document of the operator API.

    Raises:
        ContractError: it is broken.
    """
    return open_own_api(
        OPENAPI_FOLDER / "admin" / "openapi.yaml",
        overlays=read_overlays(OPENAPI_FOLDER / "overlays"),
        root_path=settings.root_path,
        authentication=authentication_of(settings),
    )


def routed(contracts: Sequence[Contract], sources: Sequence[Contract]) -> list[Contract]:
    """Return the contracts that have routes: those served, and the sources that are not served."""
    served = {contract.base_path for contract in contracts}
    return [*contracts, *(each for each in sources if each.base_path not in served)]


def collections_of(contracts: Sequence[Contract]) -> dict[str, tuple[Index, ...]]:
    """Return every collection the contracts keep, with the indexes that any of them asks for.

    Documents of versions that are not served may be stored, too: what finds a path finds it where
    these have it, and without an index there it would read every document.
    """
    found: dict[str, dict[str, Index]] = {}
    for contract in contracts:
        for binding in contract.bindings:
            if binding.definition is not None:
                wanted = found.setdefault(binding.definition.collection, {})
                for index in binding.definition.indexes:
                    elsewhere = _in_other_forms(binding.definition, index)
                    wanted.update((each.name, each) for each in (index, *elsewhere))
            elif binding.listener is not None:
                wanted = found.setdefault(binding.listener.collection, {})
                wanted.update((index.name, index) for index in RECEIVED_INDEXES)
        for announced in contract.announced:
            found.setdefault(f"{announced.definition.collection}@applied", {})
    return {collection: tuple(wanted.values()) for collection, wanted in found.items()}


def _in_other_forms(definition: ResourceDefinition, index: Index) -> Iterator[Index]:
    """Yield an index as other versions of the contract have its paths, where they differ."""
    places = [definition.forms.aliases(path) for path in index.paths]
    for number in range(max(map(len, places))):
        moved = {
            path: found[number] if number < len(found) else path
            for path, found in zip(index.paths, places, strict=True)
        }
        yield replace(
            index,
            paths=tuple(moved.values()),
            instants=frozenset(moved[path] for path in index.instants),
        )


def limits_of(settings: Settings) -> Limits:
    """Return the bounds on queries that the settings state."""
    return Limits(
        default_page=settings.default_limit,
        largest_page=settings.max_limit,
        largest_offset=settings.max_offset,
        conditions=settings.max_conditions,
        path_depth=settings.max_path_depth,
        text_length=settings.max_text,
        resource_size=8 * settings.max_body,
        patch_growth=settings.max_body,
        unknown_filters=UnknownFilters(settings.unknown_filters),
    )
