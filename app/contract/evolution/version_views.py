"""Version views: one collection of documents, read and written by several versions of an API.

A document stays in the form of the version that wrote it. Another version reads it through the
mapping between the two, and what it reads always satisfies its contract: a value that the contract
cannot have is left out, a mandatory one that nobody gave is made up. Nothing is lost by that. When
the other version changes the document, every attribute whose way back would not lead to what was
there is kept beside the new content, until that attribute itself is changed. Conditions are asked
of what is kept, too, but those on attributes with an index, which translate without a loss.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence, Set
from dataclasses import replace
from functools import lru_cache
from typing import Any

from app.contract.document.load import Json
from app.contract.evolution.condition_mapping import mapped_condition, mapped_key
from app.contract.evolution.mapping import Mapping, Shape, Side
from app.contract.schema.validators import Validator
from app.tmf630.definitions import Resource
from app.tmf630.json_equality import ABSENT, same
from app.tmf630.representation import INSIDE, KEPT, KEPT_SUFFIX
from storage import (
    And,
    Comparison,
    Condition,
    InForm,
    Leaf,
    Not,
    Operator,
    Or,
    Path,
    SortKey,
    paths_in,
)

MADE_UP_TEXT = "unspecified"
"""Stands for a mandatory text that nobody gave."""
_MADE_UP: dict[str, Any] = {
    "string": MADE_UP_TEXT, "array": [], "object": {}, "boolean": False, "number": 0, "integer": 0,
}  # fmt: skip
_SUBSTITUTES = {
    "must be a uri": "urn:unspecified",
    "must be a date-time": "1970-01-01T00:00:00Z",
    "must be base64 text": "",
}
_MOST_REPAIRS = 1000
_MAPPED_LEAVES = 512
_ANY_HREF = "http://localhost/"


class MappedForms:
    """`app.tmf630.definitions.Forms` of one resource, by the mappings that name its version."""

    def __init__(
        self,
        api: str,
        version: str,
        resource: str,
        mappings: Sequence[Mapping],
        valid: Validator,
        indexed: Set[Path] = frozenset(),
    ) -> None:
        self.name = version
        self._valid = valid
        self._indexed = indexed
        self._ways = [
            (mapping, side, mapping.resources[stored])
            for mapping in mappings
            if (side := mapping.side_of(api, version))
            and (stored := mapping.stored_name(api, version, resource)) is not None
        ]
        oldest = all(side is Side.OLDER for _, side, _ in self._ways)
        self._own_forms = _forms_of(version, first=oldest)
        self._other_forms = [
            _forms_of(mapping.versions[side.other], first=side is Side.NEWER)
            for mapping, side, _ in self._ways
        ]
        self._mapped = lru_cache(_MAPPED_LEAVES)(self._map)

    def aliases(self, path: Path) -> tuple[Path, ...]:
        """See `Forms.aliases`."""
        found = []
        for _, side, shape in self._ways:
            found.append(shape.move(path, side.other))
            if len(path) > 1 and shape.makes(path, side):
                # What the default is made from, and whether there is an object that gets it.
                found.append(shape.move(path[:-1], side.other))
        return tuple(each for each in found if each != path)

    def stored(self, leaf: Leaf) -> Condition:
        """See `Forms.stored`."""
        if isinstance(leaf, Comparison):
            return self._mapped(leaf, type(leaf.value).__name__)
        return self._map(leaf)

    def _map(self, leaf: Leaf, type_name: str = "") -> Condition:
        """Return what `stored` does; `type_name` tells values apart that are equal in Python."""
        own: tuple[str, ...] = self._own_forms
        others: list[Condition] = []
        for (_, side, shape), forms in zip(self._ways, self._other_forms, strict=True):
            mapped = mapped_condition(shape, side.other, leaf)
            if self._may_be_kept(leaf, shape, side):
                keeping = tuple(form for form in forms if form.endswith(KEPT_SUFFIX))
                forms = tuple(form for form in forms if form not in keeping)
                others.append(And((InForm(keeping), self._kept_or(leaf, mapped))))
            if mapped == leaf:
                own += forms
            else:
                others.append(And((InForm(forms), mapped)))
        return Or((And((InForm(own), leaf)), *others)) if others else leaf

    def _may_be_kept(self, leaf: Leaf, shape: Shape, side: Side) -> bool:
        """Whether a leaf asks for what may be kept beside the content of the other form."""
        name = leaf.path[0]
        differs = shape.named(name, side.other) != (name, None) or name == "@type"
        return differs and self._indexed.isdisjoint(paths_in(leaf))

    def _kept_or(self, leaf: Leaf, mapped: Condition) -> Condition:
        """Return a leaf as a condition on what is kept or, where nothing is, on the content."""
        place = (KEPT, self.name, leaf.path[0])
        nothing = Comparison(place, Operator.EQ, None)
        there = replace(leaf, path=(*place, "value", *leaf.path[1:]))
        return Or((And((Not(nothing), there)), And((nothing, mapped))))

    def sorted(self, key: SortKey) -> SortKey:
        """See `Forms.sorted`."""
        others = [
            mapped_key(shape, side.other, key.path, forms)
            for (_, side, shape), forms in zip(self._ways, self._other_forms, strict=True)
        ]
        others = [each for each in others if each.path != key.path or each.shown]
        return replace(key, elsewhere=tuple(others)) if others else key

    def read(self, resource: Resource, form: str) -> Resource:
        """See `Forms.read`."""
        kept = resource.pop(KEPT, {})
        written = form.partition("+")[0]
        if written == self.name:
            return resource
        way = self._way(written)
        if way is None:
            return resource
        side, shape = way
        read: Resource = self.conforming(shape.translate(resource, side))
        for name, value in kept.get(self.name, {}).items():
            if value:
                read[name] = value["value"]
            else:  # the first releases have null here
                read.pop(name, None)
        return read

    def named(self, name: str, form: str) -> str:
        """See `Forms.named`."""
        written = form.partition("+")[0]
        way = None if written == self.name else self._way(written)
        return way[1].move((name,), way[0])[0] if way else name

    def kept(self, stored: Resource, form: str, before: Resource, after: Resource) -> Resource:
        """See `Forms.kept`."""
        older_kept = stored.get(KEPT, {})
        written = form.partition("+")[0]
        if written == self.name:
            return self._still_true(older_kept, before, after)
        way = self._way(written)
        if way is None:
            return {}
        side, shape = way
        source = {name: value for name, value in stored.items() if name not in (KEPT, INSIDE)}
        back = shape.translate(before, side.other)
        names = [name for name in source.keys() | back.keys() if name not in ("id", "href")]
        kept = {
            name: {"value": source[name]} if name in source else {}
            for name in sorted(names)
            if not same(source.get(name, ABSENT), back.get(name, ABSENT))
        }
        return self._still_true({written: kept} if kept else {}, before, after)

    def _still_true(self, kept: Json, before: Resource, after: Resource) -> Json:
        """Return what is kept of attributes that the change leaves alone."""
        rest: Json = {}
        for form, attributes in kept.items():
            way = self._way(form)
            if way is None:
                rest[form] = attributes
                continue
            side, shape = way
            unchanged = {
                name: value
                for name, value in attributes.items()
                if same(*_both(before, after, shape.move((name,), side)[0]))
            }
            if unchanged:
                rest[form] = unchanged
        return rest

    def _way(self, form: str) -> tuple[Side, Shape] | None:
        """Return the side this version is on, and the shape, of the mapping from a form."""
        for mapping, side, shape in self._ways:
            # Documents written before forms were recorded are the older version's.
            if mapping.versions[side.other] == form or (not form and side is Side.NEWER):
                return side, shape
        return None

    def conforming(self, resource: Resource) -> Resource:
        """See `Forms.conforming`."""
        if self._valid.accepts(resource):
            return resource
        conforming = copy.deepcopy(resource)
        for _ in range(_MOST_REPAIRS):
            violations = self._valid.violations({"href": _ANY_HREF, **conforming})
            if not violations:
                break
            for violation in violations:
                _repair(conforming, violation.pointer, violation.rule)
        return conforming


def _forms_of(version: str, *, first: bool) -> tuple[str, ...]:
    """Return the values of `form` that a version writes.

    Documents written before forms were recorded are those of the first version.
    """
    return (version, version + KEPT_SUFFIX, *([""] if first else []))


def _repair(resource: Resource, pointer: str, rule: str) -> None:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    value: Any = resource
    for part in parts[:-1]:
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (LookupError, TypeError, ValueError):
            return  # an earlier repair took it away
    if not parts or not isinstance(value, dict | list):
        return
    if rule == "is required" and isinstance(value, dict):
        value.setdefault(parts[-1], MADE_UP_TEXT)
    elif isinstance(value, dict) and value.get(parts[-1]) == MADE_UP_TEXT:
        kind = rule.removeprefix("must be of type ").split(" ")[0]
        value[parts[-1]] = copy.deepcopy(_MADE_UP.get(kind, _SUBSTITUTES.get(rule)))
    elif isinstance(value, dict):
        value.pop(parts[-1], None)
    elif parts[-1].isdigit() and int(parts[-1]) < len(value):
        del value[int(parts[-1])]


def _both(before: Resource, after: Resource, name: str) -> tuple[Any, Any]:
    return before.get(name, ABSENT), after.get(name, ABSENT)
