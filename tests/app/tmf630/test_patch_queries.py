"""Paths with conditions, in every form that official documents use."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.tmf630 import patching
from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.errors import PatchConflict
from app.tmf630.patch_queries import expand
from app.tmf630.patching import JSON_PATCH, JSON_PATCH_QUERY

RESOURCE: dict[str, Any] = {
    "lifecycleStatus": "active",
    "version": "1.0",
    "cartItem": [{"id": "1203-100", "quantity": 1}, {"id": "1203-200", "quantity": 2}],
    "partyCharacteristic": [{"name": "market segment", "value": "a"}, {"name": "b", "value": "c"}],
    "accountRelationship": [{"account": {"id": "7688"}}, {"account": {"id": "1"}}],
    "taxExemption": [{"certificateNumber": "45678889876"}, {"certificateNumber": "2"}],
    "productSpecCharacteristic": [
        {
            "name": "Color",
            "characteristicValueSpecification": [
                {"value": "Black", "isDefault": True},
                {"value": "White", "isDefault": False},
            ],
        },
        {"name": "Size", "characteristicValueSpecification": [{"value": "Black"}]},
    ],
    "orderItem": [
        {"note": [{"author": "x", "text": "1"}, {"author": "y", "text": "2"}]},
        {"note": [{"author": "y", "text": "3"}]},
    ],
}
VALUES = "/productSpecCharacteristic/characteristicValueSpecification"


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("/accountRelationship?/accountRelationship.account.id=7688", ["/accountRelationship/0"]),
        (
            "/partyCharacteristic/value?/partyCharacteristic/name=market segment",
            ["/partyCharacteristic/0/value"],
        ),
        ("/lifecycleStatus?version='1.0'", ["/lifecycleStatus"]),
        ('/lifecycleStatus?version=="1.0"', ["/lifecycleStatus"]),
        ("/cartItem?cartItem.id=='1203-100'", ["/cartItem/0"]),
        ("/cartItem?id='1203-200'", ["/cartItem/1"]),
        ("/cartItem/quantity?/cartItem/id==1203-200", ["/cartItem/1/quantity"]),
        (
            "/taxExemption/validFor?/taxExemption/certificateNumber=45678889876",
            ["/taxExemption/0/validFor"],
        ),
        (
            f"{VALUES}/isDefault?value={VALUES}/White",
            ["/productSpecCharacteristic/0/characteristicValueSpecification/1/isDefault"],
        ),
        (f"{VALUES}?name=Size&value=Black", [f"{VALUES.replace('/char', '/1/char')}/0"]),
        ("/orderItem/note?orderItem.note.author=y", ["/orderItem/1/note/0", "/orderItem/0/note/1"]),
        ("/orderItem/note/text?author=x", ["/orderItem/0/note/0/text"]),
    ],
)
def test_a_condition_is_read_in_every_form_that_documents_use(path: str, places: list[str]) -> None:
    steps = expand({"op": "replace", "path": path, "value": 1}, RESOURCE, 0, 1000)
    assert [each["path"] for each in steps] == places


@pytest.mark.parametrize(
    "path",
    [
        "/lifecycleStatus?version='2.0'",
        "/cartItem?cartItem.id=='x'",
        "/partyCharacteristic/value?/partyCharacteristic/name=market",
    ],
)
def test_a_condition_that_does_not_hold_selects_nothing(path: str) -> None:
    with pytest.raises(PatchConflict, match="selects nothing"):
        expand({"op": "replace", "path": path, "value": 1}, RESOURCE, 0, 1000)


class Attributes:
    def is_array(self, path: tuple[str, ...]) -> bool:
        return path in {("note",), ("item", "note")}


def patched(resource: dict[str, Any], path: str, value: Any, media_type: str) -> Any:
    definition: Any = SimpleNamespace(frozen=frozenset(), attributes=Attributes())
    stated: ResourceDefinition = definition
    patch = [{"op": "add", "path": path, "value": value}]
    return patching.patched(stated, resource, media_type, patch, Limits())


@pytest.mark.parametrize("media_type", [JSON_PATCH, JSON_PATCH_QUERY])
@pytest.mark.parametrize(
    ("resource", "path", "after"),
    [
        ({"note": [{"a": 1}]}, "/note", {"note": [{"a": 1}, {"b": 2}]}),
        ({}, "/note", {"note": [{"b": 2}]}),
        ({"item": [{}]}, "/item/0/note", {"item": [{"note": [{"b": 2}]}]}),
        ({"note": []}, "/note/-", {"note": [{"b": 2}]}),
        ({"note": [{"a": 1}]}, "/note/0", {"note": [{"b": 2}, {"a": 1}]}),
        ({}, "/other", {"other": {"b": 2}}),
    ],
)
def test_an_object_that_is_added_to_an_array_is_appended(
    resource: dict[str, Any], path: str, after: dict[str, Any], media_type: str
) -> None:
    assert patched(resource, path, {"b": 2}, media_type) == after


def test_an_array_that_is_added_replaces_one() -> None:
    assert patched({"note": [{"a": 1}]}, "/note", [{"b": 2}], JSON_PATCH) == {"note": [{"b": 2}]}
