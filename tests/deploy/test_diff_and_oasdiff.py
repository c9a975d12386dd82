"""Differences between contracts, held against those that oasdiff finds.

oasdiff compares schemas as they are written, `tmf683 diff` what values they allow. Each difference
between the two reports is explained here: by a rule that is checked, or by an entry in a table.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.contract.document.normalise import normalise
from app.contract.document.upgrade import upgrade
from app.contract.evolution.diff import Change, differences
from tests.app.contract.flattening import Flat, Json, attributes_of
from tests.app.contract.test_diff_flattening import PAIRS, read

VERSION = "v1.37.0"
BINARY = Path(__file__).parents[2] / "build" / "oasdiff"

ATTRIBUTES = {
    "request-property-removed": "removed",
    "response-optional-property-removed": "removed",
    "response-required-property-removed": "removed",
    "new-optional-request-property": "added",
    "response-optional-property-added": "added",
    "new-required-request-property": "added, required",
    "response-required-property-added": "added, required",
    "request-property-became-optional": "became optional",
    "response-property-became-optional": "became optional",
    "request-property-became-required": "became required",
    "response-property-became-required": "became required",
    "response-property-type-changed": "format uri became any text",
    "request-property-type-generalized": "format uri became any text",
}
OPERATIONS = {
    "api-path-removed-without-deprecation": ("operations", "removed"),
    "endpoint-added": ("operations", "added"),
    "new-optional-request-parameter": ("parameters", "added"),
    "request-body-media-type-added": ("bodies", "added"),
    "response-media-type-added": ("bodies", "added"),
    "response-success-status-added": ("answers", "added"),
    "response-success-status-removed": ("answers", "removed"),
    "response-non-success-status-added": ("answers", "added"),
    "response-non-success-status-removed": ("answers", "removed"),
}
NOT_COMPARED = {
    "api-operation-id-removed": "a name in a document: clients send methods and paths",
    "api-schema-removed": "where a schema lies does not matter to what is sent",
    "api-tag-added": "tags group operations on pages",
    "api-tag-removed": "tags group operations on pages",
    "request-body-discriminator-added": "classes are compared where both documents list them",
    "request-property-discriminator-added": "classes are compared where both documents list them",
    "response-body-discriminator-added": "classes are compared where both documents list them",
    "response-property-discriminator-added": "classes are compared where both documents list them",
    "request-property-one-of-added": "the attributes of all alternatives are compared instead",
    "response-property-one-of-added": "the attributes of all alternatives are compared instead",
}


OF_SUB_CLASSES = {
    ("category.productOffering[].bundledProductOfferingOption", "added"),
    (
        "productOffering.prodSpecCharValueUse[].productSpecCharacteristicValue[].value",
        "type any became array or number or object or string",
    ),
    (
        "productOfferingPrice.prodSpecCharValueUse[].productSpecCharacteristicValue[].value",
        "type any became array or number or object or string",
    ),
}
"""Differences of attributes that sub-classes declare, which oasdiff does not look into."""


@dataclass(frozen=True)
class Finding:
    """One difference that oasdiff reports: its rule, the operation, the attribute and the status.

    `also` are the other places at which the same schema lies.
    """

    rule: str
    operation: str
    named: str
    status: str
    also: tuple[str, ...] = ()

    @property
    def use(self) -> str:
        return "request" if "request" in self.rule else "answer"

    @property
    def place(self) -> str:
        """The attribute as `tmf683 diff` writes it."""
        return self.at(self.inside)

    @property
    def places(self) -> set[str]:
        """The attribute at every place that oasdiff names for it."""
        leaf = self.inside.rpartition(".")[2]
        others = [_inside(each) for each in self.also]
        named = [each if each.endswith(f".{leaf}") else f"{each}.{leaf}" for each in others]
        return {self.place, *map(self.at, named)}

    @property
    def inside(self) -> str:
        return _inside(self.named)

    def at(self, inside: str) -> str:
        """Return a place within the body as `tmf683 diff` writes it."""
        path = self.operation.partition(" ")[2].removesuffix("/{id}").strip("/")
        subject = "error" if self.status[:1] in ("4", "5") else path.removeprefix("listener/")
        return subject + inside.removeprefix("[]")


def _inside(named: str) -> str:
    return "".join("[]" if part == "items" else f".{part}" for part in named.split("/"))


def oasdiff(old: Path, new: Path) -> list[Finding]:
    """Return what oasdiff finds; skip the test where it cannot be had."""
    binary = shutil.which("oasdiff") or (str(BINARY) if BINARY.exists() else _built())
    command = [binary, "changelog", str(old), str(new), "--flatten-allof", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [_finding(each) for each in json.loads(done.stdout)]


def _built() -> str:
    if not shutil.which("go"):
        pytest.skip("no oasdiff, and no Go to build it with")
    environment = {**os.environ, "GOBIN": str(BINARY.parent)}
    command = ["go", "install", f"github.com/oasdiff/oasdiff@{VERSION}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"oasdiff cannot be built: {done.stderr.strip().splitlines()[-1]}")
    return str(BINARY)


def _finding(found: Json) -> Finding:
    text = found["text"]
    path = re.sub(r"\{[^{}]+\}", "{id}", found.get("path", ""))
    quoted = re.findall(r"`([^`]*)`", text)
    named = quoted[0] if quoted else ""
    if "one-of" in found["id"]:
        named = re.findall(r"to the `([^`]*)`", text)[0]
    if found["id"] == "new-optional-request-parameter":
        named = quoted[1]
    status = re.search(r"status `(\d{3})`|`(\d{3})` (?:status|response)", text)
    code = next(filter(None, status.groups())) if status else ""
    also = tuple(re.findall(r"`([^`]*)`", text.partition("also at")[2]))
    return Finding(found["id"], f"{found.get('operation', '')} {path}", named, code, also)


class Comparison:
    """Both reports on a pair of documents, and both flattenings."""

    def __init__(self, pair: str, folder: Path) -> None:
        self.documents = [read(name) for name in PAIRS[pair]]
        normal = [normalise(upgrade(each)) for each in self.documents]
        files = [folder / "old.json", folder / "new.json"]
        for file, document in zip(files, normal, strict=True):
            file.write_text(json.dumps(document, default=str))
        self.theirs = oasdiff(*files)
        self.ours = _one_each(differences(normal[0], normal[1]))
        self.flat = [attributes_of(each) for each in self.documents]
        self.unions = {
            each.at(_inside(place))
            for each in self.theirs
            if "one-of" in each.rule
            for place in (each.named, *each.also)
        }

    def is_told(self, finding: Finding) -> bool:
        """Whether our report has the same difference."""
        if finding.rule in OPERATIONS:
            group, what = OPERATIONS[finding.rule]
            place = finding.operation
            if group == "parameters":
                place = f"{place} ?{finding.named}"
            elif group == "bodies":
                place = f"{place} {finding.use} {finding.named}"
            elif group == "answers":
                place = f"{place} {finding.status}"
            return (group, place, what) in self.ours
        return ("attributes", finding.place, ATTRIBUTES[finding.rule]) in self.ours

    def is_in_an_alternative(self, finding: Finding) -> bool:
        """Whether an attribute is no longer in the object itself, but in what it may be."""
        new: Flat = self.flat[1].get((finding.operation, finding.use), {})
        return ATTRIBUTES.get(finding.rule) == "removed" and finding.inside in new

    def is_told_of_the_resource(self, finding: Finding) -> bool:
        """Whether an event carries the resource, which our report compares where it is served."""
        carried = re.search(r"\.event\.(.+)", finding.place)
        place = carried[1] if carried else ""
        return ("attributes", place, ATTRIBUTES.get(finding.rule, "")) in self.ours


def _one_each(changes: tuple[Change, ...]) -> set[tuple[str, str, str]]:
    found = set()
    for change in changes:
        what = change.what.partition(":")[0].partition(", in ")[0]
        found |= {(change.group, place, what) for place in change.places or (change.place,)}
    return found


@pytest.fixture(scope="module", params=PAIRS)
def comparison(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    return Comparison(request.param, tmp_path_factory.mktemp("documents"))


def test_what_oasdiff_finds_is_found_or_explained(comparison: Comparison) -> None:
    unexplained = [
        each
        for each in comparison.theirs
        if each.rule not in NOT_COMPARED
        and not comparison.is_told(each)
        and not comparison.is_in_an_alternative(each)
        and not comparison.is_told_of_the_resource(each)
    ]
    assert unexplained == []


def test_what_oasdiff_does_not_find_is_explained(comparison: Comparison) -> None:
    """It does not look into sub-classes, and stops where alternatives replace an object."""
    theirs = {
        (place, ATTRIBUTES[each.rule])
        for each in comparison.theirs
        if each.rule in ATTRIBUTES
        for place in each.places
    }
    unexplained = [
        (place, what)
        for group, place, what in comparison.ours
        if group == "attributes"
        and (place, what) not in theirs | OF_SUB_CLASSES
        and not place.startswith(tuple(comparison.unions))
    ]
    assert unexplained == []
