"""Answers have the types and classes of their contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from app.settings import Settings
from tests.conftest import OURS

V4 = "/tmf-api/partyInteraction/v4/partyInteraction"
TEXT = {"type": "string"}
OFFER = {"type": "object", "properties": {"id": TEXT, "href": TEXT, "name": TEXT, "@type": TEXT}}
ERROR = {
    "type": "object",
    "required": ["code", "reason"],
    "properties": {"code": {"type": "integer"}, "reason": TEXT, "status": TEXT},
}


def answers(schema: str, *codes: str) -> dict[str, Any]:
    return {
        code: {"description": "", "schema": {"$ref": f"#/definitions/{schema}"}} for code in codes
    }


BODY = {
    "name": "offer",
    "in": "body",
    "required": True,
    "schema": {"$ref": "#/definitions/Offer_Create"},
}
CONTRACT = {
    "swagger": "2.0",
    "info": {"title": "Offers", "version": "4.1.0"},
    "basePath": "/tmf-api/offers/v4/",
    "produces": ["application/json"],
    "paths": {
        "/offer": {
            "post": {
                "parameters": [BODY],
                "responses": answers("Offer_Create", "201") | answers("Error", "400", "404"),
            }
        },
    },
    "definitions": {
        "Offer_Create": {**OFFER, "required": ["name"]},
        "Error": ERROR,
    },
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    file = tmp_path_factory.mktemp("contract") / "offers.json"
    file.write_text(json.dumps(CONTRACT))
    settings = Settings(spec=(file, OURS), store="memory:", delivery="off", validate_responses=True)
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080") as client:
        yield client


def test_error_codes_are_integers_where_the_contract_says_so(client: TestClient) -> None:
    refused = client.post("/tmf-api/offers/v4/offer", json={})
    assert refused.status_code == 400
    assert (refused.json()["code"], refused.json()["status"]) == (400, "400")
    assert "/name is required" in refused.json()["message"]
    assert client.get("/tmf-api/offers/v4/nothing").json()["code"] == 404


def test_error_codes_of_other_apis_are_words(client: TestClient) -> None:
    assert client.get(f"{V4}/none").json()["code"] == "notFound"
    assert client.get("/tmf-api/offers/v40").json()["code"] == "notFound"


def test_a_resource_has_the_class_of_the_resource_and_not_of_its_request(
    client: TestClient,
) -> None:
    made = client.post("/tmf-api/offers/v4/offer", json={"name": "a"})
    assert (made.status_code, made.json()["@type"]) == (201, "Offer")
