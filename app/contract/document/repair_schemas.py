"""Repair what the schemas of a normalised document contradict in only one possible way.

An id that is an integer beside a path parameter of type string, attributes that a request must have
and nobody can send, a list as the answer to one resource: each is a slip. `tmf683 check` lists
every repair.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.contract.binding.operation_kinds import Kind, collection_of, is_member, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.document.repair import Place, schemas_of
from app.contract.errors import Problem, pointer
from app.contract.schema.schemas import (
    attributes,
    body_schema,
    element_of,
    follow,
    name_of,
    success_schema,
)

_REQUESTS = (Kind.CREATE, Kind.SUBSCRIBE, Kind.PATCH, Kind.REPLACE)
_OF_ONE = (Kind.CREATE, Kind.RETRIEVE, Kind.PATCH, Kind.REPLACE)
_NUMBERS = ("integer", "number")
_PARTS = frozenset({"allOf", "anyOf", "oneOf", "not"})


def repair_schemas(document: Json) -> tuple[Problem, ...]:
    """Repair the document in place and return what was wrong with it."""
    return (
        *_repair_answers(document),
        *_repair_ids(document),
        *_repair_requirements(document),
        *_repair_requests(document),
    )


def _repair_answers(document: Json) -> Iterator[Problem]:
    """Let what is answered about one resource be one, and what lists a collection a list.

    The other operations on the collection say that it is meant so.
    """
    for path, method, operation in operations(document):
        kind, answer = kind_of(path, method), success_schema(operation)
        if answer is None or (kind not in _OF_ONE and kind is not Kind.LIST):
            continue
        collection = collection_of(path)
        listed = _answer(document, collection, "get")
        element = _element(document, answer)
        if kind is Kind.LIST:
            one = any(
                _answer(document, other, "get") == answer
                for other in document["paths"]
                if is_member(other) and collection_of(other) == collection
            )
            if element is None and one and attributes(document, answer).properties:
                _answer_with(operation, answer, {"type": "array", "items": answer})
                yield Problem(pointer(("paths", path, method)), "answers one; read as a list")
        elif element is not None and (listed is None or _element(document, listed) == element):
            body = body_schema(operation) or {}
            if (is_member(path) or listed is not None) and _element(document, body) is None:
                _answer_with(operation, answer, element)
                yield Problem(pointer(("paths", path, method)), "answers a list; read as one")


def _answer(document: Json, path: str, method: str) -> Json | None:
    operation = document["paths"].get(path, {}).get(method)
    return success_schema(operation) if operation else None


def _element(document: Json, schema: Json) -> Json | None:
    """Return the schema of the elements of a list; None where the schema is no list's."""
    followed = follow(document, schema)
    return followed.get("items", {}) if followed.get("type") == "array" else None


def _answer_with(operation: Json, answer: Json, other: Json) -> None:
    """Put another schema in the place of an answer's; definitions may be shared, so they stay."""
    for code, response in operation["responses"].items():
        if code.startswith("2") or code == "default":
            content = {
                media_type: {**each, "schema": other} if each.get("schema") == answer else each
                for media_type, each in response.get("content", {}).items()
            }
            operation["responses"][code] = {**response, **({"content": content} if content else {})}


def _repair_ids(document: Json) -> Iterator[Problem]:
    """Make an id a text where the path or the resource says so.

    URLs and references hold it as one.
    """
    for path, item in document["paths"].items():
        if not is_member(path):
            continue
        name = path.rstrip("/").rpartition("/")[2][1:-1]
        members = [
            (method, each, position, parameter)
            for method, each in item.items()
            for position, parameter in enumerate(each.get("parameters", []))
            if parameter["in"] == "path" and parameter["name"] == name
        ]
        types = {follow(document, each[3].get("schema", {})).get("type") for each in members}
        holders = (item, document["paths"].get(collection_of(path), {}))
        resources = [
            _element(document, schema) or schema
            for holder in holders
            for operation in holder.values()
            for schema in (body_schema(operation), success_schema(operation))
            if schema
        ]
        ids = [attributes(document, each).properties.get("id") for each in resources]
        if types == {"string"}:
            for resource, id in zip(resources, ids, strict=True):
                if id is not None and id.get("type") in _NUMBERS:
                    where = name_of(resource) or "of the resource"
                    yield Problem(
                        pointer(("paths", path)),
                        f"has the id as a string, and the schema {where} as {id['type']};"
                        " read as string",
                    )
                    for word in ("format", "minimum", "maximum", "example", "default"):
                        id.pop(word, None)
                    id["type"] = "string"
        elif types & {*_NUMBERS} and {"type": "string"}.items() <= _all_of(document, ids).items():
            yield Problem(
                pointer(("paths", path)),
                "has the id as a number, and the schemas of the resource as string; read as string",
            )
            for _, operation, position, parameter in members:
                operation["parameters"][position] = {**parameter, "schema": {"type": "string"}}


def _all_of(document: Json, ids: list[Json | None]) -> Json:
    """Return the type that all the ids have which are declared; an empty schema otherwise."""
    types = {follow(document, each).get("type") for each in ids if each is not None}
    return {"type": types.pop()} if len(types) == 1 else {}


def _repair_requirements(document: Json) -> Iterator[Problem]:
    """Let no object have to have an attribute that its schema does not declare.

    What a class requires may be declared by those that inherit from it.
    """
    schemas = [each for each in schemas_of(document) if not _is_part(each[0])]
    inherited: dict[str, set[str]] = {}
    for _, schema in schemas:
        declared = attributes(document, schema).properties.keys()
        for base in _bases(document, schema):
            inherited.setdefault(base, set()).update(declared)
    for place, schema in schemas:
        if schema.keys() & {"oneOf", "anyOf", "$ref", "additionalProperties"}:
            continue
        described = attributes(document, schema)
        undeclared = described.required - described.properties.keys()
        if place[:2] == ("components", "schemas"):
            undeclared -= inherited.get(str(place[2]), set())
        removed = _drop(schema, undeclared) if described.properties else frozenset()
        if removed:
            names = ", ".join(sorted(removed))
            yield Problem(pointer(place), f"requires {names} without declaring it; left out")


def _bases(document: Json, schema: Json) -> Iterator[str]:
    """Yield the names of the classes that a schema inherits from, at any distance."""
    for part in schema.get("allOf", []):
        name = name_of(part)
        if name is not None:
            yield name
        yield from _bases(document, follow(document, part))


def _is_part(place: Place) -> bool:
    return any(each in _PARTS for each in place[-2:])


def _drop(schema: Json, names: frozenset[str]) -> frozenset[str]:
    """Remove names from what a schema and its own parts require; return those removed."""
    found = names & {*schema.get("required", ())}
    if found:
        schema["required"] = [name for name in schema["required"] if name not in names]
        if not schema["required"]:
            del schema["required"]
    return found.union(*(_drop(part, names) for part in schema.get("allOf", [])))


def _repair_requests(document: Json) -> Iterator[Problem]:
    """Let no request have to have what no client can send.

    These are attributes that the body's schema does not declare, `href`, which the server makes,
    and the id where the server or the path has it. A schema that is used elsewhere too is copied.
    """
    for path, method, operation in operations(document):
        kind = kind_of(path, method)
        if kind not in _REQUESTS:
            continue
        given = {"href"} if kind is Kind.CREATE else {"href", "id"}
        content = operation.get("requestBody", {}).get("content", {})
        for media_type, definition in content.items():
            whole = definition.get("schema", {})
            schema = element_of(document, whole)
            described = attributes(document, schema)
            undeclared = described.required - described.properties.keys()
            wrong = frozenset(undeclared | (described.required & given))
            if described.properties and wrong:
                suffix = "_Request" if kind is Kind.CREATE else "_Change"
                relaxed = _Relaxed(document, wrong, suffix).schema(schema)
                several = schema is not whole
                definition["schema"] = (
                    {**follow(document, whole), "items": relaxed} if several else relaxed
                )
                place = ("paths", path, method, "requestBody", "content", media_type)
                names = ", ".join(sorted(wrong))
                rule = f"requires {names}, which no client can send; no longer required"
                yield Problem(pointer(place), rule)


class _Relaxed:
    """Copies of schemas that do not require some names; those of components get a suffix."""

    def __init__(self, document: Json, names: frozenset[str], suffix: str) -> None:
        self._document = document
        self._names = names
        self._suffix = suffix
        self._copied: set[str] = set()

    def schema(self, schema: Json) -> Json:
        """Return a copy of a schema, of what it is composed of and of the classes it leads to."""
        followed = follow(self._document, schema)
        if not self._names & attributes(self._document, followed).required:
            return schema
        name = name_of(schema)
        if name is None:
            return self._copy(followed)
        copied = f"{name}{self._suffix}"
        if copied not in self._copied:
            self._copied.add(copied)  # before its parts, which may lead back
            self._document["components"]["schemas"][copied] = self._copy(followed)
        return {"$ref": f"#/components/schemas/{copied}"}

    def _copy(self, schema: Json) -> Json:
        copied = dict(schema)
        if "required" in copied:
            copied["required"] = [each for each in copied["required"] if each not in self._names]
            if not copied["required"]:
                del copied["required"]
        if "allOf" in copied:
            copied["allOf"] = [self.schema(each) for each in copied["allOf"]]
        mapping = copied.get("discriminator", {}).get("mapping")
        if mapping:
            targets = {
                value: self.schema({"$ref": target})["$ref"] if "/" in target else target
                for value, target in mapping.items()
            }
            copied["discriminator"] = {**copied["discriminator"], "mapping": targets}
        return copied
