"""A conformance run derived from any TMF contract: what each operation must do, tried over HTTP.

For each collection: create from the document's examples and from its schema, break each rule of the
create schema, retrieve, list, page, sort, filter by each scalar attribute, select attributes, patch
with each media type, replace, use entity tags where the server sends them, ask for what does not
exist, delete. Collections within other resources are tried within one that is created for that. For
each hub: register, receive the events of a change, unregister. For each listener: send an event.
Every answer is checked against the contract; what is not tried is listed with the reason.
"""

from __future__ import annotations

from datetime import UTC, datetime

from app.conformance.client import Transport
from app.conformance.collection_checks import CollectionChecks
from app.conformance.hub_checks import HubChecks
from app.conformance.outcome import Outcome
from app.conformance.session import DerivedRun, Session
from app.contract import Contract, Kind


def run_derived(
    contract: Contract,
    base_url: str,
    *,
    transport: Transport | None = None,
    options: DerivedRun | None = None,
) -> Outcome:
    """Try every operation of the contract against the API at `base_url`.

    A request that gets no answer in time is a failed assertion; nothing is raised for it.
    """
    started = datetime.now(UTC)
    base_url = base_url.rstrip("/")
    with (transport or Transport()).open() as client:
        session = Session(contract, base_url, client, options or DerivedRun())
        _run(session)
    title = f"{contract.title} {contract.version}, derived from its contract"
    return Outcome(
        title,
        base_url,
        started,
        tuple(session.done),
        tuple(session.not_tried),
        tuple(session.created),
    )


def _run(session: Session) -> None:
    """Try every operation, and remove what was created."""
    collections, hubs = CollectionChecks(session), HubChecks(session)
    tried: set[str] = set()
    for (kind, path), binding in session.bindings.items():
        if kind in (Kind.LIST, Kind.CREATE, Kind.RETRIEVE) and path not in tried:
            tried.add(path)
            if "{" not in path:
                collections.try_collection(path)
        elif kind is Kind.SUBSCRIBE:
            hubs.try_hub(path, binding)
        elif kind is Kind.LISTEN:
            hubs.try_listener(binding)
    for path in sorted(tried):
        if "{" in path:
            collections.try_nested(path)
    session.list_untried()
    if not session.options.keep:
        session.remove_created()
