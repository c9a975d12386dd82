"""Patches: give PATCH the merge-patch media type, and its schemas the meaning of null.

In a merge patch (RFC 7396) every attribute is optional and null removes one. TM Forum's update
schemas say neither, so each gets a sibling `…_MergePatch`: optional attributes nullable, through
objects but not into arrays, which a patch replaces whole. Attributes of the resource that the
update schema leaves out are declared read-only: a patch that names one is refused.
"""

from __future__ import annotations

import copy

from app.contract.binding.operation_kinds import Kind, collection_of, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.discriminator import OPEN
from app.contract.schema.schemas import attributes, body_schema, follow, name_of, success_schema

MEDIA_TYPES = ("application/json", "application/merge-patch+json")
IDENTITY = ("id", "href")


def declare_merge_patches(document: Json) -> Json:
    """Return the document with merge-patch schemas in its PATCH operations."""
    document = copy.deepcopy(document)
    document.setdefault("components", {}).setdefault("schemas", {})
    for path, method, operation in list(operations(document)):
        update = body_schema(operation)
        if kind_of(path, method) is Kind.PATCH and update is not None:
            resource = success_schema(operation) or update
            if follow(document, update).get("type") == "array":  # that of the operations
                update = resource
            create = document["paths"].get(collection_of(path), {}).get("post", {})
            mandatory = attributes(document, body_schema(create) or {}).required
            schema = _resource_patch(document, update, resource, mandatory)
            content = operation["requestBody"]["content"]
            for media_type in MEDIA_TYPES:
                content[media_type] = {**content.get(media_type, {}), "schema": schema}
    return document


def _resource_patch(
    document: Json, update: Json, resource: Json, mandatory: frozenset[str]
) -> Json:
    patchable = attributes(document, update)
    declared = attributes(document, resource).properties
    schemas = document["components"]["schemas"]
    name = f"{name_of(update) or 'Update'}_MergePatch"
    properties = {
        attribute: _nullable(document, schema, attribute not in mandatory | patchable.required)
        for attribute, schema in patchable.properties.items()
        if attribute not in IDENTITY
    }
    for attribute in (*IDENTITY, *(name for name in declared if name not in patchable.properties)):
        description = follow(document, declared.get(attribute, {})).get("description", "")
        properties[attribute] = {"readOnly": True, "description": description}
    schemas[name] = {
        "type": "object",
        "description": "A merge patch: attributes left out stay, null removes an attribute.",
        "properties": properties,
    }
    if patchable.required:
        schemas[name]["required"] = sorted(patchable.required)
    return {"$ref": f"#/components/schemas/{name}"}


def _nullable(document: Json, schema: Json, removable: bool) -> Json:
    reference = _object_patch(document, schema)
    if reference is not None:
        schema = {"allOf": [reference]}
    elif "$ref" in schema:
        schema = {"allOf": [{"$ref": schema["$ref"]}]}
    return {**schema, "nullable": True} if removable else schema


def _object_patch(document: Json, schema: Json) -> Json | None:
    """Return a reference to the patch of a plain object schema; None for any other schema."""
    target = follow(document, schema)
    name = name_of(schema)
    if name is None or target.get("type") != "object" or "properties" not in target:
        return None
    if any(word in target for word in ("oneOf", "anyOf", "discriminator", OPEN)):
        return None
    schemas = document["components"]["schemas"]
    patch = f"{name}_MergePatch"
    if patch not in schemas:
        schemas[patch] = {"type": "object"}  # known before its attributes: schemas may be circular
        described = attributes(document, target)
        schemas[patch]["properties"] = {
            attribute: _nullable(document, inner, attribute not in described.required)
            for attribute, inner in described.properties.items()
        }
    return {"$ref": f"#/components/schemas/{patch}"}
