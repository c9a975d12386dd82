"""Settings.

`model` says what they are, `sources` where they come from, `report` how they are shown.
"""

from app.settings.errors import SettingProblem, SettingsError
from app.settings.model import OPENAPI_FOLDER, Settings
from app.settings.report import SettingRow, explain, place_of, shown
from app.settings.sources import Reading, environment_of, gather, read_settings

__all__ = [
    "OPENAPI_FOLDER",
    "Reading",
    "SettingProblem",
    "SettingRow",
    "Settings",
    "SettingsError",
    "environment_of",
    "explain",
    "gather",
    "place_of",
    "read_settings",
    "shown",
]
