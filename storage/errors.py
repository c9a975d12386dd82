"""The exceptions of the storage port."""


class StoreError(Exception):
    """The store cannot serve; the message tells an operator why, and `state` programs."""

    state = "unavailable"


class StoreLate(StoreError):
    """The store is there and has not answered in time, or has ended the connection.

    It may answer when it is asked again; a change may have been made.
    """


class StoreUrlError(StoreError):
    """A store URL names no adapter, or has the wrong syntax for its adapter."""


class StoreBusy(StoreError):
    """Another process locked the store for longer than a caller may wait."""

    state = "locked"


class StoreFull(StoreError):
    """The store has no room for what is written: a full disk, a quota, a limit on file sizes."""

    state = "full"


class StoreReadOnly(StoreError):
    """The store may be read, but not written."""

    state = "read-only"


class QueryTooSlow(StoreError):
    """A query exceeded its time limit and was stopped."""


class DocumentNotFound(Exception):
    """The collection has no document with the id."""

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"{collection} {id} does not exist")
        self.collection = collection
        self.id = id


class DocumentExists(Exception):
    """The collection already has a document with the id."""

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"{collection} {id} already exists")
        self.collection = collection
        self.id = id


class DocumentTooLarge(Exception):
    """The document is larger than the store accepts."""


class VersionConflict(Exception):
    """The document is not at the version that the caller read."""

    def __init__(self, collection: str, id: str, expected: int) -> None:
        super().__init__(f"{collection} {id} is no longer at version {expected}")
        self.collection = collection
        self.id = id
        self.expected = expected


class UpdateContended(Exception):
    """An update was given up: other writers changed the document before every attempt."""

    def __init__(self, collection: str, id: str) -> None:
        super().__init__(f"{id} was changed by others before every attempt to write it")
        self.collection = collection
        self.id = id


class UnsupportedQuery(Exception):
    """The query is well formed, but this store cannot answer it."""
