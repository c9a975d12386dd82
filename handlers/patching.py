"""The three kinds of patches: merge patch, JSON Patch and TM Forum's JSON Patch with queries.

- `application/merge-patch+json` (RFC 7396); `application/json` means the same.
- `application/json-patch+json` (RFC 6902): all operations or none.
- `application/json-patch-query+json` (TMF630 part 5): the same operations on paths that select
  array elements by what they hold, `/note?author=x` or `$.note[?(@.author=='x')]`; `delete` is
  another word for `remove`.
"""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer

from handlers.definition import Resource, ResourceDefinition
from handlers.errors import AttributesNotPatchable, BadPatch, PatchConflict
from handlers.patch_queries import expand

JSON_PATCH = "application/json-patch+json"
JSON_PATCH_QUERY = "application/json-patch-query+json"


def patched(
    definition: ResourceDefinition, resource: Resource, media_type: str, patch: Any
) -> Resource:
    """Return the resource as a patch leaves it; `resource` itself stays as it was.

    Raises:
        AttributesNotPatchable: the patch touches attributes that no client may change.
        BadPatch: an operation is not one; the message names it.
        PatchConflict: an operation does not fit the resource as it stands.
    """
    if media_type not in (JSON_PATCH, JSON_PATCH_QUERY):
        touched = tuple(name for name in patch if name in definition.frozen)
        if touched:
            raise AttributesNotPatchable(touched)
        merged: Resource = merge(resource, patch)
        return merged
    result = copy.deepcopy(resource)
    for position, operation in enumerate(patch):
        steps = [operation]
        if media_type == JSON_PATCH_QUERY:
            steps = expand(operation, result, position)
        for step in steps:
            result = _apply(step, result, position)
    if not isinstance(result, dict):
        raise PatchConflict("the patch leaves no JSON object")
    touched = tuple(
        sorted(name for name in definition.frozen if result.get(name) != resource.get(name))
    )
    if touched:
        raise AttributesNotPatchable(touched)
    return result


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


def _apply(operation: dict[str, Any], resource: Any, position: int) -> Any:
    where = f"operation {position} ({operation.get('op')} {str(operation.get('path'))[:120]})"
    try:
        return jsonpatch.apply_patch(resource, [operation], in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        raise PatchConflict(f"{where} met another value") from None
    except (jsonpatch.JsonPatchConflict, jsonpointer.JsonPointerException):
        raise PatchConflict(f"{where} points at nothing") from None
    except jsonpatch.InvalidJsonPatch:
        raise BadPatch(f"{where} is not a valid operation") from None
    except (TypeError, KeyError, IndexError, ValueError):
        raise PatchConflict(f"{where} does not fit the resource") from None
