"""What a start imports; `make bench-start` prints how long it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import PLACES
from tests.server import clean_environment

START = "import app.cli, app.commands.serve; from app.application import create_app; create_app()"
NOT_TO_SERVE = frozenset(
    {"aiohttp", "pymongo", "app.conformance", "app.maintenance", "opentelemetry"}
)


def test_a_server_imports_what_it_needs_to_serve(tmp_path: Path) -> None:
    imported = modules_of(START, TMF_STORE=f"sqlite:///{tmp_path}/start.db")
    assert {"connexion", "flask", "jsonschema_rs"} <= imported
    assert not imported & NOT_TO_SERVE


def test_what_workers_are_forked_from_has_no_threads_and_no_store(tmp_path: Path) -> None:
    prepared = (
        "import threading; from app.application import prepare_app; "
        "from app.bootstrap import open_contracts; from app.settings import read_settings; "
        "settings = read_settings(); "
        "prepared = prepare_app(settings, open_contracts(settings), ()); "
        "print(threading.active_count())"
    )
    environment = {"TMF_STORE": f"sqlite:///{tmp_path}/start.db"}
    assert run(prepared, environment).strip() == "1"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", sorted({each.partition(":")[0] for each in PLACES.values()}))
def test_a_command_imports_its_own_part(place: str) -> None:
    imported = modules_of("import app.cli; assert not {'app.contract'} & {*sys.modules}")
    assert "pydantic" not in imported
    own = {
        "app.commands.serve": {"connexion", "httpx"},  # connexion imports httpx
        "app.commands.deliver": set(),
        "app.commands.conformance": {"app.conformance", "httpx"},
        "app.commands.demo": {"httpx"},
        "app.commands.sources": {"httpx"},
    }.get(place, set())
    others = {"connexion", "app.conformance", "httpx", "openapi_spec_validator", "pymongo"}
    assert modules_of(f"import {place}") & others == own


def modules_of(program: str, **environment: str) -> set[str]:
    """Return the modules that a program imports."""
    return {*run(f"import sys; {program}; print(*sys.modules)", environment).split()}


def run(program: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-W", "ignore", "-c", program]
    env = clean_environment(environment)
    done = subprocess.run(command, env=env, check=True, timeout=60, capture_output=True, text=True)
    return done.stdout
