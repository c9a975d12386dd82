"""Differences between two schemas, seen from who sends such values and from who gets them.

Where the new schema allows less, it breaks who sends; where it allows more, it breaks who gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any

from app.contract.document.load import Json
from app.contract.schema.discriminator import discriminator_of
from app.contract.schema.schemas import attributes, follow, name_of

_DEEPEST = 16
_OR = " or "
_UNIONS = ("oneOf", "anyOf")
_OF_OBJECTS = ("properties", "required", "allOf", "discriminator", "enum", "items", *_UNIONS)
_LEAST = ("minLength", "minItems", "minProperties", "minimum")
_MOST = ("maxLength", "maxItems", "maxProperties", "maximum")
_RULES = ("pattern", "multipleOf", "const", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems")


class Effect(Flag):
    """How what a schema allows changes."""

    NONE = 0
    LESS = auto()
    MORE = auto()
    OTHER = LESS | MORE


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: at which attribute, what it is, and whether it breaks clients."""

    place: str
    what: str
    breaking: bool


class SchemaComparison:
    """Compares the schemas of one body; `sent` says that clients send it.

    A pair of components in `apart` is compared elsewhere: an event tells of a resource, which
    changes as the resource itself does.
    """

    def __init__(
        self,
        old: Json,
        new: Json,
        *,
        sent: bool,
        apart: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self._old = old
        self._new = new
        self._sent = sent
        self._apart = apart
        self._open: set[tuple[str | None, str | None]] = set()

    def schemas(self, place: str, old: Json, new: Json, depth: int = 0) -> Iterator[Difference]:
        """Yield the differences of two schemas, `place` being where such a value lies."""
        pair = (_label(_unwrapped(old)), _label(_unwrapped(new)))
        if depth > _DEEPEST or (pair in self._open and pair != (None, None)):
            return
        self._open.add(pair)
        yield from self._values(place, old, new, depth)
        self._open.discard(pair)

    def _values(self, place: str, old: Json, new: Json, depth: int) -> Iterator[Difference]:
        before, after = flattened(self._old, old), flattened(self._new, new)
        kinds = value_type(self._old, before), value_type(self._new, after)
        effect = _of_kinds(*kinds)
        if effect:
            words = [kind or "any" for kind in kinds]
            yield self._found(place, f"type {words[0]} became {words[1]}", effect)
            return
        for what, effect in [*_of_rules(before, after), *_of_enums(before, after)]:
            yield self._found(place, what, effect)
        if kinds[0] is not None and "array" in kinds[0].split(_OR):
            items = before.get("items", {}), after.get("items", {})
            yield from self.schemas(f"{place}[]", *items, depth + 1)
        old, new = _unwrapped(old), _unwrapped(new)
        yield from self._classes(place, old, new)
        mine, others = described(self._old, old), described(self._new, new)
        for name in [*mine, *(name for name in others if name not in mine)]:
            yield from self._attribute(f"{place}.{name}", name, mine, others, depth)

    def _attribute(
        self,
        place: str,
        name: str,
        before: dict[str, tuple[Json, bool]],
        after: dict[str, tuple[Json, bool]],
        depth: int,
    ) -> Iterator[Difference]:
        if name not in after:
            yield self._found(place, "removed", Effect.OTHER)
            return
        schema, required = after[name]
        if name not in before:
            what = f"added{', required' * required}"
            inside = _demanded(self._new, schema) if required and self._sent else ""
            effect = Effect.LESS if required else Effect.NONE
            yield self._found(place, f"{what}: {inside}" if inside else what, effect)
            return
        if before[name][1] != required:
            word = "required" if required else "optional"
            yield self._found(place, f"became {word}", Effect.LESS if required else Effect.MORE)
        fixed = [
            flattened(*each).get("readOnly") is True for each in self._pair(before, after, name)
        ]
        if self._sent and fixed[0] != fixed[1]:
            words = ("read-only", Effect.LESS) if fixed[1] else ("writable", Effect.MORE)
            yield self._found(place, f"became {words[0]}", words[1])
        inner = before[name][0]
        if (_label(_unwrapped(inner)), _label(_unwrapped(schema))) not in self._apart:
            yield from self.schemas(place, inner, schema, depth + 1)

    def _pair(self, before: Any, after: Any, name: str) -> list[tuple[Json, Json]]:
        return [(self._old, before[name][0]), (self._new, after[name][0])]

    def _classes(self, place: str, old: Json, new: Json) -> Iterator[Difference]:
        """Compare which classes a value may be of, where both contracts list them."""
        before, after = _classes(self._old, old), _classes(self._new, new)
        if before and after:
            for name in sorted(before - after):
                yield self._found(place, f"class {name} removed", Effect.LESS)
            for name in sorted(after - before):
                yield self._found(place, f"class {name} added", Effect.MORE)

    def _found(self, place: str, what: str, effect: Effect) -> Difference:
        return Difference(place, what, bool(effect & (Effect.LESS if self._sent else Effect.MORE)))


def _of_kinds(old: str | None, new: str | None) -> Effect:
    if old == new:
        return Effect.NONE
    if old is None or new is None:
        return Effect.LESS if old is None else Effect.MORE
    before, after = (_with_integers(set(kinds.split(_OR))) for kinds in (old, new))
    return (Effect.LESS if before - after else Effect.NONE) | (
        Effect.MORE if after - before else Effect.NONE
    )


def _with_integers(kinds: set[str]) -> set[str]:
    """Return the types with `integer` where numbers are among them: integers are numbers."""
    return kinds | {"integer"} if "number" in kinds else kinds


def _of_rules(old: Json, new: Json) -> Iterator[tuple[str, Effect]]:
    if old.get("format") != new.get("format"):
        words = [side.get("format") or "any text" for side in (old, new)]
        effect = _of_presence(old.get("format"), new.get("format"))
        yield f"format {words[0]} became {words[1]}", effect
    if _nullable(old) != _nullable(new):
        allowed = _nullable(new)
        yield f"null {'allowed' if allowed else 'refused'}", Effect.MORE if allowed else Effect.LESS
    closed = [side.get("additionalProperties") is False for side in (old, new)]
    if closed[0] != closed[1]:
        word = "refused" if closed[1] else "allowed"
        yield f"other attributes {word}", Effect.LESS if closed[1] else Effect.MORE
    for name in (*_LEAST, *_MOST, *_RULES):
        before, after = _stated(old, name), _stated(new, name)
        if before == after:
            continue
        effect = _of_presence(before, after)
        if effect is Effect.OTHER and name not in _RULES:
            effect = Effect.LESS if (after > before) is (name in _LEAST) else Effect.MORE
        words = ["none" if value is None else str(value) for value in (before, after)]
        yield f"{name} {words[0]} became {words[1]}", effect


def _stated(schema: Json, rule: str) -> Any:
    """Return what a rule says, None where it says nothing."""
    return None if schema.get(rule) is False else schema.get(rule)


def _of_presence(old: Any, new: Any) -> Effect:
    """Return the effect of a rule that comes, goes or changes."""
    if old is None:
        return Effect.LESS
    return Effect.MORE if new is None else Effect.OTHER


def _of_enums(old: Json, new: Json) -> Iterator[tuple[str, Effect]]:
    before, after = old.get("enum"), new.get("enum")
    if before is None and after is not None:
        yield "any value became one of a list", Effect.LESS
    elif after is None and before is not None:
        yield "a list became any value", Effect.MORE
    elif before is not None and after is not None:
        for value in before:
            if value not in after:
                yield f"value {value} removed", Effect.LESS
        for value in after:
            if value not in before:
                yield f"value {value} added", Effect.MORE


def flattened(document: Json, schema: Json) -> Json:
    """Return a schema's rules with those that `allOf` brings, its own first.

    Of a union there are the rules on which its members agree.
    """
    followed = follow(document, schema)
    flat: Json = {}
    for part in followed.get("allOf", ()):
        flat.update(flattened(document, part))
    members = [flattened(document, member) for member in _members(followed)]
    return flat | (_common(members) if members else {}) | followed


def _common(members: list[Json]) -> Json:
    first, *others = members
    common: Json = {
        rule: value
        for rule, value in first.items()
        if rule not in _OF_OBJECTS and all(each.get(rule) == value for each in others)
    }
    if all("enum" in each for each in members):
        common["enum"] = _distinct(value for each in members for value in each["enum"])
    items = [each["items"] for each in members if "items" in each]
    if items:
        common["items"] = _one_of(items)
    return common


def _one_of(schemas: Iterable[Json]) -> Json:
    """Return a schema for values that any of some schemas allows."""
    different = _distinct(schemas)
    return different[0] if len(different) == 1 else {"anyOf": different}


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def value_type(document: Json, schema: Json) -> str | None:
    """Return the type of the values that a flat schema allows, None for any.

    Several types are in one text, as a report says them.
    """
    stated = schema.get("type")
    if isinstance(stated, list):
        return _OR.join(sorted(name for name in stated if name != "null"))
    if stated is not None:
        return str(stated)
    members = [value_type(document, flattened(document, each)) for each in _members(schema)]
    if members:
        kinds = [kind for kind in members if kind is not None]
        split = {one for kind in kinds for one in kind.split(_OR)}
        split -= {"integer"} if "number" in split else set()
        return _OR.join(sorted(split)) if len(kinds) == len(members) else None
    return "object" if attributes(document, schema).properties else None


def _nullable(schema: Json) -> bool:
    return schema.get("nullable") is True or (
        isinstance(schema.get("type"), list) and "null" in schema["type"]
    )


def _members(schema: Json) -> list[Json]:
    return [member for word in _UNIONS for member in schema.get(word, ())]


def _unwrapped(schema: Json) -> Json:
    """Return the schema that another only refers to, `allOf` around a reference."""
    while "$ref" not in schema and len(schema.get("allOf", ())) == 1 and "properties" not in schema:
        schema = schema["allOf"][0]
    return schema


def _label(schema: Json) -> str | None:
    """Return what names a schema: the component, or those of a union's members."""
    if name_of(schema) or not _members(schema):
        return name_of(schema)
    names = [name_of(each) for each in _members(schema)]
    return None if None in names else _OR.join(sorted(map(str, names)))


def _classes(document: Json, schema: Json) -> frozenset[str]:
    found = discriminator_of(document, follow(document, schema), name_of(schema))
    return frozenset(found.cases) if found is not None else frozenset()


def described(
    document: Json, schema: Json, seen: frozenset[str] = frozenset()
) -> dict[str, tuple[Json, bool]]:
    """Return an object's attributes, each with whether it is mandatory.

    An object of one of several classes, alternatives or sub-classes by a discriminator, has the
    attributes of all; what every class makes mandatory is so. `seen` are sub-classes on the way.
    """
    schema = _unwrapped(schema)
    followed = follow(document, schema)
    own = attributes(document, followed)
    found = {name: (inner, name in own.required) for name, inner in own.properties.items()}
    for group in _alternatives(document, schema, seen):
        members = [described(document, each, seen | within) for each, within in group]
        for name in dict.fromkeys(name for member in members for name in member):
            declared = [member[name] for member in members if name in member]
            everywhere = len(declared) == len(members) and all(needed for _, needed in declared)
            mandatory = everywhere or (name in found and found[name][1])
            found[name] = (_one_of(inner for inner, _ in declared), mandatory)
    return found


def _alternatives(
    document: Json, schema: Json, seen: frozenset[str]
) -> Iterator[list[tuple[Json, frozenset[str]]]]:
    """Yield groups of schemas, of each of which a value fits one.

    They are the members of unions or the sub-classes by a discriminator. With each are the
    sub-classes that are not looked for within it.
    """
    followed = follow(document, schema)
    for each in (followed, *(follow(document, part) for part in followed.get("allOf", ()))):
        if _members(each):
            yield [(member, frozenset()) for member in _members(each)]
    if not _members(followed):
        classes = discriminator_of(document, followed, name_of(schema))
        cases = frozenset(classes.cases.values()) - seen if classes is not None else frozenset()
        if cases:
            yield [({"$ref": f"#/components/schemas/{case}"}, cases) for case in sorted(cases)]


def _demanded(document: Json, schema: Json, depth: int = 0) -> str:
    """Return what a value must at least bring: `[{role, channel: {id}}]`; nothing for a scalar."""
    followed = flattened(document, schema)
    if followed.get("type") == "array":
        inside = _demanded(document, followed.get("items", {}), depth + 1)
        return f"[{inside}]" if inside else ""
    names = []
    for name, (inner, required) in described(document, schema).items():
        if required:
            within = _demanded(document, inner, depth + 1) if depth < _DEEPEST else ""
            names.append(f"{name}: {within}" if within else name)
    return f"{{{', '.join(names)}}}" if names else ""
