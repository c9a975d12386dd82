"""The server works from a project that has packages of the same names as its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import clean_environment

pytestmark = pytest.mark.slow

BOOM = "raise SystemExit('a package of another project was run')\n"
TESTS = """
import httpx

CALL = {"channel": [{"id": "hotline"}], "direction": "inbound", "reason": "Broadband fault"}
V4 = "/tmf-api/partyInteraction/v4"


def test_seeded_and_delivered(tmf683_server):
    url = next(each for each in tmf683_server.api_urls if each.endswith("/v4"))
    events = tmf683_server.capture_events(api_url=url)
    (stored,) = tmf683_server.seed("partyInteraction", [CALL], api_url=url)
    event = events.wait_for("PartyInteractionCreateEvent", stored["id"])
    assert event["event"]["partyInteraction"]["reason"] == "Broadband fault"
    assert len(httpx.get(f"{url}/partyInteraction").json()) == 1


def test_empty_again(tmf683_server):
    url = tmf683_server.url + V4
    answer = httpx.get(f"{url}/partyInteraction")
    assert (answer.json(), answer.headers["X-Total-Count"]) == ([], "0")


def test_our_own_app_is_still_ours(tmf683_server):
    import sys

    import app

    assert app.NAME == "of the consumer"
    del sys.modules["app"]


def test_in_process(tmf683_app):
    from starlette.testclient import TestClient

    client = TestClient(tmf683_app)
    answer = client.post(f"{V4}/partyInteraction", json=CALL)
    assert answer.status_code == 201
    assert client.get(f"{V4}/partyInteraction/{answer.json()['id']}").json() == answer.json()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with packages named as the server's, which must not be run."""
    for name in ("app", "handlers", "storage", "openapi"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(BOOM)
    return tmp_path


def python(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = clean_environment({"PYTHONPATH": "."})
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_command_runs(project: Path) -> None:
    script = str(Path(sys.executable).with_name("tmf683"))
    for command in ([script], ["-m", "tmf683"]):
        done = python(project, *command, "--version")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("tmf683, version ")


def test_the_package_is_typed_and_small(project: Path) -> None:
    done = python(
        project,
        "-c",
        "import tmf683, sys; assert 'connexion' not in sys.modules;"
        "print(tmf683.__version__, tmf683.Settings.__name__, callable(tmf683.create_app))",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["Settings", "True"]
    import tmf683

    assert tmf683.__all__ == ["Settings", "__version__", "create_app"]
    assert Path(tmf683.__file__).with_name("py.typed").exists()


def test_another_app_that_is_imported_first_is_named(project: Path) -> None:
    (project / "app" / "__init__.py").write_text("")
    done = python(project, "-c", "import app, tmf683; tmf683.create_app")
    assert done.returncode == 1
    assert "the module 'app' of" in done.stderr
    assert "use tmf683 before it, or run the server as a process" in done.stderr


@pytest.mark.slow
def test_the_fixtures_serve_seed_capture_and_reset(project: Path) -> None:
    (project / "test_consumer.py").write_text(TESTS)
    (project / "app" / "__init__.py").write_text("NAME = 'of the consumer'\n")
    done = python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_consumer.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
