"""What a change of a resource writes: its content, its form and its events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.tmf630 import lifecycle, outbox, row_access
from app.tmf630.definitions import Resource, ResourceDefinition
from app.tmf630.errors import InvalidResource, PatchConflict
from app.tmf630.json_equality import same
from app.tmf630.outbox import EventOrigin
from app.tmf630.representation import decode, encode_change
from app.tmf630.row_access import Parties
from storage import Document, DocumentTooLarge, Write


def write_of(
    definition: ResourceDefinition,
    document: Document,
    change: Callable[[Resource], Resource],
    *,
    largest: int,
    parties: Parties,
    origin: EventOrigin,
) -> Write | None:
    """Return what a change of a stored resource writes; None when it changes nothing.

    `largest` is how many bytes the resource may have.

    Raises:
        DocumentTooLarge: it would have more.
        InvalidResource: the result would break the contract.
        RowAccessDenied: the caller would not see the resource any more.
    """
    before = decode(definition, document)
    after = lifecycle.changed(definition, before, change(before))
    if same(after, before):
        return None
    definition.check(after, before)
    content, form = encode_change(definition, document, before, after)
    if len(content) > largest:
        raise DocumentTooLarge(f"{before['id']} would have {len(content)} bytes")
    row_access.check_written(definition, content, parties)
    return Write(content, form, outbox.changed(definition, before, after, content, form, origin))


@contextmanager
def result_may_conflict() -> Iterator[None]:
    """Turn a result that breaks the contract into a conflict: the change itself was sound.

    Raises:
        PatchConflict: what is done in this context would break the contract.
    """
    try:
        yield
    except InvalidResource as error:
        raise PatchConflict(f"the result breaks the contract: {error}") from None
