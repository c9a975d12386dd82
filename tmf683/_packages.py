"""The server's own packages under names that other projects use as well.

`app`, `handlers` and `storage` are common names. A finder before all others finds the server's,
beside this package, so that a folder of such a name on the path neither hides them nor is run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

NAMES = ("app", "handlers", "storage")
LOCATION = Path(__file__).resolve().parent.parent


class ServerPackages(MetaPathFinder):
    """Finds the server's packages where they are installed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of one of the server's packages, None for any other module."""
        if path is None and fullname in NAMES:
            return PathFinder.find_spec(fullname, [str(LOCATION)])
        return None


def claim_packages() -> None:
    """Let the names of the server's packages mean these from here on.

    Raises:
        ImportError: another package of such a name is imported already.
    """
    for name in NAMES:
        module = sys.modules.get(name)
        if module is not None and not _is_ours(module):
            where = getattr(module, "__file__", None) or next(iter(module.__path__), "?")
            raise ImportError(
                f"the module {name!r} of {where} is imported already, and the server needs its own"
                f" package of this name: use tmf683 before it, or run the server as a process"
                " of its own (tmf683 serve)"
            )
    if not any(isinstance(finder, ServerPackages) for finder in sys.meta_path):
        sys.meta_path.insert(0, ServerPackages())


def _is_ours(module: ModuleType) -> bool:
    places = [module.__file__] if getattr(module, "__file__", None) else [*module.__path__]
    return all(Path(str(place)).resolve().is_relative_to(LOCATION) for place in places)
