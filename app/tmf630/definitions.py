"""Resource definitions: what the rules and handlers need to know about each resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

from storage import Condition, Index, Leaf, Path, SortKey

Resource: TypeAlias = dict[str, Any]
"""A resource as a client sees it: a JSON object."""


class Moment(StrEnum):
    """When the server sets a managed attribute to the current time."""

    CREATE = "create"
    STATUS_CHANGE = "status-change"
    CHANGE = "change"


NEW_ID = "{newId}"
NEW_INTEGER_ID = "{newIntegerId}"


@dataclass(frozen=True, slots=True)
class Fill:
    """A value the server gives to an attribute that a client left out.

    `path` walks objects and arrays. A string value may hold `{now}` and the names of scalar
    attributes beside the filled one, as in `/channel/{id}`. `NEW_ID` and `NEW_INTEGER_ID` stand for
    an id that nothing else has.
    """

    path: Path
    value: Any


class Attributes(Protocol):
    """What the contract says of a resource's attributes."""

    def knows(self, path: Path) -> bool:
        """Whether the contract has an attribute at this path."""

    def is_instant(self, path: Path) -> bool:
        """Whether the attribute at this path is a date-time."""

    def type_of(self, path: Path) -> str | None:
        """Return the type of the values at this path; None when it is not known or not one.

        It is "date-time", or a type of JSON Schema; an array has the type of its elements.
        """

    def is_array(self, path: Path) -> bool:
        """Whether the attribute at this path is an array."""

    def names(self, path: Path) -> frozenset[str]:
        """Return the names of the attributes that objects at this path have."""


class Change(StrEnum):
    """A kind of change to a resource for which a contract may declare an event."""

    CREATE = "create"
    ATTRIBUTE = "attribute"
    STATUS = "status"
    DELETE = "delete"


class Forms(Protocol):
    """The forms in which a collection's documents are kept, one for each version of the contract.

    `name` is the form of the contract at hand, in which it writes.
    """

    name: str

    def read(self, resource: Resource, form: str) -> Resource:
        """Return a resource kept in another form as this contract has it."""

    def stored(self, leaf: Leaf) -> Condition:
        """Return the condition on stored documents, in whichever form, that a leaf stands for.

        The leaf is in the terms of the contract at hand.
        """

    def sorted(self, key: SortKey) -> SortKey:
        """Return the key that orders documents, in whichever form, as this contract shows them.

        No array is on the way of its path.

        Raises:
            ValueError: the store cannot order by what some form has there; the message says why.
        """

    def aliases(self, path: Path) -> tuple[Path, ...]:
        """Return where other forms keep what this contract has at a path, if elsewhere."""

    def conforming(self, resource: Resource) -> Resource:
        """Return a resource without what its contract forbids, and with what it requires.

        For events of other systems, which would be lost if they were refused.
        """

    def named(self, name: str, form: str) -> str:
        """Return what this contract calls an attribute that another form has by this name."""

    def kept(self, stored: Resource, form: str, before: Resource, after: Resource) -> Resource:
        """Return what to keep of a document in another form beside the change that replaces it.

        `before` is what `read` made of it, `after` what it becomes.
        """


class OneForm:
    """The forms of a collection that only one contract knows."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def read(self, resource: Resource, form: str) -> Resource:
        """See `Forms.read`."""
        return resource

    def stored(self, leaf: Leaf) -> Condition:
        """See `Forms.stored`."""
        return leaf

    def sorted(self, key: SortKey) -> SortKey:
        """See `Forms.sorted`."""
        return key

    def aliases(self, path: Path) -> tuple[Path, ...]:
        """See `Forms.aliases`."""
        return ()

    def conforming(self, resource: Resource) -> Resource:
        """See `Forms.conforming`."""
        return resource

    def named(self, name: str, form: str) -> str:
        """See `Forms.named`."""
        return name

    def kept(self, stored: Resource, form: str, before: Resource, after: Resource) -> Resource:
        """See `Forms.kept`."""
        return {}


@dataclass(frozen=True, slots=True)
class Answers:
    """The statuses that changes succeed with, as the contract declares them."""

    created: int = 201
    changed: int = 200
    replaced: int = 200
    deleted: int = 204


STATES = frozenset({"status", "state", "lifecycleStatus"})
"""The usual names of the attribute that holds the state of a resource's lifecycle."""


@dataclass(frozen=True, slots=True)
class ResourceDefinition:
    """One resource collection of a contract.

    - `type`: the value of `@type`.
    - `collection`: the collection's name in the store.
    - `path`: where the collection is served, without scheme and host.
    - `check`: `check(resource)` raises `InvalidResource` when the resource breaks the contract;
      `check(resource, before)` when the change from `before` does.
    - `managed`: attributes that the server sets, and when it sets them.
    - `states`: the attributes that hold the state of its lifecycle.
    - `fills`: values for attributes that a client left out; `initial`: values of a new resource.
    - `chooses_id`: clients may choose ids. `integer_ids`: ids are integers, stored as text.
    - `creatable`: managed attributes that a client may give to a new resource.
    - `frozen`: attributes that no patch may change; `frozen_in_put`: that no PUT may change.
    - `identity`: attributes in every response, whatever `fields` selects.
    - `partial`: the contract declares 206 for a page that is not the whole list.
    - `announces`: the changes that have an event.
    - `directives`: parameters of lists that the contract declares and that are no attributes; they
      are no conditions.
    - `parties`: the paths at which a resource names its parties.
    - `event_types`: for a hub, the events that its API declares.
    - `embedded_in`: for a resource that is an element of an array of its parent, the parent's
      definition; `array`: the name of that array.
    - `parents`, `within`, `parent`: for a collection inside other resources
      (`/topic/{topicId}/event`) the path parameters of those resources, the collection of the
      innermost, and, once they are known, their ids joined by slashes; `path` then has those ids.
    """

    type: str
    collection: str
    path: str
    check: Callable[..., None]
    attributes: Attributes
    managed: Mapping[str, Moment] = field(default_factory=dict)
    states: frozenset[str] = STATES
    fills: tuple[Fill, ...] = ()
    initial: tuple[Fill, ...] = ()
    chooses_id: bool = False
    creatable: frozenset[str] = frozenset()
    integer_ids: bool = False
    frozen: frozenset[str] = frozenset({"id", "href"})
    frozen_in_put: frozenset[str] = frozenset({"id", "href"})
    identity: tuple[str, ...] = ("id", "href")
    indexes: tuple[Index, ...] = ()
    partial: bool = False
    answers: Answers = Answers()
    announces: frozenset[Change] = frozenset()
    directives: frozenset[str] = frozenset()
    parties: tuple[Path, ...] = ()
    event_types: tuple[str, ...] = ()
    forms: Forms = OneForm()  # noqa: RUF009 - it never changes
    embedded_in: ResourceDefinition | None = None
    array: str = ""
    parents: tuple[str, ...] = ()
    within: str | None = None
    parent: str | None = None

    def inside(self, ids: Sequence[str]) -> ResourceDefinition:
        """Return the definition of the collection within the resources of these ids."""
        path = self.path
        for name, id in zip(self.parents, ids, strict=True):
            path = path.replace(f"{{{name}}}", quote(id, safe=""), 1)
        return replace(self, path=path, parent="/".join(ids))

    def shown_id(self, id: str) -> str | int:
        """Return an id, which is stored as text, in the type that the contract gives it."""
        return int(id) if self.integer_ids and id.isascii() and id.isdigit() else id

    def key(self, id: str) -> str:
        """Return the id under which the store keeps a member of the collection."""
        return id if self.parent is None else f"{self.parent}/{id}"


@dataclass(frozen=True, slots=True)
class ListenerDefinition:
    """One kind of event that a contract lets the server listen to.

    `event` is the last part of the path; `collection` keeps what was received; `answers_body` says
    that the contract's answer has one.
    """

    event: str
    collection: str
    path: str
    status: int
    answers_body: bool


class UnknownFilters(StrEnum):
    """How a filter on an attribute that the contract does not declare is treated."""

    MATCH = "match"
    REFUSE = "refuse"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what one request may ask of the store."""

    default_page: int = 100
    largest_page: int = 1000
    largest_offset: int = 1_000_000
    conditions: int = 200
    path_depth: int = 10
    text_length: int = 1000
    resource_size: int = 8 * 1024 * 1024
    patch_growth: int = 1024 * 1024
    unknown_filters: UnknownFilters = UnknownFilters.MATCH
