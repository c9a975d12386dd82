"""Differences between contracts, held against a flattening that shares no code with them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

import pytest
import yaml

from app.contract.document.normalise import normalise
from app.contract.document.upgrade import upgrade
from app.contract.evolution.diff import differences
from tests.app.contract.flattening import Flat, Json, attributes_of
from tests.conftest import official_specs

PAIRS = {
    "TMF620": (
        "TMF620-ProductCatalog-v4.1.0.swagger.json",
        "TMF620-Product_Catalog_Management-v5.0.0.oas.yaml",
    ),
    "TMF621": (
        "TMF621-TroubleTicket-v4.0.0.swagger.json",
        "TMF621-Trouble_Ticket-v5.0.1.oas.yaml",
    ),
    "TMF683": (
        "TMF683-PartyInteraction-v4.0.0.swagger.json",
        "TMF683-Party_Interaction-v5.0.0.oas.yaml",
    ),
}
MUTATED = (
    "TMF621-Trouble_Ticket-v5.0.1.oas.yaml",
    "TMF629-Customer_Management-v5.0.1.oas.yaml",
    "TMF633-ServiceCatalog-v4.0.0.swagger.json",
    "TMF673-GeographicAddress-v4.1.0.swagger.json",
    "TMF681-Communication-v4.0.0.swagger.json",
    "TMF683-PartyInteraction-v4.0.0.swagger.json",
)
RULES = ("format", "null ", "min", "max", "pattern", "class ", "other attributes", "became read")
"""What differences also tell of, and the flattening does not."""


@cache
def read(name: str) -> Json:
    text = (official_specs() / name).read_text(encoding="utf-8-sig")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read: Json = json.loads(text) if name.endswith(".json") else yaml.load(text, loader)
    return read


def expected(old: Json, new: Json) -> set[tuple[str, str]]:
    """Return place and words of each difference between two flattenings."""
    before, after = attributes_of(old), attributes_of(new)
    shared = sorted(before.keys() & after.keys())
    told = {
        (each.names, other.names)
        for key, use in shared
        for each, other in [(_one(before[key, use])[""], _one(after[key, use])[""])]
        if use == "answer" and "/listener/" not in key and each.names and other.names
    }
    found = set()
    for key, use in shared:
        path = key.partition(" ")[2].removesuffix("/{id}").strip("/").removeprefix("listener/")
        apart = told if "/listener/" in key else set()
        flats = _one(before[key, use]), _one(after[key, use])
        found |= {(path + place, what) for place, what in _differences(*flats, apart)}
    return found


def _one(flat: Flat) -> Flat:
    """Return the attributes of one resource, where a body is a list of them."""
    if flat[""].kind != "array":
        return flat
    return {place[2:]: each for place, each in flat.items() if place.startswith("[]")}


def _differences(old: Flat, new: Flat, apart: set[Any]) -> Iterator[tuple[str, str]]:
    settled: set[str] = set()
    for place in sorted(old.keys() | new.keys()):
        if any(place.startswith((f"{above}.", f"{above}[")) for above in settled):
            continue
        if place not in old or place not in new:
            settled.add(place)
            added = "added, required" if place in new and new[place].required else "added"
            yield place, added if place in new else "removed"
            continue
        before, after = old[place], new[place]
        if before.cut or after.cut or (place and (before.names, after.names) in apart):
            settled.add(place)
        if before.required != after.required:
            yield place, f"became {'required' if after.required else 'optional'}"
        if place in settled and not before.cut and not after.cut:
            continue
        if before.kind != after.kind:
            settled.add(place)
            yield place, f"type {before.kind} became {after.kind}"
        elif before.values is None or after.values is None:
            if before.values is not after.values:
                words = ("any value", "one of a list"), ("a list", "any value")
                yield place, " became ".join(words[after.values is None])
        else:
            yield from ((place, f"value {each} removed") for each in before.values - after.values)
            yield from ((place, f"value {each} added") for each in after.values - before.values)


def compared(old: Json, new: Json) -> set[tuple[str, str]]:
    """Return place and words of each difference of attributes that the application finds."""
    return {
        (change.place, change.what.partition(":")[0])
        for change in differences(*(normalise(upgrade(each)) for each in (old, new)))
        if change.group == "attributes"
        and change.place.partition(".")[0] != "error"
        and not change.what.startswith(RULES)
    }


@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_is_missed_and_nothing_made_up_between_two_versions(pair: str) -> None:
    old, new = map(read, PAIRS[pair])
    wanted = expected(old, new)
    assert len(wanted) > 30
    assert compared(old, new) == wanted


def schemas_of(document: Json) -> Json:
    found: Json = document.get("definitions") or document["components"]["schemas"]
    return found


def owners(document: Json, word: str) -> list[Json]:
    """Return the component schemas, and the parts of `allOf` in them, that have a keyword."""
    named = schemas_of(document).values()
    parts = [part for each in named for part in each.get("allOf", ())]
    return [each for each in (*named, *parts) if each.get(word)]


def drop_attribute(document: Json, random: Random) -> None:
    properties = random.choice(owners(document, "properties"))["properties"]
    del properties[random.choice(sorted(properties))]


def rename_attribute(document: Json, random: Random) -> None:
    properties = random.choice(owners(document, "properties"))["properties"]
    properties["renamed"] = properties.pop(random.choice(sorted(properties)))


def add_mandatory_attribute(document: Json, random: Random) -> None:
    schema = random.choice(owners(document, "properties"))
    schema["properties"]["added"] = {"type": "string"}
    schema["required"] = [*schema.get("required", ()), "added"]


def change_type(document: Json, random: Random) -> None:
    properties = random.choice(owners(document, "properties"))["properties"]
    properties[random.choice(sorted(properties))] = {"type": random.choice(("boolean", "integer"))}


def wrap_in_array(document: Json, random: Random) -> None:
    properties = random.choice(owners(document, "properties"))["properties"]
    name = random.choice(sorted(properties))
    properties[name] = {"type": "array", "items": properties[name]}


def wrap_in_all_of(document: Json, random: Random) -> None:
    properties = random.choice(owners(document, "properties"))["properties"]
    name = random.choice(sorted(properties))
    properties[name] = {"description": "wrapped", "allOf": [properties[name]]}


def make_mandatory(document: Json, random: Random) -> None:
    schema = random.choice(owners(document, "properties"))
    schema["required"] = sorted(schema["properties"])


def make_optional(document: Json, random: Random) -> None:
    random.choice(owners(document, "required"))["required"] = []


def limit_values(document: Json, random: Random) -> None:
    properties = random.choice(owners(document, "properties"))["properties"]
    properties[random.choice(sorted(properties))] = {"type": "string", "enum": ["one", "two"]}


def shorten_enum(document: Json, random: Random) -> None:
    with_enum = [each for each in schemas_of(document).values() if len(each.get("enum", ())) > 1]
    if with_enum:
        random.choice(with_enum)["enum"].pop()


def drop_parent(document: Json, random: Random) -> None:
    heirs = [each for each in schemas_of(document).values() if len(each.get("allOf", ())) > 1]
    if heirs:
        random.choice(heirs)["allOf"].pop(0)


def drop_class(document: Json, random: Random) -> None:
    mappings = [
        each["discriminator"]["mapping"]
        for each in schemas_of(document).values()
        if isinstance(each.get("discriminator"), dict)
        and len(each["discriminator"].get("mapping", ())) > 1
    ]
    if mappings:
        mapping = random.choice(mappings)
        del mapping[random.choice(sorted(mapping))]


def allow_alternatives(document: Json, random: Random) -> None:
    named = schemas_of(document)
    prefix = "#/definitions/" if "definitions" in document else "#/components/schemas/"
    properties = random.choice(owners(document, "properties"))["properties"]
    objects = sorted(name for name, each in named.items() if each.get("properties"))
    members = [{"$ref": prefix + name} for name in random.sample(objects, 2)]
    properties[random.choice(sorted(properties))] = {"oneOf": members}


MUTATIONS: tuple[Callable[[Json, Random], None], ...] = (
    drop_attribute,
    rename_attribute,
    add_mandatory_attribute,
    change_type,
    wrap_in_array,
    wrap_in_all_of,
    make_mandatory,
    make_optional,
    limit_values,
    shorten_enum,
    drop_parent,
    drop_class,
    allow_alternatives,
)


@pytest.mark.parametrize("name", MUTATED)
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_missed_and_nothing_made_up_when_a_document_is_changed(
    name: str, seed: int
) -> None:
    old, random = read(name), Random(f"{name} {seed}")
    new = copy.deepcopy(old)
    for _ in range(6):
        random.choice(MUTATIONS)(new, random)
    assert compared(old, new) == expected(old, new)
    assert compared(new, old) == expected(new, old)


@pytest.mark.parametrize("name", MUTATED)
def test_a_document_does_not_differ_from_itself(name: str) -> None:
    document = read(name)
    assert compared(document, document) == set() == expected(document, document)
