"""Values of several possible classes, told apart by their discriminator."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator

from app.contract.schema.discriminator import open_classes
from app.contract.schema.validators import SchemaCompiler, UnknownTypes, Validator, View

SCHEMAS: dict[str, Any] = {
    "Extensible": {
        "type": "object",
        "required": ["@type"],
        "properties": {"@type": {"type": "string"}},
    },
    "Party": {
        "allOf": [
            {"$ref": "#/components/schemas/Extensible"},
            {"type": "object", "properties": {"name": {"type": "string"}}},
        ],
        "discriminator": {
            "propertyName": "@type",
            "mapping": {
                "Party": "#/components/schemas/Party",
                "Individual": "#/components/schemas/Individual",
            },
        },
    },
    "Individual": {
        "allOf": [
            {"$ref": "#/components/schemas/Party"},
            {
                "type": "object",
                "required": ["familyName"],
                "properties": {
                    "familyName": {"type": "string"},
                    "manager": {"$ref": "#/components/schemas/Party"},
                },
            },
        ]
    },
    "PartyRef": {
        "allOf": [
            {"$ref": "#/components/schemas/Extensible"},
            {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
            },
        ]
    },
    "PartyOrRef": {
        "oneOf": [
            {"$ref": "#/components/schemas/Party"},
            {"$ref": "#/components/schemas/PartyRef"},
        ],
        "discriminator": {
            "propertyName": "@type",
            "mapping": {
                "Party": "#/components/schemas/Party",
                "Individual": "#/components/schemas/Party",
                "PartyRef": "#/components/schemas/PartyRef",
            },
        },
    },
    "RelatedParty": {
        "allOf": [
            {"$ref": "#/components/schemas/PartyOrRef"},
            {"type": "object", "properties": {"role": {"type": "string"}}},
        ]
    },
    "Unmapped": {
        "oneOf": [
            {"$ref": "#/components/schemas/Individual"},
            {"$ref": "#/components/schemas/PartyRef"},
        ],
        "discriminator": {"propertyName": "@type"},
    },
}


def validator(name: str, *, unknown_types: UnknownTypes = UnknownTypes.KEEP) -> Validator:
    document = {"openapi": "3.0.1", "components": {"schemas": SCHEMAS}}
    compiler = SchemaCompiler(document, unknown_types)
    return compiler.compile({"$ref": f"#/components/schemas/{name}"}, View.REQUEST)


def broken(name: str, value: Any) -> list[str]:
    checked = validator(name)
    violations = [str(each) for each in checked.violations(value)]
    assert checked.accepts(value) == (not violations)
    return violations


def test_overlapping_branches_are_told_apart_by_the_type() -> None:
    assert broken("PartyOrRef", {"@type": "PartyRef", "id": "1", "name": "Ann"}) == []
    assert broken("PartyOrRef", {"@type": "Party", "name": "Ann"}) == []


def test_the_rule_of_the_chosen_branch_is_reported() -> None:
    assert broken("PartyOrRef", {"@type": "PartyRef"}) == ["/id is required"]
    assert broken("PartyOrRef", {"@type": "Party", "name": 1}) == ["/name must be of type string"]


def test_a_union_member_with_heirs_of_its_own_leads_to_the_heir() -> None:
    assert broken("PartyOrRef", {"@type": "Individual"}) == ["/familyName is required"]


def test_a_base_class_leads_to_its_heir() -> None:
    assert broken("Party", {"@type": "Party"}) == []
    assert broken("Party", {"@type": "Individual", "familyName": "Lee"}) == []
    assert broken("Party", {"@type": "Individual"}) == ["/familyName is required"]


def test_an_heir_inherits_the_attributes_of_its_base() -> None:
    value = {"@type": "Individual", "familyName": "Lee", "name": 5}
    assert broken("Individual", value) == ["/name must be of type string"]


def test_the_branch_is_chosen_anew_at_every_depth() -> None:
    chief = {"@type": "Individual", "familyName": "Chief", "manager": {"@type": "Individual"}}
    value = {"@type": "Individual", "familyName": "Lee", "manager": chief}
    assert broken("PartyOrRef", value) == ["/manager/manager/familyName is required"]


def test_a_class_that_extends_a_union_still_chooses() -> None:
    assert broken("RelatedParty", {"@type": "PartyRef", "role": "customer"}) == ["/id is required"]
    value = {"@type": "PartyRef", "id": "1", "role": 2}
    assert broken("RelatedParty", value) == ["/role must be of type string"]


def test_without_a_mapping_the_names_of_the_classes_count() -> None:
    assert broken("Unmapped", {"@type": "PartyRef"}) == ["/id is required"]
    assert broken("Unmapped", {"@type": "Individual"}) == ["/familyName is required"]


@pytest.mark.parametrize("name", ["PartyOrRef", "Party"])
def test_an_unknown_type_is_held_against_what_all_have_in_common(name: str) -> None:
    assert broken(name, {"@type": "Robot", "serial": 7}) == []
    assert broken(name, {"@type": "Robot", "name": 7}) == ["/name must be of type string"]
    assert broken(name, {"serial": 7}) == ["/@type is required"]
    assert broken(name, {"@type": 7}) == ["/@type must be of type string"]
    assert broken(name, "Robot") == ["/ must be of type object"]


@pytest.mark.parametrize("name", ["PartyOrRef", "Party"])
def test_unknown_types_can_be_refused(name: str) -> None:
    checked = validator(name, unknown_types=UnknownTypes.REFUSE)
    assert checked.accepts({"@type": "Party"})
    (violation, *_) = checked.violations({"@type": "Robot"})
    assert str(violation).startswith("/@type must be one of Party or Individual")


@pytest.mark.parametrize(
    "value",
    [
        {"@type": "Robot", "serial": 7},
        {"@type": "Robot", "name": 7},
        {"serial": 7},
        {"@type": "PartyRef", "name": "x"},
        {"@type": "PartyRef", "id": "1"},
    ],
)
def test_the_contract_as_published_says_of_other_classes_what_the_server_does(value: Any) -> None:
    document = open_classes({"openapi": "3.0.1", "components": {"schemas": SCHEMAS}})
    published = OAS30Validator({**document["components"]["schemas"]["Unmapped"], **document})
    assert published.is_valid(value) == validator("Unmapped").accepts(value)
