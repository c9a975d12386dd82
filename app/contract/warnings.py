"""Warnings about a contract: what of it is not served as it says."""

from __future__ import annotations

from app.contract.binding.event_definitions import unplaced_listeners
from app.contract.binding.resource_definitions import resource_name
from app.contract.contract import Contract


def warnings_of(contract: Contract) -> list[str]:
    """Return the warnings about a contract, a sentence each."""
    definitions = [each.definition for each in contract.announced]
    resources = [name for each in definitions for name in (resource_name(each.path), each.type)]
    warnings = [
        f"{each.method.upper()} {each.path} is not served: {each.unserved}"
        for each in contract.bindings
        if each.unserved is not None
    ]
    warnings += [
        f"{path} stands for no change of a resource"
        for path in unplaced_listeners(contract.document, resources)
    ]
    if contract.moved_from is not None:
        warnings.append(
            f"another contract is served at {contract.moved_from}; this one at {contract.base_path}"
        )
    return warnings
