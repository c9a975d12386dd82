"""Drafts of mappings between two versions of a document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts, open_prepared_store
from app.commands.contracts import mapping
from app.contract.evolution.mapping import Side, read_mapping
from app.maintenance import check_documents, migrate
from app.maintenance.collections import sources_of
from app.settings import Settings
from tests.conftest import OURS, OURS_V5, official_specs

TEXT = {"type": "string"}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(name: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(name)}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": TEXT, "href": TEXT, **properties}}


def document(path: str, version: str, shop: dict[str, Any], **others: Any) -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": ref("Shop")}}}
    member = {"name": "id", "in": "path", "required": True, "schema": TEXT}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shops", "version": version},
        "servers": [{"url": path}],
        "paths": {
            "/shop": {
                "post": {
                    "requestBody": {"required": True, **content},
                    "responses": {"201": {"description": "", **content}},
                }
            },
            "/shop/{id}": {
                "parameters": [member],
                "get": {"responses": {"200": {"description": "", **content}}},
            },
        },
        "components": {"schemas": {"Shop": shop, "Error": {"type": "object"}, **others}},
    }


OLD = document(
    "/tmf-api/shopManagement/v4",
    "4.0.0",
    thing(clerk=listed("Clerk"), hours=ref("Hours"), closed=TEXT, city=TEXT),
    Clerk=thing(role=TEXT, name=TEXT),
    Hours={"type": "object", "properties": {"opens": TEXT, "closes": TEXT}},
)
NEW = document(
    "/tmf-api/shop/v5",
    "5.0.0",
    {**thing(relatedClerk=listed("Clerk"), openingTime=ref("Hours"), city=TEXT, size=TEXT)}
    | {"required": ["city"]},
    Clerk={"type": "object", "properties": {"role": TEXT, "@type": TEXT, "person": ref("Person")}},
    Person=thing(name=TEXT, **{"@type": TEXT}) | {"required": ["@type"]},
    Hours={"type": "object", "properties": {"opens": TEXT, "closes": TEXT}},
)


@pytest.fixture
def shops(tmp_path: Path) -> tuple[Path, Path]:
    files = tmp_path / "shops-v4.yaml", tmp_path / "shops-v5.yaml"
    for file, content in zip(files, (OLD, NEW), strict=True):
        file.write_text(yaml.safe_dump(content))
    return files


def draft(*files: Path) -> str:
    done = CliRunner().invoke(mapping, [*map(str, files)])
    assert done.exit_code == 0, done.output
    return done.output


def opened(text: str, folder: Path) -> Any:
    file = folder / "draft.mapping.yaml"
    file.write_text(text)
    return read_mapping(file)


def test_what_can_be_derived_is_written(shops: tuple[Path, Path]) -> None:
    text = draft(*shops)
    assert yaml.safe_load(text) == {
        "title": "Shops, 4.0.0 to 5.0.0",
        "api": {"older": "shopManagement", "newer": "shop"},
        "older": "4",
        "newer": "5",
        "resources": {
            "shop": {
                "attributes": {
                    "clerk": {
                        "to": "relatedClerk",
                        "nest": "person",
                        "beside": ["role"],
                        "newer": {"@type": "Clerk", "person": {"@type": "Person"}},
                    },
                    "hours": {"to": "openingTime"},
                }
            }
        },
    }
    assert [each.strip() for each in text.splitlines() if "#" in each] == [
        "# Open: newer requires city (string), which may be absent before.",
        "# Open: in the older version alone: closed.",
        "# Open: in the newer version alone: size.",
    ]


def test_the_draft_serves_versions_whose_apis_have_other_names(
    shops: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "shops.mapping.yaml"
    file.write_text(draft(*shops))
    settings = Settings(spec=shops, mappings=(file,), store="memory:", delivery="off")
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080") as client:
        body = {"city": "Ulm", "clerk": [{"id": "7", "name": "Ada", "role": "boss"}]}
        made = client.post("/tmf-api/shopManagement/v4/shop", json=body).json()
        read = client.get(f"/tmf-api/shop/v5/shop/{made['id']}").json()
        person = {"@type": "Person", "id": "7", "name": "Ada"}
        assert read["relatedClerk"] == [{"@type": "Clerk", "role": "boss", "person": person}]


def test_documents_from_before_the_mapping_are_found(
    shops: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "shops.mapping.yaml"
    file.write_text(draft(*shops))
    settings = Settings(spec=shops[1:], mappings=(file,), store="memory:")
    (contract,) = open_contracts(settings)
    store = open_prepared_store(settings, [contract])
    content = b'{"id":"1","city":"Ulm","hours":{"opens":"9"}}'
    store.insert("shopManagement/v4/shop", "1", content, form="4")
    (found,) = check_documents(contract, store)
    assert (found.documents, found.passed, found.translated) == (1, 1, 1)
    migrate(contract, store)
    moved = store.get("shopManagement/shop", "1")
    assert (moved.form, b'"openingTime":{"opens":"9"}' in moved.content) == ("5", True)
    store.close()


def test_a_mapping_may_rename_a_resource(shops: tuple[Path, Path], tmp_path: Path) -> None:
    new = yaml.safe_load(yaml.safe_dump(NEW).replace("/shop", "/store"))
    new["servers"] = NEW["servers"]
    shops[1].write_text(yaml.safe_dump(new))
    file = tmp_path / "shops.mapping.yaml"
    drafted = yaml.safe_load(draft(shops[0], tmp_path / "shops-v5.yaml"))
    attributes = {"clerk": {"to": "relatedClerk"}, "hours": {"to": "openingTime"}}
    drafted["resources"] = {"shop": {"to": "store", "attributes": attributes}}
    file.write_text(yaml.safe_dump(drafted))
    settings = Settings(spec=shops, mappings=(file,), store="memory:", delivery="off")
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080") as client:
        made = client.post("/tmf-api/shopManagement/v4/shop", json={"city": "Ulm", "hours": {}})
        read = client.get(f"/tmf-api/shop/v5/store/{made.json()['id']}").json()
        assert (read["city"], read["openingTime"]) == ("Ulm", {})
        assert read["href"].endswith(f"/shop/v5/store/{read['id']}")
        found = client.post("/tmf-api/shop/v5/store", json={"city": "Bonn"}).json()
        assert client.get(f"/tmf-api/shopManagement/v4/shop/{found['id']}").json()["city"] == "Bonn"
    (contract,) = open_contracts(Settings(spec=shops[1:], mappings=(file,), store="memory:"))
    held = {each.collection for each in sources_of(contract)}
    assert {"shopManagement/shop", "shopManagement/v4/shop", "shop/v5/store"} <= held


def test_the_draft_for_party_interactions_translates_them(tmp_path: Path) -> None:
    found = opened(draft(OURS, OURS_V5), tmp_path)
    shape = found.resources["partyInteraction"]
    old = {
        "channel": [{"id": "1", "name": "phone", "role": "used"}],
        "relatedParty": [{"id": "42", "role": "customer"}],
        "note": [{"text": "hello"}],
    }
    new = shape.translate(old, Side.NEWER)
    phone = {"@type": "ChannelRef", "id": "1", "name": "phone"}
    assert new["relatedChannel"] == [{"@type": "RelatedChannel", "role": "used", "channel": phone}]
    assert new["relatedParty"][0]["partyOrPartyRole"]["id"] == "42"
    assert new["note"] == [{"@type": "Note", "text": "hello"}]
    assert shape.translate(new, Side.OLDER)["channel"] == old["channel"]


def pairs() -> Iterator[tuple[Path, Path]]:
    files = sorted(official_specs().glob("TMF*"))
    for number in sorted({each.name[:6] for each in files}):
        one, *others = [each for each in files if each.name.startswith(number)]
        yield from ((one, other) for other in others)


@pytest.mark.slow
def test_drafts_of_official_documents_are_mappings(tmp_path: Path) -> None:
    found = [*pairs()]
    assert found
    for old, new in found:
        drafted = opened(draft(old, new), tmp_path)
        assert set(drafted.versions.values()) == {"4", "5"}
        assert drafted.resources
