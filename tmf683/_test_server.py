"""The process behind the fixture `tmf683_server`: a server, and a way to empty its store.

It writes a line of JSON with the addresses once the server answers, then one line for each line
`reset` that it reads. It ends, and the server with it, when its standard input is closed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tmf683._packages import claim_packages

SECONDS = 60.0
"""How long the server may take to start."""


def main(folder: Path) -> None:
    """Run the server with a store in a folder until standard input ends."""
    claim_packages()
    ready, store_url = folder / "ready.json", f"sqlite:///{folder / 'store.db'}"
    command = [sys.executable, "-m", "tmf683", "serve", "--port", "0", "--workers", "1"]
    command += ["--store", store_url, "--ready-file", str(ready)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own command
        try:
            _wait_for(ready, server)
            _reply(ready.read_text())
            for _ in sys.stdin:
                reset(store_url)
                _reply("{}")
        finally:
            server.terminate()
            server.wait()


def reset(store_url: str) -> None:
    """Remove every resource and subscription, without events."""
    from app.bootstrap import open_contracts
    from app.maintenance.export import exported_collections
    from app.settings import read_settings
    from storage import DocumentNotFound, VersionConflict, every, open_store

    names = exported_collections(open_contracts(read_settings()))
    store = open_store(store_url)
    try:
        for name in names:
            store.prepare(name, ())
            for document in list(every(store, name)):
                try:
                    store.delete(name, document.id, version=document.version)
                except (DocumentNotFound, VersionConflict):
                    continue  # a request that the last test did not wait for
    finally:
        store.close()


def _wait_for(ready: Path, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS
    while not ready.exists():
        if server.poll() is not None or time.monotonic() > end:
            sys.exit("the server did not start")
        time.sleep(0.02)


def _reply(line: str) -> None:
    sys.stdout.write(json.dumps(json.loads(line)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
