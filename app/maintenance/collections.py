"""The collections that a contract's resources may lie in, and walking through them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.contract import Contract, Kind
from app.tmf630.definitions import ResourceDefinition
from storage import Document, Query, Store, Window, every

_MAJORS = range(1, 10)
_VERSIONED = re.compile(r"(?P<api>[^/]+)/v(?P<major>\d+)/(?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Source:
    """A collection that holds documents of a resource, perhaps of another version of its API."""

    definition: ResourceDefinition
    collection: str

    @property
    def foreign(self) -> bool:
        """Whether the contract itself keeps its documents elsewhere."""
        return self.collection != self.definition.collection

    def documents(self, store: Store) -> Iterator[Document]:
        """Return every document, the newest first, however many there are."""
        return every(store, self.collection)

    def count(self, store: Store) -> int:
        """Return how many documents there are."""
        return store.find(self.collection, Query(window=Window(0, 0))).total or 0


def sources_of(contract: Contract) -> tuple[Source, ...]:
    """Return where documents of the contract's resources may be, its own collections first.

    Without a mapping the major versions of an API keep their documents apart; those of the other
    versions are sources too.
    """
    found: dict[str, Source] = {}
    for binding in contract.bindings:
        definition = binding.definition
        if definition is None or binding.kind in (Kind.SUBSCRIBE, Kind.UNSUBSCRIBE):
            continue
        if binding.kind is Kind.SUBSCRIPTION or definition.parents:
            continue
        own = definition.collection
        found.setdefault(own, Source(definition, own))
        versioned = _VERSIONED.fullmatch(own)
        if versioned is not None:
            for major in _MAJORS:
                other = f"{versioned['api']}/v{major}/{versioned['name']}"
                found.setdefault(other, Source(definition, other))
    return tuple(found.values())


def plain(definition: ResourceDefinition, document: Document, source: Source) -> Document:
    """Return a document of another version's collection as if it were the contract's own.

    Where no mapping leads from one version to the other, attributes stay as they are.
    """
    return replace(document, form=definition.forms.name) if source.foreign else document
