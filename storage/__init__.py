"""Storage of documents: one port, its adapters, and nothing of HTTP or TM Forum in either.

The rest of the program imports this package alone: the port (`Store`), the query tree, the
errors, and `open_store`, which finds the adapter a store URL asks for.
"""

from storage.errors import (
    DocumentExists,
    DocumentNotFound,
    DocumentTooLarge,
    QueryTooSlow,
    StoreBusy,
    StoreError,
    StoreUrlError,
    UnsupportedQuery,
    VersionConflict,
)
from storage.evaluation import holds
from storage.iteration import every
from storage.port import Document, Event, Group, Index, Page, Store
from storage.query import (
    INSTANT,
    And,
    Comparison,
    Condition,
    Matches,
    Not,
    Operator,
    Or,
    Path,
    Position,
    Query,
    Some,
    SortKey,
    Value,
    Window,
)
from storage.store_url import open_store

__all__ = [
    "INSTANT",
    "And",
    "Comparison",
    "Condition",
    "Document",
    "DocumentExists",
    "DocumentNotFound",
    "DocumentTooLarge",
    "Event",
    "Group",
    "Index",
    "Matches",
    "Not",
    "Operator",
    "Or",
    "Page",
    "Path",
    "Position",
    "Query",
    "QueryTooSlow",
    "Some",
    "SortKey",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreUrlError",
    "UnsupportedQuery",
    "Value",
    "VersionConflict",
    "Window",
    "every",
    "holds",
    "open_store",
]
