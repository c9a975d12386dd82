"""A conformance run derived from any TMF contract: what each operation must do, tried over HTTP.

For each collection: create from the document's example and from its schema, retrieve, list, filter
by each scalar attribute, select attributes, patch, ask for what is not there, send what is not
allowed, delete. For each hub: register and unregister. For each listener: receive an event. Only
what the contract declares is tried, and every answer is held against it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from urllib.parse import quote

import httpx

from app.conformance.assertions import shown
from app.conformance.outcome import Assertion, Exchange, Outcome
from app.conformance.resource_assertions import (
    differing,
    is_scalar,
    missing,
    not_among,
    of_contract,
    parsed,
    unlike,
    without_id,
)
from app.conformance.runner import HEADERS, SECONDS
from app.conformance.sample import sample
from app.conformance.suite import Request
from app.contract import Binding, Contract, Kind
from app.contract.binding.operation_kinds import collection_of
from app.contract.document.examples import examples_of
from app.contract.schema.schemas import attributes, body_schema
from app.tmf630.definitions import ResourceDefinition

CALLBACK = "https://listener.example.com/events/"


def run_derived(
    contract: Contract,
    base_url: str,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Outcome:
    """Try every operation of the contract against the API at `base_url`, with `headers`.

    A request that gets no answer within `seconds` is a failed assertion; nothing is raised for it.
    """
    started = datetime.now(UTC)
    base_url = base_url.rstrip("/")
    sent = {**HEADERS, **(headers or {})}
    with httpx.Client(headers=sent, timeout=seconds, follow_redirects=True) as client:
        session = _Session(contract, base_url, client)
        exchanges = tuple(session.exchanges())
    title = f"{contract.title} {contract.version}, derived from its contract"
    return Outcome(title, base_url, started, exchanges)


class _Session:
    """One run: what was sent, what came back."""

    def __init__(self, contract: Contract, base_url: str, client: httpx.Client) -> None:
        self._contract = contract
        self._base_url = base_url
        self._client = client
        self._done: list[Exchange] = []
        self._bindings = {
            (each.kind, collection_of(each.path)): each
            for each in contract.bindings
            if each.unserved is None
        }

    def exchanges(self) -> Iterator[Exchange]:
        for (kind, path), binding in self._bindings.items():
            if "{" in path:
                continue  # within a resource: what is there depends on which
            if kind is Kind.CREATE:
                self._try_collection(path, binding)
            elif kind is Kind.SUBSCRIBE:
                self._try_hub(path, binding)
            elif kind is Kind.LISTEN:
                self._try_listener(binding)
        yield from self._done

    def _try_collection(self, path: str, binding: Binding) -> None:
        definition = binding.definition
        schema = self._request_schema(binding)
        if definition is None or schema is None:
            return
        document = self._contract.document
        mark = uuid.uuid4().hex[:12]
        for example in examples_of(document, binding.path, binding.method):
            self._create(binding, definition, without_id(example))
        self._create(binding, definition, sample(document, schema, mark=mark, whole=False))
        sent = sample(document, schema, mark=mark)
        created = self._create(binding, definition, sent)
        if attributes(document, schema).required:
            self._ask("POST", path, {}, binding, status=400)
        listing = self._bindings.get((Kind.LIST, path))
        if listing is not None:
            demanded = self._demanded(listing, created or {})
            self._ask("GET", path + _query(demanded), None, listing)
        if created is None:
            return
        if listing is not None:
            self._try_filters(path, listing, sent, created)
        self._try_member(path, definition, created)

    def _create(
        self, binding: Binding, definition: ResourceDefinition, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        status = definition.answers.created
        returns = None if status == 204 else dict
        created = self._ask("POST", binding.path, body, binding, status, returns=returns)
        if not isinstance(created, dict):
            return None
        checks = [
            Assertion("Instance has id and href", missing(created, ("id", "href"))),
            Assertion("Instance has all mandatory attributes", missing(created, tuple(body))),
            Assertion("Instance has the values sent", differing(definition, body, created)),
        ]
        self._assert(*checks)
        return created if isinstance(created.get("id"), str) else None

    def _try_filters(
        self, path: str, listing: Binding, sent: dict[str, Any], created: dict[str, Any]
    ) -> None:
        demanded = self._demanded(listing, created)
        scalars = {name: created.get(name) for name, value in sent.items() if is_scalar(value)}
        for name, value in {"id": created["id"], **scalars}.items():
            if not is_scalar(value):
                continue
            target = path + _query({**demanded, name: value})
            found = self._ask("GET", target, None, listing, returns=list) or []
            others = [each.get(name) for each in found if each.get(name) != value]
            wrong = f"such as {shown(others[0])}" if others else None
            self._assert(
                Assertion("What was created is found", not_among(created["id"], found)),
                Assertion("Nothing else is found", wrong),
            )

    def _try_member(
        self, path: str, definition: ResourceDefinition, created: dict[str, Any]
    ) -> None:
        target = f"{path}/{quote(created['id'], safe=':')}"
        unknown = f"{path}/{uuid.uuid4()}"
        reading = self._bindings.get((Kind.RETRIEVE, path))
        if reading is not None:
            read = self._ask("GET", target, None, reading, returns=dict)
            self._assert(Assertion("It is what was created", unlike(created, read)))
            self._try_selection(target, reading, definition, created)
            self._ask("GET", unknown, None, reading, status=404)
        patching = self._bindings.get((Kind.PATCH, path))
        if patching is not None:
            self._try_patch(target, patching, definition, created)
            self._ask("PATCH", unknown, self._identity(patching, created), patching, status=404)
        deleting = self._bindings.get((Kind.DELETE, path))
        if deleting is not None:
            self._ask("DELETE", target, None, deleting, definition.answers.deleted)
            if reading is not None:
                self._ask("GET", target, None, reading, status=404)
            self._ask("DELETE", unknown, None, deleting, status=404)

    def _try_selection(
        self,
        target: str,
        reading: Binding,
        definition: ResourceDefinition,
        created: dict[str, Any],
    ) -> None:
        names = [name for name in created if name not in definition.identity]
        if not names:
            return
        part = self._ask("GET", f"{target}?fields={quote(names[0], safe='@')}", None, reading)
        if isinstance(part, dict):
            allowed = {names[0], "@type", *definition.identity}
            extra = sorted(part.keys() - allowed)
            self._assert(
                Assertion("It has the attribute selected", missing(part, (names[0],))),
                Assertion("It has no other attribute", f"it has {extra[0]}" if extra else None),
            )

    def _try_patch(
        self,
        target: str,
        patching: Binding,
        definition: ResourceDefinition,
        created: dict[str, Any],
    ) -> None:
        schema = self._request_schema(patching)
        if schema is None:
            return
        described = attributes(self._contract.document, schema)
        change = self._identity(patching, created)
        free = (
            name
            for name, value in created.items()
            if isinstance(value, str)
            and name not in {"id", "href", *definition.frozen, *definition.managed}
            and not name.startswith("@")
            and described.properties.get(name, {}).get("type") == "string"
            and not described.properties[name].keys() & {"enum", "format", "pattern"}
        )
        name = next(free, None)
        if name is not None:
            change[name] = f"{created[name]} changed"
        changed = self._ask(
            "PATCH", target, change, patching, definition.answers.changed, returns=dict
        )
        if isinstance(changed, dict):
            expected = {**created, **change}
            self._assert(
                Assertion("It is changed", differing(definition, change, changed)),
                Assertion("The rest is not", differing(definition, expected, changed)),
            )

    def _try_hub(self, path: str, binding: Binding) -> None:
        schema = self._request_schema(binding)
        if schema is None or binding.definition is None:
            return
        wanted = sample(self._contract.document, schema, whole=False)
        wanted["callback"] = CALLBACK + uuid.uuid4().hex
        answer = self._ask(
            "POST", path, wanted, binding, binding.definition.answers.created, returns=dict
        )
        self._ask("POST", path, {}, binding, status=400)
        if not isinstance(answer, dict):
            return
        self._assert(
            Assertion("Subscription has an id", missing(answer, ("id",))),
            Assertion("Subscription has the callback", missing(answer, ("callback",))),
        )
        target = f"{path}/{answer.get('id')}"
        reading = self._bindings.get((Kind.SUBSCRIPTION, path))
        if reading is not None:
            self._ask("GET", target, None, reading, returns=dict)
        leaving = self._bindings.get((Kind.UNSUBSCRIBE, path))
        if leaving is not None:
            self._ask("DELETE", target, None, leaving, binding.definition.answers.deleted)
            self._ask("DELETE", target, None, leaving, status=404)

    def _try_listener(self, binding: Binding) -> None:
        schema = self._request_schema(binding)
        if schema is None or binding.listener is None:
            return
        document = self._contract.document
        events = examples_of(document, binding.path, binding.method)
        for event in [*events, sample(document, schema)]:
            self._ask("POST", binding.path, event, binding, binding.listener.status)

    def _demanded(self, listing: Binding, created: dict[str, Any]) -> dict[str, Any]:
        """Return the query parameters that a list cannot do without, so that it has `created`."""
        document = self._contract.document
        operation = document["paths"][listing.path][listing.method]
        return {
            each["name"]: created.get(each["name"], sample(document, each["schema"]))
            for each in operation.get("parameters", [])
            if each["in"] == "query" and each.get("required")
        }

    def _identity(self, patching: Binding, created: dict[str, Any]) -> dict[str, Any]:
        """Return what a patch must carry whatever it changes."""
        schema = self._request_schema(patching)
        required = attributes(self._contract.document, schema or {}).required
        return {name: created[name] for name in sorted(required) if name in created}

    def _request_schema(self, binding: Binding) -> dict[str, Any] | None:
        return body_schema(self._contract.document["paths"][binding.path][binding.method])

    def _ask(
        self,
        method: str,
        target: str,
        body: Any,
        binding: Binding,
        status: int | None = None,
        returns: type | None = None,
    ) -> Any:
        """Make one request, assert its status and that its answer follows the contract."""
        request = Request(method, target)  # type: ignore[arg-type]
        url = self._base_url + target
        begin = perf_counter()
        try:
            response = self._client.request(method, url, json=body)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure = f"{type(error).__name__}: {error}"
            self._done.append(Exchange(request, (Assertion("Request is answered", failure),), url))
            return None
        milliseconds = (perf_counter() - begin) * 1000
        expected = (200, 206) if status is None else (status,)
        wrong = None
        if response.status_code not in expected:
            wrong = f"it is {response.status_code}: {shown(response.content)}"
        name = " or ".join(map(str, expected))
        found = [Assertion(f"Status code is {name}", wrong)]
        value = parsed(response)
        selected = "fields=" in target
        found += of_contract(binding, response.status_code, value, selected=selected)
        if returns is not None and not isinstance(value, returns):
            kind = "an array" if returns is list else "an object"
            found.append(Assertion(f"Body is {kind}", shown(response.content)))
            value = None
        size = len(response.content)
        done = Exchange(request, tuple(found), url, response.status_code, milliseconds, size)
        self._done.append(done)
        return value if wrong is None else None

    def _assert(self, *assertions: Assertion) -> None:
        """Add assertions to the last request."""
        last = self._done.pop()
        together = (*last.assertions, *assertions)
        self._done.append(
            Exchange(last.request, together, last.url, last.status, last.milliseconds, last.size)
        )


def _query(parameters: Mapping[str, Any]) -> str:
    """Return a query string with `?`, as clients of TM Forum APIs write it; empty without any."""
    stated = []
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        stated.append(f"{quote(name, safe='@')}={quote(text, safe=':/')}")
    return f"?{'&'.join(stated)}" if stated else ""
