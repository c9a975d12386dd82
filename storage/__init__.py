"""Storage of documents: one port, its adapters, and nothing of HTTP or TM Forum in either.

The rest of the program imports this package alone: the port (`Store`), the query tree, the
errors, and `open_store`, which finds the adapter a store URL asks for.
"""

from storage.errors import (
    DocumentExists,
    DocumentNotFound,
    StoreBusy,
    StoreError,
    StoreUrlError,
    UnsupportedQuery,
    VersionConflict,
)
from storage.opening import open_store
from storage.port import Document, Index, Page, Store
from storage.query import (
    And,
    Comparison,
    Condition,
    Not,
    Operator,
    Or,
    Path,
    Query,
    SortKey,
    Window,
)

__all__ = [
    "And",
    "Comparison",
    "Condition",
    "Document",
    "DocumentExists",
    "DocumentNotFound",
    "Index",
    "Not",
    "Operator",
    "Or",
    "Page",
    "Path",
    "Query",
    "SortKey",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreUrlError",
    "UnsupportedQuery",
    "VersionConflict",
    "Window",
    "open_store",
]
