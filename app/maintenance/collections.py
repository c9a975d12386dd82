"""The collections that may hold the resources of a contract, and iteration over them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from app.contract import Contract, Kind
from app.contract.binding.resource_definitions import resource_name
from app.contract.document.normalise import name_from_title
from app.tmf630.definitions import ResourceDefinition
from storage import Document, Query, Store, Window, every

_NOT_RESOURCES = ("hub", "listener")
_MAJORS = range(1, 10)
_LAST_WORDS = ("Management", "API", "Api")
_API = re.compile(r"^a(pi|PI)(?=[A-Z])")
_VERSIONED = re.compile(r"(?P<api>[^/]+)/v(?P<major>\d+)/(?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Source:
    """A collection that holds documents of a resource, perhaps of another version of its API."""

    definition: ResourceDefinition
    collection: str

    @property
    def foreign(self) -> bool:
        """Whether the contract itself stores its documents in another collection."""
        return self.collection != self.definition.collection

    def documents(self, store: Store) -> Iterator[Document]:
        """Yield every document, the newest first, page by page."""
        return every(store, self.collection)

    def count(self, store: Store) -> int:
        """Return how many documents there are."""
        return store.find(self.collection, Query(window=Window(0, 0))).total or 0


def sources_of(contract: Contract, other_names: Sequence[str] = ()) -> tuple[Source, ...]:
    """Return the collections that may hold the contract's resources, its own first.

    Without a mapping, each major version of an API has a collection of its own; those of the other
    versions are sources too, and so are those that were filled before there was a mapping. Between
    versions TM Forum renames APIs by a last word, `party` to `partyManagement`, or to the title.
    `other_names` are names of the API that do not follow from these.
    """
    found: dict[str, Source] = {}
    titled = _API.sub("", name_from_title(contract.document))
    titled = titled[:1].lower() + titled[1:]
    for binding in contract.bindings:
        definition = binding.definition
        if definition is None or binding.kind in (Kind.SUBSCRIBE, Kind.UNSUBSCRIBE):
            continue
        if binding.kind in (Kind.SUBSCRIPTION, Kind.SUBSCRIPTIONS):
            continue
        own = definition.collection
        found.setdefault(own, Source(definition, own))
        versioned = _VERSIONED.fullmatch(own)
        name = versioned["name"] if versioned else own.partition("/")[2]
        apis = {
            *_names(contract.name),
            *_names(own.partition("/")[0]),
            *_names(titled),
            *other_names,
        }
        path = definition.path.removeprefix(contract.base_path)
        names = dict.fromkeys((name, resource_name(path)))
        for api, major, called in product(sorted(apis), _MAJORS, names):
            other = f"{api}/v{major}/{called}"
            found.setdefault(other, Source(definition, other))
    # Resources that are within others come after those.
    return tuple(sorted(found.values(), key=lambda each: len(each.definition.parents)))


def stored_resources(store: Store) -> tuple[str, ...]:
    """Return the collections of resources, of whichever API, that hold documents."""
    return tuple(
        name
        for name in sorted(store.collections())
        if "/" in name and "@" not in name and name.rpartition("/")[2] not in _NOT_RESOURCES
    )


def _names(api: str) -> tuple[str, ...]:
    """Return what an API may be called in its versions, its own name first.

    Some documents begin the name in their path with a capital letter.
    """
    stem = api
    for word in _LAST_WORDS:
        stem = stem.removesuffix(word)
    names = [api, stem, *(f"{stem}{word}" for word in _LAST_WORDS)]
    return tuple(dict.fromkeys([*names, *(each[:1].swapcase() + each[1:] for each in names)]))


def plain(definition: ResourceDefinition, document: Document, source: Source) -> Document:
    """Return a document of another version's collection as if it were the contract's own.

    Without a mapping between the versions, attributes stay as they are.
    """
    mapped = _VERSIONED.fullmatch(definition.collection) is None
    if not source.foreign or mapped:
        return document
    return document._replace(form=definition.forms.name)
