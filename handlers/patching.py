"""JSON merge patch (RFC 7396) and what a patch may touch."""

from __future__ import annotations

from typing import Any

from handlers.definition import Resource, ResourceDefinition
from handlers.errors import AttributesNotPatchable


def refuse_frozen(definition: ResourceDefinition, patch: Resource) -> None:
    """Raise for attributes that no client may change.

    Raises:
        AttributesNotPatchable: naming all of them.
    """
    touched = tuple(name for name in patch if name in definition.frozen)
    if touched:
        raise AttributesNotPatchable(touched)


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch and return the result; `target` is left as it was (RFC 7396 §2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result
