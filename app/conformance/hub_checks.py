"""Checks of hubs and listeners: register, receive the events of changes, unregister."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from app.conformance.outcome import Assertion, NotTried
from app.conformance.resource_assertions import missing
from app.conformance.session import Session, member
from app.contract import Binding, Kind
from app.contract.binding.event_definitions import EventDefinition
from app.contract.contract import Announced
from app.contract.document.examples import examples_of
from app.tmf630.definitions import Answers, Change, Resource
from tmf683.event_listener import EventListener

CALLBACK = "https://listener.example.com/events/"

_REFUSALS = (400, 409, 422)
"""What a server may answer to a state that may not follow the present one."""


class HubChecks:
    """Tries hubs and listeners."""

    def __init__(self, run: Session) -> None:
        self._run = run

    def try_hub(self, path: str, binding: Binding) -> None:
        """Try the hub at a path."""
        schema = self._run.request_schema(binding)
        if schema is None or binding.definition is None:
            self._run.skip(binding, "its request body has no schema")
            return
        wanted = self._run.sample(binding, whole=False)
        wanted["callback"] = CALLBACK + uuid.uuid4().hex
        answer = self._run.ask(
            binding,
            "POST",
            path,
            wanted,
            "register",
            expect=(binding.definition.answers.created,),
            returns=dict,
        )
        self._run.ask(
            binding,
            "POST",
            path,
            {},
            "register without callback",
            expect=self._run.refusals(binding),
        )
        if self._run.options.listener is None:
            self._run.not_tried.append(
                NotTried("delivery of events", "the server does not reach a listener of this run")
            )
        else:
            with EventListener(self._run.options.listener) as listener:
                self._try_delivery(path, binding, binding.definition.answers, wanted, listener)
        if not isinstance(answer, dict):
            return
        self._run.check(
            Assertion("Subscription has an id", missing(answer, ("id",))),
            Assertion("Subscription has the callback", missing(answer, ("callback",))),
        )
        target = f"{path}/{answer.get('id')}"
        reading = self._run.bindings.get((Kind.SUBSCRIPTION, path))
        if reading is not None:
            self._run.ask(reading, "GET", target, None, "retrieve the subscription", returns=dict)
        leaving = self._run.bindings.get((Kind.UNSUBSCRIBE, path))
        if leaving is not None:
            deleted = (binding.definition.answers.deleted,)
            self._run.ask(leaving, "DELETE", target, None, "unregister", expect=deleted)
            self._run.ask(leaving, "DELETE", target, None, "unregister again", expect=(404,))

    def _try_delivery(
        self,
        path: str,
        binding: Binding,
        answers: Answers,
        wanted: Resource,
        listener: EventListener,
    ) -> None:
        """Register the run's own listener, make every kind of change, and await its event."""
        body = {**wanted, "callback": listener.url}
        expect = (answers.created,)
        answer = self._run.ask(
            binding, "POST", path, body, "register a listener of this run", expect=expect
        )
        if not isinstance(answer, dict):
            return
        for announced in self._run.contract.announced:
            resource = announced.definition.path.removeprefix(self._run.contract.base_path)
            creating = self._run.bindings.get((Kind.CREATE, resource))
            schema = self._run.request_schema(creating) if creating is not None else None
            if creating is None or schema is None:
                continue
            if "{" in resource:
                self._run.not_tried += [
                    NotTried(f"delivery of {each.type}", "its resource lies within another")
                    for each in announced.events.values()
                ]
                continue
            body = self._run.stated_body(resource, creating) or self._run.sample(creating)
            made = self._run.ask(
                creating, "POST", resource, body, "create for an event",
                expect=(announced.definition.answers.created,),
            )  # fmt: skip
            if not isinstance(made, dict) or not isinstance(made.get("id"), str | int):
                continue
            self._await(creating, announced.events, Change.CREATE, made["id"], listener)
            for change in (Change.ATTRIBUTE, Change.STATUS):
                if change not in announced.events:
                    continue
                reason = self._change_for_event(resource, announced, made, change)
                if reason is None:
                    self._await(creating, announced.events, change, made["id"], listener)
                else:
                    delivery = f"delivery of {announced.events[change].type}"
                    self._run.not_tried.append(NotTried(delivery, reason))
            deleting = self._run.bindings.get((Kind.DELETE, resource))
            if deleting is not None:
                self._run.ask(
                    deleting, "DELETE", member(resource, made["id"]), None, "delete for an event",
                    expect=(announced.definition.answers.deleted,),
                )  # fmt: skip
                self._await(creating, announced.events, Change.DELETE, made["id"], listener)
        leaving = self._run.bindings.get((Kind.UNSUBSCRIBE, path))
        if leaving is not None:
            target = f"{path}/{answer.get('id')}"
            self._run.ask(leaving, "DELETE", target, None, "unregister the listener of this run",
                      expect=(answers.deleted,))  # fmt: skip

    def _change_for_event(
        self, resource: str, announced: Announced, made: Resource, change: Change
    ) -> str | None:
        """Change the state, or another attribute; return why that cannot be.

        A server may refuse a state: which follow each other is its own.
        """
        definition = announced.definition
        patching = self._run.bindings.get((Kind.PATCH, resource))
        schema = self._run.request_schema(patching) if patching is not None else None
        if patching is None or schema is None:
            return "the contract has no patch of its resource"
        expect: tuple[int, ...] = (definition.answers.changed,)
        if change is Change.STATUS:
            state = self._run.other_state(schema, definition, made)
            if state is None:
                return "no other state is free to be set"
            body, expect = dict([state]), (*expect, *_REFUSALS)
        else:
            name = self._run.free_text(schema, definition, made)
            if name is None or (name in definition.states and Change.STATUS in announced.events):
                return "no attribute is free to be changed"
            body = {name: f"{made[name]} changed"}
        body = {**self._run.identity(patching, made), **body}
        target = member(resource, made["id"])
        self._run.ask(patching, "PATCH", target, body, "patch for an event", expect=expect)
        refused = change is Change.STATUS and self._run.done[-1].status in _REFUSALS
        return "the server refuses another state" if refused else None

    def _await(
        self,
        creating: Binding,
        events: Mapping[Change, EventDefinition],
        change: Change,
        id: str | int,
        listener: EventListener,
    ) -> None:
        """Assert, on the last request, that the event of a change arrives and fits its schema."""
        event = events.get(change)
        if event is None:
            return
        found = listener.wait_for(event.type, id, self._run.options.event_seconds)
        late = f"none arrived within {self._run.options.event_seconds:g} s"
        broken = event.validator.violations(found) if found is not None else []
        told = found.get("event") if found is not None else None
        resources = told.values() if isinstance(told, dict) else ()
        if any(isinstance(each, dict) and creating.requests_allow(each) for each in resources):
            # What the event says of the resource contradicts the document as the document does.
            broken = [each for each in broken if not each.pointer.startswith("/event/")]
        self._run.check(
            Assertion(f"{event.type} is delivered", late if found is None else None),
            Assertion(f"{event.type} follows the contract", "; ".join(map(str, broken)) or None),
        )

    def try_listener(self, binding: Binding) -> None:
        """Send events to a listener of the API."""
        schema = self._run.request_schema(binding)
        if schema is None or binding.listener is None:
            self._run.skip(binding, "its request body has no schema")
            return
        events = examples_of(self._run.document, binding.path, binding.method)
        for number, event in enumerate([*events, self._run.sample(binding)], 1):
            expect = (binding.listener.status,)
            self._run.ask(binding, "POST", binding.path, event, f"event {number}", expect=expect)
