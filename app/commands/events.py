"""`events`: what operators see of events and do about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import click

from app.commands.operator_options import Place, place_options
from app.commands.output import json_lines_option, json_option, write_json_line, write_result
from app.events.operator.operations import Operations
from app.events.operator.views import DeliveryView, Listed, ReceivedView, SubscriptionView
from app.events.outbound.failed_deliveries import State
from storage import DocumentNotFound, Window

_PAGE = 100

Item = TypeVar("Item")


@click.group()
def events() -> None:
    """Show and repair the delivery of events, and see what was received.

    Every command works on a store (--store), or on a running server by its operator API (--url).
    """


@events.command(name="list")
@json_lines_option
@place_options
def list_events(as_json: bool, place: Place) -> None:
    """List every subscription, and its deliveries that wait or were parked.

    A line says how many events the subscription has yet to receive, how many retention removed
    before they were delivered, and which worker delivers them now.
    """
    with place.operations() as operations:
        found = 0
        for each in _all(operations.subscriptions):
            found += 1
            failed = list(_deliveries(operations, subscription=each["id"]))
            if as_json:
                told = {"subscription": each["id"], **each, "deliveries": failed}
                write_json_line({name: value for name, value in told.items() if name != "id"})
                continue
            click.echo(_subscription_line(each))
            for delivery in failed:
                click.echo(f"  {_delivery_line(delivery)}")
        if not found and not as_json:
            click.echo("there are no subscriptions")


@events.command()
@click.argument("delivery")
@json_lines_option
@place_options
def show(delivery: str, as_json: bool, place: Place) -> None:
    """Show a delivery, to every listener it failed for: attempts, the last error, and the event.

    DELIVERY is the id of a delivery or of an event.
    """
    with place.operations() as operations:
        for each in _chosen(operations, delivery):
            whole = operations.delivery(each["id"])
            if as_json:
                write_json_line(whole)
                continue
            click.echo(f"{_delivery_line(whole)}  {whole['subscription']}")
            write_json_line(whole["payload"])


@events.command()
@click.argument("delivery", required=False)
@click.option(
    "--subscription",
    "--lane",
    "subscription",
    help="Every delivery of this subscription; a suspended one goes on.",
)
@json_option()
@place_options
def retry(delivery: str | None, subscription: str | None, as_json: bool, place: Place) -> None:
    """Try again at once: one delivery, or a subscription with all of its own.

    A subscription that an operator has paused stays paused.
    """
    if (delivery is None) == (subscription is None):
        raise click.UsageError("name a delivery, or a --subscription")
    with place.operations() as operations:
        if subscription:
            number = operations.retry_all(subscription)
        else:
            chosen = _chosen(operations, delivery or "")
            for each in chosen:
                operations.retry(each["id"])
            number = len(chosen)
        write_result(as_json, {"retried": number}, f"{number} deliveries are tried again")


@events.command()
@click.argument("delivery", required=False)
@click.option("--parked", is_flag=True, help="Every parked delivery.")
@click.option("--subscription", help="With --parked: only those of this subscription.")
@json_option()
@place_options
def purge(
    delivery: str | None, parked: bool, subscription: str | None, as_json: bool, place: Place
) -> None:
    """Remove a delivery, or all parked ones; they are never sent."""
    if (delivery is None) != parked or (subscription and not parked):
        raise click.UsageError("name a delivery, or say --parked")
    with place.operations() as operations:
        if parked:
            number = operations.purge_all(subscription)
        else:
            chosen = _chosen(operations, delivery or "")
            for each in chosen:
                operations.purge(each["id"])
            number = len(chosen)
        write_result(as_json, {"purged": number}, f"{number} deliveries forgotten")


@events.command()
@click.argument("subscription")
@json_option()
@place_options
def pause(subscription: str, as_json: bool, place: Place) -> None:
    """Stop the deliveries to a listener until they are resumed; its events wait."""
    with place.operations() as operations:
        found = operations.pause(subscription)
        write_result(as_json, found, _subscription_line(found))


@events.command()
@click.argument("subscription")
@json_option()
@place_options
def resume(subscription: str, as_json: bool, place: Place) -> None:
    """Let a listener that is paused, suspended or resting receive events again."""
    with place.operations() as operations:
        found = operations.resume(subscription)
        write_result(as_json, found, _subscription_line(found))


@events.command()
@click.argument("subscription")
@json_option()
@place_options
@click.pass_context
def test(context: click.Context, subscription: str, as_json: bool, place: Place) -> None:
    """Send a test event to a listener, and tell what it answers.

    The event has the type TestEvent, which no contract has. The exit code is 1 when the listener
    does not accept it.
    """
    with place.operations() as operations:
        result = operations.test(subscription)
        took = f"in {result['milliseconds']} ms"
        if result["delivered"]:
            text = f"delivered {took}, event {result['event']}"
        else:
            text = f"not delivered {took}: {result.get('error', '')}"
        write_result(as_json, result, text)
    context.exit(0 if result["delivered"] else 1)


@events.command()
@click.argument("subscription")
@json_option()
@place_options
def remove(subscription: str, as_json: bool, place: Place) -> None:
    """Remove a subscription with its failed deliveries; nothing more is sent to its listener."""
    with place.operations() as operations:
        operations.remove(subscription)
        write_result(as_json, {"removed": subscription}, "removed")


@events.command()
@click.option("--limit", default=20, show_default=True, help="How many, the newest first.")
@click.option("--failed", is_flag=True, help="Only those that could not be applied.")
@json_lines_option
@place_options
def received(limit: int, failed: bool, as_json: bool, place: Place) -> None:
    """List the events that other systems have sent to the listeners here.

    A line says what became of an event, and why it could not be applied. With --json the events
    come along as they were sent.
    """
    with place.operations() as operations:
        found = operations.received(Window(0, limit), failed=failed).items
        for each in found:
            if as_json:
                write_json_line(operations.received_event(each["id"]))
            else:
                click.echo(_received_line(each))
        if not found and not as_json:
            click.echo("there are no events that failed" if failed else "there are no events")


@events.command()
@click.argument("event")
@json_option()
@place_options
@click.pass_context
def apply(context: click.Context, event: str, as_json: bool, place: Place) -> None:
    """Apply a received event again; EVENT is an id that `events received` shows.

    The exit code is 1 when it could not be applied.
    """
    with place.operations() as operations:
        found = operations.apply(event)
        write_result(as_json, found, _received_line(found))
    context.exit(1 if found["outcome"] == "failed" else 0)


def _all(find: Callable[[Window], Listed[Item]]) -> Iterator[Item]:
    """Yield every item of a list, page by page."""
    offset = 0
    while True:
        page = find(Window(offset, _PAGE))
        yield from page.items
        offset += len(page.items)
        if not page.items or offset >= page.total:
            return


def _deliveries(
    operations: Operations,
    *,
    state: State | None = None,
    subscription: str | None = None,
    event: str | None = None,
) -> Iterator[DeliveryView]:
    return _all(
        lambda window: operations.deliveries(
            window, state=state, subscription=subscription, event=event
        )
    )


def _chosen(operations: Operations, id: str) -> list[DeliveryView]:
    """Return the delivery of an id, or all of the event that has it.

    Raises:
        DocumentNotFound: there is none.
    """
    if ":" in id or "/" in id:
        return [operations.delivery(id)]
    found = list(_deliveries(operations, event=id))
    if not found:
        raise DocumentNotFound("delivery", id)
    return found


def _subscription_line(each: SubscriptionView) -> str:
    lost = f"  {each['missed']} missed" if each["missed"] else ""
    return (
        f"{each['id']}  {each['behind']} behind{lost}  {each.get('callback', 'unregistered')}"
        f"  {_state(each)}{_holder(each)}"
    )


def _state(each: SubscriptionView) -> str:
    match each["state"]:
        case "suspended":
            return f"suspended: {each['reason']}"
        case "paused":
            return each["reason"]
        case "resting":
            return f"rests until {each['restsUntil']}"
        case state:
            return state


def _holder(each: SubscriptionView) -> str:
    """Return which worker holds the lease and until when, by its own clock."""
    return f"  held by {each['holder']} until {each['heldUntil']}" if "holder" in each else ""


def _delivery_line(each: DeliveryView) -> str:
    return (
        f"{each['event']}  {each['state']}  {each['eventType']}  {each['resource']}"
        f"  {each['attempts']} attempts, {each.get('error') or 'waits behind another'}"
    )


def _received_line(each: ReceivedView) -> str:
    reason = f": {each['reason']}" if "reason" in each else ""
    named = f"  event {each['eventId']}" if "eventId" in each else ""
    return (
        f"{each['receivedAt']}  {each['id']}  {each['listener']}{named}  {each['outcome']}{reason}"
    )
