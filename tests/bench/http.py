"""`make bench`: requests per second, one worker each, beside stock connexion in the same run.

The two servers take turns, round after round, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

import httpx

from app.settings import OPENAPI_FOLDER
from tests.server import free_port, running_server

CONNECTIONS = 8
QUIET = {"TMF_ACCESS_LOG": "false"}  # the stock server has no access log either
FLOOR = 3.5
BODY = json.dumps(
    {
        "channel": [{"id": "555", "href": "https://example.com/channel/555", "name": "shop"}],
        "direction": "inbound",
        "reason": "Broadband fault",
        "status": "opened",
        "interactionDate": {"startDateTime": "2026-11-23T10:00:00Z"},
        "relatedParty": [
            {
                "id": "42",
                "href": "https://example.com/party/42",
                "role": "customer",
                "@referredType": "Individual",
            }
        ],
        "note": [{"text": "call back tomorrow", "author": "agent 7"}],
    }
).encode()


@contextmanager
def stock_server(spec: Path, store: str) -> Iterator[str]:
    """Serve tests/bench/stock.py as its users would: gunicorn, one uvicorn worker."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "1", "-k", "uvicorn_worker.UvicornWorker"]
    command += ["-b", f"127.0.0.1:{port}", "--log-level", "error", "--no-control-socket"]
    process = subprocess.Popen(
        [*command, "tests.bench.stock:create_app()"],
        env={**os.environ, "TMF_SPEC": str(spec), "TMF_STORE": store},
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}/tmf-api/partyInteraction/v4"
    try:
        for _ in range(200):
            try:
                httpx.get(f"{base}/partyInteraction?limit=1")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield base
    finally:
        process.terminate()
        process.wait(10)


def measure(
    method: str,
    url: str,
    status: int,
    body: bytes,
    seconds: float,
    connections: int = CONNECTIONS,
) -> float:
    """Return requests per second, counted in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.load", method, url, str(status)]
    done = subprocess.run(
        [*command, str(connections), str(seconds)], input=body, stdout=subprocess.PIPE, check=True
    )
    return float(json.loads(done.stdout))


def cases(base: str) -> dict[str, tuple[str, str, int, bytes]]:
    """Return what is measured, on a server that holds at least ten resources."""
    collection = f"{base}/partyInteraction"
    for _ in range(10):
        answer = httpx.post(collection, content=BODY, headers={"Content-Type": "application/json"})
        answer.raise_for_status()
    return {
        "GET one": ("GET", f"{collection}/{answer.json()['id']}", 200, b""),
        "GET list of 10": ("GET", f"{collection}?limit=10", 200, b""),
        "POST": ("POST", collection, 201, BODY),
    }


def main() -> int:
    """Measure, print a table, and fail when a ratio is below the floor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    spec = OPENAPI_FOLDER / "tmf683-v4.0.0.yaml"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(
            running_server(spec, store=f"sqlite:///{folder}/ours.db", env=QUIET)
        )
        # The stock server gets a copy of a store that ours has prepared: the same indexes.
        (folder / "stock.db").write_bytes((folder / "ours.db").read_bytes())
        stock = stack.enter_context(stock_server(spec, f"sqlite:///{folder}/stock.db"))
        targets = {"ours": cases(ours.base_url), "stock": cases(stock)}
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(options.rounds):
            for case in targets["ours"]:
                for server, prepared in targets.items():
                    rate = measure(*prepared[case], options.seconds)
                    rates.setdefault((case, server), []).append(rate)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ",
        end="",
    )
    print(f"{date.today()}; one worker, {CONNECTIONS} connections, median of {options.rounds}")
    print(f"{'requests per second':20} {'ours':>8} {'stock':>8} {'ratio':>7}")
    low = False
    for case in targets["ours"]:
        mine, theirs = (statistics.median(rates[case, server]) for server in ("ours", "stock"))
        low = low or mine / theirs < FLOOR
        print(f"{case:20} {mine:8.0f} {theirs:8.0f} {mine / theirs:6.1f}x")
    if low:
        print(f"a ratio is below {FLOOR}", file=sys.stderr)
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
