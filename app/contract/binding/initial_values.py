"""Initial values: what a new resource starts with, where the client does not say.

An overlay lists them (`x-initial-values`), each an attribute by its path and the value it gets. A
resource gets those of the attributes that it has: of an enumeration the first value listed, else
the one given, if the attribute's schema allows it. `{resource}` in a name stands for the name of
the resource, `{now}` as a value for the current time; `beside` makes an entry one for resources
that have that other attribute too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.contract.document.load import Json
from app.contract.schema.schemas import AttributePaths
from app.contract.schema.validators import SchemaCompiler, View
from app.tmf630.definitions import Fill

_NOW = "{now}"


def initial_values(
    document: Json, compiler: SchemaCompiler, attributes: AttributePaths, resource: str
) -> Iterator[Fill]:
    """Yield the initial values of a resource; where two are for one attribute, the first counts."""
    resource = resource[:1].lower() + resource[1:]
    for entry in document.get("x-initial-values", []):
        path = tuple(entry["attribute"].replace("{resource}", resource).split("."))
        schema = attributes.schema_at(path)
        beside = entry.get("beside")
        if schema is None or (beside is not None and not attributes.knows((beside,))):
            continue
        value = schema.get("enum", [entry.get("value")])[0]
        if value is not None and _allowed(compiler, schema, value):
            yield Fill(path, value)


def _allowed(compiler: SchemaCompiler, schema: Json, value: Any) -> bool:
    if value == _NOW:
        return schema.get("format") == "date-time"
    return compiler.compile(schema, View.RESPONSE).accepts(value)
