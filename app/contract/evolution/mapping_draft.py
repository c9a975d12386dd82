"""Drafts of mappings: what two versions of an API themselves say of how they differ.

Attributes that only one version has are paired where the newer name is the older one after
`related`, or where their objects are alike and nothing else fits. An object of the newer version
that holds what the older one has outside of it is a `nest`. What is mandatory in one version alone
gets a value where there is only one to choose. All else is an open end: a comment that says what is
to be decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from app.contract.binding.operation_kinds import Kind, collection_of, kind_of
from app.contract.binding.resource_definitions import resource_name
from app.contract.document.load import Json
from app.contract.document.normalise import api_name, major_version, operations
from app.contract.evolution.diff_schemas import described, flattened, value_type
from app.contract.schema.discriminator import discriminator_of
from app.contract.schema.schemas import follow, name_of, success_schema

_SERVED = (Kind.LIST, Kind.CREATE, Kind.RETRIEVE)
_DEEPEST = 6
_ALIKE = 0.6
"""The least part of the attributes of two objects that both have, for them to be alike."""
_OF_SERVERS = frozenset({"id", "href"})

_Declared = Mapping[str, tuple[Json, bool]]


@dataclass(slots=True)
class Draft:
    """The draft of one shape, or of a part of it: words in their order, and open ends."""

    words: dict[str, Any] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.words or self.open)

    def lines(self, indent: int = 0) -> Iterator[str]:
        """Yield the lines of YAML."""
        margin = "  " * indent
        yield from (f"{margin}# Open: {each}." for each in self.open)
        for word, value in self.words.items():
            key = _scalar(word)
            if isinstance(value, Draft | dict):
                inner = value if isinstance(value, Draft) else Draft(value)
                if inner.words:
                    yield f"{margin}{key}:"
                    yield from inner.lines(indent + 1)
                else:  # YAML takes a key with comments alone for null
                    yield from inner.lines(indent)
                    yield f"{margin}{key}: {{}}"
            else:
                yield f"{margin}{key}: {_scalar(value)}"


def mapping_draft(old: Json, new: Json) -> str:
    """Return a draft of the mapping between two normalised documents, as YAML.

    The draft is a mapping as it stands; its comments say what is to be decided.
    """
    before, after = _resources(old), _resources(new)
    names, versions = zip(
        *((api_name(each), each["info"]["version"]) for each in (old, new)), strict=True
    )
    head = Draft(
        {
            "title": f"{old['info']['title']}, {versions[0]} to {versions[1]}",
            "api": names[0] if names[0] == names[1] else {"older": names[0], "newer": names[1]},
            "older": major_version(old),
            "newer": major_version(new),
        },
    )
    resources = Draft()
    for name in [*before, *(name for name in after if name not in before)]:
        if name in before and name in after:
            shape = _Pair(old, new).shape(before[name], after[name], 0)
            resources.words[name] = shape
        else:
            version = head.words["older" if name in before else "newer"]
            resources.open.append(f"{name} is in version {version} alone, and stays there")
    head.words["resources"] = resources
    return "\n".join(head.lines()) + "\n"


def _resources(document: Json) -> dict[str, Json]:
    """Return the schema of each resource, by its name."""
    found: dict[str, Json] = {}
    for path, method, operation in operations(document):
        if kind_of(path, method) not in _SERVED or path.split("/")[-1] == "hub":
            continue
        schema = success_schema(operation)
        if schema is None:
            continue
        followed = follow(document, schema)
        if followed.get("type") == "array":
            schema = followed.get("items", {})
        found.setdefault(resource_name(collection_of(path)), schema)
    return found


class _Pair:
    """The two documents, as the older and the newer side of shapes."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def shape(self, old: Json, new: Json, depth: int) -> Draft:
        """Return the draft of how two objects differ; an empty one where they do not."""
        old, new = _element(self._old, old), _element(self._new, new)
        before, after = described(self._old, old), described(self._new, new)
        draft = Draft()
        if not before or not after or depth > _DEEPEST:
            return draft
        nest = self._nest(before, after)
        outside = after
        if nest is not None:
            beside = sorted(
                name
                for name in before
                if name in after and name not in _OF_SERVERS and name[0] != "@"
            )
            draft.words |= {"nest": nest, "beside": beside}
            inner = described(self._new, _element(self._new, after[nest][0]))
            after = {**inner, **{name: after[name] for name in beside}}
        pairs = self._names(before, after)
        self._add_newer(draft, new, outside, before, pairs, nest)
        self._add_older(draft, before, pairs)
        attributes = Draft()
        for name, other in pairs.items():
            within = self.shape(before[name][0], after[other][0], depth + 1)
            words = ({"to": other} if other != name else {}) | within.words
            if words or within.open:
                attributes.words[name] = Draft(words, within.open)
        left = [name for name in before if name not in pairs and name not in _OF_SERVERS]
        come = [name for name in after if name not in pairs.values() and name not in _OF_SERVERS]
        for version, names in (("older", left), ("newer", come)):
            named = sorted(each for each in names if each[0] != "@")
            if named:
                attributes.open.append(f"in the {version} version alone: {', '.join(named)}")
        if attributes:
            draft.words["attributes"] = attributes
        return draft

    def _nest(self, before: _Declared, after: _Declared) -> str | None:
        """Return the attribute of the newer object that holds what the older has outside of it."""
        gone = before.keys() - after.keys() - {"href", "@referredType"}
        found = []
        for name in after.keys() - before.keys():
            inner, array = _unlisted(self._new, after[name][0])
            if not array and gone and gone <= described(self._new, inner).keys():
                found.append(name)
        return found[0] if len(found) == 1 else None

    def _names(self, before: _Declared, after: _Declared) -> dict[str, str]:
        """Return the newer name of each older attribute that has one."""
        pairs = {name: name for name in before if name in after}
        gone = [name for name in before if name not in after]
        come = [name for name in after if name not in before]
        for name in gone:
            related = f"related{name[:1].upper()}{name[1:]}"
            if related in come:
                pairs[name] = related
        gone = [name for name in gone if name not in pairs]
        come = [name for name in come if name not in pairs.values()]
        for name in gone:
            alike = [each for each in come if self._alike(before[name][0], after[each][0])]
            back = [
                each for each in gone if alike and self._alike(before[each][0], after[alike[0]][0])
            ]
            if len(alike) == 1 and back == [name]:
                pairs[name] = alike[0]
        return pairs

    def _alike(self, old: Json, new: Json) -> bool:
        """Whether two attributes hold objects with much the same attributes, or lists of such."""
        mine, array = _unlisted(self._old, old)
        other, other_array = _unlisted(self._new, new)
        names = set(described(self._old, mine)), set(described(self._new, other))
        own = [each - _OF_SERVERS - {name for name in each if name[0] == "@"} for each in names]
        if array is not other_array or not all(own):
            return False
        return len(own[0] & own[1]) >= _ALIKE * len(own[0] | own[1])

    def _add_newer(
        self,
        draft: Draft,
        schema: Json,
        outside: _Declared,
        before: _Declared,
        pairs: Mapping[str, str],
        nest: str | None,
    ) -> None:
        """Add what only the newer version makes mandatory."""
        values: Json = {}
        classes: list[tuple[Json, Json, str | None]] = [(values, schema, None)]
        if nest is not None:
            inside: Json = {}
            inner = _element(self._new, outside[nest][0])
            classes.append((inside, inner, nest))
        for target, each, name in classes:
            declared = described(self._new, each)
            if "@type" in declared and ("@type" not in before or declared["@type"][1]):
                known = _classes_of(self._new, each)
                if len(known) == 1:
                    target["@type"] = known[0]
                elif declared["@type"][1]:
                    where = f" of {name}" if name else ""
                    choice = f": one of {', '.join(known)}" if known else ""
                    draft.open.append(f"newer requires @type{where}{choice}")
            if name is not None and target:
                values[name] = target
        if values:
            draft.words["newer"] = values
        for name, (inner, required) in outside.items():
            was = next((old for old, new in pairs.items() if new == name), None)
            optional = was is None or not before[was][1]
            if required and optional and name not in ("@type", nest) and name not in _OF_SERVERS:
                kind = value_type(self._new, flattened(self._new, inner)) or "value"
                draft.open.append(f"newer requires {name} ({kind}), which may be absent before")

    @staticmethod
    def _add_older(draft: Draft, before: _Declared, pairs: Mapping[str, str]) -> None:
        """Add what only the older version makes mandatory."""
        for name, (_, required) in before.items():
            if required and name not in pairs and name not in _OF_SERVERS:
                draft.open.append(f"older requires {name}, which the newer version does not have")


def _element(document: Json, schema: Json) -> Json:
    return _unlisted(document, schema)[0]


def _unlisted(document: Json, schema: Json) -> tuple[Json, bool]:
    """Return the schema of a value, or of the elements of a list, and whether it is a list."""
    flat = flattened(document, schema)
    if flat.get("type") == "array":
        return flat.get("items", {}), True
    return schema, False


def _classes_of(document: Json, schema: Json) -> list[str]:
    """Return the classes that an object may be of: its own where that has a name, else all."""
    while "$ref" not in schema and len(schema.get("allOf", ())) == 1:
        schema = schema["allOf"][0]
    found = discriminator_of(document, follow(document, schema), name_of(schema))
    if found is None or not found.cases:
        return [each for each in [name_of(schema)] if each is not None]
    own = [case for case, target in found.cases.items() if target == name_of(schema)]
    return own or sorted(found.cases)


def _scalar(value: Any) -> str:
    """Return a scalar, or a list of them, as YAML in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
