"""The help of every command has an example that the command understands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from app.cli import main
from app.commands.help_texts import EXAMPLES


def context_of(command: click.Command) -> click.Context:
    """Return a context with the options that the group gives to its commands."""
    return click.Context(command, help_option_names=["-h", "--help"], max_content_width=400)


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = context_of(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_every_command_has_examples_which_its_help_shows() -> None:
    found = dict(commands(main))
    assert found.keys() == EXAMPLES.keys()
    for path, command in found.items():
        shown = click.unstyle(command.get_help(context_of(command)))
        for example in EXAMPLES[path]:
            assert example in shown, path


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_has_options_that_its_command_knows(path: str) -> None:
    command = dict(commands(main))[path]
    context = context_of(command)
    for example in EXAMPLES[path]:
        shown = example.rpartition(" & ")[2].partition(" > ")[0]
        words = [each for each in shlex.split(shown) if not each.startswith("TMF_")]
        assert words[: 1 + len(path.split())] == ["tmf683", *path.split()]
        given = words[1 + len(path.split()) :]
        _, rest, _ = command.make_parser(context).parse_args(given)
        assert rest == []


def test_the_list_of_commands_is_not_cut() -> None:
    for group in ([], ["events"]):
        shown = CliRunner().invoke(main, [*group, "--help"], terminal_width=80).output
        assert "..." not in shown.partition("Commands:")[2]
    assert "_TMF683_COMPLETE" in CliRunner().invoke(main, ["--help"]).output


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in CliRunner().invoke(main, ["serve", "--help"]).output
    assert "\x1b[" in CliRunner().invoke(main, ["serve", "--help"], color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(main, ["serve", "--help"], color=True).output
