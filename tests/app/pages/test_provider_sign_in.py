"""Signing in at an identity provider: code, PKCE, state, and a session that is the token's."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

from app.application import create_app
from app.bootstrap import open_contracts
from app.settings import Settings
from tests.app.pages.conftest import BROWSER, V4, post
from tests.app.pages.test_timeline import reasons, v4
from tests.issuer import AUDIENCE, Issuer
from tests.server import free_port

pytestmark = pytest.mark.slow

CLIENT = "tmf683-pages"
RETURN = "http://127.0.0.1:8080/sign-in/callback"


@dataclass
class Provider:
    """A provider with one client, which redeems each code once, and only with its verifier."""

    url: str
    issuer: Issuer = field(default_factory=Issuer)
    challenges: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    seconds: int = 300
    refresh: list[str] | None = None
    """Refresh tokens that are good, each once; None when it gives none."""
    issued: int = 0

    def authorize(self, address: str) -> dict[str, str]:
        """Let a reader in; return what the browser comes back with."""
        asked = {name: each[0] for name, each in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] == RETURN
        assert asked["code_challenge_method"] == "S256"
        assert {"openid", "tmf:read", "tmf:write"} <= set(asked["scope"].split())
        code = f"code{len(self.challenges)}"
        self.challenges[code] = asked["code_challenge"]
        return {"code": code, "state": asked["state"]}

    def redeem(self, form: dict[str, str]) -> dict[str, Any] | None:
        if form.get("grant_type") == "refresh_token":
            known = self.refresh or []
            if form.get("refresh_token") not in known or form.get("client_id") != CLIENT:
                return None
            known.remove(form["refresh_token"])
            return self.tokens()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = self.challenges.pop(form.get("code", ""), None) == challenge
        if not fits or form.get("client_id") != CLIENT or form.get("redirect_uri") != RETURN:
            return None
        return self.tokens()

    def tokens(self) -> dict[str, Any]:
        self.issued += 1
        token = self.issuer.token(**({"iss": self.url} | self.claims))
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.seconds}
        if self.refresh is None:
            return answer
        self.refresh.append(f"refresh{self.issued}")
        return answer | {"refresh_token": self.refresh[-1]}


@pytest.fixture
def provider() -> Iterator[Provider]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    provider = Provider(url)
    provider.metadata = {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, provider.metadata)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            sent = parse_qs(self.rfile.read(length).decode())
            token = provider.redeem({name: each[0] for name, each in sent.items()})
            self.answer(200 if token else 400, token or {"error": "invalid_grant"})

        def answer(self, status: int, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield provider
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser(provider: Provider, tmp_path: Path) -> Iterator[TestClient]:
    """A browser at a server whose readers sign in at the provider."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(provider.issuer.published())
    settings = Settings(
        store="memory:",
        access_log=False,
        oidc_issuer=provider.url,
        oidc_audience=(AUDIENCE,),
        jwks=str(keys),
        console_client_id=CLIENT,
        party_claim="party_id",
    )
    app = create_app(settings, contracts=open_contracts(settings))
    with TestClient(app, base_url="http://127.0.0.1:8080", headers={"accept": BROWSER}) as client:
        yield client


def leave(browser: TestClient, next_: str = "/timeline") -> str:
    """Follow the link of the sign-in page to the provider and return the address."""
    page = browser.get("/sign-in", params={"next": next_}).text
    link = re.search(r'href="(/sign-in/provider[^"]*)"', page)
    assert link is not None
    answer = browser.get(html.unescape(link[1]), follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"]


def come_back(browser: TestClient, stated: dict[str, str]) -> Any:
    return browser.get(f"/sign-in/callback?{urlencode(stated)}")


def store(browser: TestClient, provider: Provider, party: str) -> None:
    token = provider.issuer.token(iss=provider.url)
    body = v4(reason=f"of {party}", relatedParty=[{"id": party, "role": "customer"}])
    answer = browser.post(V4, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 201


def test_a_reader_signs_in_and_sees_what_the_token_lets_see(
    browser: TestClient, provider: Provider
) -> None:
    store(browser, provider, "42")
    store(browser, provider, "43")
    provider.claims = {"party_id": "42", "scope": "tmf:read", "sub": "ana"}
    back = come_back(browser, provider.authorize(leave(browser)))
    assert back.status_code == 200
    assert 'content="0; url=/timeline"' in back.text
    page = browser.get("/timeline").text
    assert reasons(page) == ["of 42"]
    assert "ana" in page
    refused = post(browser, "/timeline/new", "/timeline/new", direction="inbound", reason="x",
                   channel="phone", party="42")  # fmt: skip
    assert refused.status_code == 403
    post(browser, "/sign-out")
    assert browser.get("/timeline", follow_redirects=False).status_code == 303


def test_a_token_that_ends_soon_is_renewed(browser: TestClient, provider: Provider) -> None:
    store(browser, provider, "42")
    provider.claims = {"sub": "ana"}
    provider.refresh, provider.seconds = [], 1
    come_back(browser, provider.authorize(leave(browser)))
    provider.seconds = 300
    sessions = dict(browser.cookies)
    assert browser.get("/timeline", follow_redirects=False).status_code == 200
    assert (provider.issued, provider.refresh) == (2, ["refresh2"])
    renewed = dict(browser.cookies)
    assert renewed != sessions
    # Requests that were sent before the answer arrived have the token that is used up.
    browser.cookies.clear()
    for name, value in sessions.items():
        browser.cookies.set(name, value)
    assert browser.get("/timeline", follow_redirects=False).status_code == 200
    assert browser.get("/timeline", follow_redirects=False).status_code == 200
    assert provider.issued == 2


@pytest.mark.parametrize("claims", [{"sub": "ben"}, {"iss": "https://other.example"}])
def test_a_renewal_is_for_the_same_reader_alone(
    browser: TestClient, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = {"sub": "ana"}
    provider.refresh, provider.seconds = [], 1
    come_back(browser, provider.authorize(leave(browser)))
    provider.claims = claims
    page = browser.get("/timeline").text
    assert "ben" not in page
    assert provider.issued == 2
    browser.get("/timeline")
    assert provider.issued == 2


def test_a_refused_renewal_leaves_the_token_that_there_is(
    browser: TestClient, provider: Provider
) -> None:
    provider.refresh, provider.seconds = [], 1
    come_back(browser, provider.authorize(leave(browser)))
    provider.refresh = []
    assert browser.get("/timeline", follow_redirects=False).status_code == 200
    assert provider.issued == 1


def test_the_way_to_the_provider_keeps_its_secrets_in_a_sealed_lax_cookie(
    browser: TestClient, provider: Provider
) -> None:
    browser.get("/sign-in")
    answer = browser.get("/sign-in/provider", follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    assert state not in cookie
    assert "code_verifier" not in answer.headers["location"]


def test_the_session_cookie_stays_strict(browser: TestClient, provider: Provider) -> None:
    back = come_back(browser, provider.authorize(leave(browser)))
    cookies = back.headers.get_list("set-cookie")
    session = [each for each in cookies if each.startswith("tmf_session")]
    assert session
    assert all("SameSite=Strict" in each and "HttpOnly" in each for each in session)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "forged"},
        {"state": ""},
        {"code": "forged"},
        {"code": ""},
        {"error": "access_denied", "error_description": "not you"},
    ],
)
def test_an_answer_that_is_not_the_providers_signs_nobody_in(
    browser: TestClient, provider: Provider, change: dict[str, str]
) -> None:
    stated = provider.authorize(leave(browser)) | change
    back = come_back(browser, stated)
    assert back.status_code == 403
    assert browser.get("/timeline", follow_redirects=False).status_code == 303


def test_an_answer_is_good_once_and_in_its_own_browser_alone(
    browser: TestClient, provider: Provider
) -> None:
    stated = provider.authorize(leave(browser))
    assert come_back(browser, stated).status_code == 200
    assert come_back(browser, stated).status_code == 403
    stated = provider.authorize(leave(browser))
    browser.cookies.clear()
    assert come_back(browser, stated).status_code == 403


@pytest.mark.parametrize("claims", [{"aud": "other"}, {"exp": 1}, {"iss": "https://other.example"}])
def test_a_token_that_the_api_would_refuse_signs_nobody_in(
    browser: TestClient, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    assert come_back(browser, provider.authorize(leave(browser))).status_code == 403
    assert browser.get("/timeline", follow_redirects=False).status_code == 303


def test_a_long_token_fits_into_the_session(browser: TestClient, provider: Provider) -> None:
    provider.claims = {"groups": [f"group-{number:04}" for number in range(300)]}
    assert come_back(browser, provider.authorize(leave(browser))).status_code == 200
    assert browser.get("/timeline", follow_redirects=False).status_code == 200


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"authorization_endpoint": "http://identity.example/authorize"},
        {"authorization_endpoint": None},
    ],
)
def test_a_provider_that_is_not_what_it_should_be_is_not_used(
    browser: TestClient, provider: Provider, metadata: dict[str, Any]
) -> None:
    provider.metadata |= metadata
    answer = browser.get("/sign-in/provider", follow_redirects=False)
    assert answer.status_code == 502
    assert "does not answer" in answer.text


def test_signing_in_leads_to_no_other_site(browser: TestClient, provider: Provider) -> None:
    back = come_back(browser, provider.authorize(leave(browser, "//evil.example")))
    assert 'content="0; url=/"' in back.text
