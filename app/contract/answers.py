"""Answers: what the effective contract says of them where its document contradicts itself.

The schema of a request decides what is accepted, and what was accepted is sent. Where the schema
of the answer excludes that, the effective contract is widened, so that it says what is answered.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from app.contract.binding.operation_kinds import Kind
from app.contract.binding.operations import Binding
from app.contract.document.load import Json
from app.contract.document.normalise import operations
from app.contract.document.validate import resolve
from app.contract.schema.contradictions import Contradiction, contradictions_of, widen
from app.contract.schema.schemas import body_schema, success_schema

_WHOLE = (Kind.CREATE, Kind.REPLACE, Kind.SUBSCRIBE)


def with_true_answers(document: Json, bindings: Sequence[Binding]) -> tuple[Json, tuple[str, ...]]:
    """Return a document whose answers allow what its requests do, and where they did not.

    Each contradiction is a sentence. Schemas that requests have as well stay as they are.
    """
    sentences = tuple(sentence for sentence, _ in _contradictions(document, bindings))
    if sentences:
        document = copy.deepcopy(document)
        fixed = _of_requests(document, bindings)
        for _, found in list(_contradictions(document, bindings)):
            widen(document, found, fixed)
    return document, sentences


def _contradictions(
    document: Json, bindings: Sequence[Binding]
) -> Iterator[tuple[str, Contradiction]]:
    for each in bindings:
        definition = each.definition
        if each.kind not in _WHOLE or definition is None or each.unserved is not None:
            continue
        operation = document["paths"][each.path][each.method]
        request, answer = body_schema(operation), success_schema(operation)
        if request is None or answer is None:
            continue
        filled = (fill.path for fill in (*definition.fills, *definition.initial))
        named = ((name,) for name in ("id", "href", "@type", *definition.managed))
        given = frozenset((*filled, *named))
        for found in contradictions_of(document, request, answer, given):
            yield f"{each.method.upper()} {each.path}: {found.sentence}", found


def _of_requests(document: Json, bindings: Sequence[Binding]) -> frozenset[int]:
    """Return the `id()` of every part of the schemas that clients send."""
    kinds = {(each.path, each.method): each.kind for each in bindings}
    sent = [
        operation.get("requestBody", {})
        for path, method, operation in operations(document)
        if kinds.get((path, method)) is not Kind.LISTEN
    ]
    return frozenset(_parts(document, sent))


def _parts(document: Json, value: Any) -> Iterator[int]:
    """Yield the `id()` of each object in a value and behind its references."""
    waiting, seen = [value], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values()
            if isinstance(value.get("$ref"), str):
                waiting.append(resolve(document, value["$ref"]))
            mapping = value.get("mapping")
            targets = mapping.values() if isinstance(mapping, dict) else ()
            waiting += [resolve(document, each) for each in targets if str(each).startswith("#/")]
    yield from seen
