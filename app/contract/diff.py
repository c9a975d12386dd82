"""Differences between two contracts, and which of them break clients.

Both documents are compared as they are, without overlays, attribute by attribute: where an object's
schema lies and how it is composed does not matter, what a client sends and gets does. A request may
be asked for less and an answer may hold more without breaking anybody; the other way round breaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.contract.load import Json
from app.contract.mapping import Mapping, Side
from app.contract.normalise import api_name, major_version, operations
from app.contract.schema import attributes, body_schema, follow, name_of, success_schema
from app.contract.shape import collection_of, is_member

_DEEPEST = 8
_UNIONS = ("oneOf", "anyOf")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: in which group, at which place, what it is, and whether it breaks clients.

    `uses` says what the place is a part of: requests, answers. `data` says what becomes of stored
    values.
    """

    group: str
    place: str
    what: str
    breaking: bool
    uses: tuple[str, ...] = ()
    data: str = ""


def differences(old: Json, new: Json, mappings: Sequence[Mapping] = ()) -> tuple[Change, ...]:
    """Return what changes from one normalised document to another, each change once."""
    found: dict[tuple[str, str, str], Change] = {}
    for change in _all(old, new):
        key = (change.group, change.place, change.what)
        earlier = found.get(key)
        if earlier is not None:
            change = replace(
                earlier,
                breaking=earlier.breaking or change.breaking,
                uses=tuple(dict.fromkeys((*earlier.uses, *change.uses))),
            )
        found[key] = change
    notes = _Fates(old, new, mappings)
    return tuple(replace(each, data=notes.of(each)) for each in found.values())


def _all(old: Json, new: Json) -> Iterator[Change]:
    before, after = _operations(old), _operations(new)
    for key in before.keys() - after.keys():
        yield Change("operations", key, "removed", True)
    for key in after.keys() - before.keys():
        yield Change("operations", key, "added", False)
    for key in sorted(before.keys() & after.keys()):
        yield from _parameters(key, before[key], after[key])
        yield from _statuses(key, before[key], after[key])
        yield from _media_types(key, before[key], after[key])
        yield from _bodies(key, old, new, before[key], after[key])


def _operations(document: Json) -> dict[str, Json]:
    """Return the operations by method and path, whatever the paths call their parameters."""
    return {
        f"{method.upper()} {_path(path)}": operation
        for path, method, operation in operations(document)
    }


def _path(path: str) -> str:
    return f"{collection_of(path)}/{{id}}" if is_member(path) else path


def _parameters(key: str, old: Json, new: Json) -> Iterator[Change]:
    before, after = (
        {each["name"]: each for each in side.get("parameters", []) if each["in"] != "path"}
        for side in (old, new)
    )
    for name in before.keys() | after.keys():
        place = f"{key} ?{name}"
        if name not in after:
            yield Change("parameters", place, "removed", True)
        elif name not in before:
            required = bool(after[name].get("required"))
            yield Change("parameters", place, f"added{', required' * required}", required)
        else:
            types = [side[name].get("schema", {}).get("type") for side in (before, after)]
            if types[0] != types[1]:
                yield Change("parameters", place, f"type {types[0]} became {types[1]}", True)


def _statuses(key: str, old: Json, new: Json) -> Iterator[Change]:
    before, after = set(old["responses"]), set(new["responses"])
    for code in sorted(before - after):
        yield Change("answers", f"{key} {code}", "removed", code.startswith("2"))
    for code in sorted(after - before):
        yield Change("answers", f"{key} {code}", "added", False)


def _media_types(key: str, old: Json, new: Json) -> Iterator[Change]:
    before, after = (set(side.get("requestBody", {}).get("content", {})) for side in (old, new))
    for name in sorted(before - after):
        yield Change("media types", f"{key} takes {name}", "removed", True)
    for name in sorted(after - before):
        yield Change("media types", f"{key} takes {name}", "added", False)


def _bodies(key: str, old: Json, new: Json, before: Json, after: Json) -> Iterator[Change]:
    method = key.partition(" ")[0]
    sent, asked = body_schema(before), body_schema(after)
    if sent is not None and asked is not None:
        comparison = _Comparison(old, new, f"{method} request", sent=True)
        yield from comparison.schemas(_subject(key), sent, asked)
    got, given = success_schema(before), success_schema(after)
    if got is not None and given is not None:
        comparison = _Comparison(old, new, f"{method} answer", sent=False)
        yield from comparison.schemas(_subject(key), _one(old, got), _one(new, given))


def _one(document: Json, schema: Json) -> Json:
    """Return the schema of one resource, where an answer is a list of them."""
    followed = follow(document, schema)
    items: Json = followed.get("items", {}) if followed.get("type") == "array" else schema
    return items


def _subject(key: str) -> str:
    """Return what bodies of an operation are about: the collection, or the listener's event."""
    return collection_of(key.partition(" ")[2]).strip("/").removeprefix("listener/")


class _Comparison:
    """Compares the schemas of one body; `sent` says that clients send it."""

    def __init__(self, old: Json, new: Json, use: str, *, sent: bool) -> None:
        self._old = old
        self._new = new
        self._use = use
        self._sent = sent
        self._resources = {collection_of(path).strip("/") for path in new["paths"]}
        self._open: set[tuple[str | None, str | None]] = set()

    def schemas(self, place: str, old: Json, new: Json, depth: int = 0) -> Iterator[Change]:
        pair = (name_of(old), name_of(new))
        if depth > _DEEPEST or (pair in self._open and pair != (None, None)):
            return
        self._open.add(pair)
        yield from self._values(place, follow(self._old, old), follow(self._new, new), depth)
        self._open.discard(pair)

    def _values(self, place: str, old: Json, new: Json, depth: int) -> Iterator[Change]:
        kinds = _kind(self._old, old), _kind(self._new, new)
        if kinds[0] != kinds[1] and None not in kinds:
            yield self._change(place, f"type {kinds[0]} became {kinds[1]}", True)
            return
        if old.get("format") != new.get("format"):
            words = [side.get("format") or "any text" for side in (old, new)]
            narrower = (new if self._sent else old).get("format") is not None
            yield self._change(place, f"format {words[0]} became {words[1]}", narrower)
        yield from self._enums(place, old, new)
        if kinds[0] == "array":
            yield from self.schemas(
                f"{place}[]", old.get("items", {}), new.get("items", {}), depth + 1
            )
            return
        before, after = _described(self._old, old), _described(self._new, new)
        for name in [*before, *(name for name in after if name not in before)]:
            yield from self._attribute(f"{place}.{name}", name, before, after, depth)

    def _attribute(
        self,
        place: str,
        name: str,
        before: dict[str, tuple[Json, bool]],
        after: dict[str, tuple[Json, bool]],
        depth: int,
    ) -> Iterator[Change]:
        if name not in after:
            yield self._change(place, "removed", True)
        elif name not in before:
            required = after[name][1]
            yield self._change(place, f"added{', required' * required}", self._sent and required)
        else:
            if before[name][1] != after[name][1]:
                required = after[name][1]
                word = "required" if required else "optional"
                yield self._change(place, f"became {word}", required is self._sent)
            if place.partition(".")[0] == name or name not in self._resources:
                # What an event tells of a resource changes as the resource itself does.
                yield from self.schemas(place, before[name][0], after[name][0], depth + 1)

    def _enums(self, place: str, old: Json, new: Json) -> Iterator[Change]:
        before, after = old.get("enum"), new.get("enum")
        if before == after:
            return
        if before is None or after is None:
            word = "any value became one of a list" if before is None else "a list became any value"
            yield self._change(place, word, (after is not None) is self._sent)
            return
        for value in before:
            if value not in after:
                yield self._change(place, f"value {value} removed", self._sent)
        for value in after:
            if value not in before:
                yield self._change(place, f"value {value} added", not self._sent)

    def _change(self, place: str, what: str, breaking: bool) -> Change:
        return Change("attributes", place, what, breaking, (self._use,))


def _kind(document: Json, schema: Json) -> str | None:
    stated = schema.get("type")
    if stated is None and (attributes(document, schema).properties or _members(schema)):
        return "object"
    return str(stated) if stated is not None else None


def _members(schema: Json) -> list[Json]:
    return [member for word in _UNIONS for member in schema.get(word, ())]


def _described(document: Json, schema: Json) -> dict[str, tuple[Json, bool]]:
    """Return an object's attributes, each with whether it is mandatory.

    An object of one of several classes has the attributes of all; what every class makes mandatory
    is so.
    """
    own = attributes(document, schema)
    found = {name: (inner, name in own.required) for name, inner in own.properties.items()}
    members = [_described(document, follow(document, each)) for each in _members(schema)]
    for member in members:
        for name, (inner, _) in member.items():
            everywhere = all(name in each and each[name][1] for each in members)
            found.setdefault(name, (inner, everywhere))
    return found


class _Fates:
    """What becomes of stored values when the new contract is served."""

    def __init__(self, old: Json, new: Json, mappings: Sequence[Mapping]) -> None:
        self._new = new
        self._shapes: dict[str, Any] = {}
        api = api_name(old)
        for mapping in mappings:
            sides = [mapping.side_of(api, major_version(each)) for each in (old, new)]
            if None not in sides and sides[0] is not sides[1]:
                self._to = Side(str(sides[1]))
                self._shapes = dict(mapping.resources)

    def of(self, change: Change) -> str:
        """Return the note for a change of an attribute; nothing where there is nothing to say."""
        if change.group != "attributes" or change.what != "removed":
            return ""
        resource, _, path = change.place.replace("[]", "").partition(".")
        shape = self._shapes.get(resource)
        if shape is None or not path:
            return ""
        moved = ".".join(shape.move(tuple(path.split(".")), self._to))
        return f"read as {moved}" if moved != path else "kept as it is"
