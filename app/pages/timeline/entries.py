"""Entries: stored contacts as the timeline shows them, whichever release they were written by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import orjson

from app.pages.formats import instant

_META = frozenset({"@type", "@baseType", "@schemaLocation", "@referredType", "href", "id"})
_SHOWN = _META | {
    "attachment",
    "channel",
    "creationDate",
    "description",
    "direction",
    "externalIdentifier",
    "interactionDate",
    "interactionItem",
    "interactionRelationship",
    "lastUpdate",
    "note",
    "reason",
    "relatedChannel",
    "relatedParty",
    "status",
    "statusChangeDate",
}
_ICONS = (
    ("bot", "bot|assistant|virtual"),
    ("chat", "chat"),
    ("message", "sms|mms|whats|messag|push|text|signal|telegram|messenger"),
    ("mail", "mail"),
    ("phone", "phone|call|hotline|tel|voice|ivr|line"),
    ("shop", "shop|store|retail|branch|counter|outlet"),
    ("visit", "visit|techn|field|home|person"),
    ("web", "web|portal|online|site|app|self|internet|social|face"),
    ("letter", "letter|post|paper|fax"),
)
_REFERENCES = (
    ("ticket", "ticket|problem|incident"),
    ("order", "order|cart|quote"),
    ("message", "messag|communic"),
    ("letter", "bill|invoice|document|agreement|contract"),
    ("person", "customer|party|individual|organi"),
)
_TONES = (
    ("bad", "fail|reject|cancel|abort|error"),
    ("good", "complet|done|clos|resolv|success|cleared"),
    ("warm", "progress|ongoing|pending|wait|held|escalat"),
    ("accent", "open|new|acknowl|initial|created|submitted|draft"),
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that a contact refers to: its name for people, and where it is."""

    id: str
    name: str
    type: str
    role: str
    href: str
    icon: str
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """A note, and what else it has."""

    text: str
    author: str
    date: str
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment; `url` is empty where it has none that a browser may follow."""

    name: str
    description: str
    type: str
    size: str
    url: str
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A part of a contact: what it was about, and how it ended."""

    reason: str
    resolution: str
    date: str
    about: Reference | None
    notes: tuple[Note, ...]
    attachments: tuple[Attachment, ...]
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One contact. `at` is when it was, as text, and `digest` changes when anything of it does."""

    id: str
    at: str
    end: str
    duration: str
    created: str
    direction: str
    reason: str
    description: str
    status: str
    status_since: str
    tone: str
    channels: tuple[Reference, ...]
    parties: tuple[Reference, ...]
    notes: tuple[Note, ...]
    items: tuple[Item, ...]
    attachments: tuple[Attachment, ...]
    related: tuple[Reference, ...]
    external: tuple[Reference, ...]
    rest: Mapping[str, Any]
    digest: str

    @property
    def icon(self) -> str:
        """The symbol of its first channel."""
        return self.channels[0].icon if self.channels else "other"

    @property
    def way(self) -> str:
        """`inbound`, `outbound`, or "" for a direction that is neither."""
        word = self.direction.lower()
        if word.startswith("in"):
            return "inbound"
        return "outbound" if word.startswith("out") else ""

    @property
    def instant(self) -> datetime:
        """When it was; the beginning of time where that is not known."""
        return instant(self.at) or datetime.min.replace(tzinfo=UTC)

    @property
    def day(self) -> str:
        """The day it was, in UTC."""
        return self.instant.astimezone(UTC).date().isoformat() if instant(self.at) else ""


def entry_of(resource: Mapping[str, Any]) -> Entry:
    """Return a resource as an entry; unexpected values are shown among the rest, never lost."""
    period = _object(resource.get("interactionDate"))
    created = _text(resource.get("creationDate"))
    start, end = _text(period.get("startDateTime")), _text(period.get("endDateTime"))
    status = _text(resource.get("status"))
    rest = {name: value for name, value in resource.items() if name not in _SHOWN}
    rest |= {f"interactionDate.{name}": value for name, value in _rest(period, _PERIOD).items()}
    for name, value in resource.items():
        if name in _SHOWN - _META and not _is_expected(name, value):
            rest[name] = value
    return Entry(
        id=_text(resource.get("id")),
        at=start or end or created,
        end=end,
        duration=duration(start, end),
        created=created,
        direction=_text(resource.get("direction")),
        reason=_text(resource.get("reason")),
        description=_text(resource.get("description")),
        status=status,
        status_since=_text(resource.get("statusChangeDate")),
        tone=_matching(_TONES, status) or "",
        channels=tuple(
            _reference(each, "channel", _ICONS)
            for name in ("channel", "relatedChannel")
            for each in _objects(resource.get(name))
        ),
        parties=tuple(
            _reference(each, "partyOrPartyRole", ())
            for each in _objects(resource.get("relatedParty"))
        ),
        notes=tuple(map(_note, _objects(resource.get("note")))),
        items=tuple(map(_item, _objects(resource.get("interactionItem")))),
        attachments=tuple(map(_attachment, _objects(resource.get("attachment")))),
        related=tuple(
            _reference(each, "interaction", (), role="relationshipType")
            for each in _objects(resource.get("interactionRelationship"))
        ),
        external=tuple(
            _reference(each, "", (), role="externalIdentifierType", name="owner")
            for each in _objects(resource.get("externalIdentifier"))
        ),
        rest=rest,
        digest=hashlib.sha256(orjson.dumps(resource)).hexdigest()[:16],
    )


def by_day(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Yield runs of entries of the same day (UTC)."""
    for day, run in groupby(entries, key=lambda each: each.day):
        yield day, list(run)


def duration(start: str, end: str) -> str:
    """Return how long something took, in hours, minutes and seconds; "" when it is not known."""
    begun, ended = instant(start), instant(end)
    if begun is None or ended is None or ended <= begun:
        return ""
    seconds = int((ended - begun).total_seconds())
    days, hours = seconds // 86400, seconds // 3600 % 24
    minutes, left = seconds // 60 % 60, seconds % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left if seconds < 600 else 0, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


_PERIOD = frozenset({"startDateTime", "endDateTime", "@type", "@baseType", "@schemaLocation"})
_TEXTS = frozenset(
    {"creationDate", "description", "direction", "lastUpdate", "reason", "status"}
    | {"statusChangeDate"}
)


def _is_expected(name: str, value: Any) -> bool:
    """Whether the timeline shows all there is to an attribute's value."""
    if name in _TEXTS:
        return isinstance(value, str) or value is None
    if name == "interactionDate":
        return isinstance(value, dict) or value is None
    if isinstance(value, dict):
        return True
    return value is None or (isinstance(value, list) and all(isinstance(x, dict) for x in value))


def _reference(
    value: Mapping[str, Any],
    inside: str,
    icons: tuple[tuple[str, str], ...],
    *,
    role: str = "role",
    name: str = "name",
) -> Reference:
    """Return a reference, which newer releases keep one level deeper (`inside`)."""
    inner = _object(value.get(inside)) if inside else {}
    whole = {**value, **inner} if inner else value
    stated = _text(whole.get("@referredType")) or _text(whole.get("@type"))
    type_ = "" if stated.endswith(("Ref", "OrValue")) or stated.startswith("Related") else stated
    id, called, part = (_text(whole.get(each)) for each in ("id", name, role))
    known = {*_META, role, name, inside}
    rest = {key: each for key, each in whole.items() if key not in known}
    words = f"{called} {id} {part}"
    return Reference(
        id=id,
        name=called or id or part or type_,
        type=type_,
        role=_text(value.get(role)) or part,
        href=_text(whole.get("href")),
        icon=_matching(icons, words) or _matching(_REFERENCES, f"{type_} {part}") or "other",
        rest=rest,
    )


def _note(value: Mapping[str, Any]) -> Note:
    known = _META | {"text", "author", "date"}
    return Note(
        _text(value.get("text")),
        _text(value.get("author")),
        _text(value.get("date")),
        _rest(value, known),
    )


def _item(value: Mapping[str, Any]) -> Item:
    known = _META | {"reason", "resolution", "itemDate", "creationDate", "lastUpdate"}
    known |= {"item", "note", "attachment"}
    about = _object(value.get("item"))
    date = _object(value.get("itemDate"))
    return Item(
        reason=_text(value.get("reason")),
        resolution=_text(value.get("resolution")),
        date=_text(date.get("startDateTime")) or _text(value.get("creationDate")),
        about=_reference(about, "entity", ()) if about else None,
        notes=tuple(map(_note, _objects(value.get("note")))),
        attachments=tuple(map(_attachment, _objects(value.get("attachment")))),
        rest=_rest(value, known),
    )


def _attachment(value: Mapping[str, Any]) -> Attachment:
    size = _object(value.get("size"))
    url = _text(value.get("url")) or _text(value.get("href"))
    known = _META | {"name", "description", "attachmentType", "mimeType", "size", "url", "content"}
    described = _text(value.get("description"))
    return Attachment(
        name=_text(value.get("name")) or described or url or _text(value.get("id")),
        description=described if value.get("name") else "",
        type=_text(value.get("mimeType")) or _text(value.get("attachmentType")),
        size=" ".join(_text(size.get(each)) for each in ("amount", "units")).strip(),
        url=url if re.match(r"https?://", url) else "",
        rest=_rest(value, known),
    )


def _matching(names: tuple[tuple[str, str], ...], text: str) -> str | None:
    """Return the first name of which a word, of those between the bars, is in a text."""
    lower = text.lower()
    return next((name for name, words in names if any(w in lower for w in words.split("|"))), None)


def _rest(value: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in known}


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, dict)]
