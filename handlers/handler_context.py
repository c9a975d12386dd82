"""What handlers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.paging import Cursors
from storage import Store


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What handlers share: the store, bounds, and where clients reach the server.

    `base_url` gives scheme, host and prefix, without trailing slash, for the current request.
    `check_callback` raises `BadCallback` for an address that events may not be sent to, and
    `begin_lane` lets events flow to a new subscription from now on; `return_duplicates` says what
    becomes of a subscription that is there already.
    """

    store: Store
    base_url: Callable[[], str]
    limits: Limits
    cursors: Cursors
    require_if_match: bool = False
    return_duplicates: bool = False
    check_callback: Callable[[str], None] = lambda url: None
    begin_lane: Callable[[ResourceDefinition, str], None] = lambda hub, id: None
