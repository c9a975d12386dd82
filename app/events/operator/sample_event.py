"""A test event: sent to one listener at once, so that an operator sees what it answers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from app.events.operator.views import TestResult
from app.events.outbound.payloads import OutgoingEvent
from app.tmf630.lifecycle import now

if TYPE_CHECKING:
    from app.events.outbound.webhook import DeliveryResult, WebhookSender

TEST_EVENT = "TestEvent"
"""The `eventType` of a test event, which no contract has, so that listeners ignore it."""

Send: TypeAlias = Callable[[str, OutgoingEvent], "DeliveryResult"]
"""Sends an event to a callback, and returns the result."""


def send_test_event(send: Send, callback: str) -> TestResult:
    """Send a test event to a callback, and return what the listener answered."""
    id = str(uuid.uuid4())
    body = {
        "eventId": id,
        "eventTime": now(),
        "eventType": TEST_EVENT,
        "title": TEST_EVENT,
        "description": "An operator tests whether this listener can be reached.",
        "event": {},
    }
    begun = perf_counter()
    result = send(callback, OutgoingEvent(id, TEST_EVENT, body))
    told: TestResult = {
        "event": id,
        "delivered": result.delivered,
        "milliseconds": round((perf_counter() - begun) * 1000),
    }
    if result.error:
        told["error"] = result.error
    return told


def sending(make_sender: Callable[[], WebhookSender]) -> Send:
    """Return a function that sends one event with a sender of its own, in a loop of its own."""

    async def send_once(callback: str, event: OutgoingEvent) -> DeliveryResult:
        sender = make_sender()
        try:
            return await sender.send(callback, event)
        finally:
            await sender.close()

    return lambda callback, event: asyncio.run(send_once(callback, event))
