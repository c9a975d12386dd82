"""Differences between contracts: what they are, and which break clients."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest

from app.contract.document.load import load
from app.contract.document.normalise import normalise
from app.contract.document.upgrade import upgrade
from app.contract.evolution import diff_report
from app.contract.evolution.diff import Change, differences
from app.contract.evolution.mapping import Mapping, Shape, Side, read_mappings
from app.settings import OPENAPI_FOLDER
from tests.conftest import OURS, OURS_V5

PAGE = OPENAPI_FOLDER / "tmf683-v4-v5.md"


def reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def contract() -> dict[str, Any]:
    thing = {"$ref": "#/components/schemas/Thing"}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Thing", "version": "1.0"},
        "paths": {
            "/thing": {
                "get": {
                    "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                    "responses": {
                        "200": {"description": "", **body({"type": "array", "items": thing})}
                    },
                },
                "post": {
                    "requestBody": body({"$ref": "#/components/schemas/NewThing"}),
                    "responses": {"201": {"description": "", **body(thing)}},
                },
            },
            "/thing/{id}": {"get": {"responses": {"200": {"description": "", **body(thing)}}}},
        },
        "components": {
            "schemas": {
                name: {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "size": {"type": "integer"},
                        "colour": {"type": "string", "enum": ["red", "blue"]},
                        "part": {
                            "type": "array",
                            "items": {"type": "object", "properties": {"no": {"type": "string"}}},
                        },
                    },
                }
                for name in ("Thing", "NewThing")
            }
        },
    }


def changes(*edits: tuple[str, Any], remove: str = "") -> list[tuple[str, str, bool]]:
    """Return what is different once values are set, or one is removed, by their pointers."""
    new = contract()
    for pointer, value in edits:
        parent, name = _parent(new, pointer)
        if isinstance(parent, list) and name == len(parent):
            parent.append(value)
        else:
            parent[name] = value
    if remove:
        parent, name = _parent(new, remove)
        del parent[name]
    found = differences(normalise(contract()), normalise(new))
    return [(each.place, each.what, each.breaking) for each in found]


def _parent(document: dict[str, Any], pointer: str) -> tuple[Any, Any]:
    *path, last = (part.replace("~1", "/") for part in pointer.split("/")[1:])
    value: Any = document
    for part in path:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value, int(last) if isinstance(value, list) else last


NEW = "/components/schemas/NewThing"
THING = "/components/schemas/Thing"
TEXT = {"type": "string"}
GET = "/paths/~1thing/get"
WIDER = "type integer became number"


def test_a_contract_does_not_differ_from_itself() -> None:
    assert changes() == []


def test_where_a_schema_lies_does_not_matter() -> None:
    inline = copy.deepcopy(contract()["components"]["schemas"]["NewThing"])
    assert changes(("/paths/~1thing/post/requestBody", body({"allOf": [inline]}))) == []


@pytest.mark.parametrize(
    ("edit", "place", "what", "breaking"),
    [
        ((f"{NEW}/properties/extra", TEXT), "thing.extra", "added", False),
        ((f"{THING}/properties/extra", TEXT), "thing.extra", "added", False),
        ((f"{NEW}/required", ["name", "size"]), "thing.size", "became required", True),
        ((f"{THING}/required", ["name", "size"]), "thing.size", "became required", False),
        ((f"{NEW}/required", []), "thing.name", "became optional", False),
        ((f"{THING}/required", []), "thing.name", "became optional", True),
        (
            (f"{NEW}/properties/size/type", "string"),
            "thing.size",
            "type integer became string",
            True,
        ),
        (
            (f"{THING}/properties/size/type", "string"),
            "thing.size",
            "type integer became string",
            True,
        ),
        ((f"{NEW}/properties/colour/enum", ["red"]), "thing.colour", "value blue removed", True),
        ((f"{THING}/properties/colour/enum", ["red"]), "thing.colour", "value blue removed", False),
        (
            (f"{NEW}/properties/colour/enum", ["red", "blue", "x"]),
            "thing.colour",
            "value x added",
            False,
        ),
        (
            (f"{THING}/properties/colour/enum", ["red", "blue", "x"]),
            "thing.colour",
            "value x added",
            True,
        ),
        ((f"{NEW}/properties/colour", TEXT), "thing.colour", "a list became any value", False),
        ((f"{THING}/properties/colour", TEXT), "thing.colour", "a list became any value", True),
        (
            (f"{NEW}/properties/name/format", "uri"),
            "thing.name",
            "format any text became uri",
            True,
        ),
        (
            (f"{THING}/properties/name/format", "uri"),
            "thing.name",
            "format any text became uri",
            False,
        ),
        (
            (f"{THING}/properties/part/items/properties/no/type", "number"),
            "thing.part[].no",
            "type string became number",
            True,
        ),
        (
            ("/paths/~1thing~1{id}/delete", {"responses": {"204": {"description": ""}}}),
            "DELETE /thing/{id}",
            "added",
            False,
        ),
        (
            (f"{GET}/parameters/0/schema/type", "string"),
            "GET /thing ?limit",
            "type integer became string",
            True,
        ),
        ((f"{GET}/parameters/0/name", "top"), "GET /thing ?limit", "removed", True),
        ((f"{GET}/responses/206", {"description": ""}), "GET /thing 206", "added", False),
        (
            ("/paths/~1thing/post/requestBody/content/application~1xml", {}),
            "POST /thing request application/xml",
            "added",
            False,
        ),
        ((f"{GET}/parameters/0/required", True), "GET /thing ?limit", "became required", True),
        (
            (f"{GET}/parameters/1", {"name": "q", "in": "query", "required": True, "schema": {}}),
            "GET /thing ?q",
            "added, required",
            True,
        ),
        (
            (f"{GET}/parameters/1", {"name": "X-Q", "in": "header", "schema": {}}),
            "GET /thing header:X-Q",
            "added",
            False,
        ),
        (
            (f"{GET}/parameters/0/schema/maximum", 10),
            "GET /thing ?limit",
            "maximum none became 10",
            True,
        ),
        (
            ("/paths/~1thing/post/requestBody/required", True),
            "POST /thing body",
            "became required",
            True,
        ),
        (
            (f"{GET}/responses/200/content/text~1plain", {}),
            "GET /thing answer text/plain",
            "added",
            False,
        ),
        ((f"{NEW}/properties/name/maxLength", 5), "thing.name", "maxLength none became 5", True),
        ((f"{THING}/properties/name/maxLength", 5), "thing.name", "maxLength none became 5", False),
        ((f"{NEW}/properties/name/pattern", "^a"), "thing.name", "pattern none became ^a", True),
        ((f"{NEW}/properties/part/minItems", 1), "thing.part", "minItems none became 1", True),
        ((f"{NEW}/properties/name/nullable", True), "thing.name", "null allowed", False),
        ((f"{THING}/properties/name/nullable", True), "thing.name", "null allowed", True),
        ((f"{NEW}/properties/size/type", "number"), "thing.size", WIDER, False),
        ((f"{THING}/properties/size/type", "number"), "thing.size", WIDER, True),
        ((f"{NEW}/properties/size", {}), "thing.size", "type integer became any", False),
        ((f"{THING}/properties/size", {}), "thing.size", "type integer became any", True),
        ((f"{NEW}/properties/name/readOnly", True), "thing.name", "became read-only", True),
        ((f"{NEW}/additionalProperties", False), "thing", "other attributes refused", True),
        (
            (f"{NEW}/properties/name", {"allOf": [TEXT, {"enum": ["a"]}]}),
            "thing.name",
            "any value became one of a list",
            True,
        ),
    ],
)
def test_a_change_is_found_and_judged(
    edit: tuple[str, Any], place: str, what: str, breaking: bool
) -> None:
    assert (place, what, breaking) in changes(edit)


@pytest.mark.parametrize(
    ("pointer", "place", "breaking"),
    [
        (f"{NEW}/properties/size", "thing.size", True),
        (f"{THING}/properties/size", "thing.size", True),
        ("/paths/~1thing/post", "POST /thing", True),
        (f"{GET}/responses/200", "GET /thing 200", True),
    ],
)
def test_a_removal_is_found_and_judged(pointer: str, place: str, breaking: bool) -> None:
    if pointer.endswith("200"):
        assert (place, "removed", True) in changes(
            (f"{GET}/responses", {"204": {"description": ""}})
        )
    else:
        assert (place, "removed", breaking) in changes(remove=pointer)


def test_the_name_of_a_path_parameter_does_not_matter() -> None:
    item = contract()["paths"]["/thing/{id}"]
    new = contract()
    new["paths"] = {"/thing": new["paths"]["/thing"], "/thing/{thingId}": item}
    assert differences(normalise(contract()), normalise(new)) == ()


def test_the_names_of_parameters_further_up_do_not_matter() -> None:
    documents = [contract(), contract()]
    for document, name in zip(documents, ("a", "b"), strict=True):
        document["paths"][f"/thing/{{{name}}}/part"] = document["paths"]["/thing"]
    old, new = map(normalise, documents)
    assert differences(old, new) == ()


def test_the_type_of_a_path_parameter_matters() -> None:
    documents = [contract(), contract()]
    for document, type in zip(documents, ("string", "integer"), strict=True):
        parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": type}}
        document["paths"]["/thing/{id}"]["parameters"] = [parameter]
    (change,) = differences(*map(normalise, documents))
    assert (change.place, change.breaking) == ("GET /thing/{id} {id}", True)
    assert change.what == "type string became integer"


def test_a_new_mandatory_attribute_says_what_it_must_hold() -> None:
    inner = {"type": "object", "required": ["id"], "properties": {"id": TEXT, "x": TEXT}}
    place = {"type": "object", "required": ["at"], "properties": {"at": inner}}
    schema = {"type": "array", "items": place}
    edits = [(f"{NEW}/properties/places", schema), (f"{NEW}/required", ["name", "places"])]
    assert changes(*edits) == [("thing.places", "added, required: [{at: {id}}]", True)]


def test_a_class_that_is_no_longer_listed_breaks_requests() -> None:
    documents = [contract(), contract()]
    for document, names in zip(documents, ("AB", "BC"), strict=True):
        schemas = document["components"]["schemas"]
        schemas |= {name: {"type": "object", "properties": {"@type": TEXT}} for name in names}
        references = {name: f"#/components/schemas/{name}" for name in names}
        union = {"oneOf": [{"$ref": each} for each in references.values()]}
        union["discriminator"] = {"propertyName": "@type", "mapping": references}
        schemas["NewThing"]["properties"]["owner"] = union
    found = differences(*map(normalise, documents))
    assert [(each.place, each.what, each.breaking) for each in found] == [
        ("thing.owner", "class A removed", True),
        ("thing.owner", "class C added", False),
    ]


def test_what_clients_are_told_of_errors_is_compared() -> None:
    documents = [contract(), contract()]
    for document, required in zip(documents, ([], ["code"]), strict=True):
        error = {"type": "object", "required": required, "properties": {"code": TEXT}}
        document["paths"]["/thing"]["get"]["responses"]["400"] = {"description": "", **body(error)}
    (change,) = differences(*map(normalise, documents))
    assert (change.place, change.what, change.breaking) == ("error.code", "became required", False)


def test_a_change_says_only_in_which_bodies_it_breaks_clients() -> None:
    new = contract()
    for name in ("Thing", "NewThing"):
        new["components"]["schemas"][name]["required"] = ["name", "size"]
    (change,) = differences(normalise(contract()), normalise(new))
    assert (change.what, change.uses, change.breaking) == (
        "became required",
        ("POST request",),
        True,
    )


def of_our_versions() -> tuple[Change, ...]:
    old, new = (normalise(upgrade(load(file))) for file in (OURS, OURS_V5))
    return differences(old, new, read_mappings(OPENAPI_FOLDER / "mappings"))


def test_what_becomes_of_stored_data_is_said() -> None:
    data = {each.place: each.data for each in of_our_versions() if each.what == "removed"}
    assert data["partyInteraction.channel"] == "read as relatedChannel"
    assert data["partyInteraction.relatedParty[].id"] == "read as relatedParty.partyOrPartyRole.id"
    assert data["partyInteraction.creationDate"] == "kept as it is"
    added = {each.place: each.data for each in of_our_versions() if "added" in each.what}
    assert added["partyInteraction.relatedChannel"] == "read from channel"
    assert added["partyInteraction.externalIdentifier"] == ""


def test_a_resource_that_a_mapping_renames_is_compared_under_its_older_name() -> None:
    old, new = contract(), contract()
    new["info"]["version"] = "2.0"
    event = {"post": {"requestBody": body(TEXT), "responses": {"204": {"description": ""}}}}
    old["paths"]["/listener/thingCreateEvent"] = event
    new["paths"] = {
        path.replace("/thing", "/object"): item for path, item in new["paths"].items()
    } | {"/listener/objectCreateEvent": event}
    new["components"]["schemas"]["Thing"]["properties"]["weight"] = TEXT
    mapping = Mapping(
        title="",
        file="",
        apis=dict.fromkeys(Side, "thing"),
        versions={Side.OLDER: "1", Side.NEWER: "2"},
        resources={"thing": Shape()},
        renamed={"thing": "object"},
    )
    documents = normalise(old), normalise(new)
    told = {(each.place, each.what) for each in differences(*documents, [mapping])}
    assert told == {("/thing", "renamed to /object"), ("thing.weight", "added")}
    back = {(each.place, each.what) for each in differences(*documents[::-1], [mapping])}
    assert back == {("/object", "renamed to /thing"), ("object.weight", "removed")}
    assert len(differences(*documents)) > 2


def test_the_page_in_the_documentation_is_what_the_command_writes() -> None:
    title = "Party Interaction 4.0.0 to Party Interaction 5.0.0"
    assert PAGE.read_text() == diff_report.markdown(title, of_our_versions())


def test_json_holds_every_change() -> None:
    found = of_our_versions()
    written = json.loads(diff_report.json("a to b", found))
    assert (written["title"], written["breaking"]) == ("a to b", True)
    assert len(written["changes"]) == len(found)
    names = {"group", "place", "what", "breaking", "uses", "data", "places"}
    assert written["changes"][0].keys() == names


def test_text_says_what_breaks_first() -> None:
    lines = diff_report.text("a to b", of_our_versions()).splitlines()
    headings = [line for line in lines if line.startswith(("Breaking", "Compatible"))]
    assert headings == sorted(headings, key=lambda line: line.startswith("Compatible"))


def test_what_changes_alike_is_said_once() -> None:
    written = diff_report.markdown("a to b", of_our_versions())
    codes = [line for line in written.splitlines() if line.startswith("| `400`")]
    assert len(codes) == 1
    assert codes[0].startswith("| `400`, `401`, `403`, `404`, `405`, `500` of `DELETE /hub/{id}`, ")
    assert max(map(len, diff_report.text("a to b", of_our_versions()).splitlines())) < 170


def _nested(unit: dict[str, Any], classes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a document in which an order has a price, and prices are resources as well."""
    price = {"type": "object", "properties": {"unit": unit}}
    part = {"type": "object", "properties": {"name": {"type": "string"}}}
    schemas: dict[str, Any] = {"Part": part, **(classes or {})}
    order = {
        "type": "object",
        "properties": {"price": price, "part": {"$ref": "#/components/schemas/Part"}},
    }

    def answer(schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": "", "content": {"application/json": {"schema": schema}}}

    return normalise(
        {
            "openapi": "3.0.3",
            "info": {"title": "Orders", "version": "1.0.0"},
            "paths": {
                f"/{name}/{{id}}": {"get": {"responses": {"200": answer(schema)}}}
                for name, schema in (("order", order), ("price", price))
            },
            "components": {"schemas": schemas},
        }
    )


def test_an_attribute_named_like_a_resource_is_compared() -> None:
    found = differences(_nested({"type": "string"}), _nested({"type": "number"}))
    places = {each.place for each in found if each.group == "attributes"}
    assert places == {"order.price.unit", "price.unit"}


def test_an_attribute_that_every_sub_class_has_is_not_removed() -> None:
    old = _nested({"type": "string"}, {"Part": {"properties": {"value": {"type": "string"}}}})
    whole = {
        "Part": {
            "type": "object",
            "discriminator": {
                "propertyName": "@type",
                "mapping": {
                    "Small": "#/components/schemas/Small",
                    "Large": "#/components/schemas/Large",
                },
            },
        },
        **{
            name: {
                "allOf": [
                    {"$ref": "#/components/schemas/Part"},
                    {"properties": {"value": {"type": "string"}}},
                ]
            }
            for name in ("Small", "Large")
        },
    }
    found = differences(old, _nested({"type": "string"}, whole))
    assert not [each for each in found if each.what == "removed"]


def _with_texts(format: str | None, names: Sequence[str] = "ab") -> dict[str, Any]:
    text = TEXT if format is None else {**TEXT, "format": format}
    document = contract()
    document["components"]["schemas"]["Thing"]["properties"] |= dict.fromkeys(names, text)
    return normalise(document)


def test_a_format_that_many_attributes_lose_is_told_once() -> None:
    (change,) = differences(_with_texts("uri"), _with_texts(None))
    assert (change.place, change.breaking) == ("the document", True)
    assert change.what == "format uri became any text, in 2 attributes"
    assert change.places == ("thing.a", "thing.b")


def test_a_format_that_one_attribute_loses_is_told_at_its_place() -> None:
    (change,) = differences(_with_texts("uri", "a"), _with_texts(None, "a"))
    assert (change.place, change.what) == ("thing.a", "format uri became any text")


def _of_classes(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose order has a part of one of two classes, each with a `value`."""
    classes = {"Small": first, "Large": second}
    references = {name: f"#/components/schemas/{name}" for name in classes}
    part = {"type": "object", "discriminator": {"propertyName": "@type", "mapping": references}}
    heirs = {
        name: {"allOf": [{"$ref": "#/components/schemas/Part"}, {"properties": {"value": value}}]}
        for name, value in classes.items()
    }
    return _nested(TEXT, {"Part": part, **heirs})


def test_the_types_that_all_sub_classes_allow_are_compared() -> None:
    number, flag = {"type": "number"}, {"type": "boolean"}
    (change,) = differences(_of_classes(TEXT, number), _of_classes(TEXT, flag))
    assert change.place == "order.part.value"
    assert change.what == "type number or string became boolean or string"


def test_a_reference_with_a_description_beside_it_is_the_reference() -> None:
    documents = [_of_classes(TEXT, TEXT), _of_classes(TEXT, {"type": "number"})]
    order = documents[0]["paths"]["/order/{id}"]["get"]["responses"]["200"]["content"]
    properties = order["application/json"]["schema"]["properties"]
    properties["part"] = {"description": "a part", "allOf": [properties["part"]]}
    (change,) = differences(*documents)
    assert (change.place, change.what) == (
        "order.part.value",
        "type string became number or string",
    )


def test_an_event_whose_resource_is_another_schema_is_compared() -> None:
    documents = [contract(), contract()]
    for document, type in zip(documents, ("string", "number"), strict=True):
        told = {"type": "object", "properties": {"name": {"type": type}}}
        document["components"]["schemas"]["Told"] = told
        events = {"Whole": "Thing", "Short": "Told"}
        for event, name in events.items():
            payload = {"type": "object", "properties": {"thing": reference(name)}}
            document["paths"][f"/listener/thing{event}Event"] = {
                "post": {"requestBody": body(payload), "responses": {"204": {"description": ""}}}
            }
        document["components"]["schemas"]["Thing"]["properties"]["size"]["type"] = type
    found = differences(*map(normalise, documents))
    assert {each.place for each in found} == {"thing.size", "thingShortEvent.thing.name"}


def test_an_event_is_judged_as_what_clients_get() -> None:
    documents = [contract(), contract()]
    for document, names in zip(documents, (("kept", "gone"), ("kept", "new")), strict=True):
        payload = {
            "type": "object",
            "required": [names[1]],
            "properties": {name: {"type": "string"} for name in names},
        }
        document["paths"]["/listener/thingEvent"] = {
            "post": {"requestBody": body(payload), "responses": {"204": {"description": ""}}}
        }
    found = {
        each.place: (each.what, each.breaking, each.uses)
        for each in differences(*map(normalise, documents))
    }
    assert found == {
        "thingEvent.gone": ("removed", True, ("event",)),
        "thingEvent.new": ("added, required", False, ("event",)),
    }
