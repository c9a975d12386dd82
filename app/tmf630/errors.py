"""Errors of the TMF630 rules. `app.web.errors` maps them to HTTP responses."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 600
"""Characters of one rule in a message."""

_LONGEST_MESSAGE = 700


def sentence_of(rules: Sequence[str]) -> str:
    """Return broken rules as one short message: as many as fit, and whether there are more."""
    first, *others = rules
    said = [first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}…"]
    for rule in others:
        if len("; ".join([*said, rule])) > _LONGEST_MESSAGE:
            break
        said.append(rule)
    return "; ".join(said if len(said) == len(rules) else [*said, "and more"])


class BadQuery(Exception):
    """A query parameter has no meaning; `parameter` names it, the message says the rule."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class BadPatch(Exception):
    """A patch document does not say what to change; the message names the operation and rule."""


class PatchConflict(Exception):
    """A patch document is well formed, but does not fit the resource as it stands (RFC 5789 §2.2).

    A path points at nothing, a `test` meets another value, or the result breaks the contract.
    """


class NoSuchPage(Exception):
    """A cursor leads to no page: it is not this server's, or belongs to another query."""


class AttributesNotPatchable(Exception):
    """A patch touches attributes that clients may not change."""

    def __init__(self, attributes: tuple[str, ...]) -> None:
        super().__init__(f"not patchable: {', '.join(attributes)}")
        self.attributes = attributes


class BadCallback(Exception):
    """Events may not be sent to the address a listener registers; the message says why."""


class MalformedCallback(BadCallback):
    """The callback that a listener registers is not a URL to which events can be sent."""


class SubscriptionExists(Exception):
    """A listener with this callback and query is registered at the hub already."""

    def __init__(self, id: str) -> None:
        super().__init__(f"the callback is registered with this query as {id}")


class InvalidResource(Exception):
    """A resource breaks its contract; each of `rules` names a place and what is wrong there."""

    def __init__(self, rules: Sequence[str]) -> None:
        super().__init__(sentence_of(rules))
        self.rules = tuple(rules)


class BadPrecondition(Exception):
    """A precondition header is malformed; the message names it and the expected form."""


class PreconditionFailed(Exception):
    """The resource is not in the state the request's `If-Match` or `If-None-Match` asks for."""


class PreconditionRequired(Exception):
    """The server accepts this change only with `If-Match`."""


class RowAccessDenied(Exception):
    """The caller is bound to parties that have no part in the resource; the message says why."""


class NotServed(Exception):
    """The contract declares the operation, but the server has no handler for its kind."""
