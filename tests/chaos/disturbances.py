"""What goes wrong: processes die, the clock steps, the disk fills, the file is gone."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import httpx

from tests.chaos.ledger import Ledger
from tests.server import (
    clean_environment,
    eventually,
    family_of,
    free_port,
    is_delivery,
    is_running,
)

START_SECONDS = 120
SETTINGS = {
    "TMF_CALLBACK_ALLOW": "127.0.0.0/8",
    "TMF_DELIVERY_WAIT": "0.05",
    "TMF_DELIVERY_ATTEMPTS": "50",
    "TMF_LEASE_SECONDS": "3",
    "TMF_BUSY_SECONDS": "2",
    "TMF_ACCESS_LOG": "false",
}


class Site:
    """A server on a file, that is started, disturbed and mended."""

    def __init__(self, folder: Path, ledger: Ledger, seed: int) -> None:
        self.file = folder / "chaos.db"
        self.log_file = folder / "server.log"
        self._clock = folder / "clock"
        self._clock.write_bytes(struct.pack("d", 0.0))
        self._ledger = ledger
        self._chance = random.Random(f"{seed} disturbances")
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._server: subprocess.Popen[bytes] | None = None
        self.kinds: dict[str, Callable[[], None]] = {
            "kills of a worker": self.kill_worker,
            "kills of the deliverer": self.kill_deliverer,
            "kills of the master": self.kill_master,
            "restarts": self.restart,
            "steps of the clock": self.step_clock,
            "full disks": self.fill_disk,
            "held locks": self.hold_lock,
            "replaced files": self.replace_file,
        }

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        own = str(Path(__file__).with_name("clock"))
        env = clean_environment({**SETTINGS, "CHAOS_CLOCK": str(self._clock), "PYTHONPATH": own})
        command = [str(Path(sys.executable).with_name("tmf683")), "serve", "--workers", "2"]
        command += ["--port", str(self._port), "--store", f"sqlite:///{self.file}"]
        with self.log_file.open("ab") as log:
            self._server = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the server answers that it is ready."""
        if not eventually(self._is_ready, START_SECONDS):
            raise RuntimeError("the server does not become ready")

    def stop(self) -> None:
        """End the server as an operator would."""
        assert self._server is not None
        self._server.terminate()
        self._server.wait(120)

    def kill_all(self) -> None:
        """End whatever is left."""
        if self._server is not None:
            for pid in family_of(self._server.pid):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._server.wait()

    def disturb(self, kind: str) -> None:
        """Do one of `kinds`, and mend it."""
        begun = time.monotonic()
        self.kinds[kind]()
        self.wait_ready()
        self._ledger.disturb(kind, begun)

    def kill_worker(self) -> None:
        """Kill a worker; gunicorn starts another."""
        self._kill(self._chance.choice(self._children(deliver=False)))

    def kill_deliverer(self) -> None:
        """Kill the delivery process; the server starts another."""
        for each in self._children(deliver=True):
            self._kill(each)

    def kill_master(self) -> None:
        """Kill gunicorn's master: its workers and the deliverer end, and the port is free."""
        assert self._server is not None
        left = family_of(self._server.pid)[1:]
        self._server.kill()
        self._server.wait()
        begun = time.monotonic()
        if not eventually(lambda: not any(map(is_running, left)), 60):
            self._ledger.problem("left: processes whose master was killed")
            for each in left:
                self._kill(each)
        self._ledger.counts["seconds until the last process had ended"] = max(
            self._ledger.counts["seconds until the last process had ended"],
            round(time.monotonic() - begun),
        )
        self.start()

    def restart(self) -> None:
        """Stop the server as an operator would, and start it again."""
        self.stop()
        self.start()

    def step_clock(self) -> None:
        """Move the wall clock of all processes, for a while or for good."""
        offset = self._chance.choice([86400 * 30, -86400 * 30, 60, -60, 3600, 0])
        self._set_clock(float(offset))
        time.sleep(self._chance.uniform(0.5, 3))
        if self._chance.random() < 0.5:
            self._set_clock(0.0)

    def _set_clock(self, offset: float) -> None:
        """Write in place: processes have mapped the file, and one cut to nothing would end them."""
        with self._clock.open("r+b") as file:
            file.write(struct.pack("d", offset))

    def fill_disk(self) -> None:
        """Let no file grow for a while."""
        assert self._server is not None
        pids = family_of(self._server.pid)
        log = 0
        with suppress(FileNotFoundError):
            log = self.file.with_name(f"{self.file.name}-wal").stat().st_size
        limit = min(self.file.stat().st_size, log) + 4096
        self._limit_files(pids, limit)
        time.sleep(self._chance.uniform(1, 4))
        self._limit_files([*pids, *family_of(self._server.pid)], resource.RLIM_INFINITY)

    def hold_lock(self) -> None:
        """Hold the write lock as a foreign process would."""
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=60)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            time.sleep(self._chance.uniform(1, 5))
            holder.execute("ROLLBACK")

    def replace_file(self) -> None:
        """Put another file in the place of the database, then mend it as the error says."""
        aside = self.file.with_name("aside.db")
        other = self.file.with_name("other.db")
        with closing(sqlite3.connect(other)) as copy:
            copy.execute("CREATE TABLE IF NOT EXISTS other (x)")
        self.file.rename(aside)
        if self._chance.random() < 0.5:
            shutil.copy(other, self.file)
        time.sleep(self._chance.uniform(1, 4))
        if self._state() != "replaced":
            self._ledger.problem("hidden: health does not say that the file was replaced")
        self.stop()
        aside.replace(self.file)
        self.start()

    def state_of(self) -> httpx.Response:
        """Return what the server says of its health."""
        return httpx.get(f"{self.url}/health/ready", trust_env=False, timeout=30)

    def _state(self) -> str:
        # The state is looked at every few seconds.
        end = time.monotonic() + 10
        state = ""
        while state != "replaced" and time.monotonic() < end:
            with suppress(httpx.TransportError):
                state = self.state_of().json()["checks"]["store"]
            time.sleep(0.2)
        return state

    def _is_ready(self) -> bool:
        try:
            return self.state_of().status_code == 200
        except httpx.TransportError:
            return False

    def _children(self, *, deliver: bool) -> list[int]:
        """Return the workers, or the delivery process."""
        assert self._server is not None
        found = family_of(self._server.pid)[1:]
        return [each for each in found if is_running(each) and is_delivery(each) == deliver]

    @staticmethod
    def _kill(pid: int) -> None:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)

    @staticmethod
    def _limit_files(pids: list[int], limit: int) -> None:
        for pid in set(pids):
            with suppress(OSError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
