"""Differences between two contracts, and which of them break clients.

Both documents are compared as they are, without overlays, attribute by attribute: where an object's
schema lies and how it is composed does not matter, what a client sends and gets does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from app.contract.binding.event_definitions import change_of
from app.contract.binding.operation_kinds import Kind, collection_of, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import api_name, major_version, operations
from app.contract.evolution.diff_schemas import SchemaComparison
from app.contract.evolution.mapping import Mapping, Side
from app.contract.schema.schemas import (
    body_schema,
    element_of,
    failure_schema,
    name_of,
    success_schema,
)

_PARAMETER = re.compile(r"\{[^{}]+\}")
Names: TypeAlias = MappingType[str, str]
_LOST_FORMAT = re.compile(r"format \S+ became any text")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: in which group, at which place, what it is, and whether it breaks clients.

    `uses` says what the place is a part of: requests, answers; where it breaks clients, those in
    which it does. `data` says what becomes of stored values. `places` are those of a difference
    that is told once for several.
    """

    group: str
    place: str
    what: str
    breaking: bool
    uses: tuple[str, ...] = ()
    data: str = ""
    places: tuple[str, ...] = ()


def differences(old: Json, new: Json, mappings: Sequence[Mapping] = ()) -> tuple[Change, ...]:
    """Return what changes from one normalised document to another, each change once.

    A resource that a mapping renames is one change, and compared under its older name.
    """
    found: dict[tuple[str, str, str], Change] = {}
    for change in _all(old, new, _renames(old, new, mappings)):
        key = (change.group, change.place, change.what)
        found[key] = _together(found[key], change) if key in found else change
    notes = _Fates(old, new, mappings)
    told = (replace(each, data=notes.of(each)) for each in found.values())
    return tuple(_with_formats_once(told))


def _with_formats_once(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield a format that many attributes lose as one difference of the document.

    Newer documents drop formats everywhere, `uri` above all; hundreds of lines would say the same.
    """
    lost: dict[tuple[str, bool], list[Change]] = {}
    for change in changes:
        if change.group == "attributes" and _LOST_FORMAT.fullmatch(change.what):
            lost.setdefault((change.what, change.breaking), []).append(change)
        else:
            yield change
    for alike in lost.values():
        if len(alike) == 1:
            yield alike[0]
            continue
        uses = tuple(sorted({use.split()[-1] for change in alike for use in change.uses}))
        places = tuple(sorted({change.place for change in alike}))
        what = f"{alike[0].what}, in {len(places)} attributes"
        yield replace(alike[0], place="the document", what=what, uses=uses, data="", places=places)


def _together(one: Change, other: Change) -> Change:
    """Return the same change of two bodies as one; it is about those in which it breaks clients."""
    if one.breaking is not other.breaking:
        return one if one.breaking else other
    return replace(one, uses=tuple(dict.fromkeys((*one.uses, *other.uses))))


def _all(old: Json, new: Json, renames: Names) -> Iterator[Change]:
    before, after = _operations(old), _operations(new)
    for name, newer in renames.items():
        yield Change("operations", f"/{name}", f"renamed to /{newer}", True)
        after = {_under(name, newer, key): operation for key, operation in after.items()}
    for key in before.keys() - after.keys():
        yield Change("operations", key, "removed", True)
    for key in after.keys() - before.keys():
        yield Change("operations", key, "added", False)
    resources = _served(old, new, before, after)
    for key in sorted(before.keys() & after.keys()):
        yield from _parameters(key, old, new, before[key], after[key])
        yield from _statuses(key, before[key], after[key])
        yield from _requests(key, before[key], after[key])
        yield from _answers(key, before[key], after[key])
        # An event tells of a resource, which is compared where it is served itself.
        apart = resources if _is_event(key) else frozenset[tuple[str, str]]()
        yield from _attributes(key, old, new, before[key], after[key], apart)


def _renames(old: Json, new: Json, mappings: Sequence[Mapping]) -> Names:
    """Return what the newer document calls resources that it has under another name."""
    for mapping in mappings:
        sides = [mapping.side_of(api_name(each), major_version(each)) for each in (old, new)]
        if sides == [Side.OLDER, Side.NEWER]:
            return mapping.renamed
        if sides == [Side.NEWER, Side.OLDER]:
            return {newer: older for older, newer in mapping.renamed.items()}
    return {}


def _under(name: str, newer: str, key: str) -> str:
    """Return an operation, by method and path, as it is called where a resource has a name."""
    method, _, path = key.partition(" ")
    first, _, rest = path[1:].partition("/")
    if first == newer:
        first = name
    elif first == "listener" and change_of(rest, newer) is not None:
        rest = f"{name}{rest[len(newer) :]}"
    return f"{method} /{first}{'/' if rest else ''}{rest}"


def _operations(document: Json) -> dict[str, Json]:
    """Return the operations by method and path, whatever the paths call their parameters."""
    return {
        f"{method.upper()} {_PARAMETER.sub('{id}', path)}": operation
        for path, method, operation in operations(document)
    }


def _parameters(key: str, old: Json, new: Json, before: Json, after: Json) -> Iterator[Change]:
    mine, others = _by_place(key, before), _by_place(key, after)
    for place in sorted(mine.keys() | others.keys()):
        change = partial(Change, "parameters", place)
        if place not in others:
            yield change("removed", True)
        elif place not in mine:
            required = bool(others[place].get("required"))
            yield change(f"added{', required' * required}", required)
        else:
            was, required = (bool(side[place].get("required")) for side in (mine, others))
            if was is not required:
                yield change(f"became {'required' if required else 'optional'}", required)
            schemas = [side[place].get("schema", {}) for side in (mine, others)]
            comparison = SchemaComparison(old, new, sent=True)
            for found in comparison.schemas(place, *schemas):
                yield Change("parameters", found.place, found.what, found.breaking)


def _by_place(key: str, operation: Json) -> dict[str, Json]:
    """Return the parameters by what they are called in a report; those of the path by position."""
    found: dict[str, Json] = {}
    for each in operation.get("parameters", []):
        if each["in"] == "path":
            number = sum(" {" in place for place in found)
            found[f"{key} {{id}}{f'#{number + 1}' if number else ''}"] = each
        elif each["in"] == "query":
            found[f"{key} ?{each['name']}"] = each
        else:
            found[f"{key} {each['in']}:{each['name']}"] = each
    return found


def _is_event(key: str) -> bool:
    """Whether an operation takes an event, which the server sends and clients get."""
    method, _, path = key.partition(" ")
    return kind_of(path, method.lower()) is Kind.LISTEN


def _statuses(key: str, old: Json, new: Json) -> Iterator[Change]:
    before, after = set(old["responses"]), set(new["responses"])
    for code in sorted(before - after):
        yield Change("answers", f"{key} {code}", "removed", code.startswith("2"))
    for code in sorted(after - before):
        yield Change("answers", f"{key} {code}", "added", False)


def _requests(key: str, old: Json, new: Json) -> Iterator[Change]:
    before, after = (side.get("requestBody", {}) for side in (old, new))
    required = [bool(side.get("required")) for side in (before, after)]
    if required[0] != required[1]:
        word = "required" if required[1] else "optional"
        # Events are sent to clients, which rely on what comes with each.
        breaking = required[1] is not _is_event(key)
        yield Change("bodies", f"{key} body", f"became {word}", breaking)
    yield from _media_types(f"{key} request", before, after)


def _answers(key: str, old: Json, new: Json) -> Iterator[Change]:
    for code in sorted(old["responses"].keys() & new["responses"].keys()):
        if code.startswith("2"):
            before, after = (side["responses"][code] for side in (old, new))
            yield from _media_types(f"{key} answer", before, after)


def _media_types(place: str, old: Json, new: Json) -> Iterator[Change]:
    before, after = (set(side.get("content", {})) for side in (old, new))
    for name in sorted(before - after):
        yield Change("bodies", f"{place} {name}", "removed", True)
    for name in sorted(after - before):
        yield Change("bodies", f"{place} {name}", "added", False)


def _attributes(
    key: str,
    old: Json,
    new: Json,
    before: Json,
    after: Json,
    apart: frozenset[tuple[str, str]],
) -> Iterator[Change]:
    method, _, path = key.partition(" ")
    subject = collection_of(path).strip("/").removeprefix("listener/")
    event = _is_event(key)
    bodies = [
        (subject, "event" if event else f"{method} request", not event, body_schema),
        (subject, f"{method} answer", False, success_schema),
        ("error", "error answer", False, failure_schema),
    ]
    for place, use, sent, schema_of in bodies:
        mine, others = schema_of(before), schema_of(after)
        if mine is None or others is None:
            continue
        comparison = SchemaComparison(old, new, sent=sent, apart=apart)
        for found in comparison.schemas(place, element_of(old, mine), element_of(new, others)):
            yield Change("attributes", found.place, found.what, found.breaking, (use,))


def _served(
    old: Json, new: Json, before: MappingType[str, Json], after: MappingType[str, Json]
) -> frozenset[tuple[str, str]]:
    """Return the components, of both documents, that answers of their operations consist of."""
    pairs = set()
    for key in before.keys() & after.keys():
        mine, others = success_schema(before[key]), success_schema(after[key])
        if not _is_event(key) and mine is not None and others is not None:
            names = name_of(element_of(old, mine)), name_of(element_of(new, others))
            if names[0] is not None and names[1] is not None:
                pairs.add((names[0], names[1]))
    return frozenset(pairs)


class _Fates:
    """What becomes of stored values when the new contract is served."""

    def __init__(self, old: Json, new: Json, mappings: Sequence[Mapping]) -> None:
        self._shapes: dict[str, Any] = {}
        for mapping in mappings:
            sides = [mapping.side_of(api_name(each), major_version(each)) for each in (old, new)]
            if None not in sides and sides[0] is not sides[1]:
                self._to = Side(str(sides[1]))
                self._shapes = dict(mapping.resources)

    def of(self, change: Change) -> str:
        """Return the note for a change of an attribute; nothing where there is nothing to say."""
        resource, _, path = change.place.replace("[]", "").partition(".")
        shape = self._shapes.get(resource)
        if change.group != "attributes" or shape is None or not path:
            return ""
        removed, added = change.what == "removed", change.what.startswith("added")
        moved = ".".join(
            shape.move(tuple(path.split(".")), self._to if removed else self._to.other)
        )
        if removed:
            return f"read as {moved}" if moved != path else "kept as it is"
        return f"read from {moved}" if added and moved != path else ""
