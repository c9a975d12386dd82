"""Contradictions: what the schema of a request allows and the schema of its answer does not.

Official documents write the two apart. A resource that was created as the document says may then
break the schema of the answer, which is sent all the same: the schema of requests decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from app.contract.document.load import Json
from app.contract.schema.discriminator import discriminator_of
from app.contract.schema.schemas import attributes, follow, name_of

_DEEPEST = 8
_MOST = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
_LEAST = ("minLength", "minItems", "minimum", "exclusiveMinimum")
_FORMS = ("format", "pattern")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Something that a request may have and its answer may not.

    `answer` is the part of the answer's schema that says so: the object that requires `name`; or,
    where the schema in `request` allows more, what holds the narrower schema under `name`.
    """

    sentence: str
    answer: Json | None
    name: str
    request: Json | None = None


def contradictions_of(
    document: Json, request: Json, answer: Json, given: frozenset[tuple[str, ...]]
) -> tuple[Contradiction, ...]:
    """Return each value that a request may have and its answer may not.

    `given` are the paths of the attributes that the server adds where a request leaves them out.
    """
    comparison = _Comparison(document, given)
    found = comparison.compared(request, answer, "", 0)
    return tuple({each.sentence: each for each in found}.values())


def widen(document: Json, found: Contradiction, fixed: Collection[int]) -> None:
    """Let the answer's schema allow what the request's does, in place.

    Schemas whose `id()` is in `fixed` stay: they are those of requests too.
    """
    if found.answer is None or id(found.answer) in fixed:
        return
    if found.request is None:
        parts = list(_requiring(document, found.answer, found.name))
        if not any(id(each) in fixed for each in parts):
            for each in parts:
                each["required"] = [name for name in each["required"] if name != found.name]
                if not each["required"]:
                    del each["required"]
        return
    narrow = found.answer[found.name]
    if found.request not in narrow.get("anyOf", ()):
        found.answer[found.name] = {"anyOf": [narrow, found.request]}


def _requiring(document: Json, schema: Json, name: str) -> Iterator[Json]:
    """Yield the parts of an object's schema that require an attribute."""
    schema = follow(document, schema)
    if name in schema.get("required", ()):
        yield schema
    for part in schema.get("allOf", ()):
        yield from _requiring(document, part, name)


def _declaring(document: Json, schema: Json, name: str) -> Json | None:
    """Return the properties among which an attribute is declared; the outermost counts."""
    schema = follow(document, schema)
    if name in schema.get("properties", {}):
        found: Json = schema["properties"]
        return found
    parts = (_declaring(document, each, name) for each in reversed(schema.get("allOf", ())))
    return next((each for each in parts if each is not None), None)


class _Comparison:
    def __init__(self, document: Json, given: frozenset[tuple[str, ...]]) -> None:
        self._document = document
        self._given = given
        self._seen: set[tuple[str, str]] = set()

    def compared(
        self,
        request: Json,
        answer: Json,
        path: str,
        depth: int,
        holder: Json | None = None,
        name: str = "",
    ) -> Iterator[Contradiction]:
        """Yield contradictions; `holder` has the answer's schema under `name`."""
        names = (name_of(request) or "", name_of(answer) or "")
        if depth > _DEEPEST or (names[0] and names[0] == names[1]):
            return
        if all(names):
            if names in self._seen:
                return
            self._seen.add(names)
        sent, shown = follow(self._document, request), follow(self._document, answer)
        kinds = sent.get("type"), shown.get("type")
        narrower = list(_narrower(sent, shown, path))
        if all(kinds) and kinds[0] != kinds[1] and kinds != ("integer", "number"):
            rule = f"is of type {kinds[0]} in the request and {kinds[1]} in the answer"
            yield Contradiction(f"{path or '/'} {rule}", holder, name, request)
            return
        if "enum" in shown and "array" not in kinds:
            narrower += _values(sent, shown, path)
        yield from (Contradiction(each, holder, name, request) for each in narrower)
        if "array" in kinds:
            inner = sent.get("items", {}), shown.get("items", {})
            yield from self.compared(*inner, f"{path}/*", depth + 1, shown, "items")
            return
        cases = self._cases(request), self._cases(answer)
        if all(cases):
            for value in cases[0].keys() & cases[1].keys():
                asked, told = ({"$ref": f"#/components/schemas/{each[value]}"} for each in cases)
                yield from self.compared(asked, told, path, depth + 1)
            return
        yield from self._objects(sent, shown, path, depth)

    def _objects(self, sent: Json, shown: Json, path: str, depth: int) -> Iterator[Contradiction]:
        asked, told = attributes(self._document, sent), attributes(self._document, shown)
        if not asked.properties:
            return
        for name in sorted(told.required - asked.required):
            here = (*(part for part in path.split("/") if part not in ("", "*")), name)
            if here not in self._given:
                rule = "is required in the answer and not in the request"
                yield Contradiction(f"{path}/{name} {rule}", shown, name)
        for name, schema in asked.properties.items():
            if name in told.properties:
                inner, holder = f"{path}/{name}", _declaring(self._document, shown, name)
                shape = told.properties[name]
                yield from self.compared(schema, shape, inner, depth + 1, holder, name)

    def _cases(self, schema: Json) -> dict[str, str]:
        found = discriminator_of(self._document, follow(self._document, schema), name_of(schema))
        return dict(sorted(found.cases.items())) if found and found.union else {}


def _values(sent: Json, shown: Json, path: str) -> Iterator[str]:
    if "enum" not in sent:
        if sent.get("type") == "string":
            yield f"{path} is any text in the request and one of a list in the answer"
        return
    more = [str(each) for each in sent["enum"] if each not in shown["enum"]]
    if more:
        yield f"{path} may be {' or '.join(more)} in the request and not in the answer"


def _narrower(sent: Json, shown: Json, path: str) -> Iterator[str]:
    """Yield where the answer's schema has a bound or a form that the request's does not have."""
    for word in (*_MOST, *_LEAST):
        bound, other = _number(shown.get(word)), _number(sent.get(word))
        if bound is None:
            continue
        if other is None or (other > bound if word in _MOST else other < bound):
            yield f"{path or '/'} has the {word} {bound} in the answer and not in the request"
    for word in _FORMS if shown.get("type") == "string" and "enum" not in sent else ():
        if word in shown and shown[word] != sent.get(word):
            yield f"{path or '/'} has the {word} {shown[word]} in the answer and not in the request"
    if sent.get("nullable") is True and shown and shown.get("nullable") is not True:
        yield f"{path or '/'} may be null in the request and not in the answer"


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
