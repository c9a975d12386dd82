"""Examples of patches, each held against the examples of the resource that it may be meant for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.contract.binding.operation_kinds import Kind, collection_of
from app.contract.binding.operations import Binding
from app.contract.contract import Contract
from app.contract.document.examples import example_values
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.sample import sample
from app.contract.schema.schemas import body_schema
from app.tmf630 import lifecycle, patching
from app.tmf630.definitions import Limits, Resource, ResourceDefinition
from app.tmf630.errors import AttributesNotPatchable, BadPatch, InvalidResource, PatchConflict
from app.tmf630.json_equality import same
from storage import DocumentTooLarge

_ID = "example"


@dataclass(frozen=True, slots=True)
class PatchExample:
    """An example of a patch.

    `resource` is one that it can be applied to; None where there is none among the examples, and
    `problem` says why.
    """

    binding: Binding
    media_type: str
    name: str
    patch: Any
    resource: Resource | None
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.media_type} {self.name}: {self.problem}"


def patch_examples(contract: Contract) -> Iterator[PatchExample]:
    """Yield every example of a patch that follows its schema.

    Those that do not are among the contract's contradictions.
    """
    for binding in contract.bindings:
        definition = binding.definition
        if binding.kind is not Kind.PATCH or definition is None:
            continue
        found = list(_resources(contract.document, collection_of(binding.path), definition))
        content = contract.document["paths"][binding.path]["patch"]["requestBody"]["content"]
        for media_type, described in content.items():
            for name, patch in example_values(contract.document, described):
                yield _tried(binding, definition, media_type, name, patch, found)


def _tried(
    binding: Binding,
    definition: ResourceDefinition,
    media_type: str,
    name: str,
    patch: Any,
    resources: list[Resource],
) -> PatchExample:
    problem, unchanged = "the document has no resource to apply it to", None
    for resource in resources:
        try:
            after = _applied(definition, resource, media_type, patch)
        except AttributesNotPatchable as error:
            problem = ", ".join(f"/{each}" for each in error.attributes) + " cannot be patched"
        except (BadPatch, PatchConflict, DocumentTooLarge) as error:
            problem = str(error)
        except InvalidResource as error:
            problem = f"the result breaks the contract: {error}"
        else:
            if not same(after, resource):
                return PatchExample(binding, media_type, name, patch, resource)
            unchanged = unchanged or resource
    return PatchExample(
        binding, media_type, name, patch, unchanged, "" if unchanged is not None else problem
    )


def _applied(
    definition: ResourceDefinition, resource: Resource, media_type: str, patch: Any
) -> Resource:
    seen = {**resource, "href": f"{definition.path}/{resource['id']}"}
    after = patching.patched(definition, seen, media_type, patch, Limits())
    after.pop("href", None)
    after = lifecycle.changed(definition, resource, after)
    definition.check(after, resource)
    return after


def _resources(
    document: Json, collection: str, definition: ResourceDefinition
) -> Iterator[Resource]:
    """Yield the resources that the examples of requests and answers show, and a made-up one."""
    shown: list[Resource] = []
    for path, method, operation in operations(document):
        if collection_of(path) != collection or method == "delete":
            continue
        contents: list[Mapping[str, Json]] = [
            response.get("content", {})
            for code, response in operation["responses"].items()
            if code.startswith("2")
        ]
        if method == "post":
            contents.append(operation.get("requestBody", {}).get("content", {}))
            schema = body_schema(operation)
            if schema is not None:
                shown.append(sample(document, schema))
        for content in contents:
            for described in content.values():
                for _, value in example_values(document, described):
                    shown += value if isinstance(value, list) else [value]
    for value in shown:
        if isinstance(value, dict):
            resource = lifecycle.created(definition, value, id=str(value.get("id", _ID)))
            try:
                definition.check(resource, {})
            except InvalidResource:
                continue
            yield resource
