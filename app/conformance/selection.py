"""Which operations a derived run tries, by operationId or by method and path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from app.contract import Binding


@dataclass(frozen=True, slots=True)
class Selection:
    """Patterns (`*`, `?`, `[…]`) of operationIds, or of `GET /path`; `only` empty means all."""

    only: Sequence[str] = ()
    skip: Sequence[str] = ()

    def reason_against(self, binding: Binding) -> str | None:
        """Return why an operation is not to be tried; None when it is."""
        names = (binding.operation_id, label_of(binding))
        if self.only and not _any(names, self.only):
            return "left out by --only"
        return "left out by --skip" if _any(names, self.skip) else None


def label_of(binding: Binding) -> str:
    """Return method and path as reports name an operation."""
    return f"{binding.method.upper()} {binding.path}"


def _any(names: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
