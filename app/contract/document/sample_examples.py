"""Samples: an example for every body of the effective contract that its document shows none of.

Whoever tries an operation in Swagger UI, or makes a collection for Postman, begins with an example.
A sample is made from the schema and left out where it breaks it.
"""

from __future__ import annotations

import copy
import http
from typing import Any

from app.contract.binding.operation_kinds import Kind, kind_of
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.schema.sample import is_scalar, sample
from app.contract.schema.schemas import attributes, follow, name_of
from app.contract.schema.validators import SchemaCompiler, View

_MERGE = ("application/json", "application/merge-patch+json")
_CALLBACK = "https://crm.example.com/listener"
_IDENTITY = {"id": "42", "href": "https://example.com/sample/42"}


def with_samples(document: Json, compiler: SchemaCompiler) -> Json:
    """Return the document with a sample in each body, request or response, without an example."""
    document = copy.deepcopy(document)
    samples = _Samples(document, compiler)
    for path, method, operation in operations(document):
        for media_type, definition in operation.get("requestBody", {}).get("content", {}).items():
            if kind_of(path, method) is Kind.PATCH:
                merge = operation["requestBody"]["content"].get(_MERGE[0], definition)
                samples.show_patch(definition, merge.get("schema", {}), media_type)
            elif kind_of(path, method) is Kind.SUBSCRIBE:
                samples.show(definition, View.REQUEST, callback=_CALLBACK)
            else:
                samples.show(definition, View.REQUEST)
        for code, response in operation["responses"].items():
            for definition in response.get("content", {}).values():
                samples.show(definition, View.RESPONSE, code)
    return document


class _Samples:
    def __init__(self, document: Json, compiler: SchemaCompiler) -> None:
        self._document = document
        self._compiler = compiler

    def show(self, definition: Json, view: View, code: str = "2XX", **known: str) -> None:
        """Add a sample to the description of a body; `known` are attributes of sense it has."""
        schema = definition.get("schema")
        if schema is None or _is_shown(definition):
            return
        name = _name(self._document, schema)
        if view is View.RESPONSE and code.startswith(("4", "5")):
            self._add(definition, f"{name}_{code}", self._error(schema, code), view)
        elif view is View.RESPONSE:
            self._add(definition, f"{name}_sample", self._answer(schema), view)
        else:
            value = sample(self._document, schema)
            value = value | known if isinstance(value, dict) else value
            self._add(definition, f"{name}_sample", value, view)

    def show_patch(self, definition: Json, merge: Json, media_type: str) -> None:
        """Add a sample to the description of a patch; `merge` is the schema of a merge patch."""
        if _is_shown(definition) or "schema" not in definition:
            return
        change = next(
            (
                {name: sample(self._document, schema)}
                for name, schema in attributes(self._document, merge).properties.items()
                if not name.startswith("@")
                and is_scalar(self._document, schema)
                and follow(self._document, schema).get("readOnly") is not True
            ),
            {},
        )
        mandatory = sample(self._document, merge, whole=False)
        value: Any = {**mandatory, **change} if isinstance(mandatory, dict) else change
        if media_type not in _MERGE:
            value = [
                {"op": "add", "path": f"/{name}", "value": new} for name, new in change.items()
            ]
        kind = "patch" if media_type in _MERGE else "operations"
        self._add(definition, f"{_name(self._document, merge)}_{kind}", value, View.REQUEST)

    def _answer(self, schema: Json) -> Any:
        value = sample(self._document, schema)
        items = follow(self._document, schema).get("items", schema)
        declared = attributes(self._document, items).properties
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                for name, text in _IDENTITY.items():
                    type = follow(self._document, declared.get(name, {})).get("type")
                    if type == "string":
                        each.setdefault(name, text)
        return value

    def _error(self, schema: Json, code: str) -> Any:
        if not code.isdigit():
            return sample(self._document, schema)
        phrase = http.HTTPStatus(int(code)).phrase
        words = phrase.split()
        declared = attributes(self._document, schema).properties
        number = follow(self._document, declared.get("code", {})).get("type") == "integer"
        values = {
            "code": int(code) if number else words[0].lower() + "".join(words[1:]),
            "reason": f"{phrase}.",
            "status": code,
            "@type": "Error",
        }
        made = sample(self._document, schema, whole=False)
        if not isinstance(made, dict):
            return made
        return made | {name: value for name, value in values.items() if name in declared}

    def _add(self, definition: Json, name: str, value: Any, view: View) -> None:
        examples = self._document.setdefault("components", {}).setdefault("examples", {})
        if name not in examples:
            schema = definition["schema"]
            if not self._compiler.compile(schema, view).accepts(value):
                return
            examples[name] = {"value": value}
        definition["examples"] = {"sample": {"$ref": f"#/components/examples/{name}"}}


def _is_shown(definition: Json) -> bool:
    return "example" in definition or bool(definition.get("examples"))


def _name(document: Json, schema: Json) -> str:
    """Return what the sample of a schema is called."""
    found = follow(document, schema)
    if found.get("type") == "array" and name_of(schema) is None:
        return f"{_name(document, found.get('items', {}))}_list"
    first = next(filter(None, map(name_of, found.get("allOf", ()))), None)
    return name_of(schema) or first or "Sample"
