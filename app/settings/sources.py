"""Where settings come from.

The command line comes before `TMF_*` environment variables, these before `.env` in the working
directory, this before the file `tmf683.toml`, and that before the defaults. What is not a setting,
and what cannot be a setting's value, is an error wherever it is stated.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from app.settings.errors import SettingProblem, SettingsError
from app.settings.model import Settings
from app.settings.report import COMMAND_LINE, PATHS, SECRETS, as_shown, joined, variable_of
from app.settings.sentences import did_you_mean, sentence

FILE_VARIABLE = "TMF_CONFIG"
"""Names the file with settings, as `--config` does; empty, neither it nor `.env` is read."""
DEFAULT_FILE = Path("tmf683.toml")
ENV_FILE = Path(".env")
NOT_SETTINGS = frozenset({FILE_VARIABLE, "TMF_OFFICIAL_SPECS", "TMF_TEST_MONGODB_URI"})
"""Variables that are known but are no settings; the last two are for this project's tests."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A value that a source states; `place` names the setting as it is written there."""

    value: Any
    origin: str
    place: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What all sources state together.

    In `settings` a default stands for each value that cannot be used; these are in `refused`, with
    their origins. `problems` says what is wrong.
    """

    settings: Settings
    problems: tuple[SettingProblem, ...]
    refused: Mapping[str, tuple[Any, str]]


def read_settings(*, config_file: Path | None = None, **given: Any) -> Settings:
    """Return the effective settings; arguments that are None or empty count as not given.

    `given` are the settings of the command line, `config_file` the file it names.

    Raises:
        SettingsError: a value is wrong, or what a source states is not a setting.
    """
    reading = gather(config_file=config_file, **given)
    if reading.problems:
        raise SettingsError.of(reading.problems)
    return reading.settings


def gather(*, config_file: Path | None = None, **given: Any) -> Reading:
    """Return the effective settings, and everything that is wrong with what was stated.

    The arguments are those of `read_settings`.
    """
    problems: list[SettingProblem] = []
    stated: dict[str, Stated] = {}
    if os.environ.get(FILE_VARIABLE) != "" or config_file is not None:
        stated |= _from_file(config_file, problems)
        stated |= _from_variables(dotenv_values(ENV_FILE, interpolate=False), ".env", problems)
    stated |= _from_variables(os.environ, "environment", problems)
    stated |= {
        name: Stated(value, COMMAND_LINE, "--" + name.replace("_", "-"))
        for name, value in given.items()
        if value not in (None, ())
    }
    wrong = _wrong_values(stated)
    problems += [SettingProblem(stated[name].place, text) for name, text in wrong.items()]
    usable = {name: each for name, each in stated.items() if name not in wrong}
    found: list[str] = []
    settings = Settings.model_validate(
        {name: each.value for name, each in usable.items()}, context=found
    )
    # With a default in place of a wrong value, what seems to clash may not.
    doubtful = [variable_of(name) for name in wrong]
    problems += [
        SettingProblem("", text) for text in found if not any(name in text for name in doubtful)
    ]
    return Reading(
        settings.with_origins({name: each.origin for name, each in usable.items()}),
        tuple(problems),
        {name: (stated[name].value, stated[name].origin) for name in wrong},
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the settings as environment variables, for a process that reads nothing else."""
    environment = {FILE_VARIABLE: ""}
    for name, value in settings.model_dump().items():
        if isinstance(value, tuple):
            environment[variable_of(name)] = joined(name, value)
        elif value is not None:
            environment[variable_of(name)] = str(value)
    return environment


def _from_variables(
    variables: Mapping[str, str | None], origin: str, problems: list[SettingProblem]
) -> dict[str, Stated]:
    """Return what variables state, and add those that are no settings to the problems."""
    suffix = "" if origin == "environment" else f" in {origin}"
    known = {variable_of(name): name for name in Settings.model_fields}
    stated = {}
    for variable, value in variables.items():
        if variable in known:
            stated[known[variable]] = Stated(value or "", origin, variable + suffix)
        elif variable.startswith("TMF_") and variable not in NOT_SETTINGS:
            problems.append(SettingProblem(variable + suffix, _not_a_setting(variable, known)))
    return stated


def _from_file(given: Path | None, problems: list[SettingProblem]) -> dict[str, Stated]:
    """Return what the file states; the default file need not be there."""
    named = given or Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
    if given is None and FILE_VARIABLE not in os.environ and not named.exists():
        return {}
    place = "--config" if given else FILE_VARIABLE if FILE_VARIABLE in os.environ else str(named)
    try:
        content = tomllib.loads(named.read_text(encoding="utf-8"))
    except OSError as error:
        text = f"cannot read {named}: {error.strerror}; name a TOML file that exists"
        problems.append(SettingProblem(place, text))
        return {}
    except ValueError as error:  # TOML, or its encoding
        problems.append(SettingProblem(place, f"{named} is not TOML: {error}; write name = value"))
        return {}
    stated = {}
    for name, value in content.items():
        where = f"{name} in {named}"
        if name in Settings.model_fields:
            stated[name] = Stated(value, str(named), where)
        else:
            problems.append(SettingProblem(where, _not_a_setting(name, Settings.model_fields)))
    return stated


def _not_a_setting(name: str, known: Iterable[str]) -> str:
    wanted = name if name in known else name.removeprefix("TMF_").lower()
    guess = f"; did you mean {wanted}?" if wanted in known else did_you_mean(name, known)
    return f"is not a setting{guess or '; `tmf683 config --explain` lists them'}"


def _wrong_values(stated: Mapping[str, Stated]) -> dict[str, str]:
    """Return the settings whose values cannot be used, each with a sentence that says why."""
    wrong: dict[str, str] = {}
    try:
        Settings.model_validate({name: each.value for name, each in stated.items()}, context=[])
    except ValidationError as error:
        for each in error.errors():
            name = str(each["loc"][0])
            given = as_shown(name, each["input"]) if name in SECRETS else each["input"]
            field = Settings.model_fields[name]
            wrong.setdefault(name, sentence(each["type"], each["msg"], given, field))
    for name in PATHS - wrong.keys():
        # What the command line names is opened at once, and the error then names the file.
        if name in stated and stated[name].origin != COMMAND_LINE:
            for missing in _missing_files(name, stated[name].value):
                wrong.setdefault(name, f"there is no file {missing}; name one that exists")
    return wrong


def _missing_files(name: str, value: Any) -> list[str]:
    paths = value.split(os.pathsep) if isinstance(value, str) else value
    return [str(each) for each in paths if each and not Path(each).exists()]
