"""Who reads the events of a collection, asked of the database."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from storage.mongo.envelope import Bson


class Readers:
    """The documents of a collection whose ids are in one of several ranges; each is a reader."""

    def __init__(
        self, collection: Collection[Bson], ranges: Sequence[tuple[str, str | None]]
    ) -> None:
        # A reader that a majority does not have yet has not been acknowledged.
        self._collection = collection.with_options(
            read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
        )
        bounds = [{"$gte": begin, **({"$lt": end} if end else {})} for begin, end in ranges]
        self._where: Bson = {"$or": [{"_id": each} for each in bounds]}

    def are_there(self) -> bool:
        """Whether there is a reader."""
        return self._collection.find_one(self._where, {"_id": 1}) is not None
