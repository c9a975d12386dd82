"""Which resource the timeline shows, and where its contract has what the timeline needs.

No API is named: a resource has a timeline when its contract says in which direction a contact went,
through which channel, why, and who had a part in it. Releases differ in where these are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from app.contract import Binding, Contract, Kind
from app.contract.document.load import Json
from app.contract.schema.schemas import body_schema, follow
from app.tmf630.definitions import ResourceDefinition
from storage import Path

_CHANNELS: tuple[Path, ...] = (("channel", "id"), ("relatedChannel", "channel", "id"))
_STATUSES = re.compile(r"Status(Example)?(Type|Enum)?$")
_DEFAULT_STATUSES = ("opened", "inProgress", "completed")
STARTED = "interactionDate.startDateTime"
_NEWEST_FIRST = f"-{STARTED}"


@dataclass(frozen=True, slots=True)
class TimelineSource:
    """The resource that the timeline shows, by the contract that it is read and written by.

    `party` and `channel` are the attributes that name them, as the API's filters. `create_schema`
    describes a new resource.
    """

    contract: Contract
    definition: ResourceDefinition
    party: str
    channel: str
    create_schema: Json
    statuses: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of the collection, with the root path."""
        return self.definition.path

    def member(self, id: str) -> str:
        """Return the path of one resource."""
        return f"{self.path}/{id}"

    @property
    def party_name(self) -> str:
        """The attribute that names a party for people."""
        return f"{self.party.removesuffix('.id')}.name"

    @property
    def newest_first(self) -> str:
        """The order of one party's contacts: by when they were, not by when they were stored."""
        return _NEWEST_FIRST

    def query(self, *parameters: tuple[str, object]) -> str:
        """Return a query string of parameters that have a value."""
        stated = [(name, value) for name, value in parameters if value not in (None, "")]
        return urlencode(stated, quote_via=quote, safe=":,")


def timeline_source(contracts: Sequence[Contract]) -> TimelineSource | None:
    """Return the resource with a timeline; of several releases of an API, by the newest.

    None when no contract has one.
    """
    newest = sorted(contracts, key=lambda each: _number(each.version), reverse=True)
    for contract in newest:
        for binding in contract.bindings:
            if binding.kind is Kind.CREATE and binding.definition is not None:
                source = _source(contract, binding, binding.definition)
                if source is not None:
                    return source
    return None


def _source(
    contract: Contract, binding: Binding, definition: ResourceDefinition
) -> TimelineSource | None:
    knows = definition.attributes.knows
    channel = next((path for path in _CHANNELS if knows(path)), None)
    wanted = all(knows((name,)) for name in ("direction", "reason", "status"))
    listed = any(
        each.kind is Kind.LIST and each.definition and each.definition.path == definition.path
        for each in contract.bindings
    )
    if channel is None or not definition.parties or not wanted or not listed:
        return None
    if definition.parents:
        return None
    operation = contract.document["paths"][binding.path]["post"]
    return TimelineSource(
        contract=contract,
        definition=definition,
        party=".".join(definition.parties[0]),
        channel=".".join(channel),
        create_schema=body_schema(operation) or {},
        statuses=_statuses(contract.document, operation),
    )


def _statuses(document: Json, operation: Json) -> tuple[str, ...]:
    """Return the values a status may have: by the contract, or those that are usual."""
    schema = follow(document, body_schema(operation) or {})
    stated = follow(document, schema.get("properties", {}).get("status", {})).get("enum")
    if stated:
        return tuple(map(str, stated))
    for name, each in document.get("components", {}).get("schemas", {}).items():
        if _STATUSES.search(name) and each.get("enum"):
            return tuple(map(str, each["enum"]))
    return _DEFAULT_STATUSES


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
