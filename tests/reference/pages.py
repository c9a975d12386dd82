"""The pages of the reference, each from what the code says and the words beside this module."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
import yaml

import tmf683
from app.cli import main as command_line
from app.observability.log_events import LogEvent
from app.observability.metrics import Backlog, Metrics
from app.server import refusals
from app.settings import Settings
from app.tmf630 import filtering
from app.web import errors
from tests.reference.events import event_pages
from tmf683 import pytest_plugin

WORDS = Path(__file__).parent
ROOT = WORDS.parent.parent
_GENERATED = "<!-- Made by `{by}`; a test compares. -->"


def words(name: str) -> Any:
    """Return what people have written beside the code."""
    return yaml.safe_load((WORDS / f"{name}.yaml").read_text())


def page(title: str, *parts: str, by: str = "make reference") -> str:
    return (
        "\n\n".join([f"# {title}", _GENERATED.format(by=by), *(part.strip() for part in parts)])
        + "\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def settings() -> str:
    told = words("settings")
    rows = []
    for name, field in Settings.model_fields.items():
        example, since = told[name]
        rows.append(
            [
                f"`TMF_{name.upper()}`",
                field.description or "",
                _default(name, field.default),
                f"`{example}`",
                _kind(field.annotation),
                since,
            ]
        )
    return page(
        "Settings",
        "How settings are read, and from where, is in the [README](../../README.md#configuration);"
        " `tmf683 config` prints what is in effect. A list in a variable is separated by commas,"
        " paths by the system's path separator.",
        table(["variable", "meaning", "default", "example", "type", "since"], rows),
    )


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    if origin in (Union, UnionType):
        return " or ".join(_kind(each) for each in get_args(annotation) if each is not NoneType)
    if origin is tuple:
        return f"list of {_kind(get_args(annotation)[0])}s"
    names = {"str": "text", "int": "integer", "float": "number", "bool": "`true` or `false`"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name.lower())


def _default(name: str, default: Any) -> str:
    if name == "spec":
        return "both releases in `openapi/`"
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return "" if default in (None, "") else f"`{default}`"


def commands() -> str:
    parts = [_command(["tmf683", *path], command) for path, command in _commands(command_line, [])]
    return page(
        "Command line",
        "After `make run` or `make test`, the command is `.venv/bin/tmf683`; installed with"
        " `pipx install tmf683` it is `tmf683`, and `uvx tmf683` runs it without an installation."
        " Every command reads the [settings](settings.md), and exits with 2 when something was"
        " asked of it that cannot be done. Colours are for terminals; `NO_COLOR` switches them"
        " off.",
        "Completion of commands and options, for bash; `zsh_source` and `fish_source` are for the"
        ' others:\n\n```sh\neval "$(_TMF683_COMPLETE=bash_source tmf683)"\n```',
        *parts,
    )


def _commands(command: click.Command, path: list[str]) -> Iterator[tuple[list[str], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _commands(inner, [*path, name])


def _command(path: Sequence[str], command: click.Command) -> str:
    names = ["-h", "--help"]  # as app.cli has them
    command._help_option = None  # click keeps that of the context it was asked in first
    context = click.Context(
        command, info_name=" ".join(path), max_content_width=90, help_option_names=names
    )
    return f"## {' '.join(path)}\n\n```text\n{click.unstyle(command.get_help(context))}\n```"


def log_events() -> str:
    rows = [[f"`{each}`", each.meaning] for each in LogEvent]
    return page(
        "The log",
        "The log is one stream on standard error: lines of JSON, or text on a terminal"
        " (`TMF_LOG_FORMAT`). Every line has `time`, `level`, `logger` and `message`. A line that"
        " tells of one of these events has its name in `event`; the names are stable.",
        table(["`event`", "when"], rows),
        "Of `delivery.*`, `subscription.*`, `received.failed` and `query.slow`, what is the same"
        " (event and subscription, listener, or collection and shape of the query) is logged at"
        " most once a minute; `suppressed` says how many lines were left out. `query.slow` has"
        " the paths and operators of the query, never its values. `start.refused`"
        " is a line of the log where `TMF_LOG_FORMAT` is `json`, else plain text.",
        "`tmf683.access` has a line for each request (`TMF_ACCESS_LOG`), and `tmf683.audit` one for"
        " each change and refusal where callers authenticate (`TMF_AUDIT`).",
    )


def error_codes() -> str:
    told = words("errors")
    status = statuses()
    rows = [
        [f"`{code}`", str(status[code]), told[code]["cause"], told[code]["cure"]]
        for code in sorted(status)
    ]
    return page(
        "Errors",
        "Every error is a TMF `Error`: `code` is stable, `reason` says what went wrong in general,"
        " `message` what it was this time, and `X-Request-ID` finds the request in the log.",
        table(["code", "status", "cause", "what to do"], rows),
    )


def statuses() -> dict[str, int]:
    """Return the status of every code that an answer may have."""
    found = {rule.code: rule.status for rule in errors._RULES.values()}
    found |= {
        failure.code: failure.status for failure in map(errors._http_failure, (404, 405), ({}, {}))
    }
    unexpected = errors.failure_of(RuntimeError())
    found[unexpected.code] = unexpected.status
    source = inspect.getsource(refusals)
    for line, code in re.findall(r'"(\d{3}) [^"]*",\s*"(\w+)"', source):
        found[code] = int(line)
    for code in re.findall(r'_bad_request\(\s*"(\w+)"', source):
        found[code] = 400
    return found


def queries() -> str:
    symbols: dict[str, list[str]] = {}
    for symbol, name in filtering._SYMBOLS.items():
        symbols.setdefault(name, []).append(symbol)
    meanings = words("queries")
    operators = [
        [
            " ".join(f"`{symbol}`" for symbol in sorted(symbols[name])),
            f"`.{name}`" if name in filtering._SUFFIXES else "",
            meanings["operators"][name],
        ]
        for name in meanings["operators"]
    ]
    assert meanings["operators"].keys() == symbols.keys()
    reserved = sorted({*filtering.RESERVED, *filtering.DIRECTIVES})
    assert meanings["parameters"].keys() == set(reserved)
    parameters = [[f"`{name}`", meanings["parameters"][name]] for name in reserved]
    subset = inspect.getdoc(filtering_module("jsonpath")) or ""
    accepted = "- " + subset.partition("\n- ")[2].strip()
    return page(
        "Queries",
        meanings["introduction"],
        "## Grammar\n\n```text\n" + meanings["grammar"].strip() + "\n```",
        "## Operators\n\nA symbol stands between the path and the value; a suffix ends the path.",
        table(["symbol", "suffix", "selects"], operators),
        "## Parameters\n\nAn attribute of the contract with one of these names comes first.",
        table(["parameter", "does"], parameters),
        "## JSONPath in `filter`\n\n" + accepted,
        "[How to find interactions](../how-to/find-interactions.md) has examples that run.",
    )


def filtering_module(name: str) -> Any:
    return __import__(f"app.tmf630.{name}", fromlist=[name])


def metrics() -> str:
    text = Metrics().text("", Backlog())[0].decode()
    described: dict[str, str] = dict(re.findall(r"# HELP (\S+) (.+)", text))
    types: dict[str, str] = dict(re.findall(r"# TYPE (\S+) (.+)", text))
    rows = [
        [f"`{name}`", types[name], meaning]
        for name, meaning in described.items()
        if not name.endswith("_created")
    ]
    alerts = yaml.safe_load((ROOT / "deploy/helm/files/alerts.yaml").read_text())
    runbook = (ROOT / "deploy/runbook.md").read_text()
    told = [
        [
            f"[{rule['alert']}](../../deploy/runbook.md#{rule['alert'].lower()})",
            rule["labels"]["severity"],
            rule["for"],
            _meaning(runbook, rule["alert"]),
        ]
        for group in alerts["groups"]
        for rule in group["rules"]
    ]
    return page(
        "Metrics and alerts",
        "`/metrics` answers in OpenMetrics or Prometheus' text format, all workers together;"
        " what another worker has counted in the last second may be missing."
        " Histograms have `_bucket`, `_sum` and `_count`.",
        table(["metric", "type", "meaning"], rows),
        "## Alerts\n\nFor Prometheus, in"
        " [alerts.yaml](../../deploy/helm/files/alerts.yaml); the chart installs them.",
        table(["alert", "severity", "for", "meaning"], told),
    )


def _meaning(runbook: str, alert: str) -> str:
    section = runbook.partition(f"## {alert}\n")[2].partition("\n## ")[0]
    text = " ".join(section.partition("Meaning:")[2].partition("\n\n")[0].split())
    return text[:1].upper() + text[1:]


def headers() -> str:
    told = words("headers")
    code = "".join(
        file.read_text().lower()
        for folder in ("app", "handlers", "openapi/overlays")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".yaml")
    )
    parts = []
    titles = {"requests": "Requests", "responses": "Answers", "events": "Events to listeners"}
    for name, title in titles.items():
        for header, _ in told[name]:
            assert header.lower() in code, f"nothing in the code knows the header {header}"
        rows = [[f"`{header}`", meaning] for header, meaning in told[name]]
        parts += [f"## {title}", table(["header", "meaning"], rows)]
    return page("HTTP headers", *parts)


def python_api() -> str:
    parts = ["```text\n" + (inspect.getdoc(tmf683) or "") + "\n```"]
    create = tmf683.create_app
    parts.append(_described("tmf683.create_app", create))
    parts.append(
        "### tmf683.Settings\n\nA frozen [pydantic](https://docs.pydantic.dev) model with a field"
        " for each setting, named as its variable without `TMF_`, in lower case:"
        " [settings](settings.md)."
    )
    parts.append(
        "## Fixtures for pytest\n\n" + (inspect.getdoc(pytest_plugin) or "").split("\n\n")[0]
    )
    for name in ("tmf683_server", "tmf683_app", "tmf683_environment"):
        fixture = getattr(pytest_plugin, name)
        text = inspect.getdoc(inspect.unwrap(getattr(fixture, "__wrapped__", fixture))) or ""
        parts.append(f"### {name}\n\n{text}")
    for kind in (pytest_plugin.RunningServer, pytest_plugin.EventCapture):
        parts.append(f"### {kind.__name__}\n\n{inspect.getdoc(kind)}")
        for name, member in vars(kind).items():
            if not name.startswith("_") and (text := inspect.getdoc(member)) and callable(member):
                parts.append(_described(name, member, level="####"))
    return page("Python API", *parts)


def _described(name: str, function: Callable[..., Any], level: str = "###") -> str:
    signature = re.sub(r"'([^']+)'", r"\1", str(inspect.signature(function)))
    text = inspect.getdoc(function) or ""
    text = text.replace("\nRaises:\n", "\nRaises:\n\n").replace("\n    ", "\n- ")
    return f"{level} {name}\n\n```python\n{name.rpartition('.')[2]}{signature}\n```\n\n{text}"


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings,
    "command-line.md": commands,
    "errors.md": error_codes,
    "queries.md": queries,
    "events.md": lambda: page("Events", *event_pages()),
    "log.md": log_events,
    "metrics.md": metrics,
    "headers.md": headers,
    "python.md": python_api,
}
"""How each page of the reference is made, by its file."""
