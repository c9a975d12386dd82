"""Print what a start takes: time until the server is ready, memory, and processor time."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import OURS, OURS_V5
from tests.fuzz_run import documents
from tests.server import clean_environment, family_of, running_server

APPLICATION = "from app.application import create_app; create_app()"
SETTLING_SECONDS = 3.0
PROGRAMS = {
    "importing the libraries": "import connexion, uvicorn, gunicorn.arbiter, pydantic",
    "creating the application": APPLICATION,
    "creating it with every document": APPLICATION,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    seconds, taken = [], []
    for _ in range(chosen.times):
        begun = time.perf_counter()
        with running_server(workers=chosen.workers) as server:
            seconds.append(time.perf_counter() - begun)
            time.sleep(SETTLING_SECONDS)
            taken.append(memory_of(family_of(server.process.pid)))
    print(
        f"ready after {statistics.median(seconds):.2f} s (median of {chosen.times} starts,"
        f" {min(seconds):.2f} to {max(seconds):.2f} s), with the default contracts, a SQLite file"
        f" and {chosen.workers} workers"
    )
    memory = sorted(taken, key=sum)[len(taken) // 2]
    print(
        f"{sum(memory):.0f} MiB at rest (PSS, what processes share counted once), for each process"
        f" {', '.join(f'{each:.0f}' for each in memory)}"
    )
    others = [each for each in documents() if "TMF683" not in each.name.upper()]
    for name, program in PROGRAMS.items():
        specs = [OURS, OURS_V5, *(others if "every" in name else ())]
        spent = [
            processor_seconds(program, TMF_SPEC=os.pathsep.join(map(str, specs)))
            for _ in range(chosen.times)
        ]
        print(f"{name}: {min(spent):.2f} s of processor time (the least of {chosen.times})")


def memory_of(pids: list[int]) -> list[float]:
    """Return the MiB of each process, with its part of what it shares with others."""
    found = []
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return found


def processor_seconds(program: str, **environment: str) -> float:
    """Return the processor time in which an interpreter of its own runs a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = clean_environment({"TMF_STORE": "memory:", **environment})
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=env, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
