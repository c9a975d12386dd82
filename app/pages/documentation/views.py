"""The documentation, served at `/docs`."""

from __future__ import annotations

import flask
from flask import Blueprint, Response

from app.pages.documentation.library import PLACE, Library
from app.pages.site import Section, Site

PATH = "/docs"


def routes(site: Site, library: Library) -> Blueprint:
    """Return the routes of the documentation, which readers need not sign in for."""
    blueprint = site.blueprint("docs", Section("docs", PATH), public=True)

    @blueprint.get(PATH)
    @blueprint.get(f"{PATH}/", defaults={"key": ""}, endpoint="first")
    @blueprint.get(f"{PATH}/<path:key>", endpoint="page")
    def page(key: str = "") -> Response:
        if image := library.images.get(key):
            kept = {"Cache-Control": "max-age=3600"}
            return Response(image.read_bytes(), mimetype="image/webp", headers=kept)
        found = library.pages.get(key.rstrip("/"))
        if found is None:
            return site.page().error(404, "notFound", "", f"no page is at {PATH}/{key}")
        shown = site.page()
        html = found.rendered.html.replace(PLACE, shown.url(f"{PATH}/"))
        return shown.render("docs/page.html.jinja", found=found, content=html, docs=library)

    @blueprint.get(f"{PATH}/search")
    def search() -> Response:
        query = flask.request.args.get("q", "")[:200]
        hits = library.search(query)
        return site.page().render("docs/search.html.jinja", query=query, hits=hits, docs=library)

    return blueprint
