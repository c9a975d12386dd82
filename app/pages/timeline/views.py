"""The timeline's pages: a party and its contacts, one contact, and what an agent does to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import flask
from flask import Blueprint, Response

from app.contract.document.load import Json
from app.pages.api import ApiError, ApiResponse, next_cursor
from app.pages.site import Page, Section, Site
from app.pages.timeline.composing import body_of, errors_of, fields_of, note_of
from app.pages.timeline.entries import Entry, by_day, entry_of
from app.pages.timeline.filters import Filters, canonical, read_filters
from app.pages.timeline.search import RECENT, Found, find_parties
from app.pages.timeline.source import TimelineSource

_PAGE = 25
_MOST_UNDATED = 50
_MOST_RELATED = 10
_JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A change that met somebody else's: what the reader wanted, and what it was made to."""

    kind: str
    wanted: str
    seen: str


def routes(site: Site, source: TimelineSource) -> Blueprint:
    """Return the routes of the timeline."""
    blueprint = site.blueprint("timeline", Section("timeline", "/timeline"))
    views = _Views(site, source)
    blueprint.get("/timeline")(views.timeline)
    blueprint.get("/timeline/new")(views.blank)
    blueprint.post("/timeline/new")(views.log)
    blueprint.get("/timeline/<id>")(views.detail)
    blueprint.post("/timeline/<id>/note")(views.add_note)
    blueprint.post("/timeline/<id>/status")(views.change_status)
    return blueprint


class _Views:
    def __init__(self, site: Site, source: TimelineSource) -> None:
        self._site = site
        self._source = source

    def timeline(self) -> Response:
        """Answer with contacts, of one party or the latest of all."""
        page, source = self._site.page(), self._source
        raw = flask.request.query_string.decode("latin-1")
        if search := flask.request.args.get("search", "").strip():
            return self._search(page, search)
        if (moved := canonical(source, raw)) is not None:
            return page.redirect(f"/timeline?{moved}" if moved else "/timeline")
        filters = read_filters(source, raw)
        try:
            answer = page.api.get(source.path, filters.api_query(_PAGE))
        except ApiError as error:
            if error.status not in (400, 404) and error.code != "queryTooSlow":
                raise
            return self._list(page, filters, [], 0, "", error)
        cursor = next_cursor(answer.headers.get("link", ""))
        entries = [entry_of(each) for each in answer.json()]
        entries = self._with_undated(page, filters, entries, last=not cursor)
        total = int(answer.headers.get("x-total-count", len(entries)))
        return self._list(page, filters, entries, total, cursor, None)

    def _with_undated(
        self, page: Page, filters: Filters, entries: list[Entry], *, last: bool
    ) -> list[Entry]:
        """Return one page of a party's contacts with those that state no date where they belong.

        The API lists these last, whenever they were stored.
        """
        if not filters.party or filters.after or filters.value("sort"):
            return entries
        if not last:
            undated = "$[?(!@.interactionDate)]"
            query = self._source.query(
                *filters.parameters, ("filter", undated), ("limit", _MOST_UNDATED)
            )
            oldest = min(each.instant for each in entries)
            found = [entry_of(each) for each in page.api.get(self._source.path, query).json()]
            known = {each.id for each in entries}
            entries += [x for x in found if x.instant >= oldest and x.id not in known]
        return sorted(entries, key=lambda each: each.instant, reverse=True)

    def _list(
        self,
        page: Page,
        filters: Filters,
        entries: list[Entry],
        total: int,
        cursor: str,
        error: ApiError | None,
    ) -> Response:
        source = self._source
        party = _party(entries, filters.party)
        return page.render(
            "timeline/list.html.jinja",
            status=error.status if error else 200,
            source=source,
            filters=filters,
            days=list(by_day(entries)),
            titles={each.id: each.reason for each in entries},
            total=total,
            party=party,
            error=error,
            older=source.query(*filters.parameters, ("after", cursor)) if cursor else "",
            fields=fields_of(source),
            api_query=filters.api_query(_PAGE),
            search="",
        )

    def _search(self, page: Page, search: str) -> Response:
        """Answer with the parties that a text may mean, or the timeline of the only one."""
        source = self._source
        error = None
        everywhere = flask.request.args.get("everywhere") == "true"
        try:
            found = find_parties(page.api, source, search, everywhere=everywhere)
        except ApiError as refusal:
            if refusal.code != "queryTooSlow":
                raise
            found, error = Found([], complete=True), refusal
        if len(found.parties) == 1 and found.complete:
            return page.redirect(f"/timeline?{source.query((source.party, found.parties[0].id))}")
        further = "" if found.complete else source.query(("search", search), ("everywhere", "true"))
        return page.render(
            "timeline/parties.html.jinja",
            status=error.status if error else 200,
            source=source,
            search=search,
            parties=found.parties,
            recent=RECENT,
            further=further,
            error=error,
        )

    def detail(self, id: str) -> Response:
        """Answer with one contact."""
        page = self._site.page()
        return self._detail(page, page.api.get(self._source.member(id)))

    def _detail(
        self,
        page: Page,
        answer: ApiResponse,
        status: int = 200,
        conflict: Conflict | None = None,
        error: ApiError | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Response:
        entry = entry_of(answer.json())
        return page.render(
            "timeline/detail.html.jinja",
            status=status,
            source=self._source,
            entry=entry,
            titles=self._titles(page, entry),
            tag=answer.headers.get("etag", ""),
            conflict=conflict,
            error=error,
            form=form or {},
            search="",
        )

    def _titles(self, page: Page, entry: Entry) -> dict[str, str]:
        """Return the reasons of the related contacts that are here."""
        found = {}
        for each in entry.related[:_MOST_RELATED]:
            answer = page.api.request("GET", self._source.member(each.id), "fields=reason")
            if answer.ok:
                found[each.id] = str(answer.json().get("reason", ""))
        return found

    def blank(self) -> Response:
        """Answer with the form that logs a contact."""
        args = flask.request.args
        given = {name: args.get(name, "") for name in fields_of(self._source)}
        return self._form(self._site.page(), given, None)

    def log(self) -> Response:
        """Log a contact, and show it; the form again where the contract refuses it."""
        page, form = self._site.page(), flask.request.form
        values = {name: form.get(name, "") for name in fields_of(self._source)}
        sent = dict(values)
        offset = form.get("offset", "")
        for name in ("start", "end"):
            sent[name] = _instant(values[name], offset)
        sent["start"] = sent["start"] or _now()
        body = body_of(self._source, sent)
        for note in body.get("note", []):
            note |= {"date": _now()} | ({"author": page.session.name} if page.session.name else {})
        try:
            answer = page.api.change("POST", self._source.path, body)
        except ApiError as error:
            if error.status not in (400, 403, 409):
                raise
            return self._form(page, values, error)
        return page.redirect(f"/timeline/{answer.json()['id']}")

    def _form(self, page: Page, values: Mapping[str, str], error: ApiError | None) -> Response:
        problems: dict[str, list[str]] = {}
        others: list[str] = []
        if error is not None:
            problems, others = errors_of(self._source, error.message)
        return page.render(
            "timeline/new.html.jinja",
            status=error.status if error else 200,
            source=self._source,
            fields=fields_of(self._source),
            values=values,
            problems=problems,
            others=others,
            error=error,
            search="",
        )

    def add_note(self, id: str) -> Response:
        """Add a note to the version that the reader has seen."""
        page, form = self._site.page(), flask.request.form
        text = form.get("text", "").strip()
        if not text:
            return page.redirect(f"/timeline/{id}")
        note = note_of(self._source, text, page.session.name, _now())
        whole = form.get("has_notes") != "yes"
        operation: Json = {
            "op": "add",
            "path": "/note" if whole else "/note/-",
            "value": [note] if whole else note,
        }
        return self._change(id, operation, Conflict("note", text, ""))

    def change_status(self, id: str) -> Response:
        """Change the status of the version that the reader has seen."""
        form = flask.request.form
        status = form.get("status", "").strip()
        conflict = Conflict("status", status, form.get("seen", ""))
        operation = {"op": "add", "path": "/status", "value": status}
        return self._change(id, operation, conflict)

    def _change(self, id: str, operation: Json, change: Conflict) -> Response:
        page, path = self._site.page(), self._source.member(id)
        tag = flask.request.form.get("tag", "")
        try:
            page.api.change("PATCH", path, [operation], media_type=_JSON_PATCH, if_match=tag or "*")
        except ApiError as error:
            if error.status not in (400, 403, 409, 412):
                raise
            now = page.api.get(path)
            met = error.status == 412
            form = {change.kind: change.wanted}
            return self._detail(
                page, now, error.status, change if met else None, None if met else error, form
            )
        return page.redirect(f"/timeline/{id}")


def _party(entries: list[Entry], id: str) -> str:
    """Return the name of a party as its contacts have it."""
    names = (each.name for entry in entries for each in entry.parties if each.id == id)
    return next(names, id)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant(local: str, offset: str) -> str:
    """Return a local time of a form as an instant; `offset` is minutes that UTC is ahead of it."""
    local = local.strip()
    try:
        at = datetime.fromisoformat(local)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC) + timedelta(minutes=int(offset or 0))
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return local  # the contract says what is wrong with it
