"""What can go wrong in a store, in the store's own terms."""


class StoreError(Exception):
    """The store cannot serve; the message says why in words for an operator."""


class StoreUrlError(StoreError):
    """A store URL names no adapter, or is not of its adapter's form."""


class StoreBusy(StoreError):
    """The store is held by something else and did not become free within the waiting time."""


class QueryTooSlow(StoreError):
    """A query used up its time; the store has stopped working on it."""


class DocumentNotFound(Exception):
    """No document of that id is in the collection."""

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"{collection} {id} does not exist")
        self.collection = collection
        self.id = id


class DocumentExists(Exception):
    """A document of that id is in the collection already."""

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"{collection} {id} exists already")
        self.collection = collection
        self.id = id


class DocumentTooLarge(Exception):
    """A document is larger than the store can keep."""


class VersionConflict(Exception):
    """The document has changed since the version the caller read."""

    def __init__(self, collection: str, id: str, expected: int) -> None:
        super().__init__(f"{collection} {id} is no longer at version {expected}")
        self.collection = collection
        self.id = id
        self.expected = expected


class UnsupportedQuery(Exception):
    """A query is well formed, but this store cannot answer it."""
