"""Plain files fill collections, those that have no POST among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage import every, open_store
from storage import json as stored
from tests.commands import tmf683

pytestmark = pytest.mark.slow

BILLS = [
    {"id": "b1", "billNo": "1", "billDate": "2025-01-31T00:00:00Z", "amountDue": 5.5},
    {"id": "b2", "billNo": "2", "billDate": "2025-02-28T00:00:00Z", "amountDue": 7.5},
]
COLLECTION = "customerBillManagement/v4/customerBill"


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    answer = {"schema": {"$ref": "#/definitions/CustomerBill"}, "description": ""}
    listed = {
        "schema": {"type": "array", "items": {"$ref": "#/definitions/CustomerBill"}},
        "description": "",
    }
    document: dict[str, Any] = {
        "swagger": "2.0",
        "info": {"title": "Customer Bill Management", "version": "4.0.0"},
        "basePath": "/tmf-api/customerBillManagement/v4/",
        "paths": {
            "/customerBill": {"get": {"responses": {"200": listed}}},
            "/customerBill/{id}": {
                "get": {
                    "parameters": [
                        {"name": "id", "in": "path", "type": "string", "required": True}
                    ],
                    "responses": {"200": answer},
                }
            },
        },
        "definitions": {
            "CustomerBill": {
                "type": "object",
                "required": ["billNo"],
                "properties": {
                    "id": {"type": "string"},
                    "href": {"type": "string"},
                    "billNo": {"type": "string"},
                    "billDate": {"type": "string", "format": "date-time"},
                    "lastUpdate": {"type": "string", "format": "date-time"},
                    "amountDue": {"type": "number"},
                    "@type": {"type": "string"},
                },
            }
        },
    }
    file = tmp_path / "bills.json"
    file.write_text(json.dumps(document))
    return file


def content(store: str) -> dict[str, dict[str, Any]]:
    opened = open_store(store, make=False)
    try:
        return {each.id: stored.loads(each.content) for each in every(opened, COLLECTION)}
    finally:
        opened.close()


@pytest.mark.parametrize("form", ["array", "indented array", "lines"])
def test_a_plain_file_fills_a_collection_without_post(
    tmp_path: Path, contract: Path, form: str
) -> None:
    store = f"sqlite:///{tmp_path}/bills.db"
    file = tmp_path / "plain"
    if form == "lines":
        file.write_text("".join(f"{json.dumps(each)}\n" for each in BILLS))
    else:
        file.write_text(json.dumps(BILLS, indent=2 if form == "indented array" else None))
    arguments = ("import", str(file), "--resource", "customerBill")
    done = tmf683(*arguments, "--spec", str(contract), "--store", store)
    assert done.returncode == 0, done.stderr
    assert "2 documents added" in done.stdout
    found = content(store)
    assert found.keys() == {"b1", "b2"}
    for bill in BILLS:
        assert found[str(bill["id"])].items() >= bill.items()


def test_integers_beyond_64_bits_are_kept(tmp_path: Path, contract: Path) -> None:
    store = f"sqlite:///{tmp_path}/bills.db"
    for id, form in (("b3", "{}\n"), ("b4", "[{}]")):
        file = tmp_path / "plain"
        file.write_text(form.format(json.dumps({"id": id, "billNo": "1", "counter": 2**70})))
        arguments = ("import", str(file), "--resource", "customerBill")
        done = tmf683(*arguments, "--spec", str(contract), "--store", store)
        assert done.returncode == 0, done.stderr
    assert [each["counter"] for each in content(store).values()] == [2**70, 2**70]


def test_what_breaks_the_contract_is_rejected_with_its_line(tmp_path: Path, contract: Path) -> None:
    file = tmp_path / "plain.ndjson"
    file.write_text('{"id": "good", "billNo": "1"}\n{"id": "bad", "billNo": 5}\n')
    store = f"sqlite:///{tmp_path}/bills.db"
    arguments = ("import", str(file), "--resource", "customerBill")
    done = tmf683(*arguments, "--spec", str(contract), "--store", store)
    assert done.returncode == 1
    assert "line 2, bad: /billNo must be of type string" in done.stdout
    assert content(store).keys() == {"good"}


def test_put_adds_and_replaces_one_resource(tmp_path: Path, contract: Path) -> None:
    store = f"sqlite:///{tmp_path}/bills.db"
    file = tmp_path / "one.json"
    words = []
    for amount in (1.5, 2.5, 2.5):
        bill = BILLS[0] | {"amountDue": amount, "lastUpdate": "2025-03-01T00:00:00Z"}
        file.write_text(json.dumps(bill, indent=1))
        arguments = ("put", "customerBill", str(file))
        done = tmf683(*arguments, "--spec", str(contract), "--store", store)
        assert done.returncode == 0, done.stderr
        words.append(done.stdout.strip())
        assert content(store)["b1"]["amountDue"] == amount
    expected = ["added", "replaced", "there already"]
    assert words == [f"customerBill b1 {word}" for word in expected]


@pytest.mark.parametrize(
    ("text", "resource", "message"),
    [
        ("[{]", "customerBill", "is not JSON"),
        ("[5]", "customerBill", "line 1 is not a JSON object"),
        ('{"id": true}', "customerBill", "neither a text nor an integer"),
        ("[]", "bill", "no contract has bill; there are customerBill"),
        ('{"archive":"tmf683","format":1}\n', "customerBill", "an archive says what it holds"),
    ],
)
def test_what_cannot_be_imported_is_told(
    tmp_path: Path, contract: Path, text: str, resource: str, message: str
) -> None:
    file = tmp_path / "plain"
    file.write_text(text)
    arguments = ("import", str(file), "--resource", resource)
    done = tmf683(*arguments, "--spec", str(contract), "--store", f"sqlite:///{tmp_path}/b.db")
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("renamed", ["customerBill", "customerBillManagement"])
def test_documents_of_a_version_with_another_api_name_are_found(
    tmp_path: Path, contract: Path, renamed: str
) -> None:
    store = f"sqlite:///{tmp_path}/bills.db"
    file = tmp_path / "plain"
    file.write_text(json.dumps(BILLS))
    arguments = ("import", str(file), "--resource", "customerBill")
    assert tmf683(*arguments, "--spec", str(contract), "--store", store).returncode == 0
    document = json.loads(contract.read_text())
    document["basePath"] = f"/tmf-api/{renamed}/v5/"
    document["info"]["version"] = "5.0.0"
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps(document))
    done = tmf683("check", str(newer), "--store", store)
    assert f"{COLLECTION}: 2 of 2 documents fit" in done.stdout
    assert "no documents are stored" not in done.stdout
    done = tmf683("migrate", "--to", str(newer), "--store", store)
    assert f"{COLLECTION}: 2 documents migrated" in done.stdout, done.stdout + done.stderr
