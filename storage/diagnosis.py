"""Results of `tmf683 doctor`: the checks of a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from storage.port import Index

LARGE_BYTES = 4 * 1024 * 1024
"""A stored document of more bytes slows down every list that it is in."""


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, how it is, and what was found."""

    name: str
    state: State
    text: str


def index_check(
    collection: str,
    wanted: Sequence[Index],
    ready: Iterable[str],
    building: Mapping[str, float | None] | None = None,
) -> Check:
    """Return the check of a collection's indexes."""
    present, building = frozenset(ready), building or {}
    missing = [each.name for each in wanted if each.name not in present]
    if not missing:
        return Check("indexes", State.OK, f"{collection}: all {len(wanted)} are there")
    parts = [
        f"{name} ({_percent(building[name])})" if name in building else f"{name} (missing)"
        for name in missing
    ]
    state = State.WARNING if all(name in building for name in missing) else State.PROBLEM
    hint = "" if state is State.WARNING else "; `tmf683 serve` builds them"
    return Check("indexes", state, f"{collection}: {', '.join(parts)}{hint}")


def size_check(largest: Sequence[tuple[str, str, int]]) -> Check:
    """Return the check of the largest documents: collection, id and bytes of each."""
    if not largest:
        return Check("documents", State.OK, "none are stored")
    texts = [f"{collection} {id} {size:,} bytes" for collection, id, size in largest]
    large = largest[0][2] > LARGE_BYTES
    return Check(
        "documents", State.WARNING if large else State.OK, f"the largest are {', '.join(texts)}"
    )


def _percent(part: float | None) -> str:
    return "being built" if part is None else f"being built, {part:.0%}"
