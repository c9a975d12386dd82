"""The session of a derived run: requests, their assertions, what was created and not tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from app.conformance.assertions import shown
from app.conformance.client import NoAnswer, is_removed, send
from app.conformance.outcome import Assertion, Exchange, NotTried
from app.conformance.resource_assertions import of_contract, of_media_type, parsed
from app.conformance.selection import Selection, label_of
from app.conformance.suite import Request
from app.contract import Binding, Contract, Kind
from app.contract.binding.operation_kinds import collection_of
from app.contract.document.examples import examples_of
from app.contract.schema.sample import sample
from app.contract.schema.schemas import (
    attributes,
    body_schema,
    element_of,
    follow,
    success_schema,
)
from app.tmf630.definitions import Resource, ResourceDefinition

_JSON = "application/json"
_OF_HTTP = frozenset({"accept", "content-type", "authorization"})
"""Headers that are not parameters, whatever a document says (OpenAPI 3.0.3, Parameter Object)."""
_WITHIN = (Kind.LIST, Kind.CREATE, Kind.RETRIEVE, Kind.PATCH, Kind.REPLACE, Kind.DELETE)
"""Operations that are tried on resources within others too."""


@dataclass(frozen=True, slots=True)
class DerivedRun:
    """How to run: `bodies` replace the samples, by resource name or operationId.

    `published` is the document as its author wrote it: optional features (paging, sorting, patch
    media types) are tried where it declares them. `listener` is the scheme and host under which
    the server reaches this machine, None for no delivery of events; `event_seconds` is how long an
    event may take. `keep` leaves what the run created.
    """

    selection: Selection = field(default_factory=Selection)
    bodies: Mapping[str, Resource] = field(default_factory=dict)
    published: Mapping[str, Any] | None = None
    listener: str | None = None
    event_seconds: float = 10.0
    keep: bool = False


class Session:
    """One run: what was sent, what was answered, what was created, what was not tried."""

    def __init__(
        self, contract: Contract, base_url: str, client: httpx.Client, options: DerivedRun
    ) -> None:
        self.contract = contract
        self.document = contract.document
        self._published = dict(options.published or contract.document)
        self._base_url = base_url
        self._client = client
        self.options = options
        self.done: list[Exchange] = []
        self.not_tried: list[NotTried] = []
        self.created: list[str] = []
        self._within: Mapping[str, str] = {}
        self.bindings = {
            (each.kind, collection_of(each.path)): each
            for each in contract.bindings
            if self._is_tried(each)
        }

    def _is_tried(self, binding: Binding) -> bool:
        reason = binding.unserved or self.options.selection.reason_against(binding)
        if reason is None and "{" in collection_of(binding.path) and binding.kind not in _WITHIN:
            reason = "it lies within another resource, and the run does not know which"
        if reason is not None:
            self.not_tried.append(NotTried(label_of(binding), reason))
        return reason is None

    @contextmanager
    def inside(self, ids: Mapping[str, str]) -> Iterator[None]:
        """Have targets lie within the resources of these ids, by the name of the parameter."""
        self._within = ids
        try:
            yield
        finally:
            self._within = {}

    def list_untried(self) -> None:
        """List the operations that no request was made for."""
        made = {each.operation for each in self.done}
        listed = {each.operation for each in self.not_tried}
        for binding in self.bindings.values():
            if label_of(binding) not in made | listed:
                self.skip(binding, "no resource was there to try it on")

    def skip(self, binding: Binding, reason: str) -> None:
        """List an operation as not tried."""
        self.not_tried.append(NotTried(label_of(binding), reason))

    def free_text(
        self, schema: Resource, definition: ResourceDefinition, created: Resource
    ) -> str | None:
        """Return the name of a plain text attribute that clients may change.

        It is the state of the lifecycle only where there is no other.
        """
        properties = attributes(self.document, schema).properties
        free = (
            name
            for name, value in created.items()
            if isinstance(value, str)
            and name not in {"id", "href", *definition.frozen, *definition.managed}
            and not name.startswith("@")
            and properties.get(name, {}).get("type") == "string"
            and not properties[name].keys() & {"enum", "format", "pattern"}
        )
        return min(free, key=lambda name: name in definition.states, default=None)

    def other_state(
        self, schema: Resource, definition: ResourceDefinition, created: Resource
    ) -> tuple[str, str] | None:
        """Return a state that a resource is not in, which clients may set, and its attribute."""
        properties = attributes(self.document, schema).properties
        for name in sorted(definition.states & properties.keys() - definition.frozen):
            stated = follow(self.document, properties[name])
            while len(stated.get("allOf", ())) == 1 and "enum" not in stated:
                stated = follow(self.document, stated["allOf"][0])
            states = stated.get("enum", ["sample", "another"])
            others = (each for each in states if each not in (None, created.get(name)))
            found = next(others, None)
            if found is not None and stated.get("readOnly") is not True:
                return name, str(found)
        return None

    def demanded(self, listing: Binding, created: Resource) -> Resource:
        """Return the query parameters that a list cannot do without, so that it has `created`."""
        allowed = {each.name: each.validator.accepts for each in listing.parameters}
        return {
            name: created[name] if name in created and allowed[name](created[name]) else value
            for name, value in self._required(listing, "query")
        }

    def _required(self, binding: Binding, place: str) -> Iterator[tuple[str, Any]]:
        """Yield the name of each parameter that an operation demands, and a value for it."""
        operation = self.document["paths"][binding.path][binding.method]
        for each in operation.get("parameters", ()):
            if each["in"] == place and each.get("required"):
                yield each["name"], sample(self.document, each.get("schema", {}))

    def declared_parameters(self, binding: Binding) -> set[str]:
        """Return the names of the parameters that the published document declares."""
        operation = self._published_operation(binding)
        return {
            each["name"]
            for each in operation.get("parameters", ())
            if isinstance(each.get("name"), str)
        }

    def identity(self, patching: Binding, created: Resource) -> Resource:
        """Return what a patch must carry whatever it changes."""
        schema = self.request_schema(patching)
        required = attributes(self.document, schema or {}).required
        return {name: created[name] for name in sorted(required) if name in created}

    def request_schema(self, binding: Binding) -> Resource | None:
        """Return the schema of an operation's JSON body; of an element where it takes a list."""
        schema = body_schema(self.document["paths"][binding.path][binding.method])
        several = schema is not None and binding.several
        return element_of(self.document, schema or {}) if several else schema

    def accepts(self, binding: Binding, body: Any) -> bool:
        """Whether the contract allows a body of one resource."""
        return binding.bodies[_JSON].accepts([body] if binding.several else body)

    def sample(self, binding: Binding, *, mark: str = "sample", whole: bool = True) -> Any:
        """Return a body that an operation accepts, None where the contract has no schema for it.

        It follows the published document, since the effective contract may want less than that;
        where the document contradicts itself, it follows what the effective contract made of it.
        """
        operation = self._published_operation(binding)
        published, schema = body_schema(operation), self.request_schema(binding)
        if published is not None:
            if binding.several:
                published = element_of(self._published, published)
            body = sample(self._published, published, mark=mark, whole=whole)
            if _JSON not in binding.bodies or self.accepts(binding, body):
                return body
        return sample(self.document, schema, mark=mark, whole=whole) if schema else None

    def with_element(self, binding: Binding, body: Any, inner: str) -> Any:
        """Return the body of a creation with an element in the array that a collection shows.

        It is as it was where the collection at `inner` shows no array of the resource.
        """
        listing = self.bindings.get((Kind.LIST, inner))
        array = listing.definition.array if listing and listing.definition else ""
        schema = success_schema(self.document["paths"][inner]["get"]) if listing and array else None
        if schema is None or not isinstance(body, dict):
            return body
        items = follow(self.document, schema).get("items", {})
        whole = {**body, array: [sample(self.document, items)]}
        return whole if _JSON not in binding.bodies or self.accepts(binding, whole) else body

    def refusals(self, binding: Binding) -> tuple[int, ...]:
        """Return the statuses that refuse a body which breaks the contract."""
        declared = self.document["paths"][binding.path][binding.method]["responses"]
        return (400, 422) if "422" in declared else (400,)

    def stated_body(self, path: str, binding: Binding) -> Resource | None:
        """Return the body that the options state for the creations of a collection."""
        bodies = self.options.bodies
        return bodies.get(path.strip("/")) or bodies.get(binding.operation_id)

    def published_examples(self, binding: Binding) -> list[Any]:
        """Return the example bodies of a request in the published document.

        The effective contract has examples of its own, which may lack what only it fills in.
        """
        found = examples_of(self.document, binding.path, binding.method)
        if self.options.published is None or not self._published_operation(binding):
            return found
        own = examples_of(self._published, binding.path, binding.method)
        return [each for each in found if each in own]

    def _published_operation(self, binding: Binding) -> Resource:
        """Return an operation as the published document has it; empty where it has none."""
        operation: Resource = (
            self._published.get("paths", {}).get(binding.path, {}).get(binding.method, {})
        )
        return operation

    def published_media_types(self, binding: Binding) -> set[str]:
        """Return the media types of request bodies that the published document declares."""
        operation = self._published_operation(binding)
        return set(operation.get("requestBody", {}).get("content", {}))

    def _answer_media_types(self, binding: Binding, status: int) -> set[str]:
        """Return the media types that the contract declares for an answer."""
        responses = self.document["paths"][binding.path][binding.method]["responses"]
        declared: Resource = responses.get(str(status), {})
        return set(declared.get("content", {}))

    def last_header(self, name: str) -> str | None:
        """Return a header of the last answer; None without it, or without an answer."""
        received = self.done[-1].received
        return dict(received.headers).get(name) if received is not None else None

    def ask(
        self,
        binding: Binding,
        method: str,
        target: str,
        body: Any,
        purpose: str,
        *,
        expect: tuple[int, ...] = (200, 206),
        returns: type | None = None,
        headers: Mapping[str, str] | None = None,
        pointer: str | None = None,
    ) -> Any:
        """Make one request, assert its status and that its answer follows the contract.

        A creation that takes a list gets one of the body, whose answer counts as that of the body.
        Return the body of an answer with an expected status, None for any other.
        """
        for name, id in self._within.items():
            target = target.replace(f"{{{name}}}", quote(id, safe=":"), 1)
        target, headers = self._with_required(binding, target, headers)
        several = method == "POST" and body is not None and binding.several
        request = Request(method, target)  # type: ignore[arg-type]
        url = self._base_url + target
        exchange = Exchange(request, (), url, operation=label_of(binding), purpose=purpose)
        try:
            answer = send(self._client, method, url, [body] if several else body, headers)
        except NoAnswer as error:
            failed = (Assertion("Request is answered", str(error)),)
            self.done.append(replace(exchange, assertions=failed, sent=error.sent))
            return None
        as_expected = answer.status in expect
        wrong = None if as_expected else f"it is {answer.status}: {shown(answer.content)}"
        name = " or ".join(map(str, expect))
        place = pointer or f"/paths/{binding.path.replace('/', '~1')}/{binding.method}/responses"
        found = [Assertion(f"Status code is {name}", wrong, place)]
        value = parsed(answer.content)
        selected = "fields=" in target
        declared = self._answer_media_types(binding, answer.status)
        received = answer.headers.get("content-type")
        found += of_media_type(declared, received, answer.content, f"{place}/{answer.status}")
        found += of_contract(binding, answer.status, value, place, selected=selected)
        if several and isinstance(value, list) and len(value) == 1:
            value = value[0]  # of the one that was sent
        if returns is not None and not isinstance(value, returns):
            kind = "an array" if returns is list else "an object"
            found.append(Assertion(f"Body is {kind}", shown(answer.content), place))
            value = None
        self.done.append(
            replace(
                exchange,
                assertions=tuple(found),
                status=answer.status,
                milliseconds=answer.milliseconds,
                size=len(answer.content),
                sent=answer.sent,
                received=answer.received,
            )
        )
        if method == "POST" and answer.status < 300 and isinstance(value, dict):
            self._note_created(binding, target, value)
        if method == "DELETE" and answer.status < 300 and url in self.created:
            self.created.remove(url)
        return value if as_expected else None

    def _with_required(
        self, binding: Binding, target: str, headers: Mapping[str, str] | None
    ) -> tuple[str, Mapping[str, str] | None]:
        """Return a target and headers with the parameters that the operation cannot do without."""
        stated = parse_qs(urlsplit(target).query, keep_blank_values=True)
        for name, value in self._required(binding, "query"):
            if name not in stated:
                added = query_string({name: value})
                target += added.replace("?", "&", 1) if "?" in target else added
        sent = {name.lower() for name in headers or ()}
        for name, value in self._required(binding, "header"):
            if name.lower() not in {*sent, *_OF_HTTP}:
                headers = {**(headers or {}), name: str(value)}
        return target, headers

    def _note_created(self, binding: Binding, target: str, value: Resource) -> None:
        id = value.get("id")
        if binding.kind in (Kind.CREATE, Kind.SUBSCRIBE) and isinstance(id, str | int):
            self.created.append(self._base_url + member(target, id))

    def remove_created(self) -> None:
        """Delete what the run created, the last first; what cannot be deleted stays listed."""
        left = [url for url in self.created[::-1] if not is_removed(self._client, url)]
        self.created[:] = left[::-1]

    def check(self, *assertions: Assertion) -> None:
        """Add assertions to the last request."""
        last = self.done.pop()
        self.done.append(replace(last, assertions=(*last.assertions, *assertions)))


def member(path: str, id: str | int) -> str:
    """Return the path of a collection's member."""
    return f"{path}/{quote(str(id), safe=':')}"


def query_string(parameters: Mapping[str, Any]) -> str:
    """Return a query string with `?`, as clients of TM Forum APIs write it; empty without any."""
    stated = []
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        stated.append(f"{quote(name, safe='@')}={quote(text, safe=':/')}")
    return f"?{'&'.join(stated)}" if stated else ""
