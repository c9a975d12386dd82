"""The browser of the browser tests: Debian's Chromium, or another that is installed."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = "no Chromium: apt-get install chromium, or name one in TMF_TEST_CHROMIUM"


def executable() -> str | None:
    """Return the path of an installed Chromium, None when there is none."""
    named = os.environ.get("TMF_TEST_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)
