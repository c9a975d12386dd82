"""A contract ready to be served, and the pipeline that makes it from a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.contract.answers import with_true_answers
from app.contract.binding.event_definitions import EventDefinition, events_of
from app.contract.binding.operations import Binding, bind, bind_by_name
from app.contract.binding.resource_definitions import resource_name
from app.contract.binding.security import Authentication, secure
from app.contract.document import normalise
from app.contract.document.composition import check_composition
from app.contract.document.examples import without_contradictions
from app.contract.document.filter_parameters import declare_filters
from app.contract.document.listener_bodies import accept_any_events
from app.contract.document.load import Json, load
from app.contract.document.overlay import Applied, Overlay, apply
from app.contract.document.patch_media_types import declare_merge_patches
from app.contract.document.repair import repair
from app.contract.document.repair_alternatives import repair_alternatives
from app.contract.document.repair_schemas import repair_schemas
from app.contract.document.request_rules import declare_request_rules
from app.contract.document.responses import declare_responses
from app.contract.document.sample_examples import with_samples
from app.contract.document.upgrade import upgrade
from app.contract.document.validate import validate
from app.contract.errors import Problem
from app.contract.evolution.mapping import Mapping as VersionMapping
from app.contract.schema.discriminator import open_classes
from app.contract.schema.validators import SchemaCompiler, UnknownTypes
from app.tmf630.definitions import Change, ResourceDefinition


@dataclass(frozen=True, slots=True)
class Announced:
    """A resource of a contract, and the events it has."""

    definition: ResourceDefinition
    events: Mapping[Change, EventDefinition]


@dataclass(frozen=True, slots=True)
class Contract:
    """An OpenAPI document, ready to be served.

    `document` is the effective one: upgraded, normalised, overlaid. `base_path` has no trailing
    slash and includes the server's root path. `repaired` lists the repairs made to it,
    `contradictions` which examples were left out because they break their own schemas, and
    `request_contradictions` what requests may have and the document excludes from their answers:
    it is accepted, and answered as it is. `announced` are the resources that have events,
    `moved_from` is the base path of the document where another contract is served there, and
    `major` is the number that versions share which are not to break clients.
    """

    file: str
    title: str
    version: str
    name: str
    base_path: str
    document: Json
    repaired: tuple[Problem, ...]
    overlays: tuple[Applied, ...]
    contradictions: tuple[Problem, ...]
    request_contradictions: tuple[str, ...]
    bindings: tuple[Binding, ...]
    announced: tuple[Announced, ...]
    major: str
    moved_from: str | None = None


def read_document(file: Path) -> tuple[Json, tuple[Problem, ...]]:
    """Return a document as its author meant it, in one dialect and without overlays.

    The second value lists the repairs made to it.

    Raises:
        ContractError: the document is broken; file, JSON pointers and rules say where.
    """
    document = load(file)
    check_composition(document, str(file))
    repaired = repair(document)
    validate(document, str(file))
    return normalise.normalise(upgrade(document)), repaired


def open_contract(
    file: Path,
    *,
    overlays: Sequence[Overlay] = (),
    mappings: Sequence[VersionMapping] = (),
    profile: str = "conformance",
    base_path: str | None = None,
    root_path: str = "",
    unknown_types: UnknownTypes = UnknownTypes.KEEP,
    authentication: Authentication | None = None,
) -> Contract:
    """Load a document and make it ready to be served.

    `base_path` replaces the document's own; `root_path` comes before either. `unknown_types` says
    whether classes that the document does not list are accepted, `authentication` how callers prove
    who they are (not at all when None).

    Raises:
        ContractError: the document is broken; file, JSON pointers and rules say where.
    """
    document, repaired = read_document(file)
    repaired += repair_schemas(document) + repair_alternatives(document)
    authentication = authentication or Authentication()
    features = ("authentication",) if authentication else ()
    document, applied = apply(document, overlays, profile, features)
    document = secure(document, authentication)
    if unknown_types is UnknownTypes.KEEP:
        document = open_classes(document)
    document = declare_request_rules(declare_merge_patches(document))
    document = declare_filters(declare_responses(document))
    compiler = SchemaCompiler(document, unknown_types)
    document, contradictions = without_contradictions(document, compiler)
    document = with_samples(document, compiler)
    base = root_path + (normalise.base_path(document) if base_path is None else base_path)
    lenient = profile == "conformance"
    bindings = bind(document, base, compiler, mappings, null_is_absent=lenient, any_event=lenient)
    document, request_contradictions = with_true_answers(document, bindings)
    definitions = {each.definition.path: each.definition for each in bindings if each.definition}
    document["servers"] = [{"url": base or "/"}]
    return Contract(
        file=str(file),
        title=str(document["info"]["title"]),
        version=str(document["info"]["version"]),
        name=normalise.api_name(document),
        base_path=base,
        document=accept_any_events(document) if lenient else document,
        repaired=repaired,
        overlays=applied,
        contradictions=contradictions,
        request_contradictions=request_contradictions,
        bindings=bindings,
        announced=tuple(
            Announced(
                each,
                events_of(document, compiler, resource_name(each.path[len(base) :]), each.type),
            )
            for each in definitions.values()
            if each.announces
        ),
        major=normalise.major_version(document),
    )


def open_own_api(
    file: Path,
    *,
    overlays: Sequence[Overlay] = (),
    root_path: str = "",
    authentication: Authentication | None = None,
) -> Contract:
    """Open a document of the server's own, whose operations have handlers by their operationId.

    Of the overlays, those about authentication apply.

    Raises:
        ContractError: the document is broken.
    """
    document, _ = read_document(file)
    authentication = authentication or Authentication()
    features = ("authentication",) if authentication else ()
    fitting = [each for each in overlays if each.requires in features]
    document, applied = apply(document, fitting, "", features)
    document = secure(document, authentication)
    base = root_path + normalise.base_path(document)
    document["servers"] = [{"url": base}]
    return Contract(
        file=str(file),
        title=str(document["info"]["title"]),
        version=str(document["info"]["version"]),
        name=normalise.api_name(document),
        base_path=base,
        document=document,
        repaired=(),
        overlays=applied,
        contradictions=(),
        request_contradictions=(),
        bindings=bind_by_name(document, SchemaCompiler(document, UnknownTypes.KEEP)),
        announced=(),
        major=normalise.major_version(document),
    )
