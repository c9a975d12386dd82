"""A database of a MongoDB server for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database


@pytest.fixture
def database(mongo: str) -> Iterator[Database[Any]]:
    client: MongoClient[Any] = MongoClient(f"{mongo}test{uuid.uuid4().hex[:12]}")
    database = client.get_default_database()
    yield database
    client.drop_database(database.name)
    client.close()
