"""The handler context: what all handlers of a server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.paging import Cursors
from storage import Documents


@dataclass(frozen=True, slots=True)
class HandlerContext:
    """What all handlers of a server share.

    `check_callback` raises `BadCallback` for a URL that events may not be sent to.
    `begin_delivery` starts the delivery of events to a new subscription, from now on.
    `return_duplicates` answers a repeated registration with the existing subscription instead of
    409.
    """

    store: Documents
    limits: Limits
    cursors: Cursors
    require_if_match: bool = False
    return_duplicates: bool = False
    check_callback: Callable[[str], None] = lambda url: None
    begin_delivery: Callable[[ResourceDefinition, str], None] = lambda hub, id: None
