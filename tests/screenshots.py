"""`make screenshots`: pictures of the pages, on a desktop and a phone, light and dark.

They show the invented history of `tmf683 demo`: all of them as `build/screenshots/*.png`, and those
that the documentation shows as `docs/images/*.webp`, which `--docs` alone takes.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.chromium import executable
from tests.server import clean_environment, eventually, free_port

DEVICES = {
    "desktop": {"width": 1280, "height": 860},
    "phone": {"width": 390, "height": 844},
}
THEMES = ("light", "dark")
SHOWN = {
    ("home", "desktop", "light"),
    ("timeline", "desktop", "light"),
    ("timeline", "phone", "dark"),
    ("table", "desktop", "light"),
    ("deliveries", "desktop", "dark"),
}
"""Views, devices and themes of which the documentation has pictures."""
ALL, DOCS = Path("build/screenshots"), Path("docs/images")
QUALITY = 75
PARTY = "relatedParty.partyOrPartyRole.id"


@contextmanager
def demo() -> Iterator[str]:
    """Run `tmf683 demo`, whose history does not grow, and yield its address."""
    port = free_port()
    program = str(Path(sys.executable).with_name("tmf683"))
    process = subprocess.Popen(
        [program, "demo", "--port", str(port), "--every", "0"],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        if not eventually(lambda: _answers(url), 180):
            raise SystemExit("tmf683 demo did not start")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def views(url: str) -> dict[str, str]:
    """Return the path of each view: of the customer with the most contacts among the newest."""
    api = f"{url}/tmf-api/partyInteraction/v5/partyInteraction"
    found = httpx.get(api, params={"limit": 300}, trust_env=False).json()
    parties = [
        party["partyOrPartyRole"]["id"]
        for each in found
        for party in each.get("relatedParty", [])
        if party.get("role") == "customer"
    ]
    party = max(sorted(set(parties)), key=parties.count)
    mine = httpx.get(api, params={PARTY: party, "limit": 50}, trust_env=False).json()
    rich = max(mine, key=lambda each: len(str(each)))
    return {
        "home": "/",
        "timeline": f"/timeline?{urlencode({PARTY: party})}",
        "timeline-filtered": f"/timeline?{urlencode({PARTY: party, 'direction': 'inbound'})}",
        "contact": f"/timeline/{rich['id']}",
        "log": f"/timeline/new?{urlencode({'party': party})}",
        "explore": "/explore",
        "table": "/explore/partyInteraction/partyInteraction",
        "resource": f"/explore/partyInteraction/partyInteraction/{rich['id']}",
        "console": "/console",
        "subscriptions": "/console/subscriptions",
        "deliveries": "/console/deliveries",
        "settings": "/console/settings",
        "error": "/nothing/here",
    }


def take(page: Page, url: str, name: str, *, docs_only: bool) -> None:
    """Write the pictures of one view; `name` is that of the files."""
    page.goto(url, wait_until="networkidle")
    if not docs_only:
        page.screenshot(path=ALL / f"{name}.png")
    if tuple(name.rsplit("-", 2)) in SHOWN:
        chrome = page.context.new_cdp_session(page)
        options = {"format": "webp", "quality": QUALITY}
        content = chrome.send("Page.captureScreenshot", options)["data"]
        (DOCS / f"{name}.webp").write_bytes(base64.b64decode(content))


def main() -> None:
    """Take the pictures."""
    docs_only = sys.argv[1:] == ["--docs"]
    for folder in (ALL, DOCS):
        folder.mkdir(parents=True, exist_ok=True)
    browser_path = executable()
    if browser_path is None:
        raise SystemExit("no Chromium: install it (apt-get install chromium)")
    taken = 0
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path)
        addresses = views(url)
        for device, size in DEVICES.items():
            for theme in THEMES:
                context = browser.new_context(
                    viewport=size,  # type: ignore[arg-type]
                    color_scheme=theme,  # type: ignore[arg-type]
                    locale="en-GB",
                    timezone_id="Europe/Madrid",
                )
                page = context.new_page()
                for name, path in addresses.items():
                    if docs_only and (name, device, theme) not in SHOWN:
                        continue
                    take(page, url + path, f"{name}-{device}-{theme}", docs_only=docs_only)
                    taken += 1
                context.close()
        browser.close()
    print(f"{taken} views, in {DOCS}" if docs_only else f"{taken} views, in {ALL} and {DOCS}")


if __name__ == "__main__":
    main()
