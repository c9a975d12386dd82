"""Checks of a collection and its members: create, list, page, sort, filter, retrieve, change."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any
from urllib.parse import quote

from app.conformance.assertions import shown
from app.conformance.negative import broken_bodies
from app.conformance.outcome import Assertion
from app.conformance.resource_assertions import (
    differing,
    is_scalar,
    leading_elsewhere,
    miscounted,
    missing,
    not_among,
    unlike,
    without_id,
)
from app.conformance.session import Session, member, query_string
from app.contract import Binding, Kind
from app.contract.binding.operation_kinds import parents_of
from app.contract.document.examples import bodies_of
from app.contract.schema.schemas import attributes
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.filtering import RESERVED
from app.tmf630.literals import instant

_JSON = "application/json"
_MERGES = (_JSON, "application/merge-patch+json")
_OPERATIONS = ("application/json-patch+json", "application/json-patch-query+json")


class CollectionChecks:
    """Tries the operations of one collection after the other."""

    def __init__(self, run: Session) -> None:
        self._run = run

    def try_collection(self, path: str) -> None:
        """Try what the contract has at the path of a collection."""
        creating = self._run.bindings.get((Kind.CREATE, path))
        listing = self._run.bindings.get((Kind.LIST, path))
        sent: Resource = {}
        created: Resource | None = None
        if creating is not None and creating.definition is not None:
            sent, created = self._try_creation(path, creating, creating.definition)
        listed = self._try_list(path, listing, sent, created) if listing is not None else []
        definition = next(
            (
                each.definition
                for (_, other), each in self._run.bindings.items()
                if other == path and each.definition is not None
            ),
            None,
        )
        if definition is None:
            return
        mine = created is not None
        subject = created or _first_with_id(listed)
        if subject is not None:
            tag = self._try_reading(path, definition, subject)
            self._try_changes(path, definition, subject, tag, mine=mine)

    def try_nested(self, path: str) -> None:
        """Try a collection within another resource, one that is created for it where possible."""
        ids: dict[str, str] = {}
        for name in parents_of(path):
            around = path.partition(f"/{{{name}}}")[0]
            rest = path.removeprefix(f"{around}/{{{name}}}/")
            with self._run.inside(ids):
                id = self._holder(around, f"{around}/{{{name}}}/{rest.partition('/')[0]}")
            if id is None:
                return
            ids[name] = id
        with self._run.inside(ids):
            self.try_collection(path)

    def _holder(self, path: str, inner: str) -> str | None:
        """Return the id of a resource that holds the collection at `inner`, with an element in it.

        It is None where there is no such resource.
        """
        creating = self._run.bindings.get((Kind.CREATE, path))
        listing = self._run.bindings.get((Kind.LIST, path))
        found: Any = None
        if creating is not None and creating.definition is not None:
            body = self._run.with_element(creating, self._run.sample(creating), inner)
            status = (creating.definition.answers.created,)
            purpose = "create what others lie within"
            found = self._run.ask(creating, "POST", path, body, purpose, expect=status)
        elif listing is not None:
            listed = self._run.ask(listing, "GET", path, None, "list", returns=list)
            found = _first_with_id(listed or [])
        id = found.get("id") if isinstance(found, dict) else None
        return str(id) if id is not None else None

    def _try_creation(
        self, path: str, binding: Binding, definition: ResourceDefinition
    ) -> tuple[Resource, Resource | None]:
        """Create in every way; return what was sent and what the last creation answered."""
        schema = self._run.request_schema(binding)
        if schema is None:
            self._run.skip(binding, "its request body has no schema")
            return {}, None
        mark = uuid.uuid4().hex[:12]
        stated = self._run.stated_body(path, binding)
        created = None
        if stated is not None:
            sent = dict(stated)
            created = self._create(binding, definition, sent, "the body of --data")
        else:
            examples = bodies_of(self._run.published_examples(binding))
            for number, example in enumerate(examples, 1):
                self._create(binding, definition, without_id(example), f"example {number}")
            # Other texts than the next one has, so that a filter has something to leave out.
            small = self._run.sample(binding, mark=f"{mark}-least", whole=False)
            least = self._create(binding, definition, small, "mandatory attributes alone")
            sent = self._run.sample(binding, mark=mark)
            created = self._create(binding, definition, sent, "all plain attributes") or least
        if attributes(self._run.document, schema).required:
            self._run.ask(
                binding, "POST", path, {}, "an empty object", expect=self._run.refusals(binding)
            )
        if _JSON in binding.bodies and created is not None:
            accepts = partial(self._run.accepts, binding)
            for broken in broken_bodies(self._run.document, schema, sent, accepts):
                self._run.ask(
                    binding,
                    "POST",
                    path,
                    broken.body,
                    broken.rule,
                    expect=self._run.refusals(binding),
                    pointer=broken.pointer,
                )
        return sent, created

    def _create(
        self, binding: Binding, definition: ResourceDefinition, body: Resource, purpose: str
    ) -> Resource | None:
        status = definition.answers.created
        created = self._run.ask(
            binding,
            "POST",
            binding.path,
            body,
            f"create with {purpose}",
            expect=(status,),
            returns=None if status == 204 else dict,
        )
        if not isinstance(created, dict):
            return None
        if not binding.several:
            location = leading_elsewhere(self._run.last_header("location"), created)
            self._run.check(Assertion("Location leads to what was created", location))
        self._run.check(
            Assertion("Instance has id and href", missing(created, ("id", "href"))),
            Assertion("Instance has all mandatory attributes", missing(created, tuple(body))),
            Assertion("Instance has the values sent", differing(definition, body, created)),
        )
        return created if isinstance(created.get("id"), str | int) else None

    def _try_list(
        self, path: str, listing: Binding, sent: Resource, created: Resource | None
    ) -> list[Any]:
        """Try a list in every way; return what is listed without any conditions."""
        demanded = self._run.demanded(listing, created or {})
        target = path + query_string(demanded)
        listed = self._run.ask(listing, "GET", target, None, "list", returns=list) or []
        declared = self._run.declared_parameters(listing)
        if "limit" in declared:
            self._try_pages(path, listing, demanded, offset="offset" in declared)
        if "sort" in declared:
            self._try_sorting(path, listing, demanded)
        if created is None:
            return listed
        scalars = {name: created.get(name) for name, value in sent.items() if is_scalar(value)}
        for name, value in {"id": created["id"], **scalars}.items():
            if name in RESERVED or "." in name or not is_scalar(value):
                continue  # as a parameter, it is no condition on the attribute
            if _is_no_instant(listing.definition, name, value):
                continue
            target = path + query_string({**demanded, name: value})
            found = (
                self._run.ask(listing, "GET", target, None, f"filter by {name}", returns=list) or []
            )
            others = [each.get(name) for each in found if each.get(name) != value]
            wrong = f"such as {shown(others[0])}" if others else None
            total = self._run.last_header("x-total-count")
            if name == "id":
                count = Assertion("X-Total-Count counts what is found", miscounted(total, found))
                self._run.check(count)
            self._run.check(
                Assertion("What was created is found", not_among(created["id"], found)),
                Assertion("Nothing else is found", wrong),
            )
        return listed

    def _try_pages(self, path: str, listing: Binding, demanded: Resource, *, offset: bool) -> None:
        first_target = path + query_string({**demanded, "limit": 1})
        first = self._run.ask(listing, "GET", first_target, None, "page of one", returns=list)
        if first is None:
            return
        total = self._run.last_header("x-total-count")
        count = self._run.last_header("x-result-count")
        self._run.check(
            Assertion(
                "A page has no more than its limit",
                f"it has {len(first)}" if len(first) > 1 else None,
            ),
            Assertion("X-Total-Count is a number", _no_number(total)),
            Assertion(
                "X-Result-Count counts the page",
                None if count in (None, str(len(first))) else f"it is {count}",
            ),
        )
        if not offset or not first:
            return
        target = path + query_string({**demanded, "offset": 1, "limit": 1})
        second = self._run.ask(listing, "GET", target, None, "page behind the first", returns=list)
        if second:
            same = second[0].get("id") == first[0].get("id")
            self._run.check(
                Assertion("offset leaves out what came before", "the same item" if same else None)
            )

    def _try_sorting(self, path: str, listing: Binding, demanded: Resource) -> None:
        up, down = (
            self._run.ask(
                listing,
                "GET",
                path + query_string({**demanded, "sort": f"{sign}id"}),
                None,
                f"sort by {sign}id",
                returns=list,
            )
            for sign in ("", "-")
        )
        for found, backwards in ((up, False), (down, True)):
            ids = [each.get("id") for each in found or ()]
            numbers = all(isinstance(each, int) for each in ids)
            if ids != sorted(ids, key=None if numbers else str, reverse=backwards):
                self._run.check(
                    Assertion("The list is in the order of sort", "ids are out of order")
                )
                return

    def _try_reading(
        self, path: str, definition: ResourceDefinition, subject: Resource
    ) -> str | None:
        """Retrieve in every way; return the entity tag, None where the server sends none."""
        reading = self._run.bindings.get((Kind.RETRIEVE, path))
        if reading is None:
            return None
        target = member(path, subject["id"])
        read = self._run.ask(reading, "GET", target, None, "retrieve", returns=dict)
        self._run.check(Assertion("It is what was created", unlike(subject, read)))
        tag = self._run.last_header("etag")
        if tag:
            headers = {"If-None-Match": tag}
            self._run.ask(reading, "GET", target, None, "unchanged", expect=(304,), headers=headers)
        names = [name for name in subject if name not in definition.identity]
        if names:
            query = f"?fields={quote(names[0], safe='@')}"
            part = self._run.ask(reading, "GET", target + query, None, f"select {names[0]}")
            if isinstance(part, dict):
                extra = sorted(part.keys() - {names[0], "@type", *definition.identity})
                self._run.check(
                    Assertion("It has the attribute selected", missing(part, (names[0],))),
                    Assertion("It has no other attribute", f"it has {extra[0]}" if extra else None),
                )
        unknown = member(path, _unknown(subject["id"]))
        self._run.ask(reading, "GET", unknown, None, "retrieve what does not exist", expect=(404,))
        return tag

    def _try_changes(
        self,
        path: str,
        definition: ResourceDefinition,
        subject: Resource,
        tag: str | None,
        *,
        mine: bool,
    ) -> None:
        target, unknown = member(path, subject["id"]), member(path, _unknown(subject["id"]))
        patching = self._run.bindings.get((Kind.PATCH, path))
        replacing = self._run.bindings.get((Kind.REPLACE, path))
        deleting = self._run.bindings.get((Kind.DELETE, path))
        reason = "nothing was created, and the resources of others are not changed"
        for binding in (patching, replacing, deleting):
            if binding is not None and not mine:
                self._run.skip(binding, reason)
        if patching is not None:
            if mine:
                self._try_patches(target, patching, definition, subject, tag)
            body = self._run.identity(patching, subject)
            self._run.ask(
                patching, "PATCH", unknown, body, "patch what does not exist", expect=(404,)
            )
        if replacing is not None and mine:
            self._try_replacement(target, replacing, definition)
        if deleting is None:
            return
        if mine:
            deleted = (definition.answers.deleted,)
            self._run.ask(deleting, "DELETE", target, None, "delete", expect=deleted)
            reading = self._run.bindings.get((Kind.RETRIEVE, path))
            if reading is not None:
                self._run.ask(
                    reading, "GET", target, None, "retrieve what is deleted", expect=(404,)
                )
        self._run.ask(
            deleting, "DELETE", unknown, None, "delete what does not exist", expect=(404,)
        )

    def _try_replacement(
        self, target: str, replacing: Binding, definition: ResourceDefinition
    ) -> None:
        body = self._run.sample(replacing, mark=uuid.uuid4().hex[:12])
        if not isinstance(body, dict):
            self._run.skip(replacing, "its request body has no schema")
            return
        body = without_id(body)
        status = definition.answers.replaced
        replaced = self._run.ask(
            replacing,
            "PUT",
            target,
            body,
            "replace",
            expect=(status,),
            returns=None if status == 204 else dict,
        )
        if isinstance(replaced, dict):
            self._run.check(Assertion("It is changed", differing(definition, body, replaced)))

    def _try_patches(
        self,
        target: str,
        patching: Binding,
        definition: ResourceDefinition,
        created: Resource,
        tag: str | None,
    ) -> None:
        schema = self._run.request_schema(patching)
        if schema is None:
            self._run.skip(patching, "its request body has no schema")
            return
        current = dict(created)
        name = self._run.free_text(schema, definition, created)
        for media_type in self._patch_media_types(patching):
            change = self._run.identity(patching, current) if media_type in _MERGES else {}
            if name is not None:
                change[name] = f"{current[name]} changed"
            body: Any = change
            if media_type in _OPERATIONS:
                if name is None:
                    self._run.skip(patching, f"no attribute is free to be changed by {media_type}")
                    continue
                body = [{"op": "replace", "path": f"/{name}", "value": change[name]}]
            changed = self._run.ask(
                patching,
                "PATCH",
                target,
                body,
                f"patch by {media_type}",
                expect=(definition.answers.changed,),
                returns=None if definition.answers.changed == 204 else dict,
                headers={"Content-Type": media_type},
            )
            if isinstance(changed, dict):
                rest = {key: value for key, value in current.items() if key not in change}
                self._run.check(
                    Assertion("It is changed", differing(definition, change, changed)),
                    Assertion(
                        "The rest is not",
                        differing(definition, rest, changed) or missing(changed, tuple(current)),
                    ),
                )
                current.update(change)
            before, tag = tag, self._run.last_header("etag")
            if name is not None and before and tag:
                same = f"it is {tag} as before" if before == tag else None
                self._run.check(Assertion("ETag is another after a change", same))
        if tag and not tag.startswith("W/"):
            self._run.ask(
                patching,
                "PATCH",
                target,
                self._run.identity(patching, current),
                "patch another version",
                expect=(412,),
                headers={"If-Match": '"no-such-version"'},
            )

    def _patch_media_types(self, patching: Binding) -> list[str]:
        declared = self._run.published_media_types(patching)
        known = [each for each in (*_MERGES, *_OPERATIONS) if each in declared]
        return [each for each in known or [_JSON] if each in patching.bodies]


def _unknown(id: str | int) -> str | int:
    """Return an id that no resource has, of the type of another."""
    return str(uuid.uuid4()) if isinstance(id, str) else uuid.uuid4().int >> 75


def _is_no_instant(definition: ResourceDefinition | None, name: str, value: Any) -> bool:
    """Whether a value is none of the date-times that the answer's schema has there.

    Requests may have it where a document contradicts itself; no filter compares with it.
    """
    instants = definition is not None and definition.attributes.is_instant((name,))
    return instants and (not isinstance(value, str) or instant(value) is None)


def _no_number(text: str | None) -> str | None:
    return None if text is None or text.isdecimal() else f"it is {shown(text)}"


def _first_with_id(listed: list[Any]) -> Resource | None:
    """Return a resource that exists, for the checks that only read."""
    found = (
        each for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str | int)
    )
    return next(found, None)
