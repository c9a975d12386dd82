"""`tmf683 config`: what is in effect, where it comes from, and what would refuse a start."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from app.cli import PLACES, main
from app.server.start_checks import start_problems
from app.settings import Settings, read_settings
from tests.commands import tmf683
from tests.conftest import OURS

WRONG = {
    "TMF_PROT": ("8081", "is not a setting; did you mean TMF_PORT?"),
    "TMF_API_KEY": ("x", "is not a setting; did you mean TMF_API_KEYS?"),
    "TMF_PORT": ("70000", "70000 is out of bounds; write a number from 0 to 65535"),
    "TMF_WORKERS": ("many", "many is not a whole number; write one from 0 to 256"),
    "TMF_MAX_BODY": ("", "an empty value is not a whole number; write one from 1024 upwards"),
    "TMF_QUERY_SECONDS": ("0", "0 is out of bounds; write a number above 0"),
    "TMF_BUSY_SECONDS": ("soon", "soon is not a number; write one above 0 up to 60"),
    "TMF_INSECURE": ("maybe", "maybe is neither true nor false; write one of these"),
    "TMF_LOG_LEVEL": ("warn", "warn is not one of debug, .*; did you mean warning?"),
    "TMF_DURABILITY": ("none", "none is not one of full, normal"),
    "TMF_STORE": (
        "postgres://u:hunter2@host/db",
        "postgres: is no store; use sqlite:///file.db, memory: or mongodb://host/database",
    ),
    "TMF_SPEC": ("nowhere.yaml", "there is no file nowhere.yaml; name one that exists"),
    "TMF_SOURCES": ("nothing.yaml", "there is no file nothing.yaml; name one that exists"),
    "TMF_JWKS": ("/none", "there is no file /none; name one that exists, or an https:// URL"),
    "TMF_JWT_ALGORITHMS": ("HS256", "HS256 is not accepted; choose of .*ES256"),
    "TMF_CORS_ORIGINS": ("desk", "desk is not an origin; write .*https://desk.example"),
    "TMF_CALLBACK_ALLOW": ("http://x", "http://x is a URL; name the host alone: x"),
    "TMF_WEBHOOK_KEYS": ("whsec_hunter2", "a key must be base64"),
    "TMF_API_KEYS": ("crm:hunter2", "an API key is written name:access"),
    "TMF_ROOT_PATH": ("x/", "x/ must start with a slash and not end with one, as /tmf does"),
    "TMF_PUBLIC_URL": ("ftp://x", "ftp://x must start with http:// or https://"),
}


def test_each_of_many_wrong_settings_has_a_sentence_that_names_it_and_the_remedy() -> None:
    done = tmf683("config", "--explain", **{name: value for name, (value, _) in WRONG.items()})
    assert done.returncode == 2
    said = done.stderr.splitlines()
    assert len(said) == len(WRONG)
    for name, (_, sentence) in WRONG.items():
        pattern = re.compile(f"tmf683: {name}: {sentence.replace('?', '[?]')}")
        assert any(map(pattern.match, said)), (name, said)
    assert "hunter2" not in done.stdout + done.stderr


CLASHES = {
    "TMF_JWKS": str(OURS),
    "TMF_PARTY_CLAIM": "party_id",
    "TMF_MANAGEMENT_PORT": "8080",
    "TMF_BASE_PATH": "/x",
    "TMF_HOST": "0.0.0.0",
    "OTEL_TRACES_EXPORTER": "zipkin",
}


def test_what_settings_exclude_and_what_a_start_refuses_is_told_together() -> None:
    done = tmf683("config", "--explain", TMF_STORE="sqlite:////dev/null/x.db", **CLASHES)
    assert done.returncode == 2
    said = done.stderr.splitlines()
    for remedy in (
        "TMF_JWKS belong together; set TMF_OIDC_ISSUER and TMF_OIDC_AUDIENCE too, or none",
        "TMF_PARTY_CLAIM is about tokens; set TMF_OIDC_ISSUER too",
        "TMF_MANAGEMENT_PORT and TMF_PORT are the same; change one",
        "TMF_BASE_PATH moves one contract, and TMF_SPEC names 2; choose one",
        "TMF_HOST: will not listen on 0.0.0.0 without authentication: set TMF_OIDC_ISSUER or",
        "OTEL_TRACES_EXPORTER: zipkin is not one of otlp, console, none",
        "TMF_STORE: cannot write to /dev/null: Not a directory; name a file in a writable folder",
    ):
        assert any(remedy in line for line in said), (remedy, said)
    assert len(said) == 7


def test_a_row_has_the_name_the_value_the_origin_and_the_meaning(tmp_path: Path) -> None:
    (tmp_path / "tmf683.toml").write_text("threads = 3\n")
    (tmp_path / ".env").write_text("TMF_WORKERS=2\n")
    done = tmf683("config", "--json", folder=tmp_path, TMF_PORT="70000", TMF_CURSOR_KEY="hunter2")
    content = json.loads(done.stdout)
    rows = {row["name"]: (row["value"], row["origin"]) for row in content["settings"]}
    assert rows["TMF_THREADS"] == ("3", "tmf683.toml")
    assert rows["TMF_WORKERS"] == ("2", ".env")
    assert rows["TMF_PORT"] == ("70000", "environment")
    assert rows["TMF_CURSOR_KEY"] == ("***", "environment")
    assert rows["TMF_HOST"] == ("127.0.0.1", "default")
    assert all(row["meaning"] for row in content["settings"])
    assert len(rows) == len(Settings.model_fields)
    assert [each.partition(":")[0] for each in content["problems"]] == ["TMF_PORT"]
    text = tmf683("config", "--explain", folder=tmp_path).stdout
    assert "TMF_THREADS=3\n    tmf683.toml. Threads a worker runs handlers in." in text


def test_settings_that_serve_accepts_have_no_problem(tmp_path: Path) -> None:
    before = tmf683("config", "--explain", TMF_STORE=f"sqlite:///{tmp_path}/a/b/c.db")
    assert (before.returncode, before.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_in_use_is_no_problem_and_an_address_of_another_machine_is() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert list(start_problems(read_settings(port=port, store="memory:"))) == []
    settings = read_settings(host="192.0.2.1", insecure=True, store="memory:")
    (problem,) = start_problems(settings)
    assert str(problem).startswith("--host: cannot listen on 192.0.2.1:8080")


@pytest.mark.parametrize("name", ["TMF_SPEC", "TMF_SOURCES"])
def test_a_broken_contract_is_a_problem_of_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = tmp_path / "broken.json"
    file.write_text(json.dumps({"openapi": "3.0.3", "info": {"title": "x"}, "paths": {}}))
    monkeypatch.setenv(name, str(file))
    (problem,) = start_problems(read_settings(store="memory:"))
    assert re.match(f"{name}: {file}: /info: .*version.*; correct this file", str(problem))


def test_a_file_that_is_no_database_is_a_problem_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are no documents")
    (problem,) = start_problems(read_settings(store=f"sqlite:///{file}"))
    assert str(problem) == f"--store: {file} is not a SQLite database; name another file"
    assert file.read_text() == "these are no documents"


def test_a_server_that_cannot_be_reached_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMF_STORE", "mongodb://127.0.0.1:1/x")
    (problem,) = start_problems(read_settings(busy_seconds=0.2))
    assert str(problem).startswith("TMF_STORE: MongoDB")


@pytest.mark.parametrize("name", PLACES)
def test_every_command_refuses_what_is_not_a_setting_and_what_is_impossible(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("port = 'http'")
    monkeypatch.setenv("TMF_PROT", "1")
    command, words = main.get_command(click.Context(main), name), [name]
    while isinstance(command, click.Group):
        words.append(next(iter(command.commands)))
        command = command.commands[words[-1]]
    done = CliRunner().invoke(main, [*words, "--config", str(file)])
    assert done.exit_code == 2
    assert "TMF_PROT: is not a setting; did you mean TMF_PORT?" in done.output
    assert f"port in {file}: http is not a whole number" in done.output


def test_a_clash_that_an_option_resolves_is_none(tmp_path: Path) -> None:
    done = tmf683("check", str(OURS), TMF_BASE_PATH="/x", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "base path  /x" in done.stdout
