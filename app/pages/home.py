"""The home page, the reader's preferences, and the files that pages load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flask
from flask import Blueprint, Response

from app.contract import Contract, Kind
from app.pages.messages import catalogues
from app.pages.site import LANGUAGE_COOKIE, SECURITY_HEADERS, THEME_COOKIE, THEMES, Site
from app.pages.static_files import static_files
from app.web.bridge import current_scope

_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class ServedApi:
    """An API as the home page shows it."""

    title: str
    version: str
    path: str
    resources: tuple[str, ...]


class Home:
    """The home page: what is here."""

    def __init__(self, site: Site, contracts: Sequence[Contract]) -> None:
        self._site = site
        self._apis = [
            ServedApi(
                each.title,
                each.version,
                each.base_path.removeprefix(site.root_path),
                tuple(
                    binding.path.strip("/")
                    for binding in each.bindings
                    if binding.kind is Kind.LIST
                ),
            )
            for each in contracts
        ]

    def view(self) -> Response:
        """Answer 200 with the page."""
        page = self._site.page_of(current_scope())
        return page.render("home.html.jinja", apis=self._apis)


def routes(site: Site) -> Blueprint:
    """Return the routes of preferences and static files."""
    blueprint = site.blueprint("home", public=True)

    @blueprint.post("/preferences")
    def preferences() -> Response:
        page = site.page()
        form = flask.request.form
        response = page.redirect(local_path(form.get("next", "")))
        if form.get("language") in catalogues():
            page.remember(response, LANGUAGE_COOKIE, form["language"])
        if form.get("theme") in THEMES:
            page.remember(response, THEME_COOKIE, form["theme"])
        return response

    @blueprint.get("/static/<digest>/<name>")
    def static(digest: str, name: str) -> Response:
        file = static_files().get(name)
        if file is None:
            flask.abort(404)
        current = file.path == f"/static/{digest}/{name}"
        headers = {
            "Cache-Control": _FOREVER if current else "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(file.content, content_type=file.media_type, headers=headers)

    return blueprint


def json_routes(site: Site) -> Blueprint:
    """Return the route that answers with what the API does, for readers who have signed in."""
    blueprint = site.blueprint("json")

    @blueprint.get("/json/<path:path>")
    def show(path: str) -> Response:
        page = site.page()
        query = flask.request.query_string.decode("latin-1")
        answer = page.api.get(f"{'' if path.startswith('/') else '/'}{path}", query)
        headers = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
        return Response(answer.content, content_type="application/json", headers=headers)

    return blueprint


def local_path(text: str) -> str:
    """Return a path of this site as a form states it; the home page for anything else."""
    inside = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if inside and text.isprintable() else "/"
