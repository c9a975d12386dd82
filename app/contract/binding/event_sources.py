"""Event sources: data files that say how events of other APIs become resources of this one.

A source file names the API and resource that events are about (`from`), the API and resource they
become (`into`), and how: `id` and each attribute in `attributes` is a template
(`app/contract/binding/template.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.contract.binding.template import ABSENT, rendered
from app.contract.data_files import data_files, of_kind
from app.contract.document.load import load
from app.contract.errors import ContractError, Problem
from app.tmf630.definitions import Resource


@dataclass(frozen=True, slots=True)
class Source:
    """How the events about one resource of another API become resources here."""

    title: str
    file: str
    api: str
    resource: str
    into_api: str
    into_resource: str
    into_version: str
    id: str
    attributes: Mapping[str, Any]

    @property
    def between(self) -> tuple[str, ...]:
        """The API and resource that events are about, and those that they become."""
        return (self.api, self.resource, self.into_api, self.into_resource, self.into_version)

    def local(self, payload: Resource) -> Resource:
        """Return the local attributes, `id` included, of the resource that an event describes."""
        found = {name: rendered(template, payload) for name, template in self.attributes.items()}
        found = {name: value for name, value in found.items() if value is not ABSENT}
        id = rendered(self.id, payload)
        return found if id is ABSENT else {"id": id, **found}


def read_sources(*places: Path) -> tuple[Source, ...]:
    """Read the source files at some places; one replaces another, before it, between the same two.

    Raises:
        ContractError: one is not a source file; the pointer says where.
    """
    read = map(_read, of_kind(data_files(places, "mapping", "source"), "source"))
    return tuple({each.between: each for each in read}.values())


def _read(file: Path) -> Source:
    document = load(file)
    wanted = {"from": ("api", "resource"), "into": ("api", "resource", "version")}
    for part, names in wanted.items():
        for name in names:
            if not isinstance(document.get(part, {}).get(name), str):
                raise ContractError(str(file), [Problem(f"/{part}/{name}", "must be a text")])
    if not isinstance(document.get("id"), str):
        raise ContractError(str(file), [Problem("/id", "must be a text")])
    if not isinstance(document.get("attributes"), dict):
        raise ContractError(str(file), [Problem("/attributes", "must be an object")])
    source, into = document["from"], document["into"]
    return Source(
        title=str(document.get("title", file.name)),
        file=str(file),
        api=source["api"],
        resource=source["resource"],
        into_api=into["api"],
        into_resource=into["resource"],
        into_version=into["version"],
        id=document["id"],
        attributes=document["attributes"],
    )
