"""Inbound routes: which collection the events of each listener change, by contract and settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.contract import Binding, Contract, Kind
from app.contract.binding.event_sources import Source
from app.events.inbound.replication import ReplicationRule
from app.tmf630.definitions import Change, ResourceDefinition

LISTENED = (Kind.LISTEN,)


def listeners_of(contract: Contract) -> Contract:
    """Return what a source has of a contract: its listeners, and nothing else."""
    bindings = tuple(each for each in contract.bindings if each.kind in LISTENED)
    kept = {each.path for each in bindings}
    paths = {path: item for path, item in contract.document["paths"].items() if path in kept}
    return replace(contract, bindings=bindings, document={**contract.document, "paths": paths})


class ReplicationRules:
    """What each listener of the served contracts and of the sources changes.

    `apply` lets the events of a contract's own resources change the copies here.
    """

    def __init__(
        self,
        contracts: Sequence[Contract],
        sources: Sequence[Contract],
        mappings: Sequence[Source],
        *,
        apply: bool,
    ) -> None:
        self._contracts = contracts
        self._sources = {each.base_path for each in sources}
        self._mappings = mappings
        self._apply = apply

    def of(self, contract: Contract, binding: Binding) -> tuple[ReplicationRule, ...]:
        """Return what the events of one listener change."""
        return tuple(self._found(contract, binding))

    def _found(self, contract: Contract, binding: Binding) -> Iterator[ReplicationRule]:
        name = binding.path.rpartition("/")[2].lower()
        for announced in contract.announced:
            for event in announced.events.values():
                if event.type.lower() != name:
                    continue
                if contract.base_path in self._sources:
                    resource = announced.definition.path.rpartition("/")[2]
                    yield from self._sourced(contract, resource, event.change, event.payload)
                if self._apply and any(each is contract for each in self._contracts):
                    yield ReplicationRule(announced.definition, event.change, event.payload)

    def _sourced(
        self, contract: Contract, resource: str, change: Change, payload: str
    ) -> Iterator[ReplicationRule]:
        """Yield what a source's event becomes; what is deleted there stays a contact here."""
        if change is Change.DELETE:
            return
        for source in self._mappings:
            if (source.api, source.resource) != (contract.name, resource):
                continue
            for definition in self._targets(source):
                yield ReplicationRule(definition, change, payload, source.local)

    def _targets(self, source: Source) -> Iterator[ResourceDefinition]:
        for contract in self._contracts:
            if (contract.name, contract.major) == (source.into_api, source.into_version):
                for announced in contract.announced:
                    if announced.definition.path.endswith(f"/{source.into_resource}"):
                        yield announced.definition
