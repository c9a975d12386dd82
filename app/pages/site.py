"""The site: what all pages share, and the helper that other modules make their pages with.

A module of pages makes a blueprint with `Site.blueprint`, and its views ask `Site.page` for the
request at hand:

    def routes(site: Site) -> Blueprint:
        blueprint = site.blueprint("tickets", Section("tickets", "/tickets"))

        @blueprint.get("/tickets")
        def tickets() -> Response:
            page = site.page()
            found = page.api.get("/tmf-api/tickets/v4/ticket", "limit=20").json()
            return page.render("tickets.html.jinja", tickets=found)

        return blueprint

A `Section` appears in the navigation; its key is looked up in the catalogue as `nav.tickets`. The
template extends `base.html.jinja`. Every form that is posted has `{{ page.csrf_field }}` in it: a
POST without is refused before the view sees it. A view whose reader has to sign in first is never
called. `ApiError` becomes the right page by itself where the view does not catch it.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode, urlsplit

import flask
import jinja2
from flask import Blueprint, Response
from markupsafe import Markup
from starlette.types import ASGIApp, Scope
from werkzeug.http import parse_cookie

from app.pages.api import Api, ApiError
from app.pages.formats import FILTERS
from app.pages.messages import Catalogue, catalogues, preferred_language
from app.pages.sessions import SECONDS, Session, Sessions
from app.pages.static_files import static_files
from app.web.bridge import WITHIN_PAGE, current_loop, current_scope
from app.web.security import KEY_HEADER

T = TypeVar("T")

TEMPLATES = Path(__file__).parent / "templates"

LANGUAGE_COOKIE = "tmf_language"
THEME_COOKIE = "tmf_theme"
THEMES = ("auto", "light", "dark")
_YEAR = 365 * 24 * 3600
_LONGEST_LOCATION = 3000
"""Characters of an address that is led to: proxies take 4 KB of an answer's head."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Language, Cookie",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the site with an entry in the navigation, named by `nav.` and its key."""

    key: str
    path: str


_ORDER = ("timeline", "explore", "console", "reference", "docs")


def _rank(key: str) -> int:
    return _ORDER.index(key) if key in _ORDER else len(_ORDER)


class FormExpired(Exception):
    """A form was sent without the token of the session it belongs to."""


@dataclass(frozen=True, slots=True)
class SignInWays:
    """How readers authenticate; with none of these, they need not.

    With `token` alone there is no form: something in front of the server adds the bearer token.
    """

    api_key: bool = False
    provider: bool = False
    token: bool = False

    def __bool__(self) -> bool:
        """Whether readers have to authenticate."""
        return self.api_key or self.provider or self.token


class Site:
    """What all pages share.

    `base_url` returns the address under which a client reaches the server, `api` the application
    that answers requests, and `key` seals sessions.
    """

    def __init__(
        self,
        *,
        api: Callable[[], ASGIApp],
        base_url: Callable[[Scope], str],
        root_path: str,
        key: str,
        sign_in: SignInWays,
    ) -> None:
        self.api = api
        self.root_path = root_path
        self.sign_in = sign_in
        self.sessions = Sessions(key)
        self.find_resource: Callable[[str], str] = lambda path: ""
        """Returns the page of the resource at a path of the API, "" where there is none."""
        self.renew: Callable[[Session], Session] = lambda session: session
        """Returns the session with new credentials where those it has end soon."""
        self._base_url = base_url
        self._sections: list[Section] = []
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._templates.filters |= FILTERS
        self.languages = [(code, each.text("language")) for code, each in catalogues().items()]
        self.themes = THEMES

    @property
    def sections(self) -> Sequence[Section]:
        """The parts of the site, in the order of the navigation."""
        return sorted(self._sections, key=lambda each: _rank(each.key))

    def add_section(self, section: Section) -> None:
        """Add an entry to the navigation."""
        self._sections.append(section)

    def blueprint(
        self, name: str, section: Section | None = None, *, public: bool = False
    ) -> Blueprint:
        """Return a blueprint for pages, whose views can ask for `page`.

        `public` pages are shown to readers who have not signed in.
        """
        routes = Blueprint(f"pages_{name}", __name__, url_prefix=self.root_path or None)
        if section is not None:
            self.add_section(section)

        @routes.before_request
        def begin() -> Response | None:
            if current_scope().get(WITHIN_PAGE):
                flask.abort(404)  # a page that asked for pages could use up their threads
            page = self._begin()
            flask.g.page = page
            if self.sign_in and not public and not page.api.headers:
                return page.to_sign_in()
            if flask.request.method not in ("GET", "HEAD"):
                stated = flask.request.form.get("csrf", "")
                if not compare_digest(stated.encode(), page.session.csrf.encode()):
                    raise FormExpired
            return None

        @routes.errorhandler(ApiError)
        def refused(error: ApiError) -> Response:
            page = self.page()
            if error.status == 401 and self.sign_in:
                page.session = Session()
                return page.to_sign_in()
            return page.error(error.status, error.code, error.reason, error.message)

        @routes.errorhandler(FormExpired)
        def expired(error: FormExpired) -> Response:
            return self.page().error(403, "formExpired", "", "")

        return routes

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's event loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, current_loop()).result()

    def page(self) -> Page:
        """Return the page of the request that Flask is handling."""
        page: Page = flask.g.page
        return page

    def _begin(self) -> Page:
        scope = current_scope()
        page = self.page_of(scope)
        page.session = self.renew(page.session)
        headers = page.session.headers or {
            name: value
            for name in ("Authorization", KEY_HEADER)
            if (value := flask.request.headers.get(name))
        }
        page.api = Api(self.api, current_loop(), scope, headers)
        return page

    def page_of(self, scope: Scope) -> Page:
        """Return the page for a request, from its headers alone."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        return Page(self, scope, headers, self._base_url(scope))

    def template(self, name: str) -> jinja2.Template:
        """Return a template of the pages."""
        return self._templates.get_template(name)


class Page:
    """One request for a page, and the answer to it.

    `text` returns a text in the reader's language. A changed `session` is sent with the answer.
    """

    api: Api

    def __init__(
        self, site: Site, scope: Scope, headers: Mapping[bytes, str], base_url: str
    ) -> None:
        cookies: Mapping[str, str] = parse_cookie(headers.get(b"cookie", ""))
        language = cookies.get(LANGUAGE_COOKIE, "")
        if language not in catalogues():
            language = preferred_language(headers.get(b"accept-language", ""))
        theme = cookies.get(THEME_COOKIE, "")
        self.site = site
        self.catalogue: Catalogue = catalogues()[language]
        self.text = self.catalogue.text
        self.theme = theme if theme in THEMES else THEMES[0]
        self.prefix = urlsplit(base_url).path
        self._origin = base_url.removesuffix(self.prefix) if self.prefix else base_url
        self.base_url = base_url
        self.secure = base_url.startswith("https:")
        self._known = site.sessions.open(cookies)
        self.session = self._known or Session()
        self.has_forms = True
        path = scope["path"].removeprefix(site.root_path)
        query = scope["query_string"].decode("latin-1")
        self.path: str = path
        self.address = f"{path}?{query}" if query else path

    @property
    def has_session(self) -> bool:
        """Whether the browser has a session already; an error sends none that forms could use."""
        return self._known is not None

    @property
    def csrf_field(self) -> Markup:
        """The hidden field that every posted form has."""
        return Markup('<input type="hidden" name="csrf" value="{}">').format(self.session.csrf)

    def url(self, path: str, **query: object) -> str:
        """Return the address of a path of the site as the browser has to ask for it.

        Parameters that are None are left out.
        """
        stated = {name: value for name, value in query.items() if value is not None}
        suffix = f"?{urlencode(stated)}" if stated else ""
        return f"{self.prefix}{self.site.root_path}{path}{suffix}"

    def explore_path(self, href: str) -> str:
        """Return the page of the resource that a reference leads to; "" for what is not here."""
        parts = urlsplit(href)
        if parts.netloc and f"{parts.scheme}://{parts.netloc}" != self._origin:
            return ""
        return self.site.find_resource(unquote(parts.path).removeprefix(self.prefix))

    def explain(self, error: ApiError) -> str:
        """Return what went wrong in the reader's language, with the API's own words."""
        key = f"error.{error.code}"
        said = self.text(key if self.catalogue.has(key) else f"error.{error.status}")
        return f"{said}: {error.message or error.reason}"

    def json_url(self, path: str, query: str = "") -> str:
        """Return the address of what a view shows, as the API answers it.

        Where readers sign in, browsers cannot ask the API itself: their session is no credential
        there.
        """
        place = path if not self.site.sign_in else f"{self.site.root_path}/json{path}"
        return f"{self.prefix}{place}{f'?{query}' if query else ''}"

    def curl(self, path: str, query: str = "") -> str:
        """Return the command that asks the API for what a view shows."""
        address = f"{self.base_url}{path}{f'?{query}' if query else ''}"
        key = f' -H "{KEY_HEADER}: $TMF_API_KEY"' if self.site.sign_in.api_key else ""
        if self.site.sign_in and not key:
            key = ' -H "Authorization: Bearer $TMF_TOKEN"'
        return f"curl -g{key} {shlex.quote(address)}"

    def static(self, name: str) -> str:
        """Return the address of a file of the pages' own."""
        return self.url(static_files()[name].path)

    def render(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return the answer that a template makes."""
        return self.respond(self.html(template, **values), status)

    def html(self, template: str, **values: Any) -> str:
        """Return what a template makes; it knows `page`, `site` and `t`, the text of a key."""
        found = self.site.template(template)
        return found.render(page=self, site=self.site, t=self.text, **values)

    def respond(self, html: str, status: int = 200) -> Response:
        """Return an answer with HTML."""
        response = Response(html, status, content_type="text/html; charset=utf-8")
        return self._finish(response)

    def redirect(self, path: str) -> Response:
        """Return an answer that leads to another path of the site, if proxies take its length."""
        url = self.url(path)
        if len(url) > _LONGEST_LOCATION:
            what = f"the address has more than {_LONGEST_LOCATION} characters"
            return self.error(400, "invalidQuery", "The query cannot be answered.", what)
        response = Response("", 303, {"Location": url})
        return self._finish(response)

    def to_sign_in(self) -> Response:
        """Return an answer that leads to signing in, and from there back to the reader's view."""
        back = self.address
        if flask.request.method not in ("GET", "HEAD"):  # a form's own address is no view
            referrer = flask.request.headers.get("Referer", "")
            here = f"{self.base_url}{self.site.root_path}/"
            back = referrer[len(here) - 1 :] if referrer.startswith(here) else "/"
        if len(back) > _LONGEST_LOCATION // 3:  # each character may become three
            back = back.partition("?")[0]
        return self.redirect(f"/sign-in?{urlencode({'next': back})}")

    def error(self, status: int, code: str, reason: str, message: str) -> Response:
        """Return the page of an error."""
        return self.respond(self.error_html(status, code, reason, message), status)

    def error_html(self, status: int, code: str, reason: str, message: str) -> str:
        """Return an error as HTML, explained in the reader's language where it is a usual one."""
        key = f"error.{code}" if self.catalogue.has(f"error.{code}") else f"error.{status}"
        if not self.catalogue.has(key):
            key = "error.other"
        return self.html(
            "error.html.jinja",
            status=status,
            code=code,
            title=self.text(key),
            advice=self.text(f"{key}.advice") if self.catalogue.has(f"{key}.advice") else "",
            message=message or reason,
        )

    def set_cookie(
        self,
        response: Response,
        name: str,
        value: str,
        seconds: int | None = None,
        *,
        same_site: str = "Strict",
    ) -> None:
        """Set a cookie that scripts and other sites have no use of; an empty value deletes it."""
        response.set_cookie(
            name,
            value,
            max_age=seconds if value else 0,
            path=f"{self.prefix}{self.site.root_path}/",
            secure=self.secure,
            httponly=True,
            samesite=same_site,
        )

    def remember(self, response: Response, cookie: str, value: str) -> None:
        """Keep a choice of the reader's for a year."""
        self.set_cookie(response, cookie, value, _YEAR)

    def _finish(self, response: Response) -> Response:
        response.headers.update(SECURITY_HEADERS)
        if self.session is not self._known:
            for name, value in self.site.sessions.cookies(self.session).items():
                if value or name in flask.request.cookies:
                    self.set_cookie(response, name, value, SECONDS)
        return response
