"""Who may do what: each row is a caller, an operation, a target, and what is answered."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.identity.api_keys import make_key
from app.tmf630.caller import Access
from tests.app.events.receiver import Receiver, receiving
from tests.conftest import OURS_V5
from tests.http.conftest import MINIMAL, error_of
from tests.issuer import AUDIENCE, ISSUER, Issuer
from tests.server import Server, running_server

THEIRS = Issuer()
V4, V5 = "/tmf-api/partyInteraction/v4", "/tmf-api/partyInteraction/v5"
CRM, CRM_ENTRY = make_key("crm", [Access.READ, Access.WRITE])
SHOP, SHOP_ENTRY = make_key("shop", [Access.READ, Access.WRITE, Access.DELETE], ["A"])


def scoped(*access: str, **claims: Any) -> dict[str, str]:
    scopes = " ".join(f"tmf:{each}" for each in access)
    return {"Authorization": f"Bearer {THEIRS.token(scope=scopes, **claims)}"}


ALL = tuple(each.value for each in Access)
CALLERS: dict[str, dict[str, str]] = {
    "nobody": {},
    "a stranger": {"Authorization": f"Bearer {Issuer().token()}"},
    "an expired token": {"Authorization": f"Bearer {THEIRS.token(exp=time.time() - 60)}"},
    "basic": {"Authorization": "Basic YWRtaW46YWRtaW4="},
    "an empty bearer": {"Authorization": "Bearer"},
    "a wrong key": {"X-API-Key": "tmf_guess"},
    "an empty key": {"X-API-Key": ""},
    "the key's digest": {"X-API-Key": CRM_ENTRY.split(":")[2]},
    "a bad token beside a key": {
        "X-API-Key": CRM,
        "Authorization": f"Bearer {Issuer().token()}",
    },
    "basic beside a key": {"X-API-Key": CRM, "Authorization": "Basic YWRtaW46YWRtaW4="},
    "nothing allowed": scoped(),
    "another's scopes": {"Authorization": f"Bearer {THEIRS.token(scope='read write admin *')}"},
    **{each: scoped(each) for each in ALL},
    "everything": scoped(*ALL),
    "crm": {"X-API-Key": CRM},
    "shop": {"X-API-Key": SHOP},
    "A": scoped(*ALL, party_id="A", sub="a"),
    "B": scoped(*ALL, party_id="B", sub="b"),
    "A or B": scoped(*ALL, party_id=["A", "B"], sub="ab"),
    "A, reading": scoped("read", party_id="A", sub="a"),
    "nobody's party": scoped(*ALL, party_id="Z", sub="z"),
    "any party": scoped(*ALL, party_id="*", sub="any"),
}


@dataclass
class Guarded:
    """A server that asks who calls, and interactions of A, of B, of both and of nobody."""

    client: httpx.Client
    ids: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def call(
        self, caller: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        for name, id in self.ids.items():
            path = path.replace(f"{{{name}}}", id)
        kind = headers.pop("kind", "application/json")
        content = None if body is None else json.dumps(body)
        sent = {**CALLERS[caller], **({"Content-Type": kind} if content else {}), **headers}
        return self.client.request(method, path, content=content, headers=sent)


def with_parties(*parties: str) -> dict[str, Any]:
    related = [
        {
            "id": each,
            "href": f"/party/{each}",
            "name": each,
            "role": "x",
            "@referredType": "Individual",
        }
        for each in parties
    ]
    return MINIMAL | ({"relatedParty": related} if parties else {})


def named_elsewhere(party: str, other: str) -> dict[str, Any]:
    """Return a body that names a party, and another where only the next version looks for it."""
    (related,) = with_parties(party)["relatedParty"]
    return MINIMAL | {"relatedParty": [related | {"partyOrPartyRole": {"id": other}}]}


@pytest.fixture(scope="module", params=["sqlite", "mongo"])
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    store = None
    if request.param == "mongo":
        store = f"{request.getfixturevalue('mongo')}guarded{uuid.uuid4().hex[:8]}"
    with guarded_server(tmp_path_factory.mktemp("keys"), store) as found:
        yield found


@contextmanager
def guarded_server(folder: Path, store: str | None = None) -> Iterator[Guarded]:
    keys = folder / "keys.json"
    keys.write_bytes(THEIRS.published())
    env = {
        "TMF_OIDC_ISSUER": ISSUER,
        "TMF_OIDC_AUDIENCE": AUDIENCE,
        "TMF_JWKS": str(keys),
        "TMF_PARTY_CLAIM": "party_id",
        "TMF_API_KEYS": f"{CRM_ENTRY},{SHOP_ENTRY}",
        "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
        "TMF_LISTENER": "apply",
        "TMF_VALIDATE_RESPONSES": "true",
    }
    with running_server(store=store, env=env) as server:
        yield seeded(server)


def seeded(server: Server) -> Guarded:
    found = Guarded(httpx.Client(base_url=server.url, trust_env=False, timeout=30))
    for name, parties in {"A": "A", "B": "B", "AB": "AB", "none": ""}.items():
        answer = found.call("crm", "POST", f"{V4}/partyInteraction", with_parties(*parties))
        assert answer.status_code == 201, answer.text
        found.ids[name], found.tags[name] = answer.json()["id"], answer.headers["etag"]
    return found


LIST4, LIST5 = f"{V4}/partyInteraction", f"{V5}/partyInteraction"
ONE = LIST4 + "/{%s}"
HUB = f"{V4}/hub"
LISTEN = f"{V4}/listener/partyInteractionCreateEvent"
EVENT = {"eventId": "1", "eventType": "PartyInteractionCreateEvent", "event": {}}
NOTE = {"description": "changed"}
HOOK = {"callback": "https://listener.example/events"}

OPERATIONS: list[tuple[str, str, str, Any, int]] = [
    # Who has not proved who it is
    *(
        (who, method, path, body, 401)
        for who in ("nobody", "a stranger", "an expired token", "basic", "an empty bearer")
        for method, path, body in (
            ("GET", LIST4, None),
            ("GET", ONE % "A", None),
            ("POST", LIST4, MINIMAL),
            ("PATCH", ONE % "A", NOTE),
            ("DELETE", ONE % "A", None),
            ("POST", HUB, HOOK),
            ("DELETE", f"{HUB}/x", None),
            ("POST", LISTEN, EVENT),
            ("GET", LIST5, None),
            ("HEAD", ONE % "A", None),
        )
    ),
    ("a wrong key", "GET", LIST4, None, 401),
    ("an empty key", "GET", LIST4, None, 401),
    ("a bad token beside a key", "GET", LIST4, None, 401),
    ("a bad token beside a key", "POST", LIST4, MINIMAL, 401),
    ("basic beside a key", "GET", LIST4, None, 401),
    ("the key's digest", "GET", LIST4, None, 401),
    ("nobody", "GET", f"{LIST4}?access_token=x&api_key=y", None, 401),
    ("nobody", "GET", LIST4.replace("/v4", "//v4"), None, 401),
    ("nobody", "GET", f"{LIST4}/", None, 401),
    # Whose scopes do not reach
    ("nothing allowed", "GET", LIST4, None, 403),
    ("another's scopes", "GET", LIST4, None, 403),
    *(
        (who, "GET", LIST4, None, 200 if who in ("read", "everything") else 403)
        for who in (*ALL, "everything")
    ),
    *((who, "POST", LIST4, MINIMAL, 201 if who == "write" else 403) for who in ALL),
    *((who, "PATCH", ONE % "none", NOTE, 200 if who == "write" else 403) for who in ALL),
    *((who, "DELETE", ONE % "none", None, 403) for who in ALL if who != "delete"),
    *((who, "GET", ONE % "none", None, 200 if who == "read" else 403) for who in ALL),
    *((who, "DELETE", f"{HUB}/x", None, 404 if who == "subscribe" else 403) for who in ALL),
    *((who, "POST", LISTEN, EVENT, 201 if who == "notify" else 403) for who in ALL),
    ("read", "GET", LIST5, None, 200),
    ("write", "GET", LIST5, None, 403),
    ("crm", "GET", LIST4, None, 200),
    ("crm", "PATCH", ONE % "none", NOTE, 200),
    ("crm", "DELETE", ONE % "none", None, 403),
    ("crm", "POST", HUB, HOOK, 403),
    # Who is bound to a party: by id
    ("A", "GET", ONE % "A", None, 200),
    ("A", "GET", ONE % "AB", None, 200),
    ("A", "GET", ONE % "B", None, 404),
    ("A", "GET", ONE % "none", None, 404),
    ("A", "HEAD", ONE % "B", None, 404),
    ("A", "GET", ONE % "B" + "?fields=none", None, 404),
    ("A", "GET", f"{V5}/partyInteraction/{{B}}", None, 404),
    ("A", "GET", f"{V5}/partyInteraction/{{A}}", None, 200),
    ("A or B", "GET", ONE % "B", None, 200),
    ("A or B", "GET", ONE % "none", None, 404),
    ("shop", "GET", ONE % "A", None, 200),
    ("shop", "GET", ONE % "B", None, 404),
    ("nobody's party", "GET", ONE % "A", None, 404),
    ("any party", "GET", ONE % "A", None, 404),
    ("A, reading", "GET", ONE % "A", None, 200),
    ("A, reading", "PATCH", ONE % "A", NOTE, 403),
    ("A, reading", "DELETE", ONE % "A", None, 403),
    # ... changing
    ("A", "PATCH", ONE % "A", NOTE, 200),
    ("A", "PATCH", ONE % "AB", NOTE, 200),
    ("A", "PATCH", ONE % "B", NOTE, 404),
    ("A", "PATCH", ONE % "none", NOTE, 404),
    ("A", "PATCH", f"{LIST5}/{{B}}", NOTE | {"@type": "PartyInteraction"}, 404),
    ("A", "PATCH", f"{LIST5}/{{AB}}", NOTE | {"@type": "PartyInteraction"}, 200),
    ("A", "PATCH", ONE % "B", {"relatedParty": with_parties("A")["relatedParty"]}, 404),
    ("A", "PATCH", ONE % "A", {"relatedParty": with_parties("B")["relatedParty"]}, 403),
    ("A", "PATCH", ONE % "A", {"relatedParty": []}, 403),
    ("A", "PATCH", ONE % "A", {"relatedParty": None}, 403),
    ("A", "DELETE", ONE % "B", None, 404),
    ("A", "DELETE", ONE % "none", None, 404),
    ("shop", "DELETE", ONE % "B", None, 404),
    # ... creating
    ("A", "POST", LIST4, with_parties("A"), 201),
    ("A", "POST", LIST4, with_parties("A", "B"), 201),
    ("A", "POST", LIST4, with_parties("B"), 403),
    ("A", "POST", LIST4, with_parties(), 403),
    ("A", "POST", LIST4, named_elsewhere("B", "A"), 403),
    ("A", "PATCH", ONE % "A", {"relatedParty": named_elsewhere("B", "A")["relatedParty"]}, 403),
    ("A", "POST", LIST4, named_elsewhere("A", "B"), 201),
    ("A", "POST", LIST4, MINIMAL | {"description": "A", "reason": "A"}, 403),
    ("shop", "POST", LIST4, with_parties("A"), 201),
    ("shop", "POST", LIST4, with_parties("B"), 403),
    # ... and telling others
    ("A", "POST", LISTEN, EVENT, 403),
]  # fmt: skip


def shown(row: tuple[str, str, str, Any, int]) -> str:
    return f"{row[0]}: {row[1]} {row[2]} {'' if row[3] is None else str(row[3])[-30:]}"


@pytest.mark.parametrize("row", OPERATIONS, ids=map(shown, OPERATIONS))
def test_a_caller_may_do_what_it_may(guarded: Guarded, row: tuple[str, str, str, Any, int]) -> None:
    caller, method, path, body, status = row
    answer = guarded.call(caller, method, path, body)
    assert answer.status_code == status, answer.text
    if method != "HEAD" and status >= 400:
        error_of(answer, status)
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    if status == 403 and "scope" in answer.headers.get("www-authenticate", ""):
        assert "tmf:" in answer.json()["message"]


def test_there_are_enough_rows() -> None:
    assert len({shown(row) for row in OPERATIONS}) >= 60


LISTS = {
    "": {"A", "AB"},
    "?relatedParty.id=B": {"AB"},
    "?relatedParty.id=B&relatedParty.id=A": {"A", "AB"},
    "?relatedParty.id!=A": set(),
    "?id={B}": set(),
    "?id={A},{B},{none}": {"A"},
    "?relatedParty=null": set(),
    "?direction=inbounds": {"A", "AB"},
    "?sort=relatedParty.id": {"A", "AB"},
    "?filter=$[?(@.relatedParty[?(@.id=='B')])]": {"AB"},
    "?filter=$[?(@.id!='x')]": {"A", "AB"},
    "?filter=$[?(@.id=='x' || @.direction=='inbounds')]": {"A", "AB"},
    "?fields=none": {"A", "AB"},
    "?limit=1": {"A", "AB"},
    "?offset=1": {"A", "AB"},
}


@pytest.mark.parametrize("query", LISTS)
@pytest.mark.parametrize("base", [LIST4, LIST5])
def test_a_list_holds_what_is_the_callers(guarded: Guarded, base: str, query: str) -> None:
    if base == LIST5:
        query = query.replace("relatedParty.id", "relatedParty.partyOrPartyRole.id")
        query = query.replace("@.relatedParty[?(@.id", "@.relatedParty[?(@.partyOrPartyRole.id")
    seen = {guarded.ids[name]: name for name in ("A", "B", "AB", "none")}
    answer = guarded.call("A", "GET", base + query)
    assert answer.status_code == 200, answer.text
    names = {seen[each["id"]] for each in answer.json() if each["id"] in seen}
    everything = guarded.call("everything", "GET", base + "?limit=1000").json()
    theirs = [each for each in everything if '"A"' in json.dumps(each.get("relatedParty"))]
    if query in ("?limit=1", "?offset=1"):
        assert int(answer.headers["x-total-count"]) == len(theirs)
        assert names <= {"A", "AB"}
    else:
        assert names == LISTS[query.replace("partyOrPartyRole.", "")]
        assert int(answer.headers["x-total-count"]) == len(answer.json())


def test_a_cursor_of_somebody_else_leads_nowhere(guarded: Guarded) -> None:
    links = guarded.call("everything", "GET", f"{LIST4}?limit=1").links
    error_of(guarded.call("A", "GET", links["next"]["url"]), 404)
    own = guarded.call("A", "GET", f"{LIST4}?limit=1").links["next"]["url"]
    assert guarded.call("A", "GET", own).status_code == 200
    error_of(guarded.call("B", "GET", own), 404)


def test_walking_to_the_end_meets_nobody_elses(guarded: Guarded) -> None:
    url, met = f"{LIST4}?limit=1", []
    while url:
        answer = guarded.call("A", "GET", url)
        met += [each["id"] for each in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
    assert len(met) == int(answer.headers["x-total-count"])
    assert guarded.ids["B"] not in met
    assert guarded.ids["A"] in met


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("application/json-patch+json", [{"op": "test", "path": "/reason", "value": "A fault"}]),
        ("application/json-patch+json", [{"op": "test", "path": "/reason", "value": "other"}]),
        ("application/json-patch+json", [{"op": "copy", "from": "/reason", "path": "/none/0"}]),
        (
            "application/json-patch-query+json",
            [{"op": "remove", "path": "/relatedParty?id=B"}],
        ),
    ],
)
def test_a_patch_tells_nothing_of_what_is_not_the_callers(
    guarded: Guarded, kind: str, patch: Any
) -> None:
    theirs = error_of(guarded.call("A", "PATCH", ONE % "B", patch, kind=kind), 404)
    nobodys = error_of(guarded.call("A", "PATCH", f"{LIST4}/x", patch, kind=kind), 404)
    assert theirs["message"].replace(guarded.ids["B"], "x") == nobodys["message"]


def test_a_json_patch_cannot_take_the_party_away(guarded: Guarded) -> None:
    patch = [{"op": "replace", "path": "/relatedParty/0/id", "value": "C"}]
    answer = guarded.call("A", "PATCH", ONE % "A", patch, kind="application/json-patch+json")
    error_of(answer, 403)
    moved = [{"op": "move", "from": "/relatedParty/0/id", "path": "/relatedParty/0/name"}]
    answer = guarded.call("A", "PATCH", ONE % "A", moved, kind="application/json-patch+json")
    assert answer.status_code in (403, 409)


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_an_entity_tag_opens_nothing(guarded: Guarded, header: str) -> None:
    tag = guarded.tags["B"]
    for each in (tag, "*"):
        error_of(guarded.call("A", "GET", ONE % "B", None, **{header: each}), 404)
        error_of(guarded.call("A", "PATCH", ONE % "B", NOTE, **{header: each}), 404)
        error_of(guarded.call("A", "DELETE", ONE % "B", None, **{header: each}), 404)


def test_a_new_form_of_the_contract_binds_as_the_old_one_does(guarded: Guarded) -> None:
    party = {"@type": "PartyRef", "id": "B", "name": "B", "@referredType": "Individual"}
    related = {"@type": "RelatedPartyOrPartyRole", "role": "customer", "partyOrPartyRole": party}
    channel = {
        "@type": "RelatedChannel",
        "role": "x",
        "channel": {"@type": "ChannelRef", "id": "1"},
    }
    body = {"@type": "PartyInteraction", "reason": "x", "direction": "inbound"}
    body |= {"relatedParty": [related], "relatedChannel": [channel]}
    error_of(guarded.call("A", "POST", LIST5, body), 403)
    elsewhere = body | {"relatedParty": [related | {"id": "A"}]}
    error_of(guarded.call("A", "POST", LIST5, elsewhere), 403)
    made = guarded.call("B", "POST", LIST5, body)
    assert made.status_code == 201, made.text
    id = made.json()["id"]
    assert guarded.call("B", "GET", f"{LIST4}/{id}").status_code == 200
    for base in (LIST4, LIST5):
        error_of(guarded.call("A", "GET", f"{base}/{id}"), 404)
        assert id not in guarded.call("A", "GET", base).text


def test_a_subscription_is_its_owners(guarded: Guarded) -> None:
    made = guarded.call("subscribe", "POST", HUB, HOOK | {"/owner": "token:b"})
    assert made.status_code == 201
    assert "owner" not in made.text
    path = httpx.URL(made.headers["location"]).path
    error_of(guarded.call("B", "DELETE", path.replace("/hub/", "/hub/x")), 404)
    other = "A or B"
    CALLERS["another subscriber"] = scoped("subscribe", sub="another")
    error_of(guarded.call("another subscriber", "DELETE", path), 404)
    assert guarded.call("another subscriber", "POST", HUB, HOOK).status_code == 201
    assert guarded.call(other, "DELETE", path).status_code == 204  # who operates may


def test_a_listener_bound_to_a_party_hears_of_nothing_else(guarded: Guarded) -> None:
    with receiving() as receiver:
        for caller in ("A", "everything"):
            answer = guarded.call(caller, "POST", HUB, {"callback": receiver.url(f"/{caller}")})
            assert answer.status_code == 201, answer.text
        made = {}
        for parties in ("A", "B", "AB", ""):
            body = with_parties(*parties)
            made[parties] = guarded.call("crm", "POST", LIST4, body).json()["id"]
        given = with_parties("B")["relatedParty"]
        for each in made.values():
            guarded.call("crm", "PATCH", f"{LIST4}/{each}", NOTE)
        guarded.call("crm", "PATCH", f"{LIST4}/{made['AB']}", {"relatedParty": given})
        for each in made.values():
            guarded.call("everything", "DELETE", f"{LIST4}/{each}")
        assert receiver.wait(lambda: len(told(receiver, "/everything")) >= 13)
        last = guarded.call("crm", "POST", LIST4, with_parties("A")).json()["id"]
        assert receiver.wait(lambda: (last, "Create") in told(receiver, "/A"))
        assert receiver.wait(lambda: len(told(receiver, "/A")) >= 6)
        kinds = ["Create", "AttributeValueChange", "Delete"]
        assert sorted(told(receiver, "/A")) == sorted(
            [(last, "Create")]
            + [(made["A"], each) for each in kinds]
            + [(made["AB"], each) for each in kinds[:2]]
        )


def told(receiver: Receiver, path: str) -> list[tuple[str, str]]:
    return [
        (
            each.body["event"]["partyInteraction"]["id"],
            each.body["eventType"].removeprefix("PartyInteraction").removesuffix("Event"),
        )
        for each in receiver.of(path)
    ]


def test_the_contract_says_what_each_operation_asks_for(guarded: Guarded) -> None:
    document = guarded.client.get(f"{V4}/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["identityProvider"]["openIdConnectUrl"].startswith(ISSUER)
    assert schemes["apiKey"]["name"] == "X-API-Key"
    scopes = {
        (path, method): operation["security"][0]["identityProvider"][0]
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert scopes["/partyInteraction", "get"] == "tmf:read"
    assert scopes["/partyInteraction/{id}", "delete"] == "tmf:delete"
    assert scopes["/hub", "post"] == "tmf:subscribe"
    assert {"401", "403"} <= document["paths"]["/hub"]["post"]["responses"].keys()


def test_what_an_open_server_serves_asks_for_nothing(one: httpx.Client) -> None:
    document = one.get("/openapi.json").json()
    assert "securitySchemes" not in document.get("components", {})
    assert not any(
        "security" in operation
        for item in document["paths"].values()
        for operation in item.values()
    )


@pytest.mark.slow
@pytest.mark.parametrize("run", [[], ["--spec", str(OURS_V5)]], ids=["certificate", "derived"])
def test_conformance_runs_say_who_they_are(guarded: Guarded, run: list[str]) -> None:
    command = [str(Path(sys.executable).with_name("tmf683")), "conformance", *run]
    command += ["--url", str(guarded.client.base_url).rstrip("/") + (V5 if run else V4)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    said = CALLERS["everything"]["Authorization"]
    command += ["--header", f"Authorization: {said}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert said not in done.stdout
