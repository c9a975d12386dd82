"""Our TMF683 v4 document has the structure of the official one, and none of its sentences."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.contract.document.load import load
from app.contract.document.normalise import normalise
from app.contract.document.upgrade import upgrade
from tests.conftest import OFFICIAL_NAME, OFFICIAL_V5_NAME, OURS, OURS_V5, official_specs

PROSE = frozenset({"description", "summary", "title", "example", "examples", "externalDocs"})


def structure(document: dict[str, Any]) -> dict[str, Any]:
    """Return what an OpenAPI 3 document says to a machine."""
    normal = normalise(upgrade(document))
    return {
        "paths": without_prose(normal["paths"]),
        "schemas": without_prose(normal["components"]["schemas"]),
        "tags": [tag["name"] for tag in normal["tags"]],
        "base": normal["servers"][0]["url"],
        "info": {name: normal["info"][name] for name in ("title", "version")},
    }


def without_prose(value: Any, *, names: bool = False) -> Any:
    """Leave out prose; below `properties` the keys are attribute names and all stay."""
    if isinstance(value, dict):
        return {
            key: without_prose(inner, names=key in ("properties", "paths", "schemas", "headers"))
            for key, inner in value.items()
            if names or (key not in PROSE and not key.startswith("x-"))
        }
    return [without_prose(inner) for inner in value] if isinstance(value, list) else value


def differences(ours: Any, theirs: Any, pointer: str = "") -> Iterator[str]:
    """Yield every place where two structures differ, with both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            here = f"{pointer}/{key}"
            if key not in ours or key not in theirs:
                yield f"{here}: only in {'ours' if key in ours else 'theirs'}"
            else:
                yield from differences(ours[key], theirs[key], here)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for position, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(mine, other, f"{pointer}/{position}")
    elif ours != theirs or type(ours) is not type(theirs):
        yield f"{pointer}: {ours!r} is not {theirs!r}"


PAIRS = pytest.mark.parametrize(
    ("ours", "name"), [(OURS, OFFICIAL_NAME), (OURS_V5, OFFICIAL_V5_NAME)], ids=["v4", "v5"]
)


@PAIRS
def test_our_document_has_the_official_structure(ours: Path, name: str) -> None:
    found = list(differences(structure(load(ours)), structure(load(official_specs() / name))))
    assert not found, "\n".join(found)


@PAIRS
def test_no_official_sentence_is_in_ours(ours: Path, name: str) -> None:
    official = sentences(load(official_specs() / name))
    theirs = {each for each in official if len(each) >= 25 and " " in each}
    assert theirs
    copied = [(mine, each) for mine in sentences(load(ours)) for each in theirs if each in mine]
    assert not copied


def sentences(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in PROSE and isinstance(inner, str):
                folded = re.sub(r"\s+", " ", inner).casefold().strip(" .")
                yield folded
                yield from re.split(r"(?<=[.;]) ", folded)
            else:
                yield from sentences(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from sentences(inner)


CREATE = "PartyInteraction_Create"


@pytest.mark.parametrize(
    ("place", "change", "pointer"),
    [
        (("schemas", CREATE, "required"), ["reason"], f"/schemas/{CREATE}/required"),
        (
            ("schemas", "Note", "properties", "text", "type"),
            "number",
            "/schemas/Note/properties/text/type",
        ),
        (("schemas", "Note", "properties", "title"), {}, "/schemas/Note/properties/title"),
        (
            ("schemas", "Note", "properties", "description"),
            {},
            "/schemas/Note/properties/description",
        ),
        (
            ("paths", "/hub", "post", "responses", "202"),
            {"description": ""},
            "/paths/~/hub/post/responses/202",
        ),
        (
            ("paths", "/hub", "post", "operationId"),
            "createHub",
            "/paths/~/hub/post/operationId",
        ),
        (
            ("schemas", "TimePeriod", "properties", "endDateTime", "format"),
            "date",
            "/schemas/TimePeriod/properties/endDateTime/format",
        ),
    ],
)
def test_the_comparison_sees_a_change(place: tuple[str, ...], change: Any, pointer: str) -> None:
    original = structure(load(OURS))
    changed = copy.deepcopy(original)
    target: Any = changed
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = change
    found = list(differences(changed, original))
    assert found
    assert all(each.startswith(pointer.replace("~", "")) for each in found), found


def test_the_comparison_sees_what_is_missing() -> None:
    original = structure(load(OURS))
    changed = copy.deepcopy(original)
    del changed["schemas"]["Note"]["properties"]["author"]
    assert list(differences(changed, original)) == [
        "/schemas/Note/properties/author: only in theirs"
    ]
