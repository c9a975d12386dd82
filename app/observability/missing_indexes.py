"""Missing indexes: those that the contracts need and the store has not built yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage import Index, Store


class MissingIndexes:
    """Counts missing indexes; a collection that has all of its indexes is not checked again."""

    def __init__(self, store: Store, wanted: Mapping[str, Sequence[Index]]) -> None:
        self._store = store
        self._wanted = dict(wanted)

    def builds(self) -> dict[str, float | None]:
        """Return those being built, and what part of each is done; None where that is unknown.

        Raises:
            StoreError: the store does not answer.
        """
        return {
            name: done
            for collection in list(self._wanted)
            for name, done in self._store.index_builds(collection).items()
        }

    def count(self) -> int:
        """Return how many are missing.

        Raises:
            StoreError: the store does not answer.
        """
        missing = 0
        for collection, indexes in list(self._wanted.items()):
            there = self._store.indexes(collection)
            lacking = sum(index.name not in there for index in indexes)
            if not lacking:
                self._wanted.pop(collection, None)  # another thread may have been first
            missing += lacking
        return missing
