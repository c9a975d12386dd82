"""The status of the server, as the operator API and the console show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.contract import Contract
from app.contract.warnings import warnings_of
from app.events.operator.views import time_text
from app.events.outbound.backlog import BacklogReader
from app.events.outbound.heartbeat import HeartbeatReader
from app.settings import Settings, explain, shown
from app.web.health import Health
from storage import Index, Store, StoreError


class RunningServer:
    """`handlers.admin.ServerStatus` of this server.

    `collections` are those that the contracts keep, with the indexes that they want.
    """

    def __init__(
        self,
        settings: Settings,
        contracts: Sequence[Contract],
        store: Store,
        health: Health,
        collections: Mapping[str, Sequence[Index]],
    ) -> None:
        self._settings = settings
        self._contracts = contracts
        self._store = store
        self._health = health
        self._collections = collections
        self._backlog = BacklogReader(store)
        self._heartbeats = HeartbeatReader(store)

    def apis(self) -> list[dict[str, Any]]:
        """See `ServerStatus.apis`."""
        return [
            {
                "title": each.title,
                "version": each.version,
                "path": each.base_path,
                "file": each.file,
                "operations": sum(binding.unserved is None for binding in each.bindings),
                "warnings": warnings_of(each),
            }
            for each in self._contracts
        ]

    def health(self) -> dict[str, Any]:
        """See `ServerStatus.health`."""
        return self._health.ready()[1]

    def store(self) -> dict[str, Any]:
        """See `ServerStatus.store`."""
        url = dict(shown(self._settings))["TMF_STORE"]
        try:
            self._store.ping()
        except StoreError as error:
            return {"url": url, "status": f"unavailable: {error}", "collections": []}
        collections = [
            {"name": name, "indexes": self._indexes(name, wanted)}
            for name, wanted in sorted(self._collections.items())
        ]
        return {"url": url, "status": "ready", "collections": collections}

    def _indexes(self, collection: str, wanted: Sequence[Index]) -> list[dict[str, Any]]:
        there = self._store.indexes(collection)
        building = self._store.index_builds(collection)
        return [_index(each.name, each.name in there, building) for each in wanted]

    def backlog(self) -> dict[str, Any]:
        """See `ServerStatus.backlog`."""
        counted = self._backlog.read()
        workers = [
            {
                "id": each.id,
                "startedAt": time_text(each.started_at),
                "seenAt": time_text(each.seen_at),
                **({"lastWorked": time_text(each.worked_at)} if each.worked_at else {}),
                "restarts": each.restarts,
            }
            for each in self._heartbeats.read()
        ]
        return {
            "pending": counted.pending,
            "waiting": counted.waiting,
            "parked": counted.parked,
            "suspended": counted.suspended,
            "workers": workers,
        }

    def settings(self) -> list[dict[str, Any]]:
        """See `ServerStatus.settings`."""
        return [row._asdict() for row in explain(self._settings)]


def _index(name: str, there: bool, building: Mapping[str, float | None]) -> dict[str, Any]:
    if name not in building:
        return {"name": name, "state": "there" if there else "missing"}
    progress = building[name]
    return {"name": name, "state": "building"} | (
        {} if progress is None else {"progress": progress}
    )
