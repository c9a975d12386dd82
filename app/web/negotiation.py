"""Content negotiation: whether a request comes from a browser that shows its answer to a person."""

from __future__ import annotations

from starlette.types import Scope

_HTML = "text/html"
_JSON = "application/json"
_NOT_BROWSERS = frozenset(
    {
        # java.net.HttpURLConnection, unless its user says otherwise
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "text/html, image/gif, image/jpeg, */*; q=0.2",
    }
)
"""What libraries for programs send by default although nobody reads the answer."""


def wants_html(scope: Scope) -> bool:
    """Whether the client prefers a page to JSON: it names `text/html`, and JSON no more than it.

    Wildcards count as no wish: curl and HTTP libraries send `*/*`.
    """
    stated = [value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"]
    accept = ", ".join(stated)
    if _HTML not in accept or accept in _NOT_BROWSERS:
        return False
    wishes = dict(map(_media_range, accept.split(",")))
    return 0 < wishes.get(_HTML, 0.0) >= wishes.get(_JSON, 0.0)


def _media_range(text: str) -> tuple[str, float]:
    """Return a media range and its weight (RFC 9110 §12.5.1); 1 where it is not understood."""
    name, *parameters = text.split(";")
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 1.0
    return name.strip().lower(), weight
