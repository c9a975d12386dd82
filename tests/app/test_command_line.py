from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.bootstrap import open_contracts
from app.contract import ContractError
from app.observability import traces
from app.settings import Settings, SettingsError, read_settings, shown
from tests.commands import tmf683
from tests.conftest import OURS, OURS_V5

README = (OURS.parent.parent / "README.md").read_text()


def test_check_lists_what_would_be_served() -> None:
    done = tmf683("check", str(OURS))
    assert (done.returncode, done.stderr) == (0, "")
    lines = [re.split(r"  +", line) for line in done.stdout.splitlines()]
    assert ["base path", "/tmf-api/partyInteraction/v4"] in lines
    assert ["PATCH", "/partyInteraction/{id}", "patchPartyInteraction", "patch"] in lines
    assert ["POST", "/hub", "registerListener", "subscribe"] in lines
    assert sum(line[0] == "overlay" for line in lines) == 3
    strict = tmf683("check", str(OURS), "--profile", "strict").stdout
    assert "conformance" not in strict


def test_a_contract_without_operations_is_none_to_try(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    document = {"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {}}
    file.write_text(json.dumps(document))
    done = tmf683("check", str(file))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0 of 0 operations served")
    done = tmf683("conformance", "--spec", str(file), "--url", "http://127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr == "tmf683: the contract has no operation that can be tried\n"


def test_two_contracts_at_one_address_stop_the_start(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(OURS.read_text())
    done = tmf683("serve", "--spec", str(OURS), "--spec", str(other), "--store", "memory:")
    assert done.returncode == 2
    place = "/tmf-api/partyInteraction/v4"
    assert done.stderr == (
        f"tmf683: {other}: /: would be served at {place}, as {OURS} is: one server has one document"
        " of a version of an API; serve one of them, or the other by a server with a store of its"
        " own\n"
    )


@pytest.mark.slow
def test_a_store_that_is_not_there_is_neither_checked_nor_made(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mistyped.db"
    for command in (("check", str(OURS)), ("migrate", "--to", str(OURS)), ("indexes",)):
        done = tmf683(*command, "--store", store)
        assert done.returncode == 2
        assert done.stderr == f"tmf683: store {tmp_path}/mistyped.db does not exist\n"
    assert not list(tmp_path.iterdir())


def test_a_broken_contract_stops_with_file_pointer_and_rule(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    document = {"openapi": "3.0.3", "info": {"title": "x"}, "paths": {}}
    file.write_text(json.dumps(document))
    for arguments in (("check", str(file)), ("serve", "--spec", str(file))):
        done = tmf683(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"tmf683: {file}: /info: ")
        assert "version" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--store", "nonsense:"), "nonsense: is no store"),
        (("--store", "sqlite:////proc/none/x.db"), "/proc/none/x.db"),
        (("--store", "mongodb://127.0.0.1:1/x"), "MongoDB"),
        (("--profile", "loose"), "--profile"),
        (("--port", "99999"), "--port"),
        (("--host", "192.0.2.1", "--insecure"), "--host: cannot listen on 192.0.2.1:0"),
        (("--host", "0.0.0.0"), "will not listen on 0.0.0.0 without authentication"),
        (("--spec", "/nowhere.yaml"), "No such file"),
    ],
)
def test_serve_stops_with_one_clear_line(arguments: tuple[str, ...], says: str) -> None:
    done = tmf683("serve", *arguments, TMF_BUSY_SECONDS="0.2", TMF_PORT="0")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_traces_that_cannot_be_kept_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    done = tmf683("serve", "--port", "0", OTEL_TRACES_EXPORTER="zipkin")
    assert (done.returncode, done.stdout) == (2, "")
    assert "OTEL_TRACES_EXPORTER: zipkin" in done.stderr
    monkeypatch.setenv("OTEL_SERVICE_NAME", "x")
    monkeypatch.setattr(traces, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'tmf683\[tracing\]'"):
        traces.check_tracing()


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMF_PORT", "1234")
    monkeypatch.setenv("TMF_SPEC", f"{OURS_V5}:{OURS}")
    assert read_settings().port == 1234
    assert read_settings(port=5).port == 5
    assert read_settings().spec == (OURS_V5, OURS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TMF_PORT", "http"),
        ("TMF_ROOT_PATH", "x/"),
        ("TMF_PUBLIC_URL", "ftp://x"),
        ("TMF_DURABILITY", "none"),
        ("TMF_CORS_ORIGINS", "desk.example"),
        ("TMF_CORS_ORIGINS", "https://desk.example/"),
        ("TMF_JWT_ALGORITHMS", "HS256"),
        ("TMF_JWT_ALGORITHMS", ","),
        ("TMF_MANAGEMENT_PORT", "8080"),
        ("TMF_CLOCK_SKEW", "86400"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("store", "mongodb://user:hunter2@host/db", "mongodb://user:***@host/db"),
        ("store", "mongodb://user:hunter/2@hunter:3@host/db?w=1", "mongodb://user:***@host/db?w=1"),
        ("store", "mongodb://a:1,b:2/db?tlsCertificateKeyFilePassword=hunter2", "//a:1,b:2/db?"),
        ("store", "sqlite:////data/a:b.db", "sqlite:////data/a:b.db"),
        ("cursor_key", "hunter3", "TMF_CURSOR_KEY=***"),
        ("webhook_keys", "whsec_hunter2xhunter2xhunter2xhunter2x", "TMF_WEBHOOK_KEYS=***"),
        ("public_url", "https://user:hunter2@host/x", "https://user:***@host/x"),
    ],
)
def test_secrets_are_not_shown(name: str, value: str, told: str) -> None:
    settings = Settings.model_construct(**{name: value})  # what cannot be used is shown too
    text = "\n".join(f"{name}={value}" for name, value in shown(settings))
    assert "hunter" not in text
    assert told in text


def test_every_test_that_the_security_review_names_is_there() -> None:
    root = OURS.parent.parent
    named = re.findall(
        r"`((?:[a-z_/]+\.py)?)((?:::test_\w+)?)`", (root / "SECURITY.md").read_text()
    )
    file = ""
    for path, test in named:
        file = path or file
        if path.startswith("handlers/") or not path + test:
            continue
        source = root / "tests" / file
        assert source.is_file(), path
        assert not test or f"def {test[2:]}(" in source.read_text(), test
    assert len(named) > 40


def test_the_readme_documents_every_setting() -> None:
    documented = dict(re.findall(r"^\| `(TMF_[A-Z_]+)` \|[^|]*\| (.*) \|$", README, re.MULTILINE))
    expected = {
        f"TMF_{name.upper()}": field.description for name, field in Settings.model_fields.items()
    }
    assert documented == expected


def test_the_readme_names_every_make_target() -> None:
    makefile = (OURS.parent.parent / "Makefile").read_text()
    for target in re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE):
        assert target == "help" or f"make {target}" in README, target


def test_indexes_are_listed_as_there_or_missing(tmp_path: Path) -> None:
    from storage import Index, open_store

    url = f"sqlite:///{tmp_path}/s.db"
    store = open_store(url)
    store.prepare("partyInteraction/partyInteraction", [Index((("direction",),))])
    store.close()
    lines = [line.split() for line in tmf683("indexes", "--store", url).stdout.split("\n")]
    assert ["there", "direction"] in lines
    assert ["missing", "channel.id[]"] in lines


def test_contracts_that_claim_one_base_path_are_served_at_two(tmp_path: Path) -> None:
    document = {
        "swagger": "2.0",
        "basePath": "/customer/v4/",
        "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}},
    }
    files = []
    for title in ("Customer Care", "Recommendation"):
        files.append(tmp_path / f"{title}.json")
        info = {"title": title, "version": "4.0.0"}
        files[-1].write_text(json.dumps({**document, "info": info}))
    contracts = open_contracts(read_settings(spec=tuple(files)))
    assert [each.base_path for each in contracts] == [
        "/customer/v4",
        "/tmf-api/recommendation/v4",
    ]
    with pytest.raises(ContractError, match=r"would be served at .*, as .*Recommendation"):
        open_contracts(read_settings(spec=(files[0], files[1], files[1])))
