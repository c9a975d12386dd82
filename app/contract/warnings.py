"""Warnings about a contract: what of it is not served as it says, and what contradicts itself."""

from __future__ import annotations

from app.contract.binding.event_definitions import unplaced_listeners
from app.contract.binding.operation_kinds import Kind
from app.contract.binding.resource_definitions import resource_name
from app.contract.contract import Contract
from app.contract.schema.contradictions import contradictions_of
from app.contract.schema.schemas import body_schema, success_schema

_WHOLE = (Kind.CREATE, Kind.REPLACE, Kind.SUBSCRIBE)


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


def request_contradictions(contract: Contract) -> list[str]:
    """Return what requests may have, by their schema, that the schema of the answer excludes.

    Such requests are accepted, and answered with the resource as it is.
    """
    found = []
    for each in contract.bindings:
        definition = each.definition
        if each.kind not in _WHOLE or definition is None or each.unserved is not None:
            continue
        operation = contract.document["paths"][each.path][each.method]
        request, answer = body_schema(operation), success_schema(operation)
        if request is None or answer is None:
            continue
        filled = (fill.path for fill in (*definition.fills, *definition.initial))
        named = ((name,) for name in ("id", "href", "@type", *definition.managed))
        given = frozenset((*filled, *named))
        found += [
            f"{each.method.upper()} {each.path}: {sentence}"
            for sentence in contradictions_of(contract.document, request, answer, given)
        ]
    return found
