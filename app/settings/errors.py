"""Errors of settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """What is wrong with a setting.

    `place` names the setting as it was given (`TMF_PORT`, `--port`, `port in tmf683.toml`), empty
    where the text names the settings; `text` says what is wrong and what to do.
    """

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class SettingsError(Exception):
    """Settings cannot be used; the message names each of them and says what to do."""

    @classmethod
    def of(cls, problems: Sequence[SettingProblem]) -> SettingsError:
        """Return the error of several problems, one a line."""
        return cls("\n".join(map(str, problems)))
