"""Which rules a contract gets from overlays, mappings and sources, and from which files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.bootstrap import event_sources_of, mappings_of
from app.contract import Contract
from app.contract.data_files import data_files
from app.contract.evolution.mapping import Shape, Side
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules that a contract gets.

    `kind` is `overlay`, `mapping` or `source`; `note` says in brackets how much it does, and
    `rules` has a text for each of its rules.
    """

    kind: str
    title: str
    note: str
    file: str
    rules: tuple[str, ...]

    def lines(self, *, in_full: bool) -> Iterator[str]:
        """Yield the file as lines of text; `in_full`, with its rules."""
        note = f" ({self.note})" if self.note else ""
        yield f"{self.kind:10} {self.title}{note}  {self.file}"
        if in_full:
            yield from (f"  {each}" for each in self.rules)


def rule_files(contract: Contract, settings: Settings, *, in_full: bool) -> Iterator[RuleFile]:
    """Yield the overlays, mappings and sources of a contract.

    Overlays that change nothing are among them only `in_full`.

    Raises:
        ContractError: a file is not what its name says.
    """
    for overlay in contract.overlays:
        if overlay.changes or in_full:
            rules = (f"{each.target} {each.does} ({each.changes})" for each in overlay.rules)
            note = f"{overlay.changes} changes"
            yield RuleFile("overlay", overlay.title, note, overlay.file, tuple(rules))
    for mapping in mappings_of(settings):
        if mapping.side_of(contract.name, contract.major):
            older, newer = mapping.versions[Side.OLDER], mapping.versions[Side.NEWER]
            renamed = (
                line
                for resource, shape in mapping.resources.items()
                for line in sorted(_renamed(resource, shape))
            )
            note = f"v{older} to v{newer}"
            yield RuleFile("mapping", mapping.title, note, str(mapping.file), tuple(renamed))
    for source in event_sources_of(settings):
        if (source.into_api, source.into_version) == (contract.name, contract.major):
            filled = (f"{source.into_resource}.{name}" for name in source.attributes)
            yield RuleFile("source", source.title, "", str(source.file), tuple(filled))


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
