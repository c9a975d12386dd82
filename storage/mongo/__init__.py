"""The production store: MongoDB, standalone, replica set or sharded cluster."""

from storage.mongo.store import MongoStore
from storage.mongo.url import check_url

__all__ = ["MongoStore", "check_url"]
