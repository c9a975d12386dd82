"""Where settings come from, and which source wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, environment_of, explain, read_settings


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def origins(settings: Settings) -> dict[str, str]:
    return {row.name: row.origin for row in explain(settings)}


def test_each_source_wins_over_those_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tmf683.toml").write_text("port = 1\nmax_offset = 1\nmax_text = 1\nmax_limit = 1\n")
    Path(".env").write_text("TMF_PORT=2\nTMF_MAX_OFFSET=2\nTMF_MAX_TEXT=2\n")
    monkeypatch.setenv("TMF_PORT", "3")
    monkeypatch.setenv("TMF_MAX_OFFSET", "3")
    settings = read_settings(port=4)
    stated_here = (settings.port, settings.max_offset, settings.max_text, settings.max_limit)
    assert stated_here == (4, 3, 2, 1)
    assert settings.rate_burst == 50
    told = origins(settings)
    assert [told[f"TMF_{name}"] for name in ("PORT", "MAX_OFFSET", "MAX_TEXT", "MAX_LIMIT")] == [
        "command line",
        "environment",
        ".env",
        "tmf683.toml",
    ]
    assert told["TMF_RATE_BURST"] == "default"


def test_a_file_has_lists_numbers_and_truth_values(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(
        'cors_origins = ["https://a.example", "https://b.example"]\n'
        "port = 8081\nquery_seconds = 2.5\naccess_log = false\n"
        'sources = []\njwt_algorithms = "ES256,RS256"\n'
    )
    settings = read_settings(config_file=file)
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert (settings.port, settings.query_seconds, settings.access_log) == (8081, 2.5, False)
    assert settings.jwt_algorithms == ("ES256", "RS256")
    assert settings.origin_of("port") == str(file)


def test_the_named_file_is_read_instead_of_the_one_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("tmf683.toml").write_text("port = 1\nthreads = 9\n")
    Path("a.toml").write_text("port = 2\n")
    Path("b.toml").write_text("port = 3\n")
    monkeypatch.setenv("TMF_CONFIG", "a.toml")
    assert (read_settings().port, read_settings().threads) == (2, 4)
    assert read_settings(config_file=Path("b.toml")).port == 3


def test_an_empty_name_of_the_file_reads_none(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tmf683.toml").write_text("port = 1\n")
    Path(".env").write_text("TMF_PORT=2\n")
    monkeypatch.setenv("TMF_CONFIG", "")
    assert read_settings().port == 8080


def test_a_process_that_is_started_has_the_same_settings_whatever_lies_in_its_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("given.toml").write_text('cors_origins = ["https://a.example"]\nport = 1\n')
    settings = read_settings(config_file=Path("given.toml"))
    Path("tmf683.toml").write_text('cursor_key = "other"\npublic_url = "https://x.example"\n')
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert read_settings().model_dump() == settings.model_dump()


def test_env_has_the_variables_of_other_programs_too() -> None:
    Path(".env").write_text(
        "# a comment\nPOSTGRES_PASSWORD=x\nexport TMF_PORT=5\nTMF_CURSOR_KEY='a b$c'\n"
    )
    settings = read_settings()
    assert (settings.port, settings.cursor_key) == (5, "a b$c")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tmf683.toml", "prot = 1", "prot in tmf683.toml: is not a setting; did you mean port?"),
        ("tmf683.toml", "TMF_PORT = 1", "is not a setting; did you mean port?"),
        ("tmf683.toml", "[server]\nport = 1", "server in tmf683.toml: is not a setting"),
        ("tmf683.toml", "port = 'x'", "port in tmf683.toml: x is not a whole number"),
        ("tmf683.toml", "port = ", "tmf683.toml is not TOML"),
        ("tmf683.toml", "store = 5", "5 has the wrong form; write a text, in quotes in a file"),
        ("tmf683.toml", "[port]", "a table is not a whole number"),
        ("tmf683.toml", "spec = ['none.yaml']", "there is no file none.yaml"),
        (".env", "TMF_PROT=1", "TMF_PROT in .env: is not a setting; did you mean TMF_PORT?"),
        (".env", "TMF_PORT=x", "TMF_PORT in .env: x is not a whole number"),
        (".env", "TMF_PORT", "TMF_PORT in .env: an empty value is not a whole number"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_file(file: str, content: str, says: str) -> None:
    Path(file).write_text(content)
    with pytest.raises(SettingsError) as told:
        read_settings()
    assert says in str(told.value)


def test_a_file_that_is_not_there_is_an_error_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SettingsError, match=r"--config: cannot read none\.toml: No such file"):
        read_settings(config_file=Path("none.toml"))
    monkeypatch.setenv("TMF_CONFIG", "none.toml")
    with pytest.raises(SettingsError, match=r"TMF_CONFIG: cannot read none\.toml"):
        read_settings()


def test_settings_of_an_embedding_program_have_that_origin() -> None:
    told = origins(Settings(port=5))
    assert (told["TMF_PORT"], told["TMF_HOST"]) == ("argument", "default")
