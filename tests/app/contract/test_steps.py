"""The contract engine, step by step."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from app.contract import ContractError, Kind, open_contract
from app.contract.binding.operation_kinds import kind_of
from app.contract.document.load import load
from app.contract.document.normalise import api_name, base_path, normalise
from app.contract.document.overlay import Overlay, apply, read_overlay, read_overlays
from app.contract.document.patch_media_types import declare_merge_patches
from app.contract.document.upgrade import upgrade
from app.contract.document.validate import validate
from app.contract.schema.validators import SchemaCompiler, View
from app.settings import OPENAPI_FOLDER
from tests.conftest import OURS, official_specs

OVERLAYS = read_overlays(OPENAPI_FOLDER / "overlays")

SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Things", "version": "2.1"},
    "basePath": "/tmf-api/things/v2/",
    "consumes": ["application/json;charset=utf-8"],
    "produces": ["application/json;charset=utf-8"],
    "parameters": {
        "Fields": {"name": "fields", "in": "query", "type": "string"},
        "Body": {"name": "body", "in": "body", "schema": {"$ref": "#/definitions/Thing"}},
    },
    "responses": {"Bad": {"description": "bad", "schema": {"$ref": "#/definitions/Thing"}}},
    "securityDefinitions": {
        "basic": {"type": "basic"},
        "oauth": {
            "type": "oauth2",
            "flow": "accessCode",
            "authorizationUrl": "https://a",
            "tokenUrl": "https://t",
            "scopes": {"read": "r"},
        },
    },
    "paths": {
        "/thing": {
            "parameters": [{"name": "X-Trace", "in": "header", "type": "string"}],
            "get": {
                "parameters": [
                    {"$ref": "#/parameters/Fields"},
                    {
                        "name": "tag",
                        "in": "query",
                        "type": "array",
                        "items": {"type": "string"},
                        "collectionFormat": "multi",
                    },
                ],
                "responses": {
                    "200": {
                        "description": "ok",
                        "schema": {"type": "array", "items": {"$ref": "#/definitions/Thing"}},
                        "headers": {"X-Total-Count": {"type": "integer", "description": "n"}},
                    },
                    "400": {"$ref": "#/responses/Bad"},
                },
            },
            "post": {
                "operationId": "makeThing",
                "parameters": [{"$ref": "#/parameters/Body"}],
                "responses": {"201": {"description": "made"}},
            },
        },
        "/upload": {
            "post": {
                "parameters": [
                    {"name": "file", "in": "formData", "type": "file", "required": True}
                ],
                "responses": {"204": {"description": "done"}},
            }
        },
    },
    "definitions": {
        "Thing": {
            "type": "object",
            "discriminator": "kind",
            "required": ["kind"],
            "properties": {"kind": {"type": "string"}, "x": {"type": "string", "x-nullable": True}},
        }
    },
}


BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine lines of YAML that stand for tens of millions of values."""


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_what_older_yaml_takes_for_booleans_and_numbers_is_text(tmp_path: Path) -> None:
    text = "a: [yes, NO, on, y, 010, 12:30:00, 0x1F, 1_000, .inf]\nb: [-1, 0, 2.50, 1e3, True]\n"
    assert load(write(tmp_path, "x.yaml", text)) == {
        "a": ["yes", "NO", "on", "y", "010", "12:30:00", "0x1F", "1_000", ".inf"],
        "b": [-1, 0, 2.5, 1000.0, True],
    }


def test_yaml_is_read_as_json_would_be(tmp_path: Path) -> None:
    text = "a: 2026-11-23T10:00:00Z\nb: 2026-11-23\n200: {301: x}\nc: [1, true, null, 1.5]\n"
    assert load(write(tmp_path, "x.yaml", text)) == {
        "a": "2026-11-23T10:00:00Z",
        "b": "2026-11-23",
        "200": {"301": "x"},
        "c": [1, True, None, 1.5],
    }


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.json", '{"a": 1 x}', "line 1, column 9"),
        ("x.yaml", "a: [1\nb: 2", "line 2"),
        ("x.yaml", "- 1", "no object"),
        ("x.yaml", b"\xff\xfe", "not UTF-8"),
        ("x.yaml", "", "no object"),
        ("x.json", '{"a":' + "[" * 200 + "]" * 200 + "}", "nested more than 100 levels"),
        ("x.json", "[" * 100_000, "nested more than 100 levels"),
        ("x.yaml", "a: " + "[" * 5000 + "]" * 5000, "nested more than 100 levels"),
        ("x.yaml", "a: &a [*a]", "nested more than 100 levels"),
        ("x.yaml", BOMB, "stands for more than 2000000 values"),
    ],
    ids=lambda each: repr(each)[:40],
)
def test_a_file_that_is_no_document_is_told_where(
    tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    file = write(tmp_path, name, content)
    with pytest.raises(ContractError) as caught:
        load(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="No such file"):
        load(tmp_path / "x.yaml")


def minimal(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "openapi": "3.0.3",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}},
    }
    return document | changes


@pytest.mark.parametrize(
    ("document", "pointer", "says"),
    [
        ({"info": {}}, "/", "neither"),
        (minimal(openapi="4.0.0"), "/", "4.0.0"),
        (minimal(info={"title": "T"}), "/info", "version"),
        (minimal(paths={"/a": {"get": {}}}), "/paths/~1a/get", "responses"),
        (
            minimal(paths={"/a": {"get": {"responses": {"200": {"$ref": "#/components/x"}}}}}),
            "/paths/~1a/get/responses/200",
            "leads nowhere",
        ),
        (
            minimal(components={"schemas": {"A": {"$ref": "other.yaml#/A"}}}),
            "/components/schemas/A",
            "leads out of this document",
        ),
        (
            minimal(components={"schemas": {"A": {"$ref": "https://x.example/a.yaml#/A"}}}),
            "/components/schemas/A",
            "leads out of this document",
        ),
        (
            minimal(components={"schemas": {"A": {"$ref": "#/components/schemas/A"}}}),
            "/components/schemas/A",
            "leads back to itself",
        ),
        (
            minimal(
                components={
                    "schemas": {
                        "A": {"allOf": [{"$ref": "#/components/schemas/B"}]},
                        "B": {"allOf": [{"$ref": "#/components/schemas/A"}]},
                    }
                }
            ),
            "/components/schemas/A/allOf/0",
            "leads back to itself",
        ),
        (
            minimal(components={"schemas": {"A": {"type": "text"}}}),
            "/components/schemas/A/type",
            "'text' is not one of",
        ),
        (
            minimal(components={"schemas": {"A": {"properties": {"b": {"required": "c"}}}}}),
            "/components/schemas/A/properties/b/required",
            "'c' is not of type 'array'",
        ),
        ({**SWAGGER, "paths": {"a": {}}}, "/paths", ""),
    ],
)
def test_a_broken_document_is_told_its_pointer_and_rule(
    document: dict[str, Any], pointer: str, says: str
) -> None:
    with pytest.raises(ContractError) as caught:
        validate(document, "file.yaml")
    problems = caught.value.problems
    assert any(str(each).startswith(pointer) and says in each.rule for each in problems), problems
    assert all(len(str(each)) < 400 for each in problems)


def test_sound_documents_are_valid() -> None:
    for document in (SWAGGER, minimal(), minimal(openapi="3.1.0"), load(OURS)):
        validate(document, "file")


def test_swagger_becomes_openapi_three() -> None:
    before = copy.deepcopy(SWAGGER)
    upgraded = upgrade(SWAGGER)
    assert before == SWAGGER, "the original stays as it was"
    assert not list(OpenAPIV30SpecValidator(upgraded).iter_errors())
    item = upgraded["paths"]["/thing"]
    assert item["get"]["parameters"][1]["explode"] is True
    assert item["get"]["responses"]["200"]["headers"]["X-Total-Count"]["schema"] == {
        "type": "integer"
    }
    assert item["get"]["responses"]["400"] == {"$ref": "#/components/responses/Bad"}
    body = item["post"]["requestBody"]["content"]["application/json;charset=utf-8"]["schema"]
    assert body == {"$ref": "#/components/schemas/Thing"}
    form = upgraded["paths"]["/upload"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["properties"]["file"] == {"type": "string", "format": "binary"}
    assert form["schema"]["required"] == ["file"]
    thing = upgraded["components"]["schemas"]["Thing"]
    assert thing["discriminator"] == {"propertyName": "kind"}
    assert thing["properties"]["x"]["nullable"] is True
    assert upgraded["components"]["securitySchemes"]["basic"]["scheme"] == "basic"
    flows = upgraded["components"]["securitySchemes"]["oauth"]["flows"]
    assert flows["authorizationCode"]["scopes"] == {"read": "r"}


def test_openapi_three_is_left_as_it_is() -> None:
    document = load(OURS)
    assert upgrade(document) == document


def test_normalising_spells_things_one_way() -> None:
    normal = normalise(upgrade(SWAGGER))
    listed, created = (normal["paths"]["/thing"][method] for method in ("get", "post"))
    assert [each["name"] for each in listed["parameters"]] == ["fields", "tag", "X-Trace"]
    assert list(created["requestBody"]["content"]) == ["application/json"]
    assert "content" in listed["responses"]["400"]
    names = [each["operationId"] for item in normal["paths"].values() for each in item.values()]
    assert names == ["getThing", "makeThing", "postUpload"]


@pytest.mark.parametrize(
    ("servers", "title", "version", "name", "path"),
    [
        ([{"url": "/tmf-api/a/v4/"}], "X", "4.0.0", "a", "/tmf-api/a/v4"),
        ([{"url": "https://serverRoot"}], "Trouble Ticket", "5.0.1", "troubleTicket", None),
        ([], "Party Interaction", "v5.0.0", "partyInteraction", None),
        (
            [{"url": "{r}/tmf-api/b/v5/", "variables": {"r": {"default": "https://h"}}}],
            "X",
            "5",
            "b",
            "/tmf-api/b/v5",
        ),
        ([{"url": "https://h/custom"}], "My API", "2.0", "myAPI", "/custom"),
        ([{"url": "/{apiRoot}/custom/"}], "My API", "2.0", "myAPI", "/custom"),
        ([{"url": "{apiRoot}/custom"}], "My API", "2.0", "myAPI", "/custom"),
        ([{"url": "{apiRoot}"}], "My API", "2.0", "myAPI", None),
    ],
)
def test_the_base_path_is_the_documents_or_the_convention(
    servers: list[Any], title: str, version: str, name: str, path: str | None
) -> None:
    document = {"servers": servers, "info": {"title": title, "version": version}}
    assert api_name(document) == name
    major = version.lstrip("v")[0]
    assert base_path(document) == (path or f"/tmf-api/{name}/v{major}")


def overlay(*actions: dict[str, Any], **extra: Any) -> Overlay:
    return Overlay("f", "t", actions, extra.get("applies_to", {}), extra.get("profile"))


@pytest.mark.parametrize(
    ("actions", "a", "c"),
    [
        ([{"target": "$.a", "update": {"x": 1}}], {"b": [1, 2, 3], "x": 1}, {"d": 0}),
        ([{"target": "$.a.b", "update": [4]}], {"b": [1, 2, 3, 4]}, {"d": 0}),
        ([{"target": "$.a.b", "update": {"x": 1}}], {"b": [1, 2, 3, {"x": 1}]}, {"d": 0}),
        ([{"target": "$.a.b[?@<3]", "remove": True}], {"b": [3]}, {"d": 0}),
        ([{"target": "$.a.b[0,1]", "remove": True}], {"b": [3]}, {"d": 0}),
        ([{"target": "$[?@.d==0]", "update": {"y": {}}}], {"b": [1, 2, 3]}, {"d": 0, "y": {}}),
        ([{"target": "$", "update": {"c": {"e": 1}}}], {"b": [1, 2, 3]}, {"d": 0, "e": 1}),
        ([{"target": "$.nope", "update": {"x": 1}}], {"b": [1, 2, 3]}, {"d": 0}),
        (
            [{"target": "$.c", "remove": True}, {"target": "$", "update": {"c": 1}}],
            {"b": [1, 2, 3]},
            1,
        ),
    ],
)
def test_overlay_actions(actions: list[dict[str, Any]], a: Any, c: Any) -> None:
    document = {"info": {}, "a": {"b": [1, 2, 3]}, "c": {"d": 0}}
    changed, _ = apply(document, [overlay(*actions)], "conformance")
    assert changed == {"info": {}, "a": a, "c": c}
    assert document["a"] == {"b": [1, 2, 3]}, "the original stays as it was"


def test_an_overlay_is_for_some_documents_and_profiles() -> None:
    document = {"info": {"title": "Party", "version": "4.1.0"}}
    for fits, applies_to, profile in (
        (True, {}, None),
        (True, {"version": "4.*"}, "conformance"),
        (False, {"version": "5.*"}, None),
        (False, {"title": "Other"}, None),
        (False, {}, "strict"),
    ):
        assert overlay(applies_to=applies_to, profile=profile).fits(document, "conformance") is fits


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("overlay: 2.0.0", "/overlay"),
        ("overlay: 1.0.0", "/actions"),
        ("overlay: 1.0.0\nactions: [{update: {}}]", "/actions/0"),
        ("overlay: 1.0.0\nactions: [{target: '$[', remove: true}]", "/actions/0/target"),
        ("overlay: 1.0.0\nactions: [{target: $.a}]", "/actions/0"),
    ],
)
def test_a_broken_overlay_is_told_where(tmp_path: Path, text: str, pointer: str) -> None:
    with pytest.raises(ContractError) as caught:
        read_overlay(write(tmp_path, "x.overlay.yaml", text))
    assert caught.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ({"target": "$", "remove": True}, "removes the whole document"),
        ({"target": "$.info.title", "update": {"a": 1}}, "neither an object nor an array"),
        ({"target": "$.info", "update": "text"}, "updates an object with what is none"),
    ],
)
def test_an_action_that_cannot_be_applied_is_told_where(action: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=f"/actions/0: .*{says}"):
        apply(minimal(), [overlay(action)], "conformance")


def test_what_a_target_finds_twice_is_removed_once() -> None:
    action = {"target": "$['paths','paths']", "remove": True}
    changed, _ = apply(minimal(), [overlay(action)], "conformance")
    assert "paths" not in changed


def test_every_overlay_that_is_meant_for_our_document_meets_it() -> None:
    contract = open_contract(OURS, overlays=OVERLAYS)
    meant = [each for each in OVERLAYS if each.fits(load(OURS), "conformance")]
    assert len(contract.overlays) == len(meant) > 1
    assert all(each.changes for each in contract.overlays)


@pytest.mark.parametrize("profile", ["conformance", "strict"])
def test_the_effective_document_is_valid_openapi(profile: str) -> None:
    document = open_contract(OURS, overlays=OVERLAYS, profile=profile).document
    assert not list(OpenAPIV30SpecValidator(document).iter_errors())


@pytest.mark.slow
def test_every_official_document_opens() -> None:
    files = sorted(official_specs().glob("TMF*"))
    assert files
    for file in files:
        contract = open_contract(file, overlays=OVERLAYS)
        assert not list(OpenAPIV30SpecValidator(contract.document).iter_errors()), file.name
        assert not [each.path for each in contract.bindings if each.unserved], file.name
        served = {each.kind for each in contract.bindings}
        assert {Kind.LIST, Kind.CREATE, Kind.RETRIEVE, Kind.SUBSCRIBE} <= served, file.name


def test_the_profile_decides_what_a_create_requires() -> None:
    small = {"channel": [{"id": "1"}], "direction": "inbound", "reason": "r"}
    for profile, accepted in (("conformance", True), ("strict", False)):
        contract = open_contract(OURS, overlays=OVERLAYS, profile=profile)
        (create,) = (each for each in contract.bindings if each.kind is Kind.CREATE)
        assert create.bodies["application/json"].accepts(small) is accepted, profile


def test_paths_move_under_the_settings() -> None:
    contract = open_contract(OURS, base_path="/b", root_path="/r")
    assert contract.base_path == "/r/b"
    assert contract.document["servers"] == [{"url": "/r/b"}]


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("get", "/thing", Kind.LIST),
        ("post", "/thing", Kind.CREATE),
        ("delete", "/thing", Kind.OTHER),
        ("get", "/thing/{thingId}", Kind.RETRIEVE),
        ("patch", "/thing/{id}", Kind.PATCH),
        ("put", "/thing/{id}", Kind.REPLACE),
        ("delete", "/thing/{id}", Kind.DELETE),
        ("post", "/thing/{id}", Kind.OTHER),
        ("post", "/hub", Kind.SUBSCRIBE),
        ("delete", "/hub/{id}", Kind.UNSUBSCRIBE),
        ("get", "/hub/{id}", Kind.SUBSCRIPTION),
        ("get", "/hub", Kind.SUBSCRIPTIONS),
        ("post", "/topic/{topicId}/hub", Kind.SUBSCRIBE),
        ("post", "/listener/thingCreateEvent", Kind.LISTEN),
        ("post", "/client/listener/thingCreateEvent", Kind.LISTEN),
        ("post", "/notification/thingCreationNotification", Kind.LISTEN),
        ("post", "/notification", Kind.CREATE),
        ("post", "/notification/{id}/attachment", Kind.CREATE),
        ("get", "/thing/{id}/part", Kind.LIST),
        ("post", "/thing/{id}/part", Kind.CREATE),
        ("delete", "/thing/{thingId}/part/{id}", Kind.DELETE),
        ("get", "/thing/{thingId}/{id}", Kind.OTHER),
        ("get", "/thing/x-{id}", Kind.OTHER),
        ("get", "/{id}", Kind.OTHER),
        ("get", "/", Kind.OTHER),
    ],
)
def test_an_operation_is_known_by_its_shape(method: str, path: str, kind: Kind) -> None:
    assert kind_of(path, method) is kind


def test_the_definition_of_the_resource_is_read_from_the_contract() -> None:
    contract = open_contract(OURS, overlays=OVERLAYS)
    definition = contract.bindings[0].definition
    assert definition is not None
    assert definition.type == "PartyInteraction"
    assert definition.frozen == {"id", "href", "direction"}
    assert set(definition.managed) == {"creationDate", "statusChangeDate"}
    assert {index.name for index in definition.indexes} == {
        "status,creationDate@time",
        "direction",
        "reason",
        "creationDate@time",
        "relatedParty.id[]",
        "channel.id[]",
    }
    assert definition.attributes.knows(("interactionItem", "note", "author"))
    assert not definition.attributes.knows(("interactionItem", "nope"))


NODE = {
    "type": "object",
    "required": ["must"],
    "properties": {
        "must": {"type": "string"},
        "may": {"type": "string"},
        "child": {"$ref": "#/components/schemas/Node"},
        "list": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
    },
}


def test_merge_patches_may_remove_what_is_optional_through_objects_not_arrays() -> None:
    response = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
    update = {"$ref": "#/components/schemas/Update"}
    document = {
        "paths": {
            "/node/{id}": {
                "patch": {
                    "operationId": "p",
                    "requestBody": {"content": {"application/json": {"schema": update}}},
                    "responses": {"200": response},
                }
            }
        },
        "openapi": "3.0.3",
        "components": {
            "schemas": {
                "Node": NODE,
                "Update": {"type": "object", "properties": NODE["properties"]},
            }
        },
    }
    changed = declare_merge_patches(document)
    content = changed["paths"]["/node/{id}"]["patch"]["requestBody"]["content"]
    assert set(content) == {"application/json", "application/merge-patch+json"}
    validator = SchemaCompiler(changed).compile(content["application/json"]["schema"], View.REQUEST)
    for patch, accepted in (
        ({}, True),
        ({"may": None}, True),
        ({"child": None}, True),
        ({"child": {"may": None}}, True),
        ({"child": {"must": None}}, False),
        ({"child": {"child": {"must": None}}}, False),
        ({"list": None}, True),
        ({"list": [{"must": "x", "may": None}]}, False),
        ({"list": [{}]}, False),
        ({"may": 5}, False),
    ):
        assert validator.accepts(patch) is accepted, patch


def compiled(schema: dict[str, Any], view: View = View.REQUEST, version: str = "3.0.3") -> Any:
    return SchemaCompiler({"openapi": version, "components": {"schemas": {}}}).compile(schema, view)


@pytest.mark.parametrize(
    ("schema", "value", "accepted"),
    [
        ({"type": "string", "nullable": True}, None, True),
        ({"type": "string"}, None, False),
        ({"type": "string", "enum": ["a"], "nullable": True}, None, True),
        ({"allOf": [{"type": "object"}], "nullable": True}, None, True),
        ({"type": "integer", "format": "int32"}, 2**31, False),
        ({"type": "integer", "format": "int32"}, 2**31 - 1, True),
        ({"type": "integer", "format": "int64"}, -(2**63), True),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, 0, False),
        ({"type": "string", "format": "date-time"}, "2026-11-23T10:00:00Z", True),
        ({"type": "string", "format": "date-time"}, "2026-11-23", False),
        ({"type": "string", "format": "uri"}, "https://x/y", True),
        ({"type": "string", "format": "uri"}, "x y", False),
        ({"type": "string", "format": "byte"}, "YWJj", True),
        ({"type": "string", "format": "base64"}, "abc!", False),
        ({"type": "string", "format": "made-up"}, "x", True),
        ({"type": "object", "additionalProperties": False, "properties": {}}, {"a": 1}, False),
    ],
)
def test_schemas_mean_what_openapi_says(schema: dict[str, Any], value: Any, accepted: bool) -> None:
    assert compiled(schema).accepts(value) is accepted


def test_openapi_31_is_json_schema_as_it_is() -> None:
    validator = compiled({"type": ["number", "null"], "exclusiveMinimum": 0}, version="3.1.0")
    assert [validator.accepts(each) for each in (None, 1, 0)] == [True, True, False]


def test_what_only_one_side_writes_is_required_of_that_side() -> None:
    schema = {
        "type": "object",
        "required": ["id", "secret"],
        "properties": {"id": {"readOnly": True}, "secret": {"writeOnly": True}},
    }
    assert compiled(schema, View.REQUEST).accepts({"secret": 1})
    assert not compiled(schema, View.REQUEST).accepts({"id": 1})
    assert compiled(schema, View.RESPONSE).accepts({"id": 1})


def test_violations_name_pointer_and_rule_and_echo_nothing() -> None:
    schema = {
        "type": "object",
        "required": ["a/b"],
        "properties": {
            "n": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
            "o": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            "op": {
                "anyOf": [
                    {"properties": {"op": {"enum": ["add", "test"]}}, "required": ["value"]},
                    {"properties": {"op": {"enum": ["remove"]}}},
                ]
            },
            "u": {"nullable": True, "allOf": [{"type": "object", "required": ["v"]}]},
        },
    }
    secret = "hunter2" * 1000
    violations = compiled(schema).violations(
        {"n": [secret], "o": [secret], "u": {}, "op": {"op": secret}}
    )
    texts = sorted(map(str, violations))
    assert texts == [
        "/a~1b is required",
        "/n/0 must be one of x or y",
        "/o matches none of the forms the contract allows here",
        "/op/op must be one of add or test or remove",
        "/u/v is required",
    ]


def test_a_constant_is_named() -> None:
    (violation,) = compiled({"properties": {"c": {"const": 1}}}).violations({"c": 2})
    assert str(violation) == "/c must be 1"
