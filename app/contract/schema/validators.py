"""Compile: OpenAPI schemas as validators, built once when the server starts.

OpenAPI 3.0 schemas are JSON Schema in an older dialect with words of its own; those are put into
JSON Schema's terms (`nullable`, `readOnly`, number formats) and the rest goes to `jsonschema-rs`.
A schema with a discriminator becomes a choice by that attribute (`discriminator`).

A request and a response see the same schema differently: `readOnly` attributes are never required
in a request, `writeOnly` ones never in a response (OpenAPI 3.0.3, Schema Object).
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Any

import jsonschema_rs

from app.contract.document.load import Json
from app.contract.schema.discriminator import common_schema, discriminator_of, dispatch
from app.contract.schema.excerpts import excerpts, is_large, value_at
from app.contract.schema.schemas import name_of
from app.contract.schema.violations import MOST, Violation, violations_of

_NOT_RULES = frozenset(
    {"description", "example", "examples", "externalDocs", "xml", "deprecated", "discriminator"}
    | {"readOnly", "writeOnly", "nullable", "default", "title"}
)
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_SCHEMAS_IN = frozenset(
    {"items", "not", "additionalProperties", "if", "then", "else", "contains", "propertyNames"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_LISTS_OF_SCHEMAS_IN = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED_SCHEMAS_IN = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_OWN = "@itself"
_MOST_EXCERPTS = 8
"""Excerpts of one attribute that are looked at when they match no alternative, whatever is why."""

IN_WORDS = "x-pattern-in-words"
"""The extension in which a schema describes its pattern for error messages."""

_SEARCHABLE_TIME = r"^(?!.*(\dt\d|\dz$|:60(\.\d+)?[Z+-]))"
"""Date-times that every store finds as instants.

RFC 3339 §5.6 also allows lower case, which applications may limit, and leap seconds.
"""
_SEARCHABLE_TIME_IN_WORDS = (
    "must be a date-time in upper case and without a leap second, such as 2026-01-31T09:30:00Z"
)


class View(StrEnum):
    """From which side a schema is looked at."""

    REQUEST = "request"
    RESPONSE = "response"


class Validator:
    """One compiled schema; `patterns` says in words what some of its patterns ask for."""

    def __init__(self, compiled: Any, patterns: Mapping[str, str]) -> None:
        self._compiled = compiled
        self._patterns = patterns
        self.accepts: Callable[[Any], bool] = compiled.is_valid

    def violations(self, instance: Any, most: int = MOST) -> list[Violation]:
        """Return at most `most` violations of a JSON value; none when it is valid.

        Of each attribute of a large value they are the first that are found.
        """
        if not is_large(instance):
            return self._found(instance, most)
        found: dict[Violation, None] = {}
        broken: set[str] = set()
        tried: Counter[str] = Counter()
        for excerpt in excerpts(instance):
            attribute = _attribute(excerpt.place) if isinstance(instance, dict) else ""
            if len(found) >= most:
                break
            if attribute in broken or tried[attribute] >= _MOST_EXCERPTS:
                continue
            if self.accepts(excerpt.value):
                continue
            for each in self._found(excerpt.value, most):
                place = excerpt.original(each.pointer)
                if each.keyword in ("anyOf", "oneOf"):
                    tried[attribute] += 1
                if place is None or _misses_the_rest(each, value_at(instance, place)):
                    continue
                found[replace(each, pointer=place)] = None
                if attribute:
                    broken.add(attribute)
        rest = instance
        if broken:
            rest = {name: each for name, each in instance.items() if name not in broken}
        if broken or not found:  # a rule may be about a large array as a whole
            first = self._first_violation(rest)
            found |= {each: None for each in first if _attribute(each.pointer) not in broken}
        return list(found)[:most]

    def _found(self, instance: Any, most: int) -> list[Violation]:
        return violations_of(self._compiled.iter_errors(instance), self._patterns, most)

    def _first_violation(self, instance: Any) -> list[Violation]:
        try:
            self._compiled.validate(instance)
        except jsonschema_rs.ValidationError as error:
            return violations_of([error], self._patterns, 1)
        return []


def _attribute(place: str) -> str:
    """Return the first part of a JSON pointer, as it is written; empty for the root."""
    return place.split("/", 2)[1] if place else ""


def _misses_the_rest(violation: Violation, value: Any) -> bool:
    """Whether a rule is about a whole array of which an excerpt has a part."""
    return violation.keyword in ("minItems", "contains") and is_large(value)


class UnknownTypes(StrEnum):
    """What becomes of a value whose discriminator names a class the document does not list."""

    KEEP = "keep"
    REFUSE = "refuse"


class SchemaCompiler:
    """Makes validators for the schemas of one document."""

    def __init__(self, document: Json, unknown_types: UnknownTypes = UnknownTypes.KEEP) -> None:
        self._patterns: dict[str, str] = {}
        self._rewriters = {
            view: _Rewriter(document, view, unknown_types, self._patterns) for view in View
        }
        self._registry = jsonschema_rs.Registry(
            [
                (_address(view), {"components": {"schemas": rewriter.components()}})
                for view, rewriter in self._rewriters.items()
            ],
            draft=jsonschema_rs.Draft202012,
        )
        self._compiled: dict[str, Validator] = {}

    def compile(self, schema: Json, view: View) -> Validator:
        """Return the validator of a schema."""
        rewritten = self._rewriters[view].rewrite(schema)
        key = repr(rewritten)
        if key not in self._compiled:
            self._compiled[key] = Validator(
                jsonschema_rs.Draft202012Validator(
                    rewritten,
                    registry=self._registry,
                    validate_formats=True,
                    formats={"byte": _is_base64, "base64": _is_base64},
                ),
                self._patterns,
            )
        return self._compiled[key]


class _Rewriter:
    """Puts the schemas of one document into JSON Schema's terms, for one view.

    A base class has two forms: by its name it picks the sub-class that a value names; with `_OWN`
    behind the name it is what sub-classes inherit.
    """

    def __init__(
        self, document: Json, view: View, unknown_types: UnknownTypes, patterns: dict[str, str]
    ) -> None:
        self._patterns = patterns  # to be filled
        self._document = document
        self._view = view
        self._refuse = unknown_types is UnknownTypes.REFUSE and view is View.REQUEST
        self._modern = document["openapi"].startswith("3.1")
        self._schemas = document.get("components", {}).get("schemas", {})
        self._bases = {
            name
            for name, schema in self._schemas.items()
            if (found := discriminator_of(document, schema, name)) and not found.union
        }

    def components(self) -> Json:
        """Return every component, rewritten, in its one or two forms."""
        rewritten = {}
        for name, schema in self._schemas.items():
            rewritten[name] = self.rewrite(schema, name)
            if name in self._bases:
                rewritten[name + _OWN] = self._plain(schema, inherits=True)
        return rewritten

    def rewrite(self, schema: Any, name: str | None = None) -> Any:
        """Return a schema as JSON Schema; `name` is the component's, if it is one."""
        if not isinstance(schema, dict):
            return schema
        discriminator = discriminator_of(self._document, schema, name)
        if discriminator is None:
            return self._plain(schema, inherits=name is not None)
        otherwise: Json = {}
        if self._refuse and discriminator.cases:
            otherwise = {"properties": {discriminator.attribute: {"enum": [*discriminator.cases]}}}
        if discriminator.union:
            common = self._plain(common_schema(self._document, discriminator.union))
            rules = dispatch(discriminator, self._own, {"allOf": [otherwise, common]})
        else:
            heirs = dispatch(discriminator, partial(self._heir, name), otherwise)
            rules = {"allOf": [self._plain(schema, inherits=True), heirs]}
        nullable = schema.get("nullable") is True
        return {"anyOf": [{"type": "null"}, rules]} if nullable else rules

    def _plain(self, schema: Json, *, inherits: bool = False) -> Json:
        """Rewrite a schema, its own discriminator aside."""
        if "$ref" in schema and not self._modern:
            return {"$ref": f"{_address(self._view)}{schema['$ref']}"}
        rules = {
            name: value
            for name, value in schema.items()
            if name not in _NOT_RULES and not name.startswith("x-")
        }
        if IN_WORDS in schema and "pattern" in rules:
            self._patterns[rules["pattern"]] = schema[IN_WORDS]
        if self._view is View.REQUEST and rules.get("format") == "date-time":
            rules.setdefault("pattern", _SEARCHABLE_TIME)
            self._patterns[_SEARCHABLE_TIME] = _SEARCHABLE_TIME_IN_WORDS
        if "$ref" in rules:
            rules["$ref"] = f"{_address(self._view)}{rules['$ref']}"
        for name in rules.keys() & _SCHEMAS_IN:
            rules[name] = self.rewrite(rules[name])
        for name in rules.keys() & _LISTS_OF_SCHEMAS_IN:
            rules[name] = [self.rewrite(each) for each in rules[name]]
        for name in rules.keys() & _NAMED_SCHEMAS_IN:
            rules[name] = {key: self.rewrite(inner) for key, inner in rules[name].items()}
        if "allOf" in rules and (inherits or len(rules["allOf"]) > 1 or "properties" in rules):
            rules["allOf"] = [self._own(each) for each in schema["allOf"]]
        if "required" in rules:
            rules["required"] = _required(schema, self._view)
        _spell_bounds(rules)
        return _with_null(rules) if schema.get("nullable") is True else rules

    def _heir(self, base: str | None, schema: Json) -> Json:
        """Rewrite a sub-class of a base, which is itself held against its own rules already."""
        return {} if name_of(schema) == base else self._own(schema)

    def _own(self, schema: Json) -> Json:
        """Rewrite a schema as what is inherited from it, not as a choice among its heirs."""
        name = name_of(schema)
        if name in self._bases:
            return {"$ref": f"{_address(self._view)}{schema['$ref']}{_OWN}"}
        rewritten: Json = self.rewrite(schema)
        return rewritten


def _address(view: View) -> str:
    return f"urn:contract:{view}"


def _spell_bounds(rules: Json) -> None:
    """Write number formats as bounds, and exclusive bounds as numbers (OpenAPI 3.0 has flags)."""
    if rules.get("format") in _RANGES:
        low, high = _RANGES[rules.pop("format")]
        rules.setdefault("minimum", low)
        rules.setdefault("maximum", high)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if rules.get(exclusive) is True:
            rules[exclusive] = rules.pop(bound)
        elif rules.get(exclusive) is False:
            del rules[exclusive]


def _required(schema: Json, view: View) -> list[str]:
    hidden = "readOnly" if view is View.REQUEST else "writeOnly"
    properties = schema.get("properties", {})
    return [name for name in schema["required"] if properties.get(name, {}).get(hidden) is not True]


def _with_null(rules: Json) -> Json:
    if isinstance(rules.get("type"), str) and not rules.keys() & _LISTS_OF_SCHEMAS_IN:
        rules["type"] = [rules["type"], "null"]
        if "enum" in rules and None not in rules["enum"]:
            rules["enum"] = [*rules["enum"], None]
        return rules
    return {"anyOf": [{"type": "null"}, rules]}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
