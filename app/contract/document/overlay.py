"""Overlay: what this server adds to a contract, as data (OpenAPI Overlay Specification 1.0).

Extensions say which documents an overlay is for, since its `extends` can name but one:
`x-applies-to` holds patterns for `info` values (every document when absent), `x-profile` the
profile it belongs to (every profile when absent), `x-requires: authentication` that it is for
servers on which callers prove who they are.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jsonpath_rfc9535
from jsonpath_rfc9535 import JSONPathError

from app.contract.data_files import data_files
from app.contract.document.load import Json, load
from app.contract.errors import ContractError, Problem


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay document."""

    file: str
    title: str
    actions: tuple[Json, ...]
    applies_to: Json
    profile: str | None
    requires: str | None = None

    def fits(self, document: Json, profile: str, features: Container[str] = ()) -> bool:
        """Whether it is meant for this document under this profile, on a server with these."""
        if self.profile not in (None, profile):
            return False
        if self.requires is not None and self.requires not in features:
            return False
        info = document["info"]
        return all(
            fnmatchcase(str(info.get(name, "")), pattern)
            for name, pattern in self.applies_to.items()
        )


@dataclass(frozen=True, slots=True)
class AppliedRule:
    """An action of an overlay: its target, what it does, how many places of the document it met."""

    target: str
    does: str
    changes: int


@dataclass(frozen=True, slots=True)
class Applied:
    """An overlay that is for a document, and what each of its actions met there."""

    title: str
    file: str
    rules: tuple[AppliedRule, ...]

    @property
    def changes(self) -> int:
        """How many places the overlay met."""
        return sum(rule.changes for rule in self.rules)


class _Misfit(Exception):
    """An action cannot be applied; the message says what it would do."""


def read_overlays(*places: Path) -> tuple[Overlay, ...]:
    """Read the overlays at some places, files or folders; those of a folder by their names.

    Raises:
        ContractError: one is not an overlay document.
    """
    return tuple(map(read_overlay, data_files(places, "overlay", other_names=True)))


def read_overlay(file: Path) -> Overlay:
    """Read one overlay.

    Raises:
        ContractError: it is not an overlay document.
    """
    document = load(file)
    if not str(document.get("overlay", "")).startswith("1."):
        raise ContractError(str(file), [Problem("/overlay", "is not version 1 of the format")])
    actions = document.get("actions")
    if not isinstance(actions, list) or not actions:
        raise ContractError(str(file), [Problem("/actions", "needs at least one action")])
    for position, action in enumerate(actions):
        if not isinstance(action, dict) or not isinstance(action.get("target"), str):
            raise ContractError(
                str(file), [Problem(f"/actions/{position}", "needs a target, a JSONPath")]
            )
        if not action.keys() & {"update", "remove"}:
            raise ContractError(
                str(file), [Problem(f"/actions/{position}", "needs an update, or remove")]
            )
        try:
            jsonpath_rfc9535.compile(action["target"])
        except JSONPathError as error:
            raise ContractError(
                str(file), [Problem(f"/actions/{position}/target", str(error).splitlines()[0])]
            ) from None
    return Overlay(
        file=str(file),
        title=str(document.get("info", {}).get("title", file.name)),
        actions=tuple(actions),
        applies_to=document.get("x-applies-to", {}),
        profile=document.get("x-profile"),
        requires=document.get("x-requires"),
    )


def apply(
    document: Json, overlays: Iterable[Overlay], profile: str, features: Container[str] = ()
) -> tuple[Json, tuple[Applied, ...]]:
    """Return the document with every fitting overlay applied, and which those were.

    Raises:
        ContractError: an action cannot be applied to what its target finds.
    """
    document = copy.deepcopy(document)
    applied = []
    for overlay in overlays:
        if overlay.fits(document, profile, features):
            rules = []
            for position, action in enumerate(overlay.actions):
                try:
                    met = _act(document, action)
                except _Misfit as misfit:
                    problem = Problem(f"/actions/{position}", str(misfit))
                    raise ContractError(overlay.file, [problem]) from None
                rules.append(AppliedRule(action["target"], _does(action), met))
            applied.append(Applied(overlay.title, overlay.file, tuple(rules)))
    return document, tuple(applied)


def _act(document: Json, action: Json) -> int:
    """Apply one action in place and return how many nodes it met (Overlay 1.0, Action Object)."""
    found = jsonpath_rfc9535.find(action["target"], document)
    nodes = list({node.location: node for node in found}.values())
    if action.get("remove") is True:
        if any(not node.location for node in nodes):
            raise _Misfit("removes the whole document")
        # The last first, so that removing one does not move those still to go.
        for node in sorted(nodes, key=lambda node: _position(node.location), reverse=True):
            parent, name = _parent(document, node.location), node.location[-1]
            if isinstance(parent, dict):
                parent.pop(name, None)  # places of a document may share one object
            else:
                del parent[name]
    elif "update" in action:
        for node in nodes:
            _merge(node.value, copy.deepcopy(action["update"]))
    return len(nodes)


def _does(action: Json) -> str:
    if action.get("remove") is True:
        return "removes it"
    update = action["update"]
    return f"sets {', '.join(update)}" if isinstance(update, dict) else "adds to it"


def _position(location: tuple[int | str, ...]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in location]


def _parent(document: Json, location: tuple[int | str, ...]) -> Any:
    value: Any = document
    for part in location[:-1]:
        value = value[part]
    return value


def _merge(target: Any, update: Any) -> None:
    """Merge recursively: objects by name, arrays by appending, the rest by replacement."""
    if isinstance(target, list):
        target.extend(update if isinstance(update, list) else [update])
        return
    if not isinstance(target, dict):
        raise _Misfit("updates a value that is neither an object nor an array")
    if not isinstance(update, dict):
        raise _Misfit("updates an object with what is none")
    for name, value in update.items():
        if isinstance(target.get(name), dict) and isinstance(value, dict):
            _merge(target[name], value)
        elif isinstance(target.get(name), list) and isinstance(value, list):
            target[name].extend(value)
        else:
            target[name] = value
