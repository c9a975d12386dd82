"""The default profile accepts what TM Forum's conformance kits send; the strict one does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.contract import Kind, open_contract
from app.contract.document.load import Json
from app.contract.document.overlay import read_overlays
from app.settings import OPENAPI_FOLDER
from app.tmf630 import lifecycle

TEXT = {"type": "string"}
PARTY = {
    "type": "object",
    "required": ["@referredType", "id"],
    "properties": {"id": TEXT, "role": TEXT, "@referredType": TEXT},
}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def document(title: str, path: str, name: str, definitions: Json) -> Json:
    ok = {"201": {"description": "", "schema": ref(name)}}
    sent = {"name": "body", "in": "body", "required": True, "schema": ref(f"{name}_Create")}
    return {
        "swagger": "2.0",
        "info": {"title": title, "version": "4.0.0"},
        "paths": {path: {"post": {"parameters": [sent], "responses": ok}}},
        "definitions": {"Error": {"type": "object"}, "RelatedParty": PARTY, **definitions},
    }


def ordered(**required: list[str]) -> Json:
    return {
        "type": "object",
        "properties": {
            "id": TEXT,
            "orderItem": {"type": "array", "items": {"$ref": "#/definitions/Item"}},
            "relatedParty": {"type": "array", "items": ref("RelatedParty")},
        },
    } | required


def method(**type: Any) -> Json:
    return {
        "type": "object",
        "required": ["@type", "name"],
        "properties": {
            "name": TEXT,
            "@type": {**TEXT, **type},
            "relatedParty": ref("RelatedParty"),
        },
    }


RESOURCE_ORDER = document(
    "Resource Ordering Management",
    "/resourceOrder",
    "ResourceOrder",
    {
        "ResourceOrder": ordered(),
        "ResourceOrder_Create": ordered(),
        "Item": {"type": "object", "properties": {"resource": ref("ResourceRefOrValue")}},
        "ResourceRefOrValue": {
            "type": "object",
            "required": ["href", "id"],
            "properties": {"id": TEXT, "href": TEXT, "place": ref("RelatedPlaceRefOrValue")},
        },
        "RelatedPlaceRefOrValue": {
            "type": "object",
            "required": ["role"],
            "properties": {"id": TEXT, "role": TEXT},
        },
    },
)
PAYMENT_METHOD = document(
    "Payment Method",
    "/paymentMethod",
    "PaymentMethod",
    {"PaymentMethod": method(enum=["cash"]), "PaymentMethod_Create": method()},
)


@pytest.mark.parametrize(
    ("contract", "sent"),
    [
        (RESOURCE_ORDER, {"orderItem": [{"resource": {"place": {"id": "1"}}}]}),
        (RESOURCE_ORDER, {"relatedParty": [{"id": "1", "role": "requester"}]}),
        (PAYMENT_METHOD, {"name": "a"}),
        (PAYMENT_METHOD, {"@type": "cash", "relatedParty": {"id": "1"}}),
    ],
)
def test_the_default_profile_accepts_what_a_kit_sends(
    tmp_path: Path, contract: Json, sent: Json
) -> None:
    file = tmp_path / "contract.json"
    file.write_text(json.dumps(contract))
    overlays = read_overlays(OPENAPI_FOLDER / "overlays")
    for profile, accepted in (("conformance", True), ("strict", False)):
        opened = open_contract(file, overlays=overlays, profile=profile)
        (create,) = (each for each in opened.bindings if each.kind is Kind.CREATE)
        assert create.bodies["application/json"].accepts(sent) is accepted, profile
        if accepted:
            assert create.definition is not None
            made = lifecycle.created(create.definition, sent)
            create.definition.check(made)
            answer = create.responses(201)
            assert answer is not None
            assert answer.accepts({"href": "http://localhost/1", **made})
