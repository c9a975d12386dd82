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


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who had a part in contacts."""

    id: str
    name: str
    role: str
    type: str
    contacts: int


def find_parties(api: Api, source: TimelineSource, text: str) -> list[Party]:
    """Return the parties that a text may mean: the one of this id, or those with it in their name.

    Raises:
        ApiError: the API refuses, or takes too long.
    """
    fields = ("fields", source.party.partition(".")[0])
    by_id = source.query((source.party, f'"{text}"'), fields, ("limit", 1))
    found = _parties(api, source, by_id, lambda party: party.id == text)
    if found:
        return found
    pattern = f"(?i){_SPECIAL.sub(lambda special: f'{chr(92)}{special[0]}', text)}"
    by_name = source.query((f"{source.party_name}.regex", pattern), fields, ("limit", _CONTACTS))
    lower = text.lower()
    return _parties(api, source, by_name, lambda party: lower in party.name.lower())


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
