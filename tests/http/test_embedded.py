"""Resources that are elements of an array of their parent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts
from app.conformance import run_derived, text_report
from app.identity.api_keys import make_key
from app.settings import Settings
from app.tmf630.caller import Access
from storage import open_store
from tests.http.conftest import error_of

BASE = "/tmf-api/addressBook/v4"
TEXT = {"type": "string"}
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer"}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(name: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(name)}


def json_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "", "content": json_of(schema)}


def parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]


def paths_of(path: str, name: str) -> dict[str, Any]:
    body = {"requestBody": {"required": True, "content": json_of(ref(name))}}
    member = f"{path}/{{id}}"
    return {
        path: {
            "parameters": parameters(path),
            "get": {"parameters": [LIMIT], "responses": {"200": answer(listed(name))}},
            "post": body | {"responses": {"201": answer(ref(name))}},
        },
        member: {
            "parameters": parameters(member),
            "get": {"responses": {"200": answer(ref(name))}},
            "patch": body | {"responses": {"200": answer(ref(name))}},
            "put": body | {"responses": {"200": answer(ref(name))}},
            "delete": {"responses": {"204": {"description": ""}}},
        },
    }


def event(name: str) -> dict[str, Any]:
    payload = {"type": "object", "properties": {name: ref(name[:1].upper() + name[1:])}}
    told = {"eventId": TEXT, "eventType": TEXT, "event": payload}
    schema = {"type": "object", "properties": told}
    body = {"required": True, "content": json_of(schema)}
    return {"post": {"requestBody": body, "responses": {"204": {"description": ""}}}}


def resource(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": TEXT, "href": TEXT, **properties}}


PARTY = {"type": "object", "properties": {"id": TEXT}}
HUB = {"type": "object", "properties": {"callback": TEXT, "query": TEXT}, "required": ["callback"]}
CONTRACT = {
    "openapi": "3.0.3",
    "info": {"title": "Address Book", "version": "4.1.0"},
    "paths": {
        **paths_of("/site", "Site"),
        **paths_of("/site/{siteId}/unit", "Unit"),
        **paths_of("/site/{siteId}/unit/{unitId}/room", "Room"),
        **paths_of("/site/{siteId}/contact", "Contact"),
        "/listener/siteAttributeValueChangeEvent": event("site"),
        "/listener/unitCreateEvent": event("unit"),
        "/hub": {
            "post": {
                "requestBody": {"required": True, "content": json_of(HUB)},
                "responses": {"201": answer(HUB)},
            }
        },
    },
    "components": {
        "schemas": {
            "Site": resource(
                city=TEXT,
                lastUpdate={"type": "string", "format": "date-time"},
                relatedParty={"type": "array", "items": PARTY},
                unit={**listed("Unit"), "maxItems": 40},
                contact=listed("ContactRef"),
            ),
            "Unit": resource(level=TEXT, floor={"type": "integer"}, room=listed("Room")),
            "Room": resource(colour=TEXT),
            "Contact": resource(phone=TEXT),
            "ContactRef": resource(name=TEXT, **{"@referredType": TEXT}),
            "Error": {"type": "object"},
        }
    },
}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("contract") / "addresses.json"
    file.write_text(json.dumps(CONTRACT))
    return file


@pytest.fixture(scope="module")
def database(spec: Path) -> str:
    return f"sqlite:///{spec.parent}/addresses.db"


@pytest.fixture(scope="module")
def api(spec: Path, database: str) -> Iterator[TestClient]:
    settings = Settings(
        spec=(spec,), store=database, durability="normal", validate_responses=True, delivery="off"
    )
    base = f"http://127.0.0.1:8080{BASE}/"
    with TestClient(create_app(settings), base_url=base) as client:
        yield client


def site(api: TestClient, *units: dict[str, Any], **attributes: Any) -> str:
    made = api.post("site", json={"city": "Ulm", "unit": units, **attributes})
    assert made.status_code == 201, made.text
    return f"{api.base_url}site/{made.json()['id']}"


def units_of(api: TestClient, site: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(site).json()["unit"]
    return found


def test_elements_are_read_under_the_path_of_their_parent(api: TestClient) -> None:
    house = site(api, {"level": "1", "floor": 1}, {"id": "attic", "level": "9", "floor": 9})
    first, second = units_of(api, house)
    assert (second["id"], len(first["id"])) == ("attic", 36)
    whole = api.get(f"{house}/unit")
    assert [each["id"] for each in whole.json()] == [first["id"], "attic"]
    assert whole.headers["X-Total-Count"] == "2"
    one = api.get(f"{house}/unit/attic")
    assert one.json() == second | {"href": f"{house}/unit/attic"}
    assert one.headers["ETag"]
    found = api.get(f"{house}/unit", params={"floor.gt": 1, "fields": "level"}).json()
    assert found == [{"id": "attic", "href": f"{house}/unit/attic", "level": "9"}]
    assert api.get(f"{house}/unit", params={"sort": "-floor"}).json()[0]["id"] == "attic"
    page = api.get(f"{house}/unit", params={"limit": 1})
    assert [each["id"] for each in page.json()] == [first["id"]]
    assert [each["id"] for each in api.get(page.links["next"]["url"]).json()] == ["attic"]
    error_of(api.get(f"{house}/unit/none"), 404)
    error_of(api.get("site/none/unit"), 404)


def test_an_element_is_created_in_the_array_of_its_parent(api: TestClient) -> None:
    house = site(api, {"id": "cellar"})
    before = api.get(house)
    made = api.post(f"{house}/unit", json={"level": "2", "extension": [1]})
    assert made.status_code == 201, made.text
    unit = made.json()
    assert made.headers["Location"] == unit["href"] == f"{house}/unit/{unit['id']}"
    after = api.get(house)
    assert after.json()["unit"] == [{"id": "cellar"}, without_href(unit)]
    assert after.json()["lastUpdate"] > before.json()["lastUpdate"]
    assert after.headers["ETag"] != before.headers["ETag"]
    error_of(api.post("site/none/unit", json={"level": "2"}), 404)
    error_of(api.post(f"{house}/unit", json={"floor": "high"}), 400)


def test_an_element_is_changed_and_removed_in_the_array(api: TestClient) -> None:
    link = "http://elsewhere.example/unit/a"
    house = site(api, {"id": "a", "level": "1", "href": link}, {"id": "b", "level": "2"})
    tag = api.get(f"{house}/unit/a").headers["ETag"]
    changed = api.patch(f"{house}/unit/a", json={"level": "3"}, headers={"If-Match": tag})
    assert changed.json() == {"id": "a", "href": f"{house}/unit/a", "level": "3"}
    assert changed.headers["ETag"] == api.get(f"{house}/unit/a").headers["ETag"]
    assert units_of(api, house)[0] == {"id": "a", "href": link, "level": "3"}
    again = api.patch(f"{house}/unit/a", json={"level": "4"}, headers={"If-Match": tag})
    error_of(again, 412)
    assert api.put(f"{house}/unit/b", json={"floor": 7}).json()["floor"] == 7
    assert units_of(api, house)[1]["floor"] == 7
    assert api.delete(f"{house}/unit/a").status_code == 204
    assert [each["id"] for each in units_of(api, house)] == ["b"]
    error_of(api.delete(f"{house}/unit/a"), 404)
    error_of(api.patch(f"{house}/unit/b", json={"floor": "x"}), 400)
    error_of(api.patch(f"{house}/unit/none", json={"floor": 1}), 404)


def test_what_the_schema_of_the_parent_refuses_is_refused(api: TestClient) -> None:
    house = site(api, *({"id": str(number)} for number in range(40)))
    assert "/unit" in error_of(api.post(f"{house}/unit", json={"level": "41"}), 400)["message"]
    assert len(units_of(api, house)) == 40


@pytest.mark.parametrize("query", ["limit=2", "limit=2&sort=-level"])
def test_pages_go_on_where_they_ended_when_the_array_changes(api: TestClient, query: str) -> None:
    units = [{"id": name, "level": "same"} for name in "abcde"]
    house = site(api, *units)
    page = api.get(f"{house}/unit?{query}")
    assert [each["id"] for each in page.json()] == ["a", "b"]
    added = api.post(f"{house}/unit", json={"id": "z", "level": "same"})
    assert added.status_code == 201, added.text
    rest = api.get(page.links["next"]["url"])
    assert [each["id"] for each in rest.json()] == ["c", "d"]
    assert api.delete(f"{house}/unit/d").status_code == 204
    last = api.get(rest.links["next"]["url"])
    assert [each["id"] for each in last.json()] == ["e", added.json()["id"]]


def test_elements_of_elements_are_within_the_outermost_resource(api: TestClient) -> None:
    house = site(api, {"id": "a", "room": [{"colour": "red"}]})
    (red,) = units_of(api, house)[0]["room"]
    assert api.get(f"{house}/unit/a/room/{red['id']}").json()["colour"] == "red"
    blue = api.post(f"{house}/unit/a/room", json={"colour": "blue"}).json()
    assert api.patch(blue["href"], json={"colour": "green"}).status_code == 200
    assert units_of(api, house)[0]["room"] == [red, {**without_href(blue), "colour": "green"}]
    assert api.delete(f"{house}/unit/a/room/{red['id']}").status_code == 204
    assert [each["colour"] for each in api.get(f"{house}/unit/a/room").json()] == ["green"]
    error_of(api.get(f"{house}/unit/none/room"), 404)


def test_an_element_without_id_has_an_address(api: TestClient, database: str) -> None:
    store = open_store(database)
    content = b'{"id":"old","city":"Ulm","unit":[{"level":"1"},{"level":"1"},{"level":"2"}]}'
    store.insert("addressBook/v4/site", "old", content)
    store.close()
    first, like_it, last = api.get("site/old/unit").json()
    assert api.get(last["href"]).json() == last
    assert api.patch(last["href"], json={"level": "3"}).json() == last | {"level": "3"}
    assert api.get("site/old").json()["unit"][2] == {"id": last["id"], "level": "3"}
    assert api.delete(first["href"]).status_code == 204
    assert [each["id"] for each in units_of(api, "site/old")] == [like_it["id"], last["id"]]


def test_an_empty_id_is_none(api: TestClient, database: str) -> None:
    house = site(api, {"id": "", "level": "1"})
    (unit,) = api.get(f"{house}/unit").json()
    assert unit["id"]
    assert api.get(unit["href"]).json()["level"] == "1"
    store = open_store(database)
    store.insert("addressBook/v4/site", "empty", b'{"id":"empty","unit":[{"id":"","level":"2"}]}')
    store.close()
    (unit,) = api.get("site/empty/unit").json()
    assert api.get(unit["href"]).json()["level"] == "2"


def test_elements_that_are_references_lead_to_documents_of_their_own(api: TestClient) -> None:
    house = site(api, contact=[{"id": "1", "name": "Ada"}])
    assert api.get(f"{house}/contact").json() == []
    made = api.post(f"{house}/contact", json={"phone": "1"}).json()
    assert api.get(f"{house}/contact").json() == [made]
    assert api.get(house).json()["contact"] == [{"id": "1", "name": "Ada"}]


def test_no_change_of_an_array_is_lost(api: TestClient) -> None:
    house = site(api, {"id": "kept", "level": "0"})

    def add(number: int) -> int:
        api.patch(f"{house}/unit/kept", json={f"by{number}": True})
        return api.post(f"{house}/unit", json={"floor": number}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(24))) == {201}
    kept, *rest = units_of(api, house)
    assert sorted(each["floor"] for each in rest) == list(range(24))
    assert {f"by{number}" for number in range(24)} <= kept.keys()


def test_a_change_of_an_element_has_the_events_of_both(api: TestClient, database: str) -> None:
    assert api.post("hub", json={"callback": "http://listener.example/"}).status_code == 201
    house = site(api)
    made = api.post(f"{house}/unit", json={"level": "1"}).json()
    api.delete(made["href"])
    store = open_store(database)
    records = [json.loads(each.content) for each in store.events(0, 1000)]
    store.close()
    assert [(each["collection"], each["change"]) for each in records] == [
        ("addressBook/v4/site/unit", "create"),
        ("addressBook/v4/site", "attribute"),
        ("addressBook/v4/site", "attribute"),
    ]
    assert records[1]["attributes"] == ["unit"]
    assert records[1]["content"]["unit"] == [without_href(made)]


def test_the_parent_decides_who_sees_an_element(spec: Path) -> None:
    keys = [make_key(name, [Access.READ, Access.WRITE], [name]) for name in ("ada", "ben")]
    settings = Settings(
        spec=(spec,), store="memory:", delivery="off", api_keys=",".join(each for _, each in keys)
    )
    base = f"http://127.0.0.1:8080{BASE}/"
    with TestClient(create_app(settings), base_url=base) as client:
        ada, ben = ({"X-API-Key": key} for key, _ in keys)
        body = {"relatedParty": [{"id": "ada"}], "unit": [{"id": "a"}]}
        house = client.post("site", json=body, headers=ada).json()["href"]
        assert client.get(f"{house}/unit/a", headers=ada).status_code == 200
        assert client.post(f"{house}/unit", json={}, headers=ada).status_code == 201
        for path in ("unit", "unit/a"):
            error_of(client.get(f"{house}/{path}", headers=ben), 404)
        error_of(client.post(f"{house}/unit", json={}, headers=ben), 404)
        error_of(client.patch(f"{house}/unit/a", json={"level": "1"}, headers=ben), 404)


def without_href(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "href"}


@dataclass(frozen=True, slots=True)
class InThisProcess:
    """A transport to a server in this process."""

    client: TestClient

    @contextmanager
    def open(self) -> Iterator[TestClient]:
        yield self.client


def test_a_derived_run_tries_what_lies_within_others(api: TestClient, spec: Path) -> None:
    (contract,) = open_contracts(Settings(spec=(spec,), store="memory:"))
    url = str(api.base_url).rstrip("/")
    outcome = run_derived(contract, url, transport=cast(Any, InThisProcess(api)))
    assert outcome.failed == 0, text_report(outcome)
    tried = {each.operation for each in outcome.exchanges}
    untried = {each.operation for each in outcome.not_tried}
    for path in ("/site/{siteId}/unit", "/site/{siteId}/unit/{unitId}/room"):
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            assert f"{method} {path}/{{id}}" in tried
        assert {f"GET {path}", f"POST {path}"} <= tried
    assert untried == {"delivery of events"}
    assert [each for each in outcome.left if "/hub/" not in each] == []
