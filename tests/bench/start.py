"""How long `tmf683 serve` takes from the start of its process to `/health/ready`."""

from __future__ import annotations

import argparse
import statistics
import time

from tests.server import running_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    seconds = []
    for _ in range(chosen.times):
        begun = time.perf_counter()
        with running_server(workers=chosen.workers):
            seconds.append(time.perf_counter() - begun)
    print(
        f"ready after {statistics.median(seconds):.2f} s (the middle of {chosen.times} starts,"
        f" {min(seconds):.2f} to {max(seconds):.2f} s), with the default contracts, a SQLite file"
        f" and {chosen.workers} workers"
    )


if __name__ == "__main__":
    main()
