"""Which rules a contract gets from overlays, mappings and sources, and from which files."""

from __future__ import annotations

from collections.abc import Iterator

from app.bootstrap import event_sources_of, mappings_of
from app.contract import Contract
from app.contract.data_files import data_files
from app.contract.evolution.mapping import Shape, Side
from app.settings import Settings


def rule_lines(contract: Contract, settings: Settings, *, in_full: bool) -> Iterator[str]:
    """Yield a line for each overlay, mapping and source of a contract; `in_full`, for each rule.

    Raises:
        ContractError: a file is not what its name says.
    """
    for overlay in contract.overlays:
        if overlay.changes or in_full:
            yield f"overlay    {overlay.title} ({overlay.changes} changes)  {overlay.file}"
        if in_full:
            yield from (f"  {each.target} {each.does} ({each.changes})" for each in overlay.rules)
    for mapping in mappings_of(settings):
        if mapping.side_of(contract.name, contract.major):
            older, newer = mapping.versions[Side.OLDER], mapping.versions[Side.NEWER]
            yield f"mapping    {mapping.title} (v{older} to v{newer})  {mapping.file}"
            if in_full:
                for resource, shape in mapping.resources.items():
                    yield from (f"  {line}" for line in sorted(_renamed(resource, shape)))
    for source in event_sources_of(settings):
        if (source.into_api, source.into_version) == (contract.name, contract.major):
            yield f"source     {source.title}  {source.file}"
            if in_full:
                yield from (f"  {source.into_resource}.{name}" for name in source.attributes)


def rules_without_effect(contract: Contract, settings: Settings) -> list[str]:
    """Return a sentence for each action of one's own overlays that meets nothing in a contract."""
    own = {str(file) for file in data_files(settings.overlays, "overlay", other_names=True)}
    return [
        f"{overlay.file} {rule.target} meets nothing in this contract"
        for overlay in contract.overlays
        if overlay.file in own
        for rule in overlay.rules
        if not rule.changes
    ]


def _renamed(place: str, shape: Shape, depth: int = 0) -> Iterator[str]:
    """Yield the attributes that a mapping names another way in the newer version."""
    for older, (newer, inner) in shape.attributes.items():
        if older != newer:
            yield f"{place}.{older} is {newer}"
        if depth < _DEEPEST:
            yield from _renamed(f"{place}.{older}", inner, depth + 1)
    if shape.nest:
        yield f"{place} has its attributes in {shape.nest}"


_DEEPEST = 3
"""Shapes may contain themselves."""
