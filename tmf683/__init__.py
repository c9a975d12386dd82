"""A contract-first server for TM Forum Open APIs: what other projects may import.

    import tmf683

    application = tmf683.create_app(tmf683.Settings(store="memory:"))

`create_app` makes the ASGI application of the server. `Settings` are its settings, one for each
`TMF_*` variable; without settings, `create_app` reads the environment. `__version__` is the version
of the distribution. Everything else is internal and may change in any release.

The server's own packages are named `app`, `handlers` and `storage`. From the first use of
`create_app` or `Settings` on these names mean the server's packages in this process, whatever else
is on the path; where another package of such a name is imported already, that use raises an
`ImportError`. The command, and the fixture `tmf683_server`, run the server in a process of its own.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tmf683._packages import claim_packages

if TYPE_CHECKING:
    from app.application import create_app
    from app.settings import Settings

__all__ = ["Settings", "__version__", "create_app"]

__version__ = version("tmf683")


def __getattr__(name: str) -> Any:
    """Import the server when it is first used.

    Raises:
        ImportError: another package named `app`, `handlers` or `storage` is imported already.
    """
    if name in ("Settings", "create_app"):
        claim_packages()
    if name == "create_app":
        from app.application import create_app

        return create_app
    if name == "Settings":
        from app.settings import Settings

        return Settings
    raise AttributeError(f"module 'tmf683' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
