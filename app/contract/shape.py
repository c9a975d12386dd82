"""Shape: what an operation is, told by its method and path alone.

TM Forum renames operationIds between versions (`registerListener`, `createHub`), never the shape
of its paths.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an operation does."""

    LIST = "list"
    CREATE = "create"
    RETRIEVE = "retrieve"
    PATCH = "patch"
    REPLACE = "replace"
    DELETE = "delete"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    LISTEN = "listen"
    OTHER = "other"


_COLLECTION = {"get": Kind.LIST, "post": Kind.CREATE}
_MEMBER = {"get": Kind.RETRIEVE, "patch": Kind.PATCH, "put": Kind.REPLACE, "delete": Kind.DELETE}


def kind_of(path: str, method: str) -> Kind:
    """Return the kind of the operation with this path (below the base path) and method."""
    match path.strip("/").split("/"):
        case ["hub"]:
            return Kind.SUBSCRIBE if method == "post" else Kind.OTHER
        case ["hub", id] if _is_parameter(id):
            return Kind.UNSUBSCRIBE if method == "delete" else Kind.OTHER
        case ["listener", _]:
            return Kind.LISTEN if method == "post" else Kind.OTHER
        case [name] if name and not _is_parameter(name):
            return _COLLECTION.get(method, Kind.OTHER)
        case [name, id] if not _is_parameter(name) and _is_parameter(id):
            return _MEMBER.get(method, Kind.OTHER)
    return Kind.OTHER


def collection_of(path: str) -> str:
    """Return the resource collection's name: the first segment of the path."""
    return path.strip("/").split("/")[0]


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")
