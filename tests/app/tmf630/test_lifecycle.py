"""Values that the server gives a new resource."""

from __future__ import annotations

from app.contract.schema.schemas import AttributePaths
from app.tmf630 import lifecycle
from app.tmf630.definitions import NEW_INTEGER_ID, Fill, ResourceDefinition


def numbered(*fills: Fill) -> ResourceDefinition:
    return ResourceDefinition(
        type="Ticket",
        collection="tickets",
        path="/ticket",
        check=lambda resource, before=None: None,
        attributes=AttributePaths({}, {}),
        integer_ids=True,
        fills=fills,
    )


def test_integer_ids_differ_grow_and_fit_into_53_bits() -> None:
    made = [int(lifecycle.created(numbered(), {})["id"]) for _ in range(5000)]
    assert made == sorted(set(made))
    assert made[-1] < 2**53


def test_elements_without_an_id_get_ids_that_differ() -> None:
    definition = numbered(Fill(("part", "id"), NEW_INTEGER_ID))
    made = lifecycle.created(definition, {"part": [{}, {"id": 5}, *({} for _ in range(500))]})
    ids = [each["id"] for each in made["part"]]
    assert ids[1] == 5
    assert len(set(ids)) == 502
    assert all(isinstance(each, int) for each in ids)
