"""Sorting and paging: `sort`, `offset`, `limit`, cursors and the `Link` header (TMF630 part 1).

The way to the next page is a cursor in `after`: where the last page ended, signed, so that it stays
exact while others insert and delete, and costs the same on every page.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any
from urllib.parse import quote, unquote_plus

import orjson

from app.tmf630.attribute_names import check_known
from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.errors import BadQuery, NoSuchPage
from storage import (
    And,
    AnyElement,
    Comparison,
    Condition,
    InForm,
    Matches,
    Not,
    Or,
    Page,
    Position,
    SortKey,
    Window,
)

_SIGNATURE_BYTES = 16
_LINK_BYTES = 3072
"""Bytes of a `Link` header: proxies accept a response head of 4 KB, all headers included."""
_PAGING = frozenset({"offset", "after"})
_URI_QUERY = re.compile(r"[A-Za-z0-9%!$&'()*+,;=:@/?._~-]*")
_DISPENSABLE = ("first", "prev", "last", "self", "next")
"""The order in which links are left out when they do not all fit."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended, and how many matched when paging began; None where that took too long."""

    position: Position
    total: int | None


class Cursors:
    """Signs cursors (keyed BLAKE2b, RFC 7693), and ties each to the query it came from."""

    def __init__(self, key: str) -> None:
        self._key = sha256(b"cursor" + key.encode()).digest()

    def write(self, query: str, cursor: Cursor) -> str:
        """Return the cursor as text for a URL."""
        content = orjson.dumps([query, cursor.total, cursor.position])
        return urlsafe_b64encode(self._signature(content) + content).rstrip(b"=").decode()

    def read(self, query: str, text: str) -> Cursor:
        """Return a cursor that a client sent back.

        Raises:
            NoSuchPage: it is not one of ours, or came from another query.
        """
        try:
            signed = b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
        except ValueError:
            signed = b""
        signature, content = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not content or not hmac.compare_digest(signature, self._signature(content)):
            raise NoSuchPage("parameter after is not a cursor of this server")
        written, total, position = orjson.loads(content)
        if written != query:
            raise NoSuchPage("parameter after is a cursor of another query")
        return Cursor(tuple(position), total)

    def _signature(self, content: bytes) -> bytes:
        return blake2b(content, key=self._key, digest_size=_SIGNATURE_BYTES).digest()


def fingerprint(
    definition: ResourceDefinition, where: Condition | None, sort: tuple[SortKey, ...]
) -> str:
    """Return a short text that differs between queries whose pages do not fit together."""
    keys = [(key.path, key.descending, key.instant) for key in sort]
    text = repr((definition.collection, _shape(where), keys))  # of tuples: quicker than of classes
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def _shape(tree: Condition | None) -> Any:
    """Return a condition as nested tuples, no two of which are alike."""
    match tree:
        case Comparison(path, operator, value):
            return path, operator.value, value
        case Matches(path, pattern):
            return "matches", path, pattern
        case AnyElement(path, inner):
            return "some", path, _shape(inner)
        case InForm(forms):
            return "form", forms
        case Not(inner):
            return "not", _shape(inner)
        case And(conditions):
            return "and", *map(_shape, conditions)
        case Or(conditions):
            return "or", *map(_shape, conditions)
    return None


def sort_keys(
    definition: ResourceDefinition, values: Iterable[str], limits: Limits, *, strict: bool = False
) -> tuple[SortKey, ...]:
    """Parse `sort` parameters: `-` before a path is descending, `+` or nothing ascending.

    An unencoded `+` arrives as a space. What no resource has sorts nothing; terms beyond the
    limit are left out.

    Raises:
        BadQuery: `strict`, and the contract does not have the attribute; or documents that another
            version wrote have no order by it.
    """
    keys = []
    for term in (term.strip() for value in values for term in value.split(",")):
        name = term.lstrip("+-").strip()
        if name:
            path = tuple(name.split(".")[: limits.path_depth])
            if strict:
                check_known(definition, path, "sort")
            instant = definition.attributes.is_instant(path)
            keys.append(_in_every_form(definition, SortKey(path, term.startswith("-"), instant)))
    return tuple(keys[: limits.path_depth])


def _in_every_form(definition: ResourceDefinition, key: SortKey) -> SortKey:
    """Return the key that orders documents as they are shown, in whichever form they are stored."""
    ends = range(1, len(key.path) + 1)
    if any(definition.attributes.is_array(key.path[:end]) for end in ends):
        return key  # what lies behind an array sorts nothing, in any form
    try:
        return definition.forms.sorted(key)
    except ValueError as error:
        raise BadQuery("sort", f"names {'.'.join(key.path)}, which {error}") from None


def window(parameters: Mapping[str, Any], limits: Limits) -> Window:
    """Return the window that `offset` and `limit` ask for; a large `limit` is cut."""
    limit = min(parameters.get("limit", limits.default_page), limits.largest_page)
    return Window(parameters.get("offset", 0), limit)


def links(raw_query: str, url: str, window: Window, page: Page, next_: str | None) -> str:
    """Return the `Link` header's value (RFC 8288): self, first, prev, next and last.

    Pages reached by a cursor know only their first and next. What does not fit into the bytes that
    proxies take is left out, `next` last; "" when nothing fits.
    """
    raw_query = _uri(raw_query)
    others = without_position(raw_query)
    found = {"self": raw_query, "first": others}
    if next_ is not None:
        found["next"] = _added(others, "after", next_)
    total = page.total
    if window.limit and total is not None:
        here = without_position(raw_query, but="after")
        if window.offset:
            before = max(0, window.offset - window.limit)
            found["prev"] = _added(here, "offset", str(before) if before else None)
        last = max(0, (total - 1) // window.limit * window.limit)
        found["last"] = _added(here, "offset", str(last) if last else None)
    return _link_header(url, found)


def offset_links(raw_query: str, url: str, window: Window, total: int) -> str:
    """Return the `Link` header's value for a list that is paged by `offset` alone.

    See `links`; there are no more than prev and next.
    """
    others, found = without_position(_uri(raw_query)), {}
    if window.offset:
        before = max(0, window.offset - window.limit)
        found["prev"] = _added(others, "offset", str(before) if before else None)
    if window.limit and window.offset + window.limit < total:
        found["next"] = _added(others, "offset", str(window.offset + window.limit))
    return _link_header(url, found)


def _link_header(url: str, found: Mapping[str, str]) -> str:
    written = {
        relation: f'<{url}?{query}>; rel="{relation}"' if query else f'<{url}>; rel="{relation}"'
        for relation, query in found.items()
    }
    value = ", ".join(written.values())
    for relation in _DISPENSABLE:
        if len(value) <= _LINK_BYTES:
            break
        if written.pop(relation, None) is not None:
            value = ", ".join(written.values())
    return value


def _uri(query: str) -> str:
    """Return a query string as a URI may have it (RFC 3986 §3.4): `a>1` comes in raw."""
    if _URI_QUERY.fullmatch(query):
        return query
    return quote(query.encode("latin-1"), safe="%!$&'()*+,;=:@/?-._~")


def without_position(raw_query: str, *, but: str = "") -> str:
    """Return what the raw query strings of all pages of a list have in common.

    Of the parameters that say where a page begins, one may stay.
    """
    if not ("after" in raw_query or "offset" in raw_query or "%" in raw_query or "+" in raw_query):
        return raw_query
    return "&".join([piece for piece in raw_query.split("&") if piece and not _pages(piece, but)])


def _pages(piece: str, but: str) -> bool:
    """Whether a piece of a query string is `offset` or `after`, and not the one that may stay."""
    if ";" in piece:
        return False  # a filter is in it, too
    name = piece.partition("=")[0]
    if "%" in name or "+" in name:
        name = unquote_plus(name)
    return name in _PAGING and name != but


def _added(query: str, name: str, value: str | None) -> str:
    """Return a query string with one more parameter, unless its value is None."""
    if value is None:
        return query
    return f"{query}&{name}={value}" if query else f"{name}={value}"
