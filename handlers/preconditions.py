"""Conditional requests: strong entity tags, `If-Match` and `If-None-Match` (RFC 9110 §13)."""

from __future__ import annotations

import re
from hashlib import blake2b

from app.tmf630.errors import BadPrecondition, PreconditionFailed, PreconditionRequired
from handlers import request_context
from storage import Document

_TAG = re.compile(r'(W/)?"([^"]*)"')
_TAGS = re.compile(rf"\s*(\*|{_TAG.pattern}(\s*,\s*{_TAG.pattern})*)\s*")


def entity_tag(document: Document) -> str:
    """Return the strong entity tag of a stored document.

    It holds the version and a digest of the content, so that a resource deleted and created again
    under the same id does not get an old tag back.
    """
    digest = blake2b(document.content, digest_size=6).hexdigest()
    return f'"{document.version}-{digest}"'


def check_write(document: Document, *, required: bool = False) -> None:
    """Hold a document that is about to be changed against the request's preconditions.

    Raises:
        BadPrecondition: `If-Match` holds no entity tags.
        PreconditionFailed: `If-Match` names other versions, or `If-None-Match` this one.
        PreconditionRequired: the server insists on `If-Match` and it is absent.
    """
    tags = request_context.header("If-Match")
    if tags is None:
        if required:
            raise PreconditionRequired("send If-Match with the ETag of the resource you have read")
    elif not _TAGS.fullmatch(tags):
        raise BadPrecondition('If-Match takes * or entity tags in double quotes, such as "1-ab"')
    elif not _matches(tags, entity_tag(document), strong=True):
        raise PreconditionFailed("the resource has changed since the version If-Match names")
    unwanted = request_context.header("If-None-Match")
    if unwanted is not None and _matches(unwanted, entity_tag(document), strong=False):
        raise PreconditionFailed("the resource exists in a version that If-None-Match rules out")


def is_unchanged(document: Document) -> bool:
    """Whether a reader already has this version, by its `If-None-Match`."""
    tags = request_context.header("If-None-Match")
    return tags is not None and _matches(tags, entity_tag(document), strong=False)


def _matches(header: str, tag: str, *, strong: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(
        f'"{found[2]}"' == tag and not (strong and found[1]) for found in _TAG.finditer(header)
    )
