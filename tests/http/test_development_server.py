"""`tmf683 serve --dev`, started in a folder that is not the repository."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from app.server.development import watched_folders
from app.settings import read_settings
from tests.conftest import OURS
from tests.http.conftest import MINIMAL
from tests.server import clean_environment, eventually, free_port

pytestmark = pytest.mark.slow


def test_the_sources_and_the_contracts_are_watched(tmp_path: Path) -> None:
    contract = tmp_path / "own.yaml"
    contract.write_bytes(OURS.read_bytes())
    folders = watched_folders(read_settings(spec=(contract,)))
    assert str(tmp_path.resolve()) in folders
    assert all(Path(each).is_absolute() and Path(each).is_dir() for each in folders)
    assert str(OURS.parent.resolve()) in folders


def test_events_are_delivered_and_no_server_is_named(tmp_path: Path) -> None:
    port = free_port()
    command = [str(Path(sys.executable).with_name("tmf683")), "serve", "--dev"]
    command += ["--port", str(port), "--store", f"sqlite:///{tmp_path}/dev.db"]
    command += ["--spec", str(OURS)]
    url = f"http://127.0.0.1:{port}/health/ready"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=clean_environment({"TMF_CALLBACK_ALLOW": "127.0.0.0/8"}),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:

        def is_ready() -> bool:
            try:
                return httpx.get(url, trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        assert eventually(is_ready, 120), (tmp_path / "log").read_text()
        assert "server" not in httpx.get(url, trust_env=False).headers
        assert eventually(
            lambda: httpx.get(url, trust_env=False).json()["checks"]["delivery"] == "ready"
        )
        received: list[bytes] = []

        class Listener(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()

        with HTTPServer(("127.0.0.1", 0), Listener) as listener:
            threading.Thread(target=listener.serve_forever, daemon=True).start()
            api = f"http://127.0.0.1:{port}/tmf-api/partyInteraction/v4"
            hub = {"callback": f"http://127.0.0.1:{listener.server_port}/"}
            httpx.post(f"{api}/hub", json=hub, trust_env=False).raise_for_status()
            made = httpx.post(f"{api}/partyInteraction", json=MINIMAL, trust_env=False)
            made.raise_for_status()
            assert eventually(lambda: bool(received))
            listener.shutdown()
        assert made.json()["id"].encode() in received[0]
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
