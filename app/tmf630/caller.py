"""The caller of a request: its identity, its access and the parties it is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Access(StrEnum):
    """A kind of access. Every operation of a contract requires one of them."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    SUBSCRIBE = "subscribe"
    NOTIFY = "notify"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated caller.

    `subject` is the issuer's name for it, or that of its API key, and `means` says which of the two
    proved it. `parties` are the ids it is bound to: it sees and changes only resources that one of
    them has a part in. None means that it is not bound; an empty tuple that it sees nothing.
    """

    subject: str
    means: str
    access: frozenset[Access] = frozenset()
    parties: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The caller in one word that no caller with another means of proof can have."""
        return f"{self.means}:{self.subject}"
