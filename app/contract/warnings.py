"""Warnings about a contract: what of it is not served, and listeners that stand for nothing."""

from __future__ import annotations

from app.contract.binding.event_definitions import unplaced_listeners
from app.contract.binding.resource_definitions import resource_name
from app.contract.contract import Contract


def warnings_of(contract: Contract) -> list[str]:
    """Return the warnings about a contract, a sentence each."""
    resources = [resource_name(each.definition.path) for each in contract.announced]
    warnings = [
        f"{each.method.upper()} {each.path} is not served: {each.unserved}"
        for each in contract.bindings
        if each.unserved is not None
    ]
    warnings += [
        f"{path} stands for no change of a resource"
        for path in unplaced_listeners(contract.document, resources)
    ]
    return warnings
