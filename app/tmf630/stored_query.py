"""Stored queries: a client's condition, translated to what the store holds.

A client uses the attribute names of one contract. The collection may also hold documents that
another version of the contract wrote, and members of other parents.
"""

from __future__ import annotations

from app.tmf630.definitions import Forms, ResourceDefinition
from app.tmf630.representation import INSIDE
from storage import And, Comparison, Condition, InForm, Not, Operator, Or


def scoped(definition: ResourceDefinition, stated: Condition | None) -> Condition | None:
    """Return the condition on stored documents that a client's condition stands for."""
    if stated is not None:
        stated = in_every_form(definition.forms, stated)
    if definition.parent is None:
        return stated
    member = Comparison((INSIDE,), Operator.EQ, definition.parent)
    return member if stated is None else And((member, _by_key(definition, stated)))


def in_every_form(forms: Forms, tree: Condition) -> Condition:
    """Return a condition that holds for a document in whichever form it is stored."""
    match tree:
        case Not(inner):
            return Not(in_every_form(forms, inner))
        case And(conditions):
            return And(tuple(in_every_form(forms, each) for each in conditions))
        case Or(conditions):
            return Or(tuple(in_every_form(forms, each) for each in conditions))
        case InForm():
            return tree
    return forms.stored(tree)


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
