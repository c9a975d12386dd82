"""The production store: MongoDB, standalone, replica set or sharded cluster."""

from storage.mongo.store import MongoStore

__all__ = ["MongoStore"]
