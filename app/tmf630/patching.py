"""The three kinds of patches: merge patch, JSON Patch and TM Forum's JSON Patch with queries.

- `application/merge-patch+json` (RFC 7396); `application/json` means the same.
- `application/json-patch+json` (RFC 6902): all operations or none.
- `application/json-patch-query+json` (TMF630 part 5): the same operations on paths that select
  array elements by what they hold, `/note?author=x` or `$.note[?(@.author=='x')]`; `delete` is
  another word for `remove`.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import jsonpatch
import jsonpointer

from app.tmf630 import filtering, literals
from app.tmf630.definitions import Limits, Resource, ResourceDefinition
from app.tmf630.errors import AttributesNotPatchable, BadPatch, PatchConflict
from app.tmf630.json_equality import ABSENT, same
from app.tmf630.patch_queries import expand
from storage import DocumentTooLarge, json

JSON_PATCH = "application/json-patch+json"
JSON_PATCH_QUERY = "application/json-patch-query+json"
OPERATIONS = frozenset({JSON_PATCH, JSON_PATCH_QUERY})
"""The media types of patches that are lists of operations, of which each takes its time."""
DEEPEST = 64
"""Nesting depth of a patched resource; the same as that of a request's body."""

SECONDS = 5.0
"""Seconds that the operations of a patch may take in all; other changes wait for them."""


def patched(
    definition: ResourceDefinition, resource: Resource, media_type: str, patch: Any, limits: Limits
) -> Resource:
    """Return the resource as a patch leaves it; `resource` itself stays as it was.

    An attribute that a patch gives the value it has does not change (RFC 7396), so that a resource
    can be sent back as it was retrieved.

    Raises:
        AttributesNotPatchable: the patch changes attributes that no client may change.
        BadPatch: an operation is not one, was not done in time, or has a path longer than
            `limits.text_length`; the message names it.
        DocumentTooLarge: operations put more than `limits.patch_growth` bytes of JSON into the
            resource.
        PatchConflict: an operation does not fit the resource as it stands, or its class would
            change (TMF630: `@type` is part of its identity).
    """
    if media_type in OPERATIONS:
        result = _by_operations(definition, resource, media_type, patch, limits)
    else:
        result = merge(resource, patch)
    result = with_frozen(definition, definition.frozen, resource, result)
    if "@type" in resource and result.get("@type") != resource["@type"]:
        # No AttributesNotPatchable: update schemas list it, and a patch may repeat it.
        raise PatchConflict("/@type cannot be changed: the class of a resource stays")
    return result


def _by_operations(
    definition: ResourceDefinition, resource: Resource, media_type: str, patch: Any, limits: Limits
) -> Resource:
    own = [_with_own_href(definition, resource, operation) for operation in patch]
    try:
        result = _operated(definition, resource, media_type, own, limits)
    except RecursionError:
        raise PatchConflict("the patch nests far too deeply") from None
    if not isinstance(result, dict):
        raise PatchConflict("the patch leaves no JSON object")
    if _is_too_deep(result):
        raise PatchConflict(f"the patch nests deeper than {DEEPEST} levels")
    return result


def replaced(definition: ResourceDefinition, resource: Resource, body: Resource) -> Resource:
    """Return the resource as a replacement leaves it.

    What no client may change, and what the server manages, need not be in the body.

    Raises:
        AttributesNotPatchable: the body changes attributes that no client may change.
    """
    kept = {*definition.frozen_in_put, *definition.managed}
    result = {name: resource[name] for name in kept if name in resource} | body
    return with_frozen(definition, definition.frozen_in_put, resource, result)


def with_frozen(
    definition: ResourceDefinition, frozen: frozenset[str], before: Resource, after: Resource
) -> Resource:
    """Return `after` with its frozen attributes as they are in `before`.

    Raises:
        AttributesNotPatchable: one of them has another value.
    """
    result = dict(after)
    touched = []
    for name in sorted(frozen):
        if _is_equal(definition, name, before.get(name, ABSENT), after.get(name, ABSENT)):
            if name in before:
                result[name] = before[name]
        else:
            touched.append(name)
    if touched:
        raise AttributesNotPatchable(tuple(touched))
    return result


def _is_equal(definition: ResourceDefinition, name: str, before: Any, after: Any) -> bool:
    """Whether two values mean the same: instants by their time, links by what they lead to."""
    if same(before, after):
        return True
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    if name == "href":
        return filtering.by_href(definition, before) == filtering.by_href(definition, after)
    moment = literals.instant(after) if definition.attributes.is_instant((name,)) else None
    return moment is not None and moment == literals.instant(before)


def _with_own_href(
    definition: ResourceDefinition, resource: Resource, operation: dict[str, Any]
) -> dict[str, Any]:
    """Return an operation on `href` with this server's own, where its value leads to the same."""
    value, own = operation.get("value"), resource.get("href")
    if operation.get("path") != "/href" or not _is_equal(definition, "href", own, value):
        return operation
    return {**operation, "value": own}


def _operated(
    definition: ResourceDefinition, resource: Resource, media_type: str, patch: Any, limits: Limits
) -> Any:
    result: Any = copy.deepcopy(resource)
    room, end = limits.patch_growth, time.monotonic() + SECONDS
    for position, operation in enumerate(patch):

        def check_time(position: int = position) -> None:
            if time.monotonic() >= end:
                raise BadPatch(f"operation {position} was not done within {SECONDS:g} seconds")

        check_time()
        steps = [operation]
        if media_type == JSON_PATCH_QUERY:
            steps = expand(operation, result, position, limits.text_length, check_time)
        for step in steps:
            check_time()
            room -= _size(step, result)
            if room < 0:
                raise DocumentTooLarge(
                    f"the patch puts more than {limits.patch_growth} bytes into the resource"
                )
            result = _apply(_appending(definition, step, result), result, position)
    return result


def _appending(definition: ResourceDefinition, step: dict[str, Any], resource: Any) -> Any:
    """Return an operation that adds one element to an array as official documents write it.

    `{"op": "add", "path": "/note", "value": {…}}` would put an object in the array's place
    (RFC 6902), which no contract allows; in the documents it adds a note.
    """
    value, path = step.get("value"), str(step.get("path"))
    if step["op"] != "add" or value is None or isinstance(value, list):
        return step
    try:
        target = jsonpointer.resolve_pointer(resource, path, ABSENT)
    except (jsonpointer.JsonPointerException, TypeError):
        return step
    if isinstance(target, list):
        return {**step, "path": f"{path}/-"} if path else step
    names = tuple(part for part in path.split("/")[1:] if part != "-" and not part.isdigit())
    if target is ABSENT and names and definition.attributes.is_array(names):
        element = path.rpartition("/")[2]
        return step if element == "-" or element.isdigit() else {**step, "value": [value]}
    return step


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


def _size(operation: dict[str, Any], resource: Any) -> int:
    """Return how many bytes of JSON an operation puts into the resource."""
    if operation["op"] in ("add", "replace"):
        return len(json.dumps(operation["value"]))
    if operation["op"] == "copy":
        try:
            source = jsonpointer.resolve_pointer(resource, operation["from"], None)
        except (jsonpointer.JsonPointerException, TypeError):
            return 0
        return len(json.dumps(source))
    return 0


def _is_too_deep(value: Any, level: int = 0) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return level >= DEEPEST or any(_is_too_deep(each, level + 1) for each in inner)


def _apply(operation: dict[str, Any], resource: Any, position: int) -> Any:
    where = f"operation {position} ({operation.get('op')} {str(operation.get('path'))[:120]})"
    try:
        return jsonpatch.apply_patch(resource, [copy.deepcopy(operation)], in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        raise PatchConflict(f"{where} met another value") from None
    except (jsonpatch.JsonPatchConflict, jsonpointer.JsonPointerException):
        raise PatchConflict(f"{where} points at nothing") from None
    except jsonpatch.InvalidJsonPatch:
        raise BadPatch(f"{where} is not a valid operation") from None
    except (TypeError, KeyError, IndexError, ValueError):
        raise PatchConflict(f"{where} does not fit the resource") from None
