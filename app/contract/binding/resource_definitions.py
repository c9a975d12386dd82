"""Builds the resource definition of each collection from the contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from app.contract.binding.embedding import embed
from app.contract.binding.event_definitions import EventPaths, event_types, events_of
from app.contract.binding.initial_values import initial_values
from app.contract.binding.operation_kinds import Kind, collection_of, is_member, kind_of, parents_of
from app.contract.document import normalise
from app.contract.document.load import Json
from app.contract.document.patch_media_types import IDENTITY
from app.contract.evolution.mapping import Mapping
from app.contract.evolution.version_views import MappedForms
from app.contract.schema.discriminator import discriminator_of
from app.contract.schema.schemas import (
    AttributePaths,
    attributes,
    body_schema,
    element_of,
    follow,
    name_of,
    success_schema,
)
from app.contract.schema.validators import SchemaCompiler, Validator, View
from app.contract.schema.violations import MOST
from app.tmf630.definitions import STATES, Answers, Fill, Moment, Resource, ResourceDefinition
from app.tmf630.definitions import Attributes as Attributed
from app.tmf630.errors import InvalidResource
from storage import Index

_ANY_HREF = "http://localhost/"
_ALL = 1000
"""An upper bound for the violations that are collected from one resource."""
_COLLECTION_KINDS = (Kind.LIST, Kind.CREATE, Kind.SUBSCRIBE, Kind.SUBSCRIPTIONS)


def definitions_of(
    document: Json, compiler: SchemaCompiler, base_path: str, mappings: Sequence[Mapping]
) -> dict[str, ResourceDefinition]:
    """Return the definition of every collection that can be kept, by the collection's path."""
    collections = {
        collection_of(path)
        for path, method, _ in normalise.operations(document)
        if kind_of(path, method) in _COLLECTION_KINDS
    }
    return embed(
        {path: _definition(document, compiler, base_path, path, mappings) for path in collections}
    )


def success_status(operation: Json, usual: int) -> int:
    """Return the status an operation succeeds with: the usual one where the contract has it."""
    declared = sorted(
        int(code) for code in operation["responses"] if code.startswith("2") and code.isdigit()
    )
    return usual if usual in declared or not declared else declared[0]


def _definition(
    document: Json,
    compiler: SchemaCompiler,
    base_path: str,
    path: str,
    mappings: Sequence[Mapping],
) -> ResourceDefinition:
    item = document["paths"].get(path, {})
    member = _member(document, path)
    create = element_of(document, body_schema(item.get("post", {"responses": {}})) or {})
    resource = element_of(document, _resource_schema(document, item, member) or create)
    update = body_schema(member.get("patch", {"responses": {}}))
    replacement = body_schema(member.get("put", {"responses": {}}))
    described = attributes(document, resource)
    demanded = attributes(document, create)
    described_at = AttributePaths(document, resource)
    paths: Attributed = described_at
    name = path.rpartition("/")[2]
    if name == "hub":
        paths = EventPaths(document)  # what the query of a subscription is about
    id_schema = follow(document, described.properties.get("id", {}))
    integer_ids = id_schema.get("type") in ("integer", "number")
    parents = parents_of(path)
    validator = compiler.compile(resource, View.RESPONSE)
    api, version = normalise.api_name(document), normalise.major_version(document)
    managed = {
        name: Moment(moment)
        for name, moment in document.get("x-managed-attributes", {}).items()
        if paths.is_instant((name,))
    }
    type = _class_name(resource) or name[:1].upper() + name[1:]
    indexes = tuple(_indexes(document, paths))
    return ResourceDefinition(
        type=type,
        collection=_stored_under(document, path, mappings),
        path=f"{base_path}{path}",
        check=_checker(
            validator,
            [
                _SentSchema(document, compiler, schema)
                for schema in (create, update, body_schema(member.get("put", {"responses": {}})))
                if schema
            ],
            demanded.required,
            integer_ids=integer_ids,
        ),
        attributes=paths,
        managed=managed,
        states=_states(paths),
        fills=tuple(
            Fill(tuple(each["attribute"].split(".")), each["value"])
            for each in follow(document, create).get("x-fill", [])
        ),
        initial=tuple(initial_values(document, compiler, described_at, name, described.required)),
        integer_ids=integer_ids,
        chooses_id="id" in demanded.properties,
        creatable=frozenset(demanded.properties.keys() & managed),
        frozen=_read_only(document, update),
        frozen_in_put=_read_only(document, replacement)
        | _left_out(document, resource, replacement),
        identity=(*IDENTITY, *sorted(_required(document, resource).difference(IDENTITY))),
        indexes=indexes,
        partial="206" in item.get("get", {}).get("responses", {}),
        answers=_answers(item, member),
        announces=frozenset(events_of(document, compiler, resource_name(path), type)),
        directives=frozenset(_directives(item.get("get", {}), paths, demanded.properties)),
        parties=tuple(
            place
            for place in (tuple(each.split(".")) for each in document.get("x-party-paths", ()))
            if name != "hub" and paths.knows(place)
        ),
        event_types=event_types(document) if name == "hub" else (),
        forms=MappedForms(
            api,
            version,
            resource_name(path),
            mappings,
            validator,
            indexed=frozenset(path for index in indexes for path in index.paths),
        ),
        parents=parents,
        within=_stored_under(document, path.rpartition("/{")[0], mappings) if parents else None,
    )


def _directives(listing: Json, paths: Attributed, sent: Json) -> Iterator[str]:
    """Yield the query parameters of a list that name no attribute, with an operator or without.

    What creations may have, `sent`, is an attribute as well.
    """
    for each in listing.get("parameters", ()):
        path = tuple(each["name"].split("."))
        known = path[0] in sent or paths.knows(path) or paths.knows(path[:-1] or path)
        if each["in"] == "query" and not known:
            yield each["name"]


def _states(paths: Attributed) -> frozenset[str]:
    """Return the attributes that hold a lifecycle's state: the usual ones, else those named so."""
    names = paths.names(())
    named = (
        each
        for each in names
        if each.endswith(("Status", "State")) and paths.type_of((each,)) == "string"
    )
    return STATES & names or frozenset(named) or STATES


def _required(document: Json, resource: Json) -> frozenset[str]:
    """Return the attributes that a resource has to have, whichever of its classes it is of."""
    plain = follow(document, resource)
    unions = [each for word in ("oneOf", "anyOf", "allOf") for each in plain.get(word, ())]
    classes = [resource, *_classes(document, resource), *unions]
    return frozenset[str]().union(*(attributes(document, each).required for each in classes))


def _class_name(schema: Json) -> str | None:
    """Return the class of a resource: its schema's name, without the suffix of a request's."""
    name = name_of(schema)
    return re.sub(r"_(Create|Update|Request|FVO|MVO)$", "", name) if name else None


def _member(document: Json, path: str) -> Json:
    """Return the path item of a collection's members, an empty one when there is none."""
    members = (
        item
        for other, item in document["paths"].items()
        if is_member(other) and collection_of(other) == path
    )
    return next(members, {})


def resource_name(path: str) -> str:
    """Return the name of the resource at a collection's path: its parts, parameters left out."""
    return "/".join(part for part in path.split("/") if part and "{" not in part)


def _stored_under(document: Json, path: str, mappings: Sequence[Mapping]) -> str:
    """Return a collection's name in the store.

    The major versions of an API share it where a mapping leads from one to the other.
    """
    api, version = normalise.api_name(document), normalise.major_version(document)
    name = resource_name(path)
    for mapping in mappings:
        stored = mapping.stored_name(api, version, name)
        if stored is not None:
            return f"{mapping.api}/{stored}"
    return f"{api}/v{version}/{name}"


def _answers(item: Json, member: Json) -> Answers:
    usual = {"created": (item, "post", 201), "changed": (member, "patch", 200)}
    usual |= {"replaced": (member, "put", 200), "deleted": (member, "delete", 204)}
    return Answers(
        **{
            word: success_status(place[method], status)
            for word, (place, method, status) in usual.items()
            if method in place
        }
    )


def _read_only(document: Json, change: Json | None) -> frozenset[str]:
    """Return the attributes that the request schema of a change declares read-only.

    For patches, `declare_merge_patches` has declared so what the update schema leaves out.
    """
    properties = attributes(document, change).properties if change else {}
    named = (name for name, schema in properties.items() if schema.get("readOnly") is True)
    return frozenset({*IDENTITY, *named})


def _left_out(document: Json, resource: Json, replacement: Json | None) -> frozenset[str]:
    """Return the attributes of a resource that the request schema of PUT leaves out."""
    if replacement is None:
        return frozenset()
    named = attributes(document, replacement).properties
    return frozenset(attributes(document, resource).properties.keys() - named.keys())


def _resource_schema(document: Json, collection: Json, member: Json) -> Json | None:
    for operation in (member.get("get"), collection.get("post")):
        schema = success_schema(operation) if operation else None
        if schema is not None:
            return schema
    listed = success_schema(collection["get"]) if "get" in collection else None
    items: Json | None = follow(document, listed).get("items") if listed else None
    return items


class _SentSchema:
    """The schema of a request body, asked about single attributes of a resource."""

    def __init__(self, document: Json, compiler: SchemaCompiler, schema: Json) -> None:
        self._validator = compiler.compile(schema, View.REQUEST)
        described = [schema, *_classes(document, schema)]
        self._paths = [AttributePaths(document, each) for each in described]
        # A patch lists what it may not change as well, without saying what that may be.
        self._read_only = {
            name
            for each in described
            for name, property in attributes(document, each).properties.items()
            if property.get("readOnly") is True
        }

    def broken(self, resource: Resource) -> frozenset[str]:
        """Return the attributes of a resource that this schema does not allow."""
        if self._validator.accepts(resource):
            return frozenset()
        found = self._validator.violations(resource, _ALL)
        return frozenset(_top(each.pointer) for each in found)

    def declares(self, name: str) -> bool:
        """Whether the schema, or one of its classes, lets clients write the attribute."""
        return name not in self._read_only and any(paths.knows((name,)) for paths in self._paths)


def _classes(document: Json, schema: Json) -> Iterator[Json]:
    """Yield the classes that a schema's discriminator leads to."""
    found = discriminator_of(document, follow(document, schema), name_of(schema))
    for target in sorted({*found.cases.values()} if found else ()):
        yield {"$ref": f"#/components/schemas/{target}"}


def _checker(
    validator: Validator,
    sent: Sequence[_SentSchema],
    mandatory: frozenset[str],
    *,
    integer_ids: bool,
) -> Callable[..., None]:
    """Return a function that checks a whole resource.

    The schemas of requests decide what is accepted: a value that one of them allows is valid, even
    where the schema of answers, which is checked first, contradicts it. A change must not remove
    what a creation requires or the schema of answers does, but need not add what was not there.
    """

    def check(resource: Resource, before: Resource | None = None) -> None:
        id = resource.get("id")
        if integer_ids and isinstance(id, str) and id.isdigit():
            resource = {**resource, "id": int(id)}
        missing = sorted(mandatory - resource.keys())
        if before is not None:
            missing = [name for name in missing if name in before]
        rules = [f"/{name} is required" for name in missing]
        if not validator.accepts(resource):
            # Only what goes out has an href; contracts that require one are not broken yet.
            violations = validator.violations({"href": _ANY_HREF, **resource}, _ALL)
            broken = [(each, each.broken(resource)) for each in sent] if violations else []
            for violation in violations:
                name = _top(violation.pointer)
                if name not in resource and violation.rule == "is required":
                    # A change need not add it; documents that are brought in whole must have it.
                    allowed = before is None or (bool(before) and name not in before)
                else:
                    allowed = any(
                        not names & {"", name} and (not name or schema.declares(name))
                        for schema, names in broken
                    )
                if not allowed:
                    rules.append(str(violation))
        if rules:
            raise InvalidResource(list(dict.fromkeys(rules))[:MOST])

    return check


def _top(pointer: str) -> str:
    """Return the first part of a JSON pointer, the name of an attribute."""
    return pointer[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")


def _indexes(document: Json, paths: Attributed) -> Iterator[Index]:
    """Yield the hinted indexes whose every path this resource has."""
    if not isinstance(paths, AttributePaths):
        return
    for hint in document.get("x-index-hints", []):
        hinted = tuple(tuple(path.split(".")) for path in hint.split(","))
        if all(map(paths.knows, hinted)):
            yield Index(
                paths=hinted,
                many=any(map(paths.crosses_array, hinted)),
                instants=frozenset(path for path in hinted if paths.is_instant(path)),
            )
