"""Operation kinds: what an operation does, recognised by its method and path alone.

TM Forum renames operationIds between versions (`registerListener`, `createHub`); the structure of
the paths stays.
"""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import pairwise

from app.contract.document.load import Json
from app.contract.schema.schemas import body_schema, follow, success_schema


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
    SUBSCRIPTION = "subscription"
    SUBSCRIPTIONS = "subscriptions"
    LISTEN = "listen"
    OTHER = "other"


CHANGES = (Kind.CREATE, Kind.PATCH, Kind.REPLACE, Kind.SUBSCRIBE, Kind.LISTEN)
"""Operations that have a body."""

WHOLE = (Kind.CREATE, Kind.REPLACE, Kind.SUBSCRIBE)
"""Operations whose bodies are whole objects; in a merge patch, null removes an attribute."""

_COLLECTION = {"get": Kind.LIST, "post": Kind.CREATE}
_MEMBER = {"get": Kind.RETRIEVE, "patch": Kind.PATCH, "put": Kind.REPLACE, "delete": Kind.DELETE}
_HUB = {"get": Kind.SUBSCRIPTIONS, "post": Kind.SUBSCRIBE}
_HUB_MEMBER = {"get": Kind.SUBSCRIPTION, "delete": Kind.UNSUBSCRIBE}
_NOTIFIED = re.compile(r".*(Event|Notification)")
_PARAMETER = re.compile(r"\{[^/{}]+\}")


def kind_of(path: str, method: str) -> Kind:
    """Return the kind of the operation with this path (below the base path) and method.

    Resources may lie within others (`/topic/{topicId}/event`), and so may hubs.
    """
    names = collection_of(path).strip("/").split("/")
    if not _is_address(names):
        return Kind.OTHER
    if _is_listener(names):
        return Kind.LISTEN if method == "post" and not is_member(path) else Kind.OTHER
    if names[-1] == "hub":
        return (_HUB_MEMBER if is_member(path) else _HUB).get(method, Kind.OTHER)
    return (_MEMBER if is_member(path) else _COLLECTION).get(method, Kind.OTHER)


def unserved(document: Json, kind: Kind, operation: Json) -> str | None:
    """Return why no handler can serve an operation; None when one can."""
    if kind is Kind.OTHER:
        return "no handler fits this method and path"
    body = body_schema(operation)
    if kind in CHANGES and body is None:
        return "it has no JSON request body"
    answer = follow(document, success_schema(operation) or {})
    several = kind in WHOLE and follow(document, body or {}).get("type") == "array"
    if several and (kind is not Kind.CREATE or answer.get("type") != "array"):
        return "it takes a list of resources, and does not answer with one"
    if kind in (Kind.LIST, Kind.SUBSCRIPTIONS) and answer.get("type", "array") != "array":
        return "it answers one object, and no id in the path says which"
    if kind is Kind.CREATE and answer.get("type") == "array" and not several:
        return "it answers a list to one resource sent"
    return None


def collection_of(path: str) -> str:
    """Return the path of the collection: the path itself, or a member's without its last part."""
    return path.rstrip("/").rpartition("/")[0] if is_member(path) else path.rstrip("/")


def is_member(path: str) -> bool:
    """Whether the path ends in a parameter, and so leads to one member of a collection."""
    return _is_parameter(path.rstrip("/").rpartition("/")[2])


def parents_of(path: str) -> tuple[str, ...]:
    """Return the names of the parameters that say within which resource a collection lies."""
    return tuple(part[1:-1] for part in path.split("/") if _is_parameter(part))


def _is_listener(names: list[str]) -> bool:
    """Whether events are sent here: below `listener`, or `notification` in older documents."""
    return "listener" in names[:-1] or (
        "notification" in names[-2:-1] and _NOTIFIED.fullmatch(names[-1]) is not None
    )


def _is_address(names: list[str]) -> bool:
    """Whether the parts of a collection's path begin and end with a name, as `/a/{b}/c` does."""
    if not names[0] or _is_parameter(names[0]) or _is_parameter(names[-1]):
        return False
    whole = all("{" not in name or _is_parameter(name) for name in names)
    return whole and not any(
        _is_parameter(left) and _is_parameter(right) for left, right in pairwise(names)
    )


def _is_parameter(segment: str) -> bool:
    return _PARAMETER.fullmatch(segment) is not None
