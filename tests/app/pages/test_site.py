"""What all pages have in common: who gets them, their headers, forms, languages, sign-in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.identity.api_keys import make_key
from app.pages.messages import FOLDER, preferred_language
from app.pages.static_files import static_files
from app.tmf630.caller import Access
from tests.app.pages.conftest import BROWSER, V4, Open, post, token_of

JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


def test_a_browser_gets_the_home_page_with_links_to_what_is_here(browser: TestClient) -> None:
    answer = browser.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Accept" in answer.headers["vary"]
    for path in ("v4/ui/", "v5/ui/", "v5/openapi.json", "/health/ready"):
        assert path in answer.text


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json", JAVA, "application/json, text/plain, */*", "text/html;q=0, */*",
     "application/json, text/html;q=0.5", ""],
)  # fmt: skip
def test_programs_get_json_at_the_root_and_for_errors(browser: TestClient, accept: str) -> None:
    answer = browser.get("/", headers={"accept": accept})
    assert set(answer.json()["_links"]) == {"partyInteraction/4.0.0", "partyInteraction/5.0.0"}
    assert answer.headers["vary"] == "Accept"
    for path in ("/nope", f"{V4}/nope"):
        error = browser.get(path, headers={"accept": accept})
        assert error.status_code == 404
        assert error.json()["@type"] == "Error"


@pytest.mark.parametrize("accept", [BROWSER, "text/html", "text/html, */*;q=0.1"])
def test_errors_are_pages_for_people(browser: TestClient, accept: str) -> None:
    for path in ("/nope", f"{V4}/nope", f"{V4}?limit=x"):
        error = browser.get(path, headers={"accept": accept})
        assert error.status_code == (400 if "limit" in path else 404)
        assert error.headers["content-type"].startswith("text/html")
        assert "<h1>" in error.text
        assert "default-src 'none'" in error.headers["content-security-policy"]


def test_an_operation_answers_a_browser_with_json_and_its_errors_in_changes_too(
    browser: TestClient,
) -> None:
    assert browser.get(V4).json() == []
    assert browser.post(V4, json={}).json()["code"] == "invalidBody"


def test_what_an_error_repeats_of_a_request_is_escaped(browser: TestClient) -> None:
    error = browser.get("/<script>alert(1)</script>")
    assert error.status_code == 404
    assert "<script>alert" not in error.text
    assert "&lt;script&gt;" in error.text


def test_pages_allow_nothing_from_outside_and_no_inline_script(browser: TestClient) -> None:
    answer = browser.get("/")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "style=" not in answer.text
    assert not re.search(r"<script(?! src=)|\son\w+=", answer.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)


def test_files_have_an_address_of_their_content_and_are_kept(browser: TestClient) -> None:
    home = browser.get("/").text
    for name, file in static_files().items():
        if name.startswith("pages.") or name == "icon.svg":
            assert file.path in home
        answer = browser.get(file.path)
        assert answer.content == file.content
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        old = browser.get(f"/static/0000000000000000/{name}")
        assert old.headers["cache-control"] == "no-cache"
    assert browser.get("/static/0/../site.py").status_code == 404


def test_without_pages_there_is_only_the_api(open_site: Open) -> None:
    browser = open_site(pages="off")
    assert "_links" in browser.get("/").json()
    for path in ("/sign-in", "/timeline", "/explore", static_files()["pages.css"].path):
        error = browser.get(path)
        assert error.status_code == 404
        assert error.json()["@type"] == "Error"
    assert browser.get("/tmf-api/partyInteraction/v4/ui/").status_code == 200


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(
    browser: TestClient,
) -> None:
    cookie = browser.get("/").headers["set-cookie"]
    assert cookie.startswith("tmf_session=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "set-cookie" not in browser.get("/").headers


def test_the_session_cookie_is_for_https_alone_where_that_is_used(open_site: Open) -> None:
    browser = open_site(public_url="https://crm.example.com")
    assert "Secure" in browser.get("/", headers={"host": "crm.example.com"}).headers["set-cookie"]


@pytest.mark.parametrize("token", [None, "", "of-somebody-else", "ü"])
def test_a_form_without_its_token_changes_nothing(browser: TestClient, token: str | None) -> None:
    browser.get("/")
    form = {"language": "de", "next": "/"} | ({} if token is None else {"csrf": token})
    answer = browser.post("/preferences", data=form)
    assert answer.status_code == 403
    assert "no longer valid" in answer.text
    assert "tmf_language" not in browser.cookies


def test_a_token_is_good_for_one_browser_alone(open_site: Open) -> None:
    first, second = open_site(cursor_key="k"), open_site(cursor_key="k")
    second.get("/")
    form = {"csrf": token_of(first.get("/").text), "language": "de"}
    assert second.post("/preferences", data=form).status_code == 403


def test_a_forged_session_is_none(browser: TestClient) -> None:
    browser.cookies.set("tmf_session", "Zm9yZ2Vk")
    assert "tmf_session=" in browser.get("/").headers["set-cookie"]


def test_language_and_theme_are_chosen_and_kept(browser: TestClient) -> None:
    answer = post(browser, "/preferences", language="es", theme="dark", next="/?a=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?a=1"
    home = browser.get("/").text
    assert '<html lang="es" data-theme="dark">' in home
    assert "Inicio" in home


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "x", ""]
)
def test_a_form_leads_to_no_other_site(browser: TestClient, path: str) -> None:
    assert post(browser, "/preferences", next=path).headers["location"] == "/"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,en;q=0.7", "de"),
        ("fr,es;q=0.5,en;q=0.3", "es"),
        ("fr", "en"),
        ("en;q=0.1, de;q=0.2", "de"),
        ("de;q=0", "en"),
        ("de;q=.;;,*", "en"),
        ("DE", "de"),
    ],
)
def test_the_language_follows_the_browser(browser: TestClient, header: str, language: str) -> None:
    assert preferred_language(header) == language
    home = browser.get("/", headers={"accept-language": header}).text
    assert f'<html lang="{language}"' in home


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_catalogue_has_the_same_texts_with_the_same_places(file: Path) -> None:
    english = json.loads((FOLDER / "en.json").read_text())
    texts = json.loads(file.read_text())
    assert texts.keys() == english.keys()
    for key, text in texts.items():
        assert text.strip()
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key])), key


def test_every_text_that_a_template_names_is_in_the_catalogue() -> None:
    english = json.loads((FOLDER / "en.json").read_text())
    for file in FOLDER.with_name("templates").rglob("*.jinja"):
        for key in re.findall(r"\bt\('([^']+)'(?! ~)\s*[,)]", file.read_text()):
            assert key in english, f"{file.name}: {key}"


def test_a_root_path_comes_before_every_address(open_site: Open) -> None:
    browser = open_site(root_path="/crm", served=None)
    home = browser.get("/crm/")
    assert home.status_code == 200
    assert 'href="/crm/static/' in home.text
    assert "Path=/crm/" in home.headers["set-cookie"]
    assert browser.get(f"/crm{static_files()['pages.css'].path}").status_code == 200


def test_a_reader_signs_in_with_a_key_and_out(open_site: Open) -> None:
    key, entry = make_key("anna", [Access.READ])
    browser = open_site(api_keys=(entry,))
    wrong = post(browser, "/sign-in?next=/?a=1", "/sign-in", key="tmf_wrong")
    assert wrong.status_code == 401
    assert "not known" in wrong.text
    assert 'action="/sign-in?next=%2F%3Fa%3D1"' in wrong.text
    before = browser.cookies["tmf_session"]
    right = post(browser, "/sign-in?next=/?a=1", "/sign-in", key=key)
    assert right.status_code == 303
    assert right.headers["location"] == "/?a=1"
    assert browser.cookies["tmf_session"] != before
    assert key not in browser.cookies["tmf_session"]
    assert "anna" in browser.get("/").text
    post(browser, "/sign-out")
    assert "anna" not in browser.get("/").text


def test_guesses_of_keys_are_limited(open_site: Open) -> None:
    _, entry = make_key("anna", [Access.READ])
    browser = open_site(api_keys=(entry,), rate_limit=0.001, rate_burst=3)
    answers = [post(browser, "/sign-in", "/sign-in", key=f"tmf_{n}") for n in range(6)]
    assert [each.status_code for each in answers][:1] == [401]
    assert answers[-1].status_code == 429


def test_a_page_asks_the_api_for_no_pages(open_site: Open) -> None:
    key, entry = make_key("anna", [Access.READ])
    browser = open_site(api_keys=(entry,))
    post(browser, "/sign-in", "/sign-in", key=key)
    assert browser.get(f"/json{V4}").json() == []
    for path in (f"/json/json{V4}", "/json/timeline", "/json/sign-in"):
        assert browser.get(path).status_code == 404


def test_an_error_has_no_form_that_could_not_be_sent(browser: TestClient) -> None:
    assert "<form" not in browser.get("/nope").text
    browser.get("/")
    form = {"csrf": token_of(browser.get("/nope").text), "language": "de", "next": "/"}
    assert browser.post("/preferences", data=form, follow_redirects=False).status_code == 303
