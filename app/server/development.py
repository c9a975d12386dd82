"""The development server: one process that starts again when a source file changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.supervisors.statreload import StatReload

from app.application import create_app
from app.observability.logs import configure_logs, log_configuration
from app.server.connections import Connections
from app.server.gunicorn_server import connection_limits_of
from app.server.protocol import GracefulServer
from app.settings import OPENAPI_FOLDER, Settings, environment_of, read_settings

_SOURCES = ("app", "handlers", "storage", "openapi")


class SourceReload(StatReload):
    """Watches contracts beside Python files."""

    def iter_py_files(self) -> Iterator[Path]:
        """Yield the files whose changes count."""
        yield from super().iter_py_files()
        for folder in self.config.reload_dirs:
            for pattern in ("*.yaml", "*.yml", "*.json"):
                yield from folder.rglob(pattern)


def create_development_app() -> ASGIApp:
    """Make the application, which delivers events itself: there is no process beside it."""
    settings = read_settings()
    configure_logs(settings)
    return create_app(settings, deliver=True)


def serve_for_development(settings: Settings) -> None:
    """Serve until it is stopped; a changed file starts the server again."""
    os.environ.update(environment_of(settings))
    config = Config(
        "app.server.development:create_development_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        reload=True,
        reload_dirs=watched_folders(settings),
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        log_config=log_configuration(settings),
    )
    server = GracefulServer(config, Connections(connection_limits_of(settings)))
    sock = config.bind_socket()
    SourceReload(config, target=server.run, sockets=[sock]).run()


def watched_folders(settings: Settings) -> list[str]:
    """Return the folders whose changes start the server again.

    Those of the server's own sources, wherever they are installed, and those of the contracts,
    overlays and mappings.
    """
    root = OPENAPI_FOLDER.parent
    folders = {root / name for name in _SOURCES}
    files = (*settings.spec, *settings.sources, *settings.overlays, *settings.mappings)
    folders |= {each if each.is_dir() else each.parent for each in map(Path.resolve, files)}
    return sorted(str(each) for each in folders if each.is_dir())
