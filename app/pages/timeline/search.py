"""Finding a party, by its id or a part of its name, in the contacts that it had a part in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.pages.api import Api
from app.pages.timeline.entries import entry_of
from app.pages.timeline.source import TimelineSource

_CONTACTS = 200
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_STORED = "creationDate"

RECENT = 10_000
"""In how many contacts, the last stored ones, names are looked for at first: no index has parts of
names, so that it takes the longer the more contacts there are."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who had a part in contacts."""

    id: str
    name: str
    role: str
    type: str
    contacts: int


@dataclass(frozen=True, slots=True)
class Found:
    """The parties that a text may mean; `complete` unless older contacts were left out."""

    parties: list[Party]
    complete: bool


def find_parties(api: Api, source: TimelineSource, text: str, *, everywhere: bool) -> Found:
    """Return the parties that a text may mean: the one of this id, or those with it in their name.

    Names are looked for in the `RECENT` contacts, or `everywhere`.

    Raises:
        ApiError: the API refuses, or takes too long.
    """
    fields = ("fields", source.party.partition(".")[0])
    by_id = source.query((source.party, f'"{text}"'), fields, ("limit", 1))
    found = _parties(api, source, by_id, lambda party: party.id == text)
    if found:
        return Found(found, complete=True)
    pattern = f"(?i){_SPECIAL.sub(lambda special: f'{chr(92)}{special[0]}', text)}"
    since = "" if everywhere else _since(api, source)
    by_name = source.query(
        (f"{source.party_name}.regex", pattern),
        (f"{_STORED}.gte", since),
        fields,
        ("limit", _CONTACTS),
    )
    lower = text.lower()
    found = _parties(api, source, by_name, lambda party: lower in party.name.lower())
    return Found(found, complete=not since)


def _since(api: Api, source: TimelineSource) -> str:
    """Return when the first of the recent contacts was stored; nothing when all are recent."""
    if not source.definition.attributes.knows((_STORED,)):
        return ""
    query = source.query(
        ("sort", f"-{_STORED}"), ("fields", _STORED), ("offset", RECENT), ("limit", 1)
    )
    found = api.get(source.path, query).json()
    return str(found[0].get(_STORED, "")) if found else ""


def _parties(
    api: Api, source: TimelineSource, query: str, fits: Callable[[Party], bool]
) -> list[Party]:
    found: dict[str, Party] = {}
    for resource in api.get(source.path, query).json():
        for each in entry_of(resource).parties:
            known = found.get(each.id)
            contacts = known.contacts if known else 0
            party = Party(each.id, each.name, each.role, each.type, contacts + 1)
            if each.id and fits(party):
                found[each.id] = party
    return sorted(found.values(), key=lambda party: (party.name.lower(), party.id))
