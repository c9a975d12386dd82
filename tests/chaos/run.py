"""Run mixed load on a server while one thing after the other goes wrong, and print the ledger.

`python -m tests.chaos.run --minutes 60 --seed 683`; exit code 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.chaos.disturbances import Site
from tests.chaos.ledger import Ledger
from tests.chaos.load import API, Load, listening, stored

_SILENCE_SECONDS = 60
"""When no event was delivered for so long, none will be."""


def run(minutes: float, seed: int, folder: Path) -> Ledger:
    """Return the ledger of a run; every kind of disturbance comes once in each round."""
    ledger = Ledger()
    chance = random.Random(f"{seed} plan")
    site = Site(folder, ledger, seed)
    gap = 1.0 if minutes <= 1 else 3.0
    with listening(ledger) as listener:
        try:
            site.start()
            _subscribe(site.url, f"{listener}/early", ledger)
            load = Load(site.url, ledger, seed, pause=0.05)
            load.start()
            try:
                _disturb(site, chance, time.monotonic() + minutes * 60, gap)
                _subscribe(site.url, f"{listener}/late", ledger)
                time.sleep(gap)
            finally:
                load.stop()
            site.wait_ready()
            _await_deliveries(ledger)
            time.sleep(2)
            ledger.check_stored(stored(site.url))
            ledger.check_deliveries()
            site.stop()
        finally:
            site.kill_all()
    if (number := site.log_file.read_text(errors="replace").count("Traceback")) > 0:
        ledger.counts["tracebacks in the log"] = number
    return ledger


def _disturb(site: Site, chance: random.Random, end: float, gap: float) -> None:
    plan: list[str] = []
    while True:
        if not plan:
            plan = chance.sample(sorted(site.kinds), len(site.kinds))
            if time.monotonic() > end:
                return
        time.sleep(chance.uniform(0.5, 1) * gap)
        site.disturb(plan.pop())


def _await_deliveries(ledger: Ledger) -> None:
    """Wait until every acknowledged change has reached its listeners, or no more events come."""
    delivered, since = -1, time.monotonic()
    while ledger.missing() and time.monotonic() - since < _SILENCE_SECONDS:
        now = sum(len(each) for each in ledger.deliveries.values())
        if now != delivered:
            delivered, since = now, time.monotonic()
        time.sleep(0.5)


def _subscribe(url: str, callback: str, ledger: Ledger) -> None:
    answer = httpx.post(f"{url}{API}/hub", json={"callback": callback}, trust_env=False, timeout=60)
    answer.raise_for_status()
    ledger.subscribe(httpx.URL(callback).path)


def main() -> int:
    """Run, and print the ledger."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="tmf683-chaos-"))
    ledger = run(options.minutes, options.seed, folder)
    print(ledger.report())
    if ledger.problems:
        print(f"database and log: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
