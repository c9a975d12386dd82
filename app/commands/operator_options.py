"""Where an operator's command works: on a store, or on a running server by its operator API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from app.bootstrap import (
    open_contracts,
    open_operations,
    open_prepared_store,
    open_received,
    open_sources,
)
from app.commands.errors import plain_errors
from app.commands.settings_option import read_settings
from app.events.operator.errors import OperationConflict
from app.events.operator.operations import Operations
from app.tmf630.outbox import EventOrigin
from storage import DocumentNotFound


@dataclass(frozen=True, slots=True)
class Place:
    """What the options of a command say about where it works."""

    store: str | None
    spec: tuple[Path, ...]
    url: str | None
    key: str | None
    token: str | None

    @contextmanager
    def operations(self) -> Iterator[Operations]:
        """Open the operations; a failure ends the command with one line."""
        if self.url:
            with self._of_server(self.url) as found:
                yield found
        else:
            with self._of_store() as found:
                yield found

    @contextmanager
    def _of_server(self, url: str) -> Iterator[Operations]:
        from app.commands.operator_client import OperatorApiError, OperatorClient

        headers = {"X-API-Key": self.key} if self.key else {}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with plain_errors(DocumentNotFound, OperationConflict, OperatorApiError):
            client = OperatorClient(url, headers)
            try:
                yield client
            finally:
                client.close()

    @contextmanager
    def _of_store(self) -> Iterator[Operations]:
        """Open the store; one that is not there is not made, since its name may be mistyped."""
        with plain_errors(DocumentNotFound, OperationConflict):
            settings = read_settings(spec=self.spec, store=self.store)
            contracts, sources = open_contracts(settings), open_sources(settings)
            store = open_prepared_store(settings, [*contracts, *sources], make=False)
            try:
                received = open_received(settings, contracts, sources, store)
                base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
                operations = open_operations(settings, store, list(received.values()))
                yield operations.on_behalf_of("", EventOrigin(base_url))
            finally:
                store.close()


def place_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets `place`."""

    @click.option("--store", help="The store: sqlite:///file.db or mongodb://…")
    @click.option("--spec", multiple=True, type=Path, help="A contract; repeatable.")
    @click.option("--url", help="A running server, in place of a store: http://host:8080")
    @click.option(
        "--key", envvar="TMF683_KEY", show_envvar=True, help="An operator's API key, for --url."
    )
    @click.option(
        "--token", envvar="TMF683_TOKEN", show_envvar=True, help="A bearer token, for --url."
    )
    @wraps(function)
    def command(
        *args: Any,
        store: str | None,
        spec: tuple[Path, ...],
        url: str | None,
        key: str | None,
        token: str | None,
        **options: Any,
    ) -> Any:
        if url and (store or spec):
            raise click.UsageError("--url works on a running server; leave --store and --spec out")
        return function(*args, place=Place(store, spec, url, key, token), **options)

    return command
