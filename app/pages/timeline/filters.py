"""Filters of the timeline: the API's own, in the page's address as in the API's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias
from urllib.parse import parse_qsl

from app.pages.timeline.source import STARTED, TimelineSource

Parameters: TypeAlias = list[tuple[str, str]]

_TEXT = re.compile(r"\$\[\?\(@\.reason=~/(.*)/i\|\|@\.description=~/\1/i\)\]", re.DOTALL)
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}/]")
SINCE = f"{STARTED}.gte"
BEFORE = f"{STARTED}.lt"
_PAGING = frozenset({"after", "limit", "offset", "sort", "fields"})
_SHORTCUTS = frozenset({"text", "until", "party"})
"""What forms send that the API has by another name."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that holds: what it says, and the address without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What the reader asks for: the parameters as the API takes them, and the cursor of a page."""

    source: TimelineSource
    parameters: tuple[tuple[str, str], ...]
    after: str = ""

    @property
    def party(self) -> str:
        """The party whose timeline it is, "" for everybody's."""
        return self.value(self.source.party)

    def value(self, name: str) -> str:
        """Return the value of a parameter, "" without."""
        return next((value for key, value in self.parameters if key == name), "")

    @property
    def text(self) -> str:
        """The text that is looked for."""
        found = _TEXT.fullmatch(self.value("filter"))
        return str(re.sub(r"\\(.)", r"\1", found[1])) if found else ""

    @property
    def until(self) -> str:
        """The last day."""
        try:
            return (date.fromisoformat(self.value(BEFORE)[:10]) - timedelta(days=1)).isoformat()
        except (ValueError, OverflowError):
            return ""

    @property
    def chips(self) -> list[Chip]:
        """Every filter but the party."""
        chips = []
        for parameter in self.parameters:
            name, value = parameter
            if name == self.source.party:
                continue
            if name == "filter" and self.text:
                name, value = "text", self.text
            elif name == BEFORE and self.until:
                name, value = "until", self.until
            elif name == SINCE:
                name = "since"
            elif name == self.source.channel:
                name = "channel"
            rest = [each for each in self.parameters if each != parameter]
            chips.append(Chip(name, value, self.source.query(*rest)))
        return chips

    @property
    def address(self) -> str:
        """The query of the page's address, without a cursor."""
        return self.source.query(*self.parameters)

    def api_query(self, limit: int) -> str:
        """Return the query that the API is asked."""
        given = {name for name, _ in self.parameters}
        order = self.source.newest_first if self.party and "sort" not in given else ""
        return self.source.query(
            *self.parameters, ("sort", order), ("limit", limit), ("after", self.after)
        )


def read_filters(source: TimelineSource, raw_query: str) -> Filters:
    """Return the filters of a page's address; what forms leave empty is none."""
    parameters: Parameters = []
    after = ""
    for name, value in parse_qsl(raw_query, keep_blank_values=False, max_num_fields=100):
        if name == "after":
            after = value
        elif name == "sort" or name not in _PAGING | _SHORTCUTS:
            parameters.append((_known_as(source, name), value.strip()))
    return Filters(source, tuple(parameters), after)


def canonical(source: TimelineSource, raw_query: str) -> str | None:
    """Return the query with the API's names in place of a form's; None when it has them already."""
    stated = parse_qsl(raw_query, keep_blank_values=True, max_num_fields=100)
    names = {name for name, _ in stated}
    blank = any(not value.strip() for _, value in stated)
    moved = any(_known_as(source, name) != name for name in names)
    if not (names & _SHORTCUTS or blank or moved):
        return None
    kept = [(_known_as(source, k), v) for k, v in stated if k not in _SHORTCUTS]
    given = dict(stated)
    if text := given.get("text", "").strip():
        kept.append(("filter", text_filter(text)))
    if until := given.get("until", "").strip():
        kept.append((BEFORE, _day_after(until)))
    if party := given.get("party", "").strip():
        kept.append((source.party, party))
    return source.query(*((name, value.strip()) for name, value in kept))


def text_filter(text: str) -> str:
    """Return the filter that finds a text in reason or description, in either case."""
    pattern = _SPECIAL.sub(r"\\\g<0>", text)
    return f"$[?(@.reason=~/{pattern}/i||@.description=~/{pattern}/i)]"


def _day_after(day: str) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return day  # the API says what is wrong with it


def _known_as(source: TimelineSource, name: str) -> str:
    """Return a party's or channel's parameter as this release has it."""
    for wanted, others in (
        (source.party, ("relatedParty.id", "relatedParty.partyOrPartyRole.id")),
        (source.channel, ("channel.id", "relatedChannel.channel.id")),
    ):
        if name in others:
            return wanted
    return name
