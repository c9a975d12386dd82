"""Plain files: resources as clients have them: a JSON array, one object, or NDJSON.

They become entries of an archive, completed as a creation would complete them: ids and dates that a
resource has are kept, and what the contract and the server add to a new one is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import orjson
import uuid_utils

from app.contract import Contract, Kind
from app.contract.binding.resource_definitions import resource_name
from app.maintenance.archive import LONGEST_LINE, ArchiveError, Entry
from app.tmf630 import lifecycle
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.errors import InvalidResource
from app.tmf630.representation import encode
from storage import Document, json

_LARGEST_WHOLE = 128 * 1024 * 1024
"""Bytes of a file that must be parsed at once."""
_KINDS = (Kind.LIST, Kind.RETRIEVE, Kind.CREATE)


@dataclass(frozen=True, slots=True)
class Targets:
    """The definitions of one resource, one for each contract that keeps it in one collection."""

    definitions: tuple[ResourceDefinition, ...]

    def entry(self, line: int, resource: Resource) -> Entry:
        """Return the entry of a resource, by the first contract that it follows."""
        entries = [_entry(each, line, resource) for each in self.definitions]
        for definition, (entry, completed) in zip(self.definitions, entries, strict=True):
            try:
                definition.check(completed, {})
            except InvalidResource:
                continue
            return entry
        return entries[0][0]


def targets_of(contracts: Sequence[Contract], resource: str) -> Targets:
    """Return the definitions of a resource, by its name or by `{api}/{name}`.

    Raises:
        ArchiveError: no contract has such a resource, several APIs do, or it lies within another.
    """
    found: dict[str, dict[str, ResourceDefinition]] = {}
    known: set[str] = set()
    for contract in contracts:
        for binding in contract.bindings:
            definition = binding.definition
            if definition is None or binding.kind not in _KINDS:
                continue
            name = resource_name(binding.path)
            known.add(name)
            if resource in (name, f"{contract.name}/{name}"):
                if definition.embedded_in is not None:
                    raise ArchiveError(
                        f"{name} is a part of its parent, as the array {definition.array}"
                    )
                if definition.parents:
                    raise ArchiveError(
                        f"{name} lies within another resource; POST it to the server"
                    )
                found.setdefault(definition.collection, {})[definition.forms.name] = definition
    if not found:
        raise ArchiveError(f"no contract has {resource}; there are {', '.join(sorted(known))}")
    if len(found) > 1:
        raise ArchiveError(
            f"{resource} is in {' and '.join(sorted(found))}; name one contract with --spec"
        )
    (definitions,) = found.values()
    return Targets(tuple(definitions.values()))


def is_archive(start: bytes) -> bool:
    """Whether a file that begins with these bytes is an archive."""
    return start.lstrip().startswith(b'{"archive":')


def entries_of(file: IO[bytes], targets: Targets) -> Iterator[Entry]:
    """Yield the entries of a plain file.

    Raises:
        ArchiveError: it is neither JSON nor NDJSON, or holds something else than objects.
    """
    for line, resource in _resources(file):
        if not isinstance(resource, dict):
            raise ArchiveError(f"line {line} is not a JSON object")
        id = resource.get("id")
        if "id" in resource and (isinstance(id, bool) or not isinstance(id, str | int) or id == ""):
            raise ArchiveError(f"line {line} has an id that is neither a text nor an integer")
        yield targets.entry(line, resource)


def _resources(file: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """Yield the resources of a file, each with its line; those of an array with their position."""
    first = file.readline(LONGEST_LINE)
    while first and not first.strip():
        first = file.readline(LONGEST_LINE)
    try:
        parsed = _value(first) if first.strip() else []
    except orjson.JSONDecodeError:
        parsed = None  # an array or an object that is written in several lines
    if isinstance(parsed, dict):
        yield 1, parsed
        lines = iter(lambda: file.readline(LONGEST_LINE), b"")
        for number, line in enumerate(lines, start=2):
            if line.strip():
                yield number, _parsed(line, f"line {number}")
        return
    if parsed is None:
        text = first + file.read(_LARGEST_WHOLE)
        if len(text) > _LARGEST_WHOLE:
            raise ArchiveError(
                f"the file is one JSON value of more than {_LARGEST_WHOLE >> 20} MB: write each"
                " resource in a line of its own (NDJSON)"
            )
        parsed = _parsed(text, "the file")
    whole = parsed
    yield from enumerate(whole if isinstance(whole, list) else [whole], start=1)


def _parsed(text: bytes, where: str) -> Any:
    try:
        return _value(text)
    except orjson.JSONDecodeError as error:
        raise ArchiveError(f"{where} is not JSON: {error}") from None


def _value(text: bytes) -> Any:
    """Return the value of JSON text, integers beyond 64 bits as they are."""
    orjson.loads(text)  # is strict
    return json.loads(text)


def _entry(definition: ResourceDefinition, line: int, resource: Resource) -> tuple[Entry, Resource]:
    time = lifecycle.now()
    completed = {name: value for name, value in resource.items() if name != "href"}
    completed["id"] = str(completed.get("id") or uuid_utils.uuid7())
    for name, moment in definition.managed.items():
        if moment != "status-change":
            completed.setdefault(name, time)
    completed.setdefault("@type", definition.type)
    lifecycle.fill(definition.fills, completed, time)
    lifecycle.fill(definition.initial, completed, time)
    content = encode(definition, completed)
    document = Document(completed["id"], 1, content, definition.forms.name)
    return Entry(line, definition.collection, document), completed
