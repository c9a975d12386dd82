"""Walking through a whole collection, page by page."""

from __future__ import annotations

from collections.abc import Iterator

from storage.port import Document, Store
from storage.query import Condition, Position, Query, Window

_PAGE = 500


def every(store: Store, collection: str, where: Condition | None = None) -> Iterator[Document]:
    """Yield every document that matches, the newest first.

    Exact while others write: each page starts where the last one ended.
    """
    after: Position | None = None
    while True:
        query = Query(where=where, window=Window(0, _PAGE), after=after, count=False)
        page = store.find(collection, query)
        yield from page.documents
        if page.end is None:
            return
        after = page.end
