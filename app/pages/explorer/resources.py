"""The resources that can be explored, where their pages are, and what their tables show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.contract import Contract, Kind
from app.pages.api import Api
from app.tmf630.definitions import ResourceDefinition
from storage import Path

_COLUMNS = 7
_FIRST: tuple[Path, ...] = (("name",), ("id",))
_MOST_REFERENCES = 60


@dataclass(frozen=True, slots=True)
class Explored:
    """A resource: its page is `/explore/{api}/{name}`. `columns` are its indexed attributes."""

    api: str
    name: str
    title: str
    version: str
    definition: ResourceDefinition
    columns: tuple[str, ...]
    readable: bool

    @property
    def page(self) -> str:
        """The path of its page."""
        return f"/explore/{self.api}/{self.name}"

    def member(self, id: str) -> str:
        """Return the path of the page of one resource."""
        return f"{self.page}/{quote(id, safe='')}"


class Resources:
    """Every resource with a list, of every contract."""

    def __init__(self, contracts: Sequence[Contract]) -> None:
        self._all = [each for contract in contracts for each in _explored(contract)]
        self._by_page = {(each.api, each.name): each for each in self._all}
        self._newest = {each.api.partition(".")[0]: each.api for each in self._all}

    def __iter__(self) -> Iterator[Explored]:
        """Iterate in the order in which they are served."""
        return iter(self._all)

    def find(self, api: str, name: str) -> Explored | None:
        """Return the resource of a page; an API without a version is the last one served."""
        return self._by_page.get((self._newest.get(api, api), name))

    def at(self, path: str) -> tuple[Explored, str] | None:
        """Return the resource that a path of the API leads to, and the id in it."""
        collection, _, id = path.rstrip("/").rpartition("/")
        for each in self._all:
            if id and collection == each.definition.path and each.readable:
                return each, id
        return None

    def page_of(self, path: str) -> str:
        """Return the page of the resource at a path of the API, "" where there is none."""
        found = self.at(path)
        return found[0].member(found[1]) if found else ""

    def of_type(self, type: str) -> Explored | None:
        """Return the resource whose `@type` this is."""
        found = [each for each in self._all if each.definition.type == type and each.readable]
        return found[-1] if found else None


def _explored(contract: Contract) -> Iterator[Explored]:
    readable = {
        each.definition.path
        for each in contract.bindings
        if each.kind is Kind.RETRIEVE and each.definition
    }
    for binding in contract.bindings:
        definition = binding.definition
        if binding.kind is Kind.LIST and definition is not None and not definition.parents:
            yield Explored(
                api=f"{contract.name}.v{contract.major}",
                name=binding.path.strip("/").replace("/", "."),
                title=contract.title,
                version=contract.version,
                definition=definition,
                columns=_columns(definition),
                readable=definition.path in readable,
            )


def _columns(definition: ResourceDefinition) -> tuple[str, ...]:
    """Return what a table shows: a name, the id, indexed attributes, dates last."""
    first = [path for path in _FIRST if definition.attributes.knows(path)]
    indexed = [path for index in definition.indexes for path in index.paths]
    indexed.sort(key=definition.attributes.is_instant)
    return tuple(".".join(path) for path in dict.fromkeys([*first, *indexed]))[:_COLUMNS]


def values_at(resource: Any, dotted: str) -> list[Any]:
    """Return the values of an attribute, of every element where the way leads through arrays."""
    values = [resource]
    for name in dotted.split("."):
        inner = [each.get(name) for each in values if isinstance(each, dict)]
        values = [
            value
            for each in inner
            for value in (each if isinstance(each, list) else [each])
            if value is not None
        ]
    return values


def references(
    api: Api, resources: Resources, resource: Any, prefix: str
) -> Mapping[tuple[str, str], str]:
    """Return the page of each reference of a resource to what this server holds.

    A reference is an object with an `href` into a resource served here, or with an `id` and the
    type of one; the key of the result is its `href` and its `id`. What is not there is left out.
    """
    found: dict[tuple[str, str], str] = {}
    for each in _objects(resource):
        href, id = str(each.get("href") or ""), str(each.get("id") or "")
        if (href, id) in found or len(found) >= _MOST_REFERENCES:
            continue
        target = resources.at(_path_of(href, prefix)) if href else None
        type_ = each.get("@referredType")
        if target is None and id and isinstance(type_, str):
            named = resources.of_type(type_)
            target = (named, id) if named else None
        if target is not None:
            held, key = target
            path = f"{held.definition.path}/{key}"
            if api.request("GET", path, "fields=id").ok:
                found[href, id] = held.member(key)
    return found


def _path_of(href: str, prefix: str) -> str:
    _, scheme, rest = href.partition("://")
    path = f"/{rest.partition('/')[2]}" if scheme else href
    return path.partition("?")[0].removeprefix(prefix)


def _objects(value: Any, *, outermost: bool = True) -> Iterator[Mapping[str, Any]]:
    """Yield every object within a value, not itself."""
    if isinstance(value, dict):
        if not outermost:
            yield value
        for each in value.values():
            yield from _objects(each, outermost=False)
    elif isinstance(value, list):
        for each in value:
            yield from _objects(each, outermost=False)
