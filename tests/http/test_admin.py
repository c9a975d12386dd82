"""The operator API over HTTP: who may use it, its document, its errors, and the server's status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_admin_api
from app.identity.api_keys import make_key
from app.settings import Settings
from app.tmf630.caller import Access
from handlers.admin import AdminHandlers
from tests.conftest import OURS
from tests.http.conftest import error_of

BASE = "/tmf-api/partyInteraction/v4"
READER, READER_ENTRY = make_key("reader", [Access.READ])
OPERATOR, OPERATOR_ENTRY = make_key("operator", [Access.OPERATE])
BOUND, BOUND_ENTRY = make_key("bound", [Access.OPERATE], ["42"])


def settings_for(folder: Path, **more: Any) -> Settings:
    return Settings(
        store=f"sqlite:///{folder}/store.db",
        spec=(OURS,),
        delivery="off",
        durability="normal",
        callback_allow=("127.0.0.1",),
        validate_responses=True,
        **more,
    )


@pytest.fixture(scope="module")
def open_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = create_app(settings_for(tmp_path_factory.mktemp("open")))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    keys = (READER_ENTRY, OPERATOR_ENTRY, BOUND_ENTRY)
    folder = tmp_path_factory.mktemp("guarded")
    app = create_app(settings_for(folder, api_keys=keys, webhook_keys=("whsec_" + "c" * 40,)))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def as_(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


def operations(client: TestClient) -> list[tuple[str, str, dict[str, Any]]]:
    document = client.get("/admin/openapi.json").json()
    return [
        (method.upper(), f"/admin{path}".replace("{id}", "x"), operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_its_document_says_what_every_operation_asks_for(guarded: TestClient) -> None:
    answer = guarded.get("/admin/openapi.json")
    assert answer.json()["servers"] == [{"url": "http://127.0.0.1/admin"}]
    assert "apiKey" in answer.json()["components"]["securitySchemes"]
    for _, _, operation in operations(guarded):
        assert operation["x-required-scope"] == "tmf:operate"
        assert operation["security"] == [{"apiKey": []}]
    assert guarded.get("/admin/ui/").status_code == 200


def test_no_operation_is_for_others_than_operators(guarded: TestClient) -> None:
    found = operations(guarded)
    assert len(found) == 20
    for method, path, _ in found:
        error_of(guarded.request(method, path), 401)
        error = error_of(guarded.request(method, path, headers=as_(READER)), 403)
        assert error["message"] == "the scope tmf:operate is required"
        error = error_of(guarded.request(method, path, headers=as_(BOUND)), 403)
        assert error["code"] == "outOfBounds"
        answer = guarded.request(method, path, headers=as_(OPERATOR))
        assert answer.status_code == (404 if path.partition("/x")[1] else 200), answer.text


def test_it_is_open_where_nobody_authenticates(open_client: TestClient) -> None:
    assert open_client.get("/admin/subscription").json() == []
    for _, _, operation in operations(open_client):
        assert "security" not in operation


def test_every_operation_of_the_document_has_a_handler(tmp_path: Path) -> None:
    names = {each.operation_id for each in open_admin_api(settings_for(tmp_path)).bindings}
    handlers = AdminHandlers(None, None, None, "").by_name()  # type: ignore[arg-type]
    assert handlers.keys() == names


def test_an_api_key_that_is_sent_as_bearer_is_told_so(guarded: TestClient) -> None:
    for header in (f"Bearer {OPERATOR}", f"bearer {OPERATOR[5:]}", OPERATOR, f"ApiKey {OPERATOR}"):
        for path in ("/admin/subscription", f"{BASE}/partyInteraction"):
            answer = guarded.get(path, headers={"Authorization": header})
            assert "X-API-Key" in error_of(answer, 401)["message"], header


def test_lists_have_totals_and_links(open_client: TestClient) -> None:
    for number in range(3):
        body = {"callback": f"http://127.0.0.1:9/{number}"}
        assert open_client.post(f"{BASE}/hub", json=body).status_code == 201
    first = open_client.get("/admin/subscription?limit=2")
    assert (first.headers["x-total-count"], first.headers["x-result-count"]) == ("3", "2")
    assert first.headers["link"] == (
        '<http://127.0.0.1/admin/subscription?limit=2&offset=2>; rel="next"'
    )
    second = open_client.get(first.links["next"]["url"])
    assert len(second.json()) == 1
    assert second.links["prev"]["url"] == "http://127.0.0.1/admin/subscription?limit=2"
    assert "next" not in second.links
    callbacks = [each["callback"] for each in [*first.json(), *second.json()]]
    assert callbacks == [f"http://127.0.0.1:9/{number}" for number in (2, 1, 0)]
    everything = open_client.get("/admin/subscription").json()
    for each in everything:
        assert open_client.delete(f"/admin/subscription/{each['id']}").status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/admin/subscription/none", 404, "none"),
        ("POST", "/admin/subscription/none/pause", 404, "none"),
        ("GET", "/admin/nothing", 404, "/admin/nothing"),
        ("PUT", "/admin/subscription", 405, "GET"),
        ("GET", "/admin/delivery/x/retry", 405, "POST"),
        ("GET", "/admin/delivery?state=lost", 400, "state"),
        ("GET", "/admin/received?outcome=lost", 400, "outcome"),
        ("GET", "/admin/subscription?limit=-1", 400, "limit"),
        ("GET", "/admin/received?offset=100001", 400, "offset"),
        ("GET", "/admin/subscription?offset=x", 400, "offset"),
    ],
)
def test_what_is_wrong_is_a_tmf_error(
    open_client: TestClient, method: str, path: str, status: int, says: str
) -> None:
    assert says in error_of(open_client.request(method, path), status)["message"]


def test_other_web_pages_cannot_operate_it(open_client: TestClient) -> None:
    answer = open_client.post(
        "/admin/delivery/purge", headers={"Origin": "https://elsewhere.example"}
    )
    error_of(answer, 403)


def test_the_server_tells_what_it_serves(open_client: TestClient) -> None:
    (api,) = open_client.get("/admin/api").json()
    assert (api["path"], api["version"], api["warnings"]) == (BASE, "4.0.0", [])
    assert open_client.get("/admin/health").json()["status"] == "ready"
    store = open_client.get("/admin/store").json()
    assert store["status"] == "ready"
    (kept,) = (e for e in store["collections"] if e["name"] == "partyInteraction/partyInteraction")
    assert {"name": "channel.id[]", "state": "there"} in kept["indexes"]
    backlog = open_client.get("/admin/backlog").json()
    assert (backlog["pending"], backlog["parked"], backlog["workers"]) == (0, 0, [])


def test_settings_are_told_with_origin_and_meaning_and_without_secrets(
    guarded: TestClient,
) -> None:
    found = {e["name"]: e for e in guarded.get("/admin/setting", headers=as_(OPERATOR)).json()}
    assert found["TMF_PORT"]["value"] == "8080"
    assert found["TMF_PORT"]["origin"] == "default"
    assert found["TMF_PORT"]["meaning"].startswith("Port to listen on")
    assert found["TMF_DELIVERY"]["origin"] != "default"
    assert found["TMF_API_KEYS"]["value"] == found["TMF_WEBHOOK_KEYS"]["value"] == "***"


def test_it_is_below_the_root_path(tmp_path: Path) -> None:
    app = create_app(settings_for(tmp_path, root_path="/crm"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.get("/crm/admin/subscription?limit=1")
        assert (answer.status_code, answer.json()) == (200, [])
        document = client.get("/crm/admin/openapi.json").json()
        assert document["servers"] == [{"url": "http://127.0.0.1/crm/admin"}]


def test_what_operators_do_is_in_the_log(
    guarded: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tmf683")
    guarded.post("/admin/delivery/purge", headers=as_(OPERATOR))
    fields = [record.fields for record in caplog.records if record.name == "tmf683.audit"]  # type: ignore[attr-defined]
    (line,) = (each for each in fields if each["resource"] == "/admin/delivery/purge")
    assert (line["who"], line["action"], line["outcome"]) == ("key:operator", "POST", "200")
