"""Applying the events of other systems: a local copy follows what they tell.

Events may come late, twice, or side by side. What was told last, by the event's own time, wins;
nothing older is ever put over it. The time of the last event that counted is kept beside the copy,
and is claimed before the copy is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from handlers import announcing
from handlers.definition import Change, Resource, ResourceDefinition
from handlers.errors import InvalidResource
from handlers.lifecycle import fill, now
from handlers.representation import decode, encode, encode_change
from handlers.sameness import same
from storage import Document, DocumentExists, DocumentNotFound, Store, VersionConflict, json

_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Application:
    """How the events of one kind change a collection.

    `payload` is the attribute of `event` that holds what the event is about; `local` makes of it
    the attributes, the id among them, of the resource here.
    """

    definition: ResourceDefinition
    change: Change
    payload: str
    local: Callable[[Resource], Resource] = dict


class Applier:
    """Applies events to the store; `base` gives the address for the events that follow."""

    def __init__(self, store: Store, base: Callable[[], str]) -> None:
        self._store = store
        self._base = base

    def apply(self, application: Application, event: Resource, received: str) -> bool:
        """Apply an event; return whether it counted.

        It does not when it is older than what is there already, tells of nothing with an id, or
        would leave a resource that breaks the contract.
        """
        told = event.get("event")
        payload = told.get(application.payload) if isinstance(told, dict) else None
        if not isinstance(payload, dict):
            return False
        resource = application.local(payload)
        id = resource.get("id")
        if not isinstance(id, str) or not id or "/" in id:
            return False
        time = _instant(event.get("eventTime")) or _instant(received) or 0
        if not self._claim(application.definition, id, time):
            return False
        for _ in range(_ATTEMPTS):
            try:
                return self._write(application, id, resource, time)
            except (VersionConflict, DocumentExists):
                continue
        return False

    def _claim(self, definition: ResourceDefinition, id: str, time: int) -> bool:
        """Note the time of an event about a resource, unless a newer one counted."""
        for _ in range(_ATTEMPTS):
            content = json.dumps({"id": id, "time": time})
            try:
                there = self._store.get(_times(definition), id)
                if _time_of(there) > time:
                    return False
                self._store.replace(_times(definition), id, content, version=there.version)
                return True
            except DocumentNotFound:
                try:
                    self._store.insert(_times(definition), id, content)
                    return True
                except DocumentExists:
                    continue
            except VersionConflict:
                continue
        return False

    def _write(self, application: Application, id: str, resource: Resource, time: int) -> bool:
        """Bring the copy to what the event tells; first read, then look whether it still counts."""
        definition = application.definition
        try:
            there: Document | None = self._store.get(definition.collection, id)
        except DocumentNotFound:
            there = None
        if self._is_overtaken(definition, id, time):
            return False
        if application.change is Change.DELETE:
            if there is not None:
                self._store.delete(
                    definition.collection,
                    id,
                    version=there.version,
                    events=announcing.deleted(
                        definition, id, there.content, there.form, self._base()
                    ),
                )
            return True
        try:
            if there is None:
                return self._insert(definition, id, resource, time)
            return self._replace(definition, there, resource)
        except InvalidResource:
            return False

    def _insert(
        self, definition: ResourceDefinition, id: str, resource: Resource, time: int
    ) -> bool:
        resource = {"@type": definition.type, **resource}
        fill(definition.fills + definition.initial, resource, now())
        resource = definition.forms.conforming(resource)
        definition.check(resource, {})
        content = encode(definition, resource)
        self._store.insert(
            definition.collection,
            id,
            content,
            form=definition.forms.name,
            events=announcing.created(definition, id, content, self._base()),
        )
        if self._is_overtaken(definition, id, time):  # by a deletion that found nothing yet
            self._store.delete(definition.collection, id, version=1)
            return False
        return True

    def _replace(self, definition: ResourceDefinition, there: Document, resource: Resource) -> bool:
        before = decode(definition, there)
        after = {name: value for name, value in merged(before, resource).items() if name != "href"}
        if same(after, before):
            return True
        fill(definition.fills, after, now())
        after = definition.forms.conforming(after)
        definition.check(after, before)
        content, form = encode_change(definition, there, before, after)
        self._store.replace(
            definition.collection,
            there.id,
            content,
            version=there.version,
            form=form,
            events=announcing.changed(definition, before, after, content, form, self._base()),
        )
        return True

    def _is_overtaken(self, definition: ResourceDefinition, id: str, time: int) -> bool:
        return _time_of(self._store.get(_times(definition), id)) > time


def merged(before: Resource, told: Resource) -> Resource:
    """Return a resource with what an event tells of it; objects are completed, arrays replaced."""
    after = dict(before)
    for name, value in told.items():
        mine = after.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            value = merged(mine, value)
        after[name] = value
    return after


def _times(definition: ResourceDefinition) -> str:
    return f"{definition.collection}@applied"


def _time_of(document: Document) -> int:
    return int(json.loads(document.content)["time"])


def _instant(text: object) -> int | None:
    """Return a date-time as microseconds since 1970."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1_000_000)
