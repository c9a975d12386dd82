"""Row access: a caller bound to parties sees and changes only resources that name one of them.

The rule is one condition on stored documents. Lists add it to the client's own conditions, so that
totals, order and cursors follow it; documents read by id, changed or sent to listeners are checked
against the same condition.
"""

from __future__ import annotations

from typing import TypeAlias

from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import RowAccessDenied
from app.tmf630.stored_query import in_every_form
from storage import Comparison, Condition, Document, DocumentNotFound, Operator, Or, holds, json

Parties: TypeAlias = tuple[str, ...] | None
"""The ids of the parties that a caller is bound to; None for a caller that is not bound."""


def condition(definition: ResourceDefinition, parties: Parties) -> Condition | None:
    """Return the condition on documents that the caller may see; None when it may see all.

    Raises:
        RowAccessDenied: the caller is bound, and this resource has no parties in the contract.
    """
    return None if parties is None else part_of(definition, parties)


def part_of(definition: ResourceDefinition, parties: tuple[str, ...]) -> Condition:
    """Return the condition that a document names one of the parties.

    Raises:
        RowAccessDenied: this resource has no parties in the contract.
    """
    return in_every_form(definition.forms, _in_own_form(definition, parties))


def _in_own_form(definition: ResourceDefinition, parties: tuple[str, ...]) -> Condition:
    if not definition.parties:
        raise RowAccessDenied("the caller is bound to a party, and this resource has none")
    return Or(
        tuple(
            Comparison(path, Operator.EQ, party) for path in definition.parties for party in parties
        )
    )


def check_seen(definition: ResourceDefinition, document: Document, parties: Parties) -> None:
    """Check that the caller may see a document.

    Raises:
        DocumentNotFound: it may not; the error does not reveal that the document exists.
        RowAccessDenied: the caller can see no document of this resource.
    """
    rule = condition(definition, parties)
    if rule is not None and not holds(rule, json.loads(document.content), form=document.form):
        raise DocumentNotFound(definition.collection, document.id)


def check_written(definition: ResourceDefinition, content: bytes, parties: Parties) -> None:
    """Check that what the caller is about to write names one of its parties.

    Only the paths of the contract that it is written by count: where another version of the
    contract names parties, this one takes any extension.

    Raises:
        RowAccessDenied: it does not.
    """
    if parties is None:
        return
    if not holds(_in_own_form(definition, parties), json.loads(content)):
        places = " or ".join("/" + "/".join(path) for path in definition.parties)
        raise RowAccessDenied(f"{places} must name the party that the caller is bound to")
