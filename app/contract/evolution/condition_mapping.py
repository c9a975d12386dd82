"""Condition mapping: a condition on one version's resources, as a condition on another version's.

A collection holds documents in the form of the version that wrote them. `mapped_condition` takes a
condition in the terms of the version that a client uses, and returns the condition on documents of
the other version that holds for exactly those which the client would see satisfying it: attributes
have their names there, and values that the mapping adds or leaves out count as the client sees
them.

A default that is derived from another attribute (`/channel/{id}`) is followed for equality and
existence; other comparisons see stored values alone.

`mapped_key` does the same for the attribute that a list is sorted by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from app.contract.document.load import Json
from app.contract.evolution.mapping import NAMES, Shape, Side, is_template
from app.tmf630.filtering import some
from storage import (
    And,
    AnyElement,
    Comparison,
    Condition,
    KeyInForms,
    Leaf,
    Matches,
    Not,
    Operator,
    Or,
    Path,
    holds,
)

NOTHING = Or(())
"""The condition that never holds."""

_Test: TypeAlias = Callable[[Any], bool]


def mapped_condition(shape: Shape, stored: Side, tree: Condition) -> Condition:
    """Return the condition on a document of the version `stored` that `tree` stands for.

    `tree` is a condition on the same resource as the other version has it.
    """
    return _Objects(shape, stored).condition(tree)


def mapped_key(shape: Shape, stored: Side, path: Path, forms: tuple[str, ...]) -> KeyInForms:
    """Return what documents of the version `stored`, of these forms, order by at a path.

    `path` is one of the other version, and crosses no array.

    Raises:
        ValueError: that is made from other attributes.
    """
    return _Objects(shape, stored).key(path, forms)


@dataclass(frozen=True, slots=True)
class _Objects:
    """The objects of one shape, as they are stored.

    `nested` says that the condition is on the inner object that the newer version nests; the older
    version, which is stored, has its attributes in the outer one.
    """

    shape: Shape
    stored: Side
    nested: bool = False

    def condition(self, tree: Condition) -> Condition:
        """Return the condition on the stored object."""
        match tree:
            case Not(inner):
                return Not(self.condition(inner))
            case And(conditions):
                return And(tuple(self.condition(each) for each in conditions))
            case Or(conditions):
                return _either([self.condition(each) for each in conditions])
            case Comparison(path, _, None):
                return Not(self._leaf(tree, path))
            case Comparison(path) | Matches(path) | AnyElement(path):
                return self._leaf(tree, path)
        return tree

    def _leaf(self, leaf: Leaf, path: Path) -> Condition:
        """Return a leaf as a condition that some value at `path` meets.

        A comparison with null is turned around: it asks for a value that is not null.
        """
        if not path:  # the object itself; no leaf but a filter on its attributes holds for it
            return self.condition(leaf.condition) if isinstance(leaf, AnyElement) else _exists(leaf)
        first, rest = path[0], path[1:]
        if self.stored is Side.OLDER and self.shape.nest == first and not self.nested:
            return replace(self, nested=True)._leaf(leaf, rest)
        if self.stored is Side.NEWER and first == self.shape.nest:
            return NOTHING
        nests = self.shape.nest is not None
        name, inner = self.shape.named(first, self.stored)
        if self._is_renamed(first):
            return self._with_default((), first, rest, leaf, NOTHING)
        if self.stored is Side.OLDER and nests and (name in self.shape.beside) is self.nested:
            return self._with_default((), first, rest, leaf, NOTHING)
        place: Path = (name,)
        if self.stored is Side.NEWER and nests and first not in self.shape.beside:
            place = (self.shape.nest or "", name)
        if rest or isinstance(leaf, AnyElement):
            below = _Objects(inner or Shape(), self.stored)._leaf(leaf, rest)
            return self._with_default(place, first, rest, leaf, _under(place, below))
        return self._value(place, first, leaf)

    def key(self, path: Path, forms: tuple[str, ...], within: Path = ()) -> KeyInForms:
        """See `mapped_key`; `within` is where the objects are."""
        nowhere = KeyInForms(forms, None)
        if not path:
            return nowhere
        first, rest = path[0], path[1:]
        nest, older = self.shape.nest, self.stored is Side.OLDER
        if older and nest == first and not self.nested:
            return replace(self, nested=True).key(rest, forms, within)
        if not older and nest == first:
            return nowhere
        name, inner = self.shape.named(first, self.stored)
        missing = older and nest is not None and (name in self.shape.beside) is self.nested
        place: Path = (name,)
        if not older and nest is not None and first not in self.shape.beside:
            place = (nest, name)
        missing = missing or self._is_renamed(first)
        if rest:
            below = _Objects(inner or Shape(), self.stored)
            return nowhere if missing else below.key(rest, forms, (*within, *place))
        given = self._default_of(first)
        removed = None if missing else _default(self.shape.defaults.get(self.stored, {}), place)
        if is_template(given) or is_template(removed):
            raise ValueError("is made from other attributes in some documents")
        types = self._types() if first == "@type" and not missing else {}
        shown = {**types, **({} if removed is None else {removed: given}), None: given}
        pairs = tuple((at, value) for at, value in shown.items() if at != value)
        return KeyInForms(forms, None if missing else (*within, *place), pairs, within)

    def _is_renamed(self, name: str) -> bool:
        """Whether stored attributes of this name have another name in the version at hand."""
        to = self.stored.other
        return self.shape.named(self.shape.named(name, self.stored)[0], to)[0] != name

    def _value(self, place: Path, first: str, leaf: Leaf) -> Condition:
        """Return the condition on the attribute that a leaf is about, which has a value."""
        visible = _at(leaf, place)
        test = _test(leaf)
        if first == "@type":
            visible = self._class(place, leaf, test)
        removed = _default(self.shape.defaults.get(self.stored, {}), place)
        given = self._default_of(first)
        if is_template(removed):
            id = _id_in(removed, leaf)
            if id is not None:
                same = _equals((*place[:-1], _named_in(removed)), id)
                visible = And((visible, Not(same)))
        elif removed is not None and removed != given and test(self._renamed(first, removed)):
            visible = And((visible, Not(_equals(place, removed))))
        return self._with_default(place, first, (), leaf, visible)

    def _renamed(self, first: str, value: Any) -> Any:
        """Return a stored value as the version at hand has it."""
        if first != "@type" or not isinstance(value, str):
            return value
        return self._types().get(value, value)

    def _types(self) -> Mapping[str, str]:
        """Return the classes of the version at hand by their stored names."""
        if self.stored is Side.OLDER:
            return self.shape.types
        return {newer: older for older, newer in self.shape.types.items()}

    def _class(self, place: Path, leaf: Leaf, test: _Test) -> Condition:
        """Return the condition on `@type`, whose values the versions name differently."""
        types = self._types()
        if not types or _is_existence(leaf):
            return _at(leaf, place)
        same = And((_at(leaf, place), *(Not(_equals(place, each)) for each in types if test(each))))
        renamed = [_equals(place, each) for each, other in types.items() if test(other)]
        return _either([same if len(same.conditions) > 1 else same.conditions[0], *renamed])

    def _with_default(
        self, place: Path, first: str, rest: Path, leaf: Leaf, visible: Condition
    ) -> Condition:
        """Add the documents that lack the attribute and get a default that the leaf holds for."""
        given = self._default_of(first)
        if given is None:
            return visible
        absent = Comparison(place, Operator.EQ, None) if place else And(())
        if is_template(given):
            if not place:
                return visible
            source: Path = (*place[:-1], _named_in(given))
            supplied = self._default_of(source[-1])
            if _is_existence(leaf):
                there = [Not(_absent(source))] if supplied is None else []
                return _either([visible, And((absent, *there))])
            id = _id_in(given, leaf)
            if id is None:
                return visible
            sources = [_equals(source, id), *([_absent(source)] if id == supplied else [])]
            return _either([visible, And((absent, _either(sources)))])
        if not _holds_at(leaf, rest, given):
            return visible
        removed = _default(self.shape.defaults.get(self.stored, {}), place) if place else None
        same = [_equals(place, removed)] if isinstance(removed, str) and removed != given else []
        return _either([visible, absent, *same]) if place else absent

    def _default_of(self, first: str) -> Any:
        """Return the value that the version at hand gives to an attribute which is absent."""
        side = self.stored.other
        nests = self.shape.nest is not None
        inner = self.nested if side is Side.NEWER else False
        place = (self.shape.nest or "", first) if nests and inner else (first,)
        given = _default(self.shape.defaults.get(side, {}), place)
        return None if isinstance(given, dict) else given


def _default(defaults: Json, place: Path) -> Any:
    value: Any = defaults
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _under(place: Path, below: Condition) -> Condition:
    """Return the condition that some object at `place` satisfies another, as flat as it can be."""
    match below:
        case Or(conditions):
            return _either([_under(place, each) for each in conditions])
        case Not(Comparison(path, _, None)):
            return Not(_absent((*place, *path)))
        case Comparison(path, operator, value) if value is not None:
            return Comparison((*place, *path), operator, value)
        case Matches(path, pattern):
            return Matches((*place, *path), pattern)
    return some(place, below)


def _either(conditions: list[Condition]) -> Condition:
    flat: list[Condition] = []
    for each in conditions:
        flat.extend(each.conditions if isinstance(each, Or) else [each])
    return flat[0] if len(flat) == 1 else Or(tuple(dict.fromkeys(flat)))


def _at(leaf: Leaf, place: Path) -> Condition:
    """Return a leaf at another path; one that asks for null asks for existence."""
    if isinstance(leaf, Comparison) and leaf.value is None:
        return Not(_absent(place))
    return replace(leaf, path=place)


def _exists(leaf: Leaf) -> Condition:
    return And(()) if _is_existence(leaf) else NOTHING


def _is_existence(leaf: Leaf) -> bool:
    return isinstance(leaf, Comparison) and leaf.value is None


def _absent(place: Path) -> Condition:
    return Comparison(place, Operator.EQ, None)


def _equals(place: Path, value: Any) -> Condition:
    return Comparison(place, Operator.EQ, value)


def _test(leaf: Leaf) -> _Test:
    """Return whether a value would satisfy a leaf."""
    return lambda value: _holds_at(leaf, (), value)


def _holds_at(leaf: Leaf, rest: Path, value: Any) -> bool:
    """Whether a value at the leaf's first attribute satisfies it, `rest` leading further."""
    there = replace(leaf, path=("value", *rest))
    found = holds(there, {"value": value})
    return not found if _is_existence(leaf) else found


def _named_in(template: str) -> str:
    found = NAMES.search(template)
    return found[1] if found else ""


def _id_in(template: str, leaf: Leaf) -> str | None:
    """Return the value of the attribute that a template names which makes it equal the leaf's."""
    if not isinstance(leaf, Comparison) or leaf.operator is not Operator.EQ:
        return None
    before, after = NAMES.split(template)[0], NAMES.split(template)[-1]
    value = leaf.value
    if not isinstance(value, str) or not value.startswith(before) or not value.endswith(after):
        return None
    return value[len(before) : len(value) - len(after)]
