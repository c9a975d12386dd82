"""The explorer's pages: what there is, one collection as a table, one resource."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import flask
from flask import Blueprint, Response

from app.pages.api import ApiError, next_cursor
from app.pages.explorer.resources import Explored, Resources, references, values_at
from app.pages.site import Section, Site
from app.web.errors import Failure

_PAGE = 50
_OWN = frozenset({"after", "limit", "offset", "fields"})
_NOTHING = Failure(404, "notFound", "There is nothing at this address.")


def routes(site: Site, resources: Resources) -> Blueprint:
    """Return the routes of the explorer."""
    blueprint = site.blueprint("explorer", Section("explore", "/explore"))
    views = _Views(site, resources)
    blueprint.get("/explore")(views.index)
    blueprint.get("/explore/<api>/<name>")(views.table)
    blueprint.get("/explore/<api>/<name>/<id>")(views.detail)
    return blueprint


class _Views:
    def __init__(self, site: Site, resources: Resources) -> None:
        self._site = site
        self._resources = resources

    def index(self) -> Response:
        """Answer with every resource there is."""
        apis: dict[str, list[Explored]] = {}
        for each in self._resources:
            apis.setdefault(f"{each.title} {each.version}", []).append(each)
        return self._site.page().render("explorer/index.html.jinja", apis=apis)

    def table(self, api: str, name: str) -> Response:
        """Answer with one page of a collection."""
        page, explored = self._site.page(), self._resources.find(api, name)
        if explored is None:
            return self._missing()
        raw = flask.request.query_string.decode("latin-1")
        stated = parse_qsl(raw, keep_blank_values=True, max_num_fields=100)
        given = [(key, value.strip()) for key, value in stated]
        if any(not value for _, value in given):
            kept = urlencode([each for each in given if each[1]])
            return page.redirect(f"{explored.page}?{kept}" if kept else explored.page)
        filters = [(key, value) for key, value in given if key not in _OWN]
        after = [(key, value) for key, value in given if key == "after"]
        query = urlencode([*filters, ("limit", _PAGE), *after])
        rows, total, cursor, error = [], 0, "", None
        try:
            answer = page.api.get(explored.definition.path, query)
            rows = answer.json()
            total = int(answer.headers.get("x-total-count", len(rows)))
            cursor = next_cursor(answer.headers.get("link", ""))
        except ApiError as refusal:
            if refusal.status not in (400, 404) and refusal.code != "queryTooSlow":
                raise
            error = refusal
        return page.render(
            "explorer/table.html.jinja",
            status=error.status if error else 200,
            explored=explored,
            rows=rows,
            total=total,
            filters=dict(filters),
            chips=[
                (key, value, urlencode([each for each in filters if each != (key, value)]))
                for key, value in filters
            ],
            next=urlencode([*filters, ("after", cursor)]) if cursor else "",
            error=error,
            query=query,
            values_at=values_at,
        )

    def detail(self, api: str, name: str, id: str) -> Response:
        """Answer with one resource, and links to what it refers to."""
        page, explored = self._site.page(), self._resources.find(api, name)
        if explored is None or not explored.readable:
            return self._missing()
        path = f"{explored.definition.path}/{id}"
        resource = page.api.get(path).json()
        return page.render(
            "explorer/detail.html.jinja",
            explored=explored,
            id=id,
            path=path,
            resource=resource,
            links=references(page.api, self._resources, resource, page.prefix),
        )

    def _missing(self) -> Response:
        page = self._site.page()
        return page.error(_NOTHING.status, _NOTHING.code, _NOTHING.reason, _NOTHING.message)
