"""Mappings: what one version of an API calls another way than the next, as data.

A mapping file names an API, its major versions `older` and `newer`, and describes the objects that
differ. Both directions follow from one description:

- `to`: the newer name of an attribute, or of a resource; its own name when absent.
- `nest`: the newer version keeps the object's attributes in an object of this name inside it, all
  but those in `beside`. What else it has outside of that object, the older version does not see.
- `newer`, `older`: what the one version has where the other says nothing. A default in the other
  direction is left out again. Texts may name other attributes of the object: `/channel/{id}`.
- `types`: classes (`@type`) by older and newer name.
- `attributes`: the same again for what is inside; a shape by its name in `shapes`, or in place.

Attributes that no description names are the same in both versions. Where the versions call the API
itself another way, `api` has an `older` and a `newer` name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any

from app.contract.data_files import data_files, of_kind
from app.contract.document.load import Json, load
from app.contract.errors import ContractError, Problem
from storage import Path

NAMES = re.compile(r"\{([^{}]+)\}")
"""The names of attributes in the text of a default."""
_WORDS = frozenset({"to", "nest", "beside", "newer", "older", "types", "attributes"})


class Side(StrEnum):
    """The two versions of a mapping."""

    OLDER = "older"
    NEWER = "newer"

    @property
    def other(self) -> Side:
        """The version on the other side."""
        return Side.NEWER if self is Side.OLDER else Side.OLDER


@dataclass(frozen=True, slots=True)
class Shape:
    """How the two versions of one object differ."""

    nest: str | None = None
    beside: frozenset[str] = frozenset()
    defaults: MappingType[Side, Json] = field(default_factory=dict)
    types: MappingType[str, str] = field(default_factory=dict)
    attributes: MappingType[str, tuple[str, Shape]] = field(default_factory=dict)

    def translate(self, value: Any, to: Side) -> Any:
        """Return an object, or each of an array, as the version `to` has it."""
        if isinstance(value, list):
            return [self.translate(each, to) for each in value]
        if not isinstance(value, dict):
            return value
        return self._newer(value) if to is Side.NEWER else self._older(value)

    def move(self, path: Path, to: Side) -> Path:
        """Return where the version `to` has what the other has at a path."""
        if not path:
            return path
        first, rest = path[0], path[1:]
        if to is Side.OLDER and self.nest is not None and first == self.nest:
            return self.move_inside(rest, to)
        if to is Side.NEWER and self.nest is not None and first not in self.beside:
            return (self.nest, *self.move_inside(path, to))
        return self.move_inside(path, to)

    def move_inside(self, path: Path, to: Side) -> Path:
        """Return where a path leads once nesting is settled."""
        if not path:
            return path
        name, shape = self.named(path[0], to)
        return (name, *(shape.move(path[1:], to) if shape else path[1:]))

    def makes(self, path: Path, side: Side) -> bool:
        """Whether the version `side` has a default at one of its paths."""
        value: Any = self.defaults.get(side, {})
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None and not isinstance(value, dict):
            return True
        first, *rest = path
        if side is Side.NEWER and first == self.nest and rest:
            first, *rest = rest
        _, inner = self.named(first, side.other)
        return inner is not None and bool(rest) and inner.makes(tuple(rest), side)

    def _newer(self, value: Json) -> Json:
        value = _without(value, _rendered(self.defaults.get(Side.OLDER, {}), value))
        value = self._inside(value, Side.NEWER)
        if self.nest is not None:
            inner = {name: each for name, each in value.items() if name not in self.beside}
            value = {name: each for name, each in value.items() if name in self.beside}
            if inner:
                value[self.nest] = inner
        return _with(value, _rendered(self.defaults.get(Side.NEWER, {}), value))

    def _older(self, value: Json) -> Json:
        value = _without(value, _rendered(self.defaults.get(Side.NEWER, {}), value))
        if self.nest is not None:
            inner = value.get(self.nest)
            outer = {name: each for name, each in value.items() if name in self.beside}
            inner = inner if isinstance(inner, dict) else {}
            value = {name: each for name, each in inner.items() if name not in self.beside} | outer
        value = self._inside(value, Side.OLDER)
        return _with(value, _rendered(self.defaults.get(Side.OLDER, {}), value))

    def _inside(self, value: Json, to: Side) -> Json:
        translated = {}
        for name, each in value.items():
            other, shape = self.named(name, to)
            translated[other] = shape.translate(each, to) if shape else each
        if isinstance(value.get("@type"), str):
            types = (
                self.types if to is Side.NEWER else {new: old for old, new in self.types.items()}
            )
            translated["@type"] = types.get(value["@type"], value["@type"])
        return translated

    def named(self, name: str, to: Side) -> tuple[str, Shape | None]:
        """Return an attribute's name in the version `to`, and its shape."""
        if to is Side.NEWER:
            return self.attributes.get(name, (name, None))
        for older, (newer, shape) in self.attributes.items():
            if newer == name:
                return older, shape
        return name, None


@dataclass(frozen=True, slots=True)
class Mapping:
    """Two versions of an API, and the shape of each resource that both have.

    `apis` are what the versions call the API; the store keeps the documents under the older name.
    `resources` has the shapes by the older names of the resources, `renamed` the newer names of
    those that the newer version calls another way.
    """

    title: str
    file: str
    apis: MappingType[Side, str]
    versions: MappingType[Side, str]
    resources: MappingType[str, Shape]
    renamed: MappingType[str, str] = field(default_factory=dict)

    def stored_name(self, api: str, version: str, resource: str) -> str | None:
        """Return the older name of a resource of a version; None where the mapping has it not."""
        side = self.side_of(api, version)
        for older in self.resources:
            name = older if side is Side.OLDER else self.renamed.get(older, older)
            if side is not None and name == resource:
                return older
        return None

    def side_of(self, api: str, version: str) -> Side | None:
        """Return which side a major version of an API is on; None for any other."""
        named = (
            side
            for side, each in self.versions.items()
            if each == version and self.apis[side] == api
        )
        return next(named, None)

    @property
    def api(self) -> str:
        """The name of the API under which the documents of both versions are kept."""
        return self.apis[Side.OLDER]


def read_mappings(*places: FilePath) -> tuple[Mapping, ...]:
    """Read the mappings at some places; one replaces another, before it, of the same versions.

    Raises:
        ContractError: one is not a mapping; the pointer says where.
    """
    files = of_kind(data_files(places, "mapping", "source"), "mapping")
    read = [read_mapping(each) for each in files]
    keys = ((*each.apis.values(), *each.versions.values()) for each in read)
    return tuple(dict(zip(keys, read, strict=True)).values())


def read_mapping(file: FilePath) -> Mapping:
    """Read one mapping.

    Raises:
        ContractError: it is not a mapping; the pointer says where.
    """
    document = load(file)
    api = document.get("api")
    apis: Json = api if isinstance(api, dict) else dict.fromkeys(Side, api)
    for side in Side:
        if not isinstance(apis.get(side), str):
            place = f"/api/{side}" if isinstance(api, dict) else "/api"
            raise ContractError(str(file), [Problem(place, "must be a text")])
    for name in Side:
        if not isinstance(document.get(name), str):
            raise ContractError(str(file), [Problem(f"/{name}", "must be a text")])
    if not isinstance(document.get("resources"), dict):
        raise ContractError(str(file), [Problem("/resources", "must be an object")])
    reader = _Reader(str(file), document.get("shapes", {}))
    return Mapping(
        title=str(document.get("title", file.name)),
        file=str(file),
        apis={side: apis[side] for side in Side},
        versions={side: document[side] for side in Side},
        resources={
            name: reader.shape(
                _but_name(stated) if isinstance(stated, dict) else stated, f"/resources/{name}"
            )
            for name, stated in document["resources"].items()
        },
        renamed={
            name: str(stated["to"])
            for name, stated in document["resources"].items()
            if isinstance(stated, dict) and "to" in stated
        },
    )


class _Reader:
    """Reads the shapes of one file."""

    def __init__(self, file: str, shapes: Json) -> None:
        self._file = file
        self._shapes = shapes

    def shape(self, stated: Any, pointer: str) -> Shape:
        if isinstance(stated, str):
            if stated not in self._shapes:
                raise ContractError(self._file, [Problem(pointer, f"no shape is named {stated}")])
            return self.shape(self._shapes[stated], f"/shapes/{stated}")
        if not isinstance(stated, dict) or not stated.keys() <= {*_WORDS, "shape"}:
            known = ", ".join(sorted(_WORDS))
            raise ContractError(self._file, [Problem(pointer, f"must be a shape: any of {known}")])
        if "shape" in stated:
            return self.shape(stated["shape"], f"{pointer}/shape")
        return Shape(
            nest=stated.get("nest"),
            beside=frozenset(stated.get("beside", ())),
            defaults={side: stated[side] for side in Side if side in stated},
            types=stated.get("types", {}),
            attributes={
                name: (
                    str(inner.get("to", name)),
                    self.shape(_but_name(inner), f"{pointer}/{name}"),
                )
                for name, inner in self._inner(stated, pointer)
            },
        )

    def _inner(self, stated: Json, pointer: str) -> list[tuple[str, Json]]:
        """Return the described attributes, each as an object."""
        return [
            (name, {"shape": inner} if isinstance(inner, str) else inner)
            for name, inner in stated.get("attributes", {}).items()
        ]


def _but_name(stated: Json) -> Json:
    return {word: value for word, value in stated.items() if word != "to"}


def is_template(default: Any) -> bool:
    """Whether a default names other attributes."""
    return isinstance(default, str) and NAMES.search(default) is not None


def _rendered(defaults: Json, beside: Json) -> Json:
    """Fill the names in texts; a text that names an attribute which is not there says nothing.

    An attribute may be there by a default of its own.
    """
    rendered: Json = {}
    beside = {name: each for name, each in defaults.items() if not is_template(each)} | beside
    for name, value in defaults.items():
        if isinstance(value, dict):
            inner = beside.get(name)
            rendered[name] = _rendered(value, inner if isinstance(inner, dict) else {})
        elif isinstance(value, str):
            names = NAMES.findall(value)
            if all(isinstance(beside.get(each), str) for each in names):
                rendered[name] = NAMES.sub(lambda found: str(beside[found[1]]), value)
        else:
            rendered[name] = value
    return rendered


def _with(value: Json, defaults: Json) -> Json:
    """Add defaults to an object where it says nothing."""
    completed = dict(value)
    for name, default in defaults.items():
        if isinstance(default, dict) and isinstance(completed.get(name), dict):
            completed[name] = _with(completed[name], default)
        elif name not in completed and not (isinstance(default, dict)):
            completed[name] = default
    return completed


def _without(value: Json, defaults: Json) -> Json:
    """Leave defaults out of an object."""
    rest = dict(value)
    for name, default in defaults.items():
        if isinstance(default, dict) and isinstance(rest.get(name), dict):
            rest[name] = _without(rest[name], default)
        elif name in rest and rest[name] == default and type(rest[name]) is type(default):
            del rest[name]
    return rest
