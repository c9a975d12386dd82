"""Which changes the names of event listeners stand for."""

from __future__ import annotations

import pytest

from app.contract.binding.event_definitions import change_of
from app.tmf630.definitions import Change


@pytest.mark.parametrize(
    ("name", "resource", "change"),
    [
        ("partyInteractionCreateEvent", "partyInteraction", Change.CREATE),
        ("serviceCatalogChangeEvent", "serviceCatalog", Change.ATTRIBUTE),
        ("appointmentCreationNotification", "appointment", Change.CREATE),
        ("intentCreationEvent", "intent", Change.CREATE),
        ("poolStateChange", "pool", Change.STATUS),
        ("poolAttributeValueChange", "pool", Change.ATTRIBUTE),
        ("OrderStateChangeEvent", "order", Change.STATUS),
        ("hubDeletionEvent", "hub", Change.DELETE),
        ("resourceRemoveEvent", "resource", Change.DELETE),
        ("partCreateEvent", "thing/part", Change.CREATE),
    ],
)
def test_a_listener_stands_for_a_change(name: str, resource: str, change: Change) -> None:
    found = change_of(name, resource)
    assert found is not None
    assert found[0] is change


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("catalogBatchEvent", "catalog"),
        ("quoteInformationRequiredEvent", "quote"),
        ("quoteItemCreateEvent", "quote"),
        ("quoteCreateEvent", "quoteItem"),
    ],
)
def test_other_names_are_not_placed(name: str, resource: str) -> None:
    assert change_of(name, resource) is None


def test_the_usual_name_comes_before_others() -> None:
    usual = change_of("poolAttributeValueChangeEvent", "pool")
    other = change_of("poolChangeEvent", "pool")
    assert usual is not None
    assert other is not None
    assert usual[0] is other[0] is Change.ATTRIBUTE
    assert usual[1] < other[1]
