"""Stored queries: a client's condition, translated to what the store holds.

A client uses the attribute names of one contract. The collection may also hold documents that
another version of the contract wrote, and members of other parents.
"""

from __future__ import annotations

from app.tmf630.definitions import Forms, ResourceDefinition
from app.tmf630.representation import INSIDE
from storage import And, AnyElement, Comparison, Condition, Matches, Not, Operator, Or, Path


def scoped(definition: ResourceDefinition, stated: Condition | None) -> Condition | None:
    """Return the condition on stored documents that a client's condition stands for."""
    if stated is not None:
        stated = in_every_form(definition.forms, stated)
    if definition.parent is None:
        return stated
    member = Comparison((INSIDE,), Operator.EQ, definition.parent)
    return member if stated is None else And((member, _by_key(definition, stated)))


def in_every_form(forms: Forms, tree: Condition, here: Path = ()) -> Condition:
    """Return a condition that holds for a document in whichever form it is kept.

    `here` is the path of the objects that the condition's paths begin at.
    """
    match tree:
        case Comparison(path, operator, value):
            others = [
                Comparison(other[len(here) :], operator, value)
                for other in forms.aliases(here + path)
                if other[: len(here)] == here
            ]
            joined = And if value is None else Or  # absent means absent in every form
            return joined((tree, *others)) if others else tree
        case Matches(path, pattern):
            found = [
                Matches(other[len(here) :], pattern)
                for other in forms.aliases(here + path)
                if other[: len(here)] == here
            ]
            return Or((tree, *found)) if found else tree
        case AnyElement(path, inner):
            own = AnyElement(path, in_every_form(forms, inner, here + path))
            elsewhere = [
                _moved_some(forms, tree, here, other)
                for other in forms.aliases(here + path)
                if other[: len(here)] == here
            ]
            return Or((own, *elsewhere)) if elsewhere else own
        case Not(inner):
            return Not(in_every_form(forms, inner, here))
        case And(conditions):
            return And(tuple(in_every_form(forms, each, here) for each in conditions))
        case Or(conditions):
            return Or(tuple(in_every_form(forms, each, here) for each in conditions))


def _moved_some(forms: Forms, tree: AnyElement, here: Path, other: Path) -> Condition:
    """Return a condition on objects as another form has it, where those lie at another path."""
    inner = _moved(forms, tree.condition, here + tree.path, other)
    path = other[len(here) :]
    return AnyElement(path, inner) if path else inner


def _moved(forms: Forms, tree: Condition, here: Path, there: Path) -> Condition:
    """Return a condition with its paths, below `here`, as another form has them below `there`."""
    match tree:
        case Comparison(path, operator, value):
            return Comparison(_path(forms, here + path, there), operator, value)
        case Matches(path, pattern):
            return Matches(_path(forms, here + path, there), pattern)
        case AnyElement(path, inner):
            other = _path(forms, here + path, there)
            inner = _moved(forms, inner, here + path, there + other)
            return AnyElement(other, inner) if other else inner
        case Not(inner):
            return Not(_moved(forms, inner, here, there))
        case And(conditions):
            return And(tuple(_moved(forms, each, here, there) for each in conditions))
        case Or(conditions):
            return Or(tuple(_moved(forms, each, here, there) for each in conditions))


def _path(forms: Forms, path: Path, there: Path) -> Path:
    """Return the path below `there` of what this contract has at `path`."""
    for other in forms.aliases(path):
        if other[: len(there)] == there:
            return other[len(there) :]
    return path[-1:]


def _by_key(definition: ResourceDefinition, tree: Condition) -> Condition:
    """Compare ids as the store has them: behind the id of the parent."""
    match tree:
        case Comparison(("id",), operator, str() as value):
            return Comparison(("id",), operator, definition.key(value))
        case Not(inner):
            return Not(_by_key(definition, inner))
        case And(conditions):
            return And(tuple(_by_key(definition, each) for each in conditions))
        case Or(conditions):
            return Or(tuple(_by_key(definition, each) for each in conditions))
    return tree
