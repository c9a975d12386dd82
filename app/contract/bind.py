"""Bind: give each operation what it takes to serve it, and each resource its definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from app.contract import normalise
from app.contract.compile import SchemaCompiler, UnknownTypes, Validator, View
from app.contract.load import Json
from app.contract.parameters import Parameter
from app.contract.patches import IDENTITY
from app.contract.schema import (
    AttributePaths,
    attributes,
    body_schema,
    follow,
    name_of,
    success_schema,
)
from app.contract.shape import Kind, collection_of, kind_of
from handlers.definition import Fill, Moment, Resource, ResourceDefinition
from handlers.errors import InvalidResource
from storage import Index

_REASONS = {
    Kind.SUBSCRIBE: "event subscriptions are not served yet",
    Kind.UNSUBSCRIBE: "event subscriptions are not served yet",
    Kind.LISTEN: "listening to events is not served yet",
    Kind.OTHER: "no handler fits this method and path",
}

_CHANGES = (Kind.CREATE, Kind.PATCH, Kind.REPLACE)


@dataclass(frozen=True, slots=True)
class Binding:
    """One operation of the contract, ready to be served.

    `bodies` holds a validator for each media type the operation accepts. `definition` is the
    resource it works on; `unserved` says why there is none.
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
    unserved: str | None


def bind(
    document: Json, base_path: str, unknown_types: UnknownTypes = UnknownTypes.KEEP
) -> tuple[Binding, ...]:
    """Bind every operation of an effective document."""
    compiler = SchemaCompiler(document, unknown_types)
    definitions = {
        path.strip("/"): _definition(document, compiler, base_path, path)
        for path, item in document["paths"].items()
        if kind_of(path, "post") is Kind.CREATE and ("get" in item or "post" in item)
    }
    return tuple(
        _binding(document, compiler, path, method, operation, definitions)
        for path, method, operation in normalise.operations(document)
    )


def _binding(
    document: Json,
    compiler: SchemaCompiler,
    path: str,
    method: str,
    operation: Json,
    definitions: Mapping[str, ResourceDefinition],
) -> Binding:
    kind = kind_of(path, method)
    reason = _REASONS.get(kind)
    body = operation.get("requestBody", {})
    if reason is None and kind in _CHANGES and body_schema(operation) is None:
        reason = "it has no JSON request body"
    return Binding(
        path=path,
        method=method,
        operation_id=operation["operationId"],
        kind=kind,
        parameters=tuple(
            _parameter(document, compiler, each) for each in operation.get("parameters", [])
        ),
        bodies={
            media_type: compiler.compile(definition.get("schema", {}), View.REQUEST)
            for media_type, definition in body.get("content", {}).items()
        },
        body_required=bool(body.get("required", kind in _CHANGES)),
        responses=partial(_response_validator, compiler, operation["responses"]),
        definition=None if reason else definitions.get(collection_of(path)),
        unserved=reason,
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
    """Return the validator of a response's JSON body; None when the contract says nothing."""
    response = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    content = (response or responses.get("default") or {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return compiler.compile(schema, View.RESPONSE) if schema else None


def _definition(
    document: Json, compiler: SchemaCompiler, base_path: str, path: str
) -> ResourceDefinition:
    item = document["paths"][path]
    member: Json = next(
        (
            other
            for name, other in document["paths"].items()
            if name.startswith(f"{path}/") and kind_of(name, "get") is Kind.RETRIEVE
        ),
        {},
    )
    create = body_schema(item.get("post", {"responses": {}})) or {}
    resource = _resource_schema(document, item, member) or create
    update = body_schema(member.get("patch", {"responses": {}}))
    described = attributes(document, resource)
    paths = AttributePaths(document, resource)
    mandatory = attributes(document, create).required
    collection = path.strip("/")
    return ResourceDefinition(
        type=name_of(resource) or collection[:1].upper() + collection[1:],
        collection=f"{normalise.api_name(document)}/{collection}",
        path=f"{base_path}{path}",
        check=_checker(compiler.compile(resource, View.RESPONSE), mandatory),
        attributes=paths,
        managed={
            name: Moment(moment)
            for name, moment in document.get("x-managed-attributes", {}).items()
            if name in described.properties
        },
        fills=tuple(
            Fill(tuple(each["attribute"].split(".")), each["value"])
            for each in follow(document, create).get("x-fill", [])
        ),
        frozen=_frozen(document, update),
        identity=(*IDENTITY, *(["@type"] if "@type" in described.required else [])),
        indexes=tuple(_indexes(document, paths)),
        partial="206" in item.get("get", {}).get("responses", {}),
    )


def _frozen(document: Json, update: Json | None) -> frozenset[str]:
    """Return the attributes that the schema of a patch declares read-only."""
    properties = attributes(document, update).properties if update else {}
    named = (name for name, schema in properties.items() if schema.get("readOnly") is True)
    return frozenset({*IDENTITY, *named})


def _resource_schema(document: Json, collection: Json, member: Json) -> Json | None:
    for operation in (member.get("get"), collection.get("post")):
        schema = success_schema(operation) if operation else None
        if schema is not None:
            return schema
    listed = success_schema(collection["get"]) if "get" in collection else None
    items: Json | None = follow(document, listed).get("items") if listed else None
    return items


def _checker(validator: Validator, mandatory: frozenset[str]) -> Callable[[Resource], None]:
    """Hold a whole resource against its schema and against what a create must bring."""

    def check(resource: Resource) -> None:
        missing = sorted(mandatory - resource.keys())
        if missing:
            raise InvalidResource("; ".join(f"/{name} is required" for name in missing))
        if not validator.accepts(resource):
            raise InvalidResource("; ".join(map(str, validator.violations(resource))))

    return check


def _indexes(document: Json, paths: AttributePaths) -> Iterator[Index]:
    """Yield the hinted indexes whose every path this resource has."""
    for hint in document.get("x-index-hints", []):
        hinted = tuple(tuple(path.split(".")) for path in hint.split(","))
        if all(map(paths.knows, hinted)):
            yield Index(
                paths=hinted,
                many=any(map(paths.crosses_array, hinted)),
                instants=frozenset(path for path in hinted if paths.is_instant(path)),
            )
