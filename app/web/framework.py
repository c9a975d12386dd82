"""connexion, imported without the HTTP clients that it imports for what this server never does.

httpx, requests and starlette's test client, for `app.test_client()`, remote token checks and
contracts at URLs, take a quarter of the time that connexion takes to import. While it is imported,
something stands in their places that loads the real module once it is used, and then leaves: who
imports them elsewhere gets them as always. Should a release of connexion use one of them at once,
it is imported as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        """Return what the real module has."""
        if sys.modules.get(self.__name__) is self or name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)


def _test_client(*arguments: Any, **options: Any) -> Any:
    return import_module("starlette.testclient").TestClient(*arguments, **options)


@contextmanager
def _spared() -> Iterator[None]:
    standing = {
        name: _Later(name)
        for name in ("httpx", "requests", "starlette.testclient")
        if name not in sys.modules
    }
    if "starlette.testclient" in standing:
        standing["starlette.testclient"].TestClient = _test_client  # type: ignore[attr-defined]
    sys.modules.update(standing)
    try:
        yield
    finally:
        for name, module in standing.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


with suppress(ImportError, AttributeError), _spared():
    import connexion  # noqa: F401
