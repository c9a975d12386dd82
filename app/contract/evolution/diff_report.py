"""Differences between contracts as text, as a Markdown page, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

import orjson

from app.contract.evolution.diff import Change

_ORDER = ("operations", "parameters", "bodies", "answers", "attributes")
_WIDTH = 100
_INDENT = " " * 6
_BAR = r"\|"
_LEGEND = """\
**Breaking** is what a client of the older contract has to do something about before it can use the
newer one: what it sends may be refused, or what it gets may not be what it knows. In brackets is
where: in *requests* (what clients send), *answers* or *events* (what they get). `a[]` is each
element of the array `a`; after *added, required* is the least that such a value must hold. *Data*
says what becomes of values that are stored already, where a mapping knows both contracts. A format
that many attributes lose is one line, for the document. The resource in an event is compared where
it is served itself."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Changes that are alike: their last parts, and what these belong to."""

    change: Change
    leaves: tuple[str, ...]
    parents: tuple[str, ...]


def text(title: str, changes: Sequence[Change]) -> str:
    """Return the differences for a terminal, those that break clients first."""
    lines = [title, summary(changes)]
    for heading, group in _sections(changes):
        lines += ["", heading]
        rows = _folded(group)
        width = min(60, max(len(_place(row, "{}")) for row in rows))
        for row in rows:
            lines.append(f"  {_place(row, '{}').ljust(width)}  {_said(row.change)}")
            if len(row.parents) > 1:
                lines += _wrapped(f"in {', '.join(map(_unbroken, row.parents))}")
    return "\n".join(lines)


def markdown(title: str, changes: Sequence[Change]) -> str:
    """Return the differences as a page."""
    lines = [f"# {title}", "", f"{summary(changes)}.", "", _LEGEND]
    for heading, group in _sections(changes):
        rows = _folded(group)
        noted = any(row.change.data for row in rows)
        lines += ["", f"## {heading}", "", f"| where | what |{' data |' * noted}"]
        lines += [f"|---|---|{'---|' * noted}"]
        for row in rows:
            place = _place(row, "`{}`")
            if len(row.parents) > 1:
                place += f" of {', '.join(f'`{each}`' for each in row.parents)}"
            cells = [place, row.change.what + _uses(row.change), *[row.change.data] * noted]
            lines.append(f"| {' | '.join(cell.replace('|', _BAR) for cell in cells)} |")
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


def _folded(changes: Sequence[Change]) -> list[_Row]:
    """Gather what changes alike: an attribute of several objects, then several of the same."""
    objects: dict[tuple[str, ...], list[Change]] = {}
    for each in changes:
        objects.setdefault((_split(each)[1], each.what, _uses(each), each.data), []).append(each)
    rows: dict[tuple[object, ...], _Row] = {}
    for (leaf, *alike), members in objects.items():
        parents = tuple(_split(each)[0] for each in members)
        key = (*alike, parents) if len(parents) > 1 else (leaf, *alike, parents)
        leaves = (*rows[key].leaves, leaf) if key in rows else (leaf,)
        rows[key] = _Row(members[0], leaves, parents)
    return list(rows.values())


def _place(row: _Row, style: str) -> str:
    if len(row.parents) == 1:
        return style.format(row.change.place)
    return ", ".join(style.format(each) for each in row.leaves)


def _unbroken(place: str) -> str:
    return place.replace(" ", "\N{NO-BREAK SPACE}")


def _wrapped(line: str) -> list[str]:
    lines = textwrap.wrap(
        line, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
    )
    return [each.replace("\N{NO-BREAK SPACE}", " ") for each in lines]


def _split(change: Change) -> tuple[str, str]:
    """Return what a place belongs to, and its last part."""
    if change.group == "operations":
        return "", change.place
    parent, _, leaf = change.place.rpartition("." if change.group == "attributes" else " ")
    return parent, leaf


def _said(change: Change) -> str:
    return f"{change.what}{_uses(change)}{f'; {change.data}' if change.data else ''}"


def _uses(change: Change) -> str:
    """Say which bodies a change concerns: the one, or requests, answers, events, or several."""
    if len(change.uses) < 2:
        return f" ({change.uses[0]})" if change.uses else ""
    words = ("request", "answer", "event")
    found = [f"{word}s" for word in words if any(use.endswith(word) for use in change.uses)]
    *others, last = found
    return f" ({', '.join(others)} and {last})" if others else f" ({last})"
