"""What a contract serves, as `check` tells it: as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.commands.contract_rules import RuleFile, rule_files, rules_without_effect
from app.contract import Contract
from app.contract.binding.resource_definitions import resource_name
from app.contract.patch_examples import patch_examples
from app.contract.warnings import warnings_of
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a contract; `unserved` says why it is answered with 501."""

    method: str
    path: str
    id: str
    kind: str
    unserved: str | None


@dataclass(frozen=True, slots=True)
class Description:
    """What a contract serves.

    `events` has the type of each change by resource, `no_effect` the examples of patches that fit
    none of the document's examples of the resource, `embedded` the array in which the elements of
    a path are kept. The other names are those of `Contract`.
    """

    title: str
    version: str
    base_path: str
    repaired: tuple[str, ...]
    rules: tuple[RuleFile, ...]
    left_out: tuple[str, ...]
    operations: tuple[Operation, ...]
    events: tuple[tuple[str, dict[str, str]], ...]
    no_effect: tuple[str, ...]
    embedded: tuple[tuple[str, str], ...]
    contradictions: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def served(self) -> int:
        """The number of operations that are served."""
        return sum(each.unserved is None for each in self.operations)

    def lines(self, *, rules: bool) -> Iterator[str]:
        """Yield lines of text; `rules`: with each rule."""
        yield f"{self.title} {self.version}, valid"
        yield f"base path  {self.base_path}"
        yield from (f"repaired   {each}" for each in self.repaired)
        for file in self.rules:
            yield from file.lines(in_full=rules)
        yield from (f"left out   example {each}" for each in self.left_out)
        yield from _table(self.operations)
        for name, events in self.events:
            types = ", ".join(f"{change} {type}" for change, type in events.items())
            yield f"events     {name}: {types}"
        yield from (f"no effect  example {each}" for each in self.no_effect)
        for path, array in self.embedded:
            yield f"embedded   {path}: elements of {array} of {path.rpartition('/')[0]}"
        yield from (f"contradicts  {each}" for each in self.contradictions)
        yield from (f"warning    {each}" for each in self.warnings)
        yield f"{self.served} of {len(self.operations)} operations served"

    def json(self, *, rules: bool) -> dict[str, Any]:
        """Return a JSON object; `rules`: with each rule."""
        return {
            "title": self.title,
            "version": self.version,
            "basePath": self.base_path,
            "repaired": self.repaired,
            "rules": [_file(each, in_full=rules) for each in self.rules],
            "leftOut": self.left_out,
            "operations": [
                {
                    "method": each.method,
                    "path": each.path,
                    "operationId": each.id,
                    **({"unserved": each.unserved} if each.unserved else {"kind": each.kind}),
                }
                for each in self.operations
            ],
            "events": dict(self.events),
            "noEffect": self.no_effect,
            "embedded": dict(self.embedded),
            "contradictions": self.contradictions,
            "warnings": self.warnings,
            "served": self.served,
        }


def describe(contract: Contract, settings: Settings, *, rules: bool) -> Description:
    """Return what a contract serves; `rules`: with overlays that change nothing.

    Raises:
        ContractError: a file of rules is not what its name says.
    """
    return Description(
        title=contract.title,
        version=contract.version,
        base_path=contract.base_path,
        repaired=tuple(str(each) for each in contract.repaired),
        rules=tuple(rule_files(contract, settings, in_full=rules)),
        left_out=tuple(str(each) for each in contract.contradictions),
        operations=tuple(
            Operation(each.method.upper(), each.path, each.operation_id, each.kind, each.unserved)
            for each in contract.bindings
        ),
        events=tuple(
            (
                resource_name(each.definition.path).rpartition("/")[2],
                {str(change): event.type for change, event in each.events.items()},
            )
            for each in contract.announced
        ),
        no_effect=tuple(
            f"PATCH {each.binding.path} {each}"
            for each in patch_examples(contract)
            if each.resource is None
        ),
        embedded=tuple(
            sorted(
                {
                    (resource_name(each.path), str(each.definition.array))
                    for each in contract.bindings
                    if each.definition is not None and each.definition.embedded_in is not None
                }
            )
        ),
        contradictions=contract.request_contradictions,
        warnings=(*warnings_of(contract), *rules_without_effect(contract, settings)),
    )


def _table(operations: tuple[Operation, ...]) -> Iterator[str]:
    rows = [
        (each.method, each.path, each.id, f"501: {each.unserved}" if each.unserved else each.kind)
        for each in operations
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        padded = (text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True))
        yield "  ".join(padded)


def _file(found: RuleFile, *, in_full: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": found.kind, "title": found.title}
    told |= {"note": found.note} if found.note else {}
    return told | {"file": found.file} | ({"rules": found.rules} if in_full else {})
