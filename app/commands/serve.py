"""`serve`."""

from __future__ import annotations

from pathlib import Path

import click

from app.bootstrap import authentication_of, open_contracts, open_prepared_store, open_sources
from app.commands.errors import plain_errors
from app.commands.settings_option import read_settings
from app.contract import Contract, Kind
from app.observability.logs import configure_logs
from app.observability.traces import check_tracing
from app.server import gunicorn_server, listen_address
from app.server.development import serve_for_development
from app.settings import Settings, shown
from storage.store_url import check_after_unclean_end, held_file


@click.command()
@click.option("--spec", multiple=True, type=Path, help="A contract to serve; repeatable.")
@click.option("--store", help="sqlite:///file.db, memory: or mongodb://…")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Worker processes.")
@click.option("--profile", help="conformance or strict.")
@click.option("--insecure", is_flag=True, help="Allow any address without authentication.")
@click.option(
    "--ready-file", type=Path, help="Write the addresses here, as JSON, once requests are answered."
)
@click.option("--dev", is_flag=True, help="One process, reload on change, responses validated.")
def serve(
    spec: tuple[Path, ...],
    store: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    profile: str | None,
    insecure: bool,
    ready_file: Path | None,
    dev: bool,
) -> None:
    """Serve the contracts.

    Everything else that can be chosen is set by TMF_* variables, .env or tmf683.toml: `tmf683
    config --explain` lists it.
    """
    with plain_errors():
        settings = read_settings(
            spec=spec,
            store=store,
            host=host,
            port=port,
            workers=workers,
            profile=profile,
            insecure=insecure or None,
            validate_responses=dev or None,
        )
        listen_address.check_exposure(settings)
        check_tracing()
        contracts, sources = open_contracts(settings), open_sources(settings)
        settings = listen_address.settled(settings)
        configure_logs(settings)
        # Checked here, so that an unusable store is one error, not one for each worker.
        check_after_unclean_end(settings.store)
        opened = open_prepared_store(settings, [*contracts, *sources])
        single_process = opened.single_process
        # Held in this process, so that no worker or deliverer that starts later takes another file.
        with held_file(settings.store):
            opened.close()
            _announce(settings, contracts)
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)
            if dev:
                serve_for_development(settings)
            else:
                gunicorn_server.serve(
                    settings,
                    contracts,
                    sources,
                    single_process=single_process,
                    ready_file=ready_file,
                )


def _announce(settings: Settings, contracts: tuple[Contract, ...]) -> None:
    origin = settings.public_url or listen_address.url_of(settings)
    for contract in contracts:
        base = origin + contract.base_path
        click.echo(f"{contract.title} {contract.version}")
        click.echo(f"  API         {base}")
        if contract.moved_from is not None:
            click.echo(
                f"  Moved       from {contract.moved_from}, where another contract is served"
            )
        click.echo(f"  Swagger UI  {base}/ui/")
        first = next((each for each in contract.bindings if each.kind is Kind.LIST), None)
        if first is not None and first.definition is not None:
            click.echo(f"  Try         curl -s '{origin}{first.definition.path}?limit=3'")
    if settings.pages == "on":
        click.echo(f"Pages         {origin}{settings.root_path}/")
    click.echo(f"Health        {origin}/health/ready")
    click.echo(f"Store         {dict(shown(settings))['TMF_STORE']}")
    if not authentication_of(settings):
        click.echo("Warning       no authentication (TMF_OIDC_ISSUER, TMF_API_KEYS)")
    if settings.callback_allow:
        click.echo(f"Events        may also go to {', '.join(settings.callback_allow)}")
