"""Differences between contracts as text, as a Markdown page, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

import orjson

from app.contract.diff import Change

_ORDER = ("operations", "parameters", "media types", "answers", "attributes")


def text(title: str, changes: Sequence[Change]) -> str:
    """Return the differences for a terminal, those that break clients first."""
    lines = [title, summary(changes)]
    for heading, group in _sections(changes):
        lines += ["", heading]
        rows = [(_places(each, "{}"), _said(each[0])) for each in _folded(group)]
        width = min(60, max(len(place) for place, _ in rows))
        lines += [f"  {place.ljust(width)}  {said}" for place, said in rows]
    return "\n".join(lines)


def markdown(title: str, changes: Sequence[Change]) -> str:
    """Return the differences as a page."""
    lines = [f"# {title}", "", summary(changes)]
    for heading, group in _sections(changes):
        lines += ["", f"## {heading}", "", "| where | what | data |", "|---|---|---|"]
        lines += [
            f"| {_places(each, '`{}`')} | {each[0].what}{_uses(each[0])} | {each[0].data} |"
            for each in _folded(group)
        ]
    return "\n".join(lines) + "\n"


def json(title: str, changes: Sequence[Change]) -> bytes:
    """Return the differences for programs."""
    found = {"title": title, "breaking": any(each.breaking for each in changes)}
    ordered = [each for _, group in _sections(changes) for each in group]
    return orjson.dumps(
        {**found, "changes": [asdict(each) for each in ordered]}, option=orjson.OPT_INDENT_2
    )


def summary(changes: Sequence[Change]) -> str:
    """Return the differences in one line."""
    breaking = sum(each.breaking for each in changes)
    return f"{breaking} changes break clients, {len(changes) - breaking} do not"


def _sections(changes: Sequence[Change]) -> Iterator[tuple[str, list[Change]]]:
    ordered = sorted(
        changes, key=lambda each: (not each.breaking, _ORDER.index(each.group), each.place)
    )
    for (breaking, group), members in groupby(ordered, lambda each: (each.breaking, each.group)):
        yield f"{'Breaking' if breaking else 'Compatible'}: {group}", list(members)


def _folded(changes: Sequence[Change]) -> list[list[Change]]:
    """Gather what changes alike for the same attribute of several objects."""
    gathered: dict[object, list[Change]] = {}
    for each in changes:
        key = (each.group, _split(each)[1], each.what, each.data)
        gathered.setdefault(key, []).append(each)
    return list(gathered.values())


def _places(changes: Sequence[Change], style: str) -> str:
    if len(changes) == 1:
        return style.format(changes[0].place)
    leaf = style.format(_split(changes[0])[1])
    return f"{leaf} of {', '.join(style.format(_split(each)[0]) for each in changes)}"


def _split(change: Change) -> tuple[str, str]:
    """Return what a place belongs to, and its last part."""
    if change.group == "operations":
        return change.place, change.place
    parent, _, leaf = change.place.rpartition("." if change.group == "attributes" else " ")
    return parent, leaf


def _said(change: Change) -> str:
    return f"{change.what}{_uses(change)}{f'; {change.data}' if change.data else ''}"


def _uses(change: Change) -> str:
    """Say which bodies a change concerns: the one, or requests, answers, both."""
    if len(change.uses) < 2:
        return f" ({change.uses[0]})" if change.uses else ""
    words = ("request", "answer")
    found = [f"{word}s" for word in words if any(use.endswith(word) for use in change.uses)]
    return f" ({' and '.join(found)})"
