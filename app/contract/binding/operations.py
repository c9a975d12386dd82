"""Binding: each operation of a contract with its kind, validators and resource definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app.contract.binding.operation_kinds import (
    CHANGES,
    WHOLE,
    Kind,
    collection_of,
    kind_of,
    unserved,
)
from app.contract.binding.resource_definitions import definitions_of, success_status
from app.contract.document import normalise
from app.contract.document.listener_bodies import ANY_EVENT
from app.contract.document.load import Json
from app.contract.evolution.mapping import Mapping as VersionMapping
from app.contract.schema.parameters import Parameter
from app.contract.schema.schemas import body_schema, follow, success_schema
from app.contract.schema.validators import SchemaCompiler, Validator, View
from app.tmf630.definitions import ListenerDefinition, ResourceDefinition
from app.tmf630.errors import InvalidResource


@dataclass(frozen=True, slots=True)
class Binding:
    """One operation of the contract, ready to be served.

    `bodies` holds a validator for each media type the operation accepts. `definition` is the
    collection it works on; `unserved` says why there is none. `several` says that a creation takes
    a list of resources, and answers with one. `null_is_absent` says that a null which the contract
    does not allow in a body means that the attribute is not there.
    """

    path: str
    method: str
    operation_id: str
    kind: Kind
    parameters: tuple[Parameter, ...]
    bodies: Mapping[str, Validator]
    body_required: bool
    responses: Callable[[int], Validator | None]
    definition: ResourceDefinition | None
    listener: ListenerDefinition | None
    unserved: str | None
    several: bool = False
    null_is_absent: bool = False

    def requests_allow(self, answer: Any) -> bool:
        """Whether the contract's requests allow an answer that contradicts its answers' schema.

        Documents contradict themselves between the two. The schemas of requests decide what is
        accepted, and what was accepted is sent.
        """
        if self.definition is None:
            return False
        try:
            for resource in answer if isinstance(answer, list) else [answer]:
                self.definition.check(resource, {})
        except InvalidResource:
            return False
        return True


def bind(
    document: Json,
    base_path: str,
    compiler: SchemaCompiler,
    version_mappings: Sequence[VersionMapping] = (),
    *,
    null_is_absent: bool = False,
    any_event: bool = False,
) -> tuple[Binding, ...]:
    """Bind every operation of an effective document, whose schemas `compiler` compiles.

    `null_is_absent` lets a null that the contract does not allow mean an absent attribute, in the
    bodies that are whole objects. `any_event` lets listeners accept any object.
    """
    definitions = definitions_of(document, compiler, base_path, version_mappings)
    bindings = (
        _binding(
            document, compiler, path, method, operation, base_path, definitions, any_event=any_event
        )
        for path, method, operation in normalise.operations(document)
    )
    return tuple(
        replace(each, null_is_absent=null_is_absent and each.kind in WHOLE) for each in bindings
    )


def bind_by_name(document: Json, compiler: SchemaCompiler) -> tuple[Binding, ...]:
    """Bind every operation of a document for handlers that know it by its operationId.

    Such operations work on no collection of the document.
    """
    return tuple(
        Binding(
            path=path,
            method=method,
            operation_id=operation["operationId"],
            kind=Kind.OTHER,
            parameters=tuple(
                _parameter(document, compiler, each) for each in operation.get("parameters", [])
            ),
            bodies={
                media_type: compiler.compile(content.get("schema", {}), View.REQUEST)
                for media_type, content in operation.get("requestBody", {})
                .get("content", {})
                .items()
            },
            body_required=bool(operation.get("requestBody", {}).get("required", False)),
            responses=partial(_response_validator, compiler, operation["responses"]),
            definition=None,
            listener=None,
            unserved=None,
        )
        for path, method, operation in normalise.operations(document)
    )


def _binding(
    document: Json,
    compiler: SchemaCompiler,
    path: str,
    method: str,
    operation: Json,
    base_path: str,
    definitions: Mapping[str, ResourceDefinition],
    *,
    any_event: bool,
) -> Binding:
    kind = kind_of(path, method)
    reason = unserved(document, kind, operation)
    definition = None if reason else definitions.get(collection_of(path))
    listener = None
    if kind is Kind.LISTEN and reason is None:
        listener = _listener(document, base_path, path, operation)
    elif definition is None and reason is None:
        reason = "no collection is at this path"
    body, sent = operation.get("requestBody", {}), body_schema(operation) or {}
    listens = any_event and listener is not None
    return Binding(
        path=path,
        method=method,
        operation_id=operation["operationId"],
        kind=kind,
        parameters=tuple(
            _parameter(document, compiler, each) for each in operation.get("parameters", [])
        ),
        bodies={
            media_type: compiler.compile(
                ANY_EVENT if listens else content.get("schema", {}), View.REQUEST
            )
            for media_type, content in body.get("content", {}).items()
        },
        body_required=bool(body.get("required", kind in CHANGES)),
        responses=partial(_response_validator, compiler, operation["responses"]),
        definition=definition,
        listener=listener,
        unserved=reason,
        several=kind is Kind.CREATE and follow(document, sent).get("type") == "array",
    )


def _listener(document: Json, base_path: str, path: str, operation: Json) -> ListenerDefinition:
    return ListenerDefinition(
        event=path.rpartition("/")[2],
        collection=f"{normalise.api_name(document)}/listener",
        path=f"{base_path}{path}",
        status=success_status(operation, 204),
        answers_body=success_schema(operation) is not None,
    )


def _parameter(document: Json, compiler: SchemaCompiler, parameter: Json) -> Parameter:
    schema = parameter.get("schema", {})
    return Parameter(
        name=parameter["name"],
        place=parameter["in"],
        required=bool(parameter.get("required", False)),
        type=str(follow(document, schema).get("type", "string")),
        validator=compiler.compile(schema, View.REQUEST),
    )


def _response_validator(compiler: SchemaCompiler, responses: Json, status: int) -> Validator | None:
    """Return the validator of a response's JSON body; None when the contract says nothing.

    A default stands for the errors, or for the successes where nothing else does.
    """
    response = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    if response is None and (status >= 400) == any(code.startswith("2") for code in responses):
        response = responses.get("default")
    content = (response or {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return compiler.compile(schema, View.RESPONSE) if schema else None
