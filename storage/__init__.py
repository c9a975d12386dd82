"""Document storage: the port (`Store`), the query tree, the errors and the adapters.

Other packages import from here only. `open_store` opens the adapter that a store URL names. Nothing
in this package knows HTTP or the TM Forum APIs.
"""

from storage.errors import (
    DocumentExists,
    DocumentNotFound,
    DocumentTooLarge,
    QueryTooSlow,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUrlError,
    UnsupportedQuery,
    UpdateContended,
    VersionConflict,
)
from storage.evaluation import holds
from storage.iteration import every
from storage.port import Document, Documents, Event, EventReaders, Group, Index, Page, Store
from storage.query import (
    INSTANT,
    And,
    AnyElement,
    Comparison,
    Condition,
    InForm,
    Matches,
    Not,
    Operator,
    Or,
    Path,
    Position,
    Query,
    SortKey,
    Value,
    Window,
)
from storage.store_url import open_store
from storage.update import Delete, Write, put, remove, update

__all__ = [
    "INSTANT",
    "And",
    "AnyElement",
    "Comparison",
    "Condition",
    "Delete",
    "Document",
    "DocumentExists",
    "DocumentNotFound",
    "DocumentTooLarge",
    "Documents",
    "Event",
    "EventReaders",
    "Group",
    "InForm",
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
    "SortKey",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreFull",
    "StoreReadOnly",
    "StoreUrlError",
    "UnsupportedQuery",
    "UpdateContended",
    "Value",
    "VersionConflict",
    "Window",
    "Write",
    "every",
    "holds",
    "open_store",
    "put",
    "remove",
    "update",
]
