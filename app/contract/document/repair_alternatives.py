"""Repair alternatives that exclude each other by their word alone.

`oneOf` lets a value match one alternative only. Documents write it for "one of these", beside two
classes of references that no attribute tells apart: then no value is valid, not even a document's
own example. Where a plain value of one alternative is a value of another, `anyOf` is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from app.contract.document.load import Json
from app.contract.document.repair import schemas_of
from app.contract.errors import Problem, pointer
from app.contract.schema.discriminator import OPEN
from app.contract.schema.sample import sample
from app.contract.schema.schemas import follow
from app.contract.schema.validators import SchemaCompiler, View


def repair_alternatives(document: Json) -> tuple[Problem, ...]:
    """Repair the schemas of a normalised document in place; return what was wrong with them.

    Alternatives that a discriminator tells apart stay as they are.
    """
    return tuple(_repaired(document))


def _repaired(document: Json) -> Iterator[Problem]:
    compiler: SchemaCompiler | None = None  # few documents need it
    seen: set[int] = set()
    for place, schema in schemas_of(document):
        alternatives = schema.get("oneOf", ())
        if id(schema) in seen or len(alternatives) < 2 or schema.keys() & {"discriminator", OPEN}:
            continue
        seen.add(id(schema))
        compiler = compiler or SchemaCompiler(document)
        if "anyOf" not in schema and _overlap(document, compiler, alternatives):
            schema["anyOf"] = schema.pop("oneOf")
            rule = "has alternatives that exclude each other and are not told apart; read as anyOf"
            yield Problem(pointer(place), rule)


def _overlap(document: Json, compiler: SchemaCompiler, alternatives: list[Json]) -> bool:
    """Whether a plain value of one alternative is a value of another one."""
    validators = [compiler.compile(each, View.REQUEST) for each in alternatives]
    if all(_only_requires(follow(document, each)) for each in alternatives):
        return False  # says which attributes belong together, not what there may be
    for one, other in permutations(range(len(alternatives)), 2):
        for whole in (False, True):
            value = sample(document, alternatives[one], whole=whole)
            if validators[one].accepts(value) and validators[other].accepts(value):
                return True
    return False


def _only_requires(schema: Json) -> bool:
    return schema.keys() <= {"required"}
