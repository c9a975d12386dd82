"""The row rule: a caller bound to parties sees and changes only what one of them has a part in.

The rule is one condition on stored documents. Lists ask the store for it together with the client's
own conditions, so that totals, order and cursors follow it; what is read by id, changed or told to
listeners is held against the very same condition.
"""

from __future__ import annotations

from app.tmf630.definitions import ResourceDefinition
from app.tmf630.errors import OutOfBounds
from app.tmf630.stored_query import in_every_form
from handlers import request_context
from storage import Comparison, Condition, Document, DocumentNotFound, Operator, Or, holds, json


def condition(definition: ResourceDefinition) -> Condition | None:
    """Return what must hold for a document that the caller may see; None when it may see all.

    Raises:
        OutOfBounds: the caller is bound, and the contract has no parties in this resource.
    """
    identity = request_context.current().identity
    if identity is None or identity.parties is None:
        return None
    return part_of(definition, identity.parties)


def part_of(definition: ResourceDefinition, parties: tuple[str, ...]) -> Condition:
    """Return the condition that one of the parties has a part in a document.

    Raises:
        OutOfBounds: the contract has no parties in this resource.
    """
    if not definition.parties:
        raise OutOfBounds("the caller is bound to a party, and this resource has none")
    stated = Or(
        tuple(
            Comparison(path, Operator.EQ, party) for path in definition.parties for party in parties
        )
    )
    return in_every_form(definition.forms, stated)


def check_seen(definition: ResourceDefinition, document: Document) -> None:
    """Make sure that the caller may see a document.

    Raises:
        DocumentNotFound: it may not; whether the document exists is not told.
        OutOfBounds: no document of this resource can be seen.
    """
    rule = condition(definition)
    if rule is not None and not holds(rule, json.loads(document.content)):
        raise DocumentNotFound(definition.collection, document.id)


def check_written(definition: ResourceDefinition, content: bytes) -> None:
    """Make sure that the caller would see what it is about to write.

    Raises:
        OutOfBounds: it would not.
    """
    rule = condition(definition)
    if rule is not None and not holds(rule, json.loads(content)):
        places = " or ".join("/" + "/".join(path) for path in definition.parties)
        raise OutOfBounds(f"{places} must name the party that the caller is bound to")
