"""Seed: fill a store with resources, by the rules that hold for clients who create them.

They are validated by the schema of the request and as whole resources, and completed as the server
completes what clients send. They cause no events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from app.contract import Binding, Contract, Kind
from app.contract.document.load import Json
from app.contract.document.normalise import api_name
from app.maintenance.history import History
from app.maintenance.new_resource import NewResource
from app.tmf630 import lifecycle
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.errors import InvalidResource
from app.tmf630.representation import encode
from storage import Document, Store

_BATCH = 500
_JSON = "application/json"


class SeedError(Exception):
    """There is nothing to fill the store with; the message says what there would be."""


@dataclass(frozen=True, slots=True)
class Target:
    """A collection in which clients create resources."""

    contract: Contract
    binding: Binding
    definition: ResourceDefinition

    @property
    def name(self) -> str:
        """The resource's name in the contract's paths."""
        return self.path.strip("/")

    @property
    def path(self) -> str:
        """The collection's path in the document."""
        return self.binding.path

    @property
    def document(self) -> Json:
        """The contract's effective document."""
        return self.contract.document

    def violations(self, body: Resource) -> list[str]:
        """Return the rules that a body breaks; none when it would be accepted."""
        validator = self.binding.bodies[_JSON]
        sent = [body] if self.binding.several else body
        if not validator.accepts(sent):
            return [str(each) for each in validator.violations(sent)]
        try:
            self.definition.check(lifecycle.created(self.definition, body))
        except InvalidResource as error:
            return list(error.rules)
        return []


@dataclass(slots=True)
class Seeded:
    """How many resources were added, and how many were there already."""

    added: int = 0
    already: int = 0


def targets_of(contracts: Sequence[Contract]) -> tuple[Target, ...]:
    """Return the collections of the contracts that clients create resources in.

    Those within other resources are left out.
    """
    return tuple(
        Target(contract, binding, binding.definition)
        for contract in contracts
        for binding in contract.bindings
        if binding.kind is Kind.CREATE
        and binding.definition is not None
        and not binding.definition.parents
        and _JSON in binding.bodies
    )


def named(targets: Sequence[Target], name: str) -> Target:
    """Return the collection of a resource.

    Raises:
        SeedError: there is none of this name.
    """
    for target in targets:
        if target.name == name:
            return target
    names = ", ".join(sorted({target.name for target in targets})) or "none"
    raise SeedError(f"{name} is no resource that can be created; there are: {names}")


def with_history(targets: Sequence[Target], histories: Sequence[History]) -> tuple[Target, History]:
    """Return the first collection that a history is about, of the history's version if served.

    Raises:
        SeedError: none is.
    """
    for history in histories:
        into = history.into
        about = [
            target
            for target in targets
            if (api_name(target.document), target.name) == (into.api, into.resource)
            and (
                target.definition.forms.name == into.version
                or target.definition.collection == f"{into.api}/{into.resource}"
            )
        ]
        about.sort(key=lambda target: target.definition.forms.name != into.version)
        if about:
            return about[0], history
    names = ", ".join(sorted({target.name for target in targets})) or "none"
    raise SeedError(f"no history is about these contracts; choose a --resource: {names}")


def in_version(
    target: Target, version: str, resources: Iterable[NewResource]
) -> Iterable[NewResource]:
    """Yield resources, written in a version of the API, as the collection's contract has them."""
    for each in resources:
        body = target.definition.forms.read({"id": each.id, **each.body}, version)
        body.pop("id")
        yield NewResource(each.id, each.time, body)


def seed(
    target: Target,
    store: Store,
    resources: Iterable[NewResource],
    progress: Callable[[], object] = lambda: None,
) -> Seeded:
    """Create resources, in batches; one whose id is taken is left as it is.

    Raises:
        SeedError: the contract refuses one.
        StoreError: the store cannot keep them.
    """
    found = Seeded()
    left = iter(resources)
    while batch := list(islice(left, _BATCH)):
        added = store.insert_many(
            target.definition.collection, [_document(target, each) for each in batch]
        )
        found.added += sum(added)
        found.already += len(added) - sum(added)
        for _ in batch:
            progress()
    return found


def _document(target: Target, new: NewResource) -> Document:
    """Return the document of a new resource."""
    definition = target.definition
    broken = target.violations(new.body)
    if broken:
        raise SeedError(f"{target.name} {new.id} breaks its contract: {'; '.join(broken)}")
    resource = lifecycle.created(definition, new.body, id=new.id, time=new.time)
    id, content = definition.key(resource["id"]), encode(definition, resource)
    return Document(id, 1, content, definition.forms.name)
