"""Conditional requests: strong entity tags, `If-Match` and `If-None-Match` (RFC 9110 §13)."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

from app.tmf630.errors import BadPrecondition, PreconditionFailed, PreconditionRequired
from storage import Document

_TAG = re.compile(r'(W/)?"([^"]*+)"')
_TAGS = re.compile(rf"\s*+(\*|{_TAG.pattern}(\s*+,\s*+{_TAG.pattern})*+)\s*+")


def entity_tag(document: Document) -> str:
    """Return the strong entity tag of a stored document.

    It holds the version and a digest of the content, so that a resource deleted and created again
    under the same id does not get an old tag back.
    """
    digest = blake2b(document.content, digest_size=6).hexdigest()
    return f'"{document.version}-{digest}"'


class Preconditions(NamedTuple):
    """The conditional headers of a request; None where a header is absent."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check_write(self, document: Document, *, required: bool = False) -> None:
        """Check a document that is about to be changed; `required` demands `If-Match`.

        Raises:
            BadPrecondition: `If-Match` is not `*` or a list of entity tags.
            PreconditionFailed: `If-Match` names other versions, or `If-None-Match` this one.
            PreconditionRequired: `If-Match` is required and absent.
        """
        if self.if_match is not None:
            self._check_match(self.if_match, entity_tag(document))
        elif required:
            raise PreconditionRequired("send If-Match with the ETag of the resource you read")
        if self.if_none_match is not None and _matches(
            self.if_none_match, entity_tag(document), strong=False
        ):
            raise PreconditionFailed("If-None-Match excludes the version that exists")

    @staticmethod
    def _check_match(tags: str, tag: str) -> None:
        if not _TAGS.fullmatch(tags):
            raise BadPrecondition('If-Match takes * or entity tags in double quotes: "1-ab"')
        if not _matches(tags, tag, strong=True):
            if all(found[1] for found in _TAG.finditer(tags)):
                raise PreconditionFailed(
                    "weak tags never match (RFC 9110 §13.1.1); ask the proxy to keep strong ETags"
                )
            raise PreconditionFailed("the resource has changed since the version If-Match names")

    def is_unchanged(self, document: Document) -> bool:
        """Whether the client already has this version, by `If-None-Match`."""
        tags = self.if_none_match
        return tags is not None and _matches(tags, entity_tag(document), strong=False)

    @property
    def creates_only(self) -> bool:
        """Whether the request must not touch an existing resource (`If-None-Match: *`)."""
        return self.if_none_match == "*"


def _matches(header: str, tag: str, *, strong: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(
        f'"{found[2]}"' == tag and not (strong and found[1]) for found in _TAG.finditer(header)
    )
