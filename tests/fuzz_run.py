"""Fuzzing: schemathesis with all its checks against running servers (`make fuzz`)."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.bootstrap import open_contracts
from app.contract.document.load import Json
from app.settings import OPENAPI_FOLDER, read_settings
from tests.mongo.running import mongo_url
from tests.server import Server, running_server

SEED = 683

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@dataclass(frozen=True)
class Fuzzed:
    """A server, and the effective contract by which it judges requests."""

    server: Server
    contract: Json


@contextmanager
def fuzzed_server(
    spec: Path, profile: str, *, store: str | None = None, api_keys: str = ""
) -> Iterator[Fuzzed]:
    """Run a server that holds its own answers against the contract."""
    settings = read_settings(spec=(spec,), profile=profile, api_keys=api_keys)
    (contract,) = open_contracts(settings)
    environment = {"TMF_VALIDATE_RESPONSES": "true", "TMF_DURABILITY": "normal"}
    environment["TMF_API_KEYS"] = api_keys
    with running_server(spec, profile=profile, store=store, env=environment) as server:
        yield Fuzzed(server, contract.document)


def fuzz(
    fuzzed: Fuzzed,
    examples: int,
    *,
    phases: str | None = None,
    key: str | None = None,
    seed: int = SEED,
    exact: bool = False,
    published: bool = False,
) -> tuple[bool, str]:
    """Fuzz every operation of the effective contract; return success and report.

    The contract as it is `published` names classes by what `@type` says, and nothing of those that
    the server accepts beside them. Only requests that follow it are sent then.

    Without `phases` there are all of them; "coverage" takes longest by far. With a `key` the server
    must refuse requests without it. The same `seed` makes the same requests.

    The default profile takes null as absent, wherever that is. No schema says so without promising
    null in answers as well; so only a run that is `exact`, as the strict profile is, expects that a
    body against the schema is refused.
    """
    command = [str(Path(sys.executable).with_name("schemathesis"))]
    command += ["--config-file", str(CONFIGURATION), "run"]
    command += ["--max-examples", str(examples)]
    command += ["--generation-database", "none"]
    command += ["--seed", str(seed)]
    command += ["--generation-allow-x00", "false"]  # refused, which a schema cannot say
    command += [] if exact else ["--exclude-checks", "negative_data_rejection"]
    command += ["--phases", phases] if phases else []
    command += ["--header", f"X-API-Key: {key}"] if key else []
    with tempfile.TemporaryDirectory() as folder:
        if published:
            command += [f"{fuzzed.server.base_url}/openapi.json", "--mode", "positive"]
        else:
            file = Path(folder) / "openapi.json"
            file.write_text(json.dumps(fuzzed.contract))
            command += [str(file), "--url", fuzzed.server.base_url]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, check=False, timeout=7200
        )
    return done.returncode == 0, done.stdout + done.stderr


def documents() -> list[Path]:
    """Return our documents, and the official ones where they are at hand."""
    folder = os.environ.get("TMF_OFFICIAL_SPECS")
    official = sorted(Path(folder).glob("TMF*")) if folder else []
    return [*sorted(OPENAPI_FOLDER.glob("*.yaml")), *official]


def main() -> int:
    """Fuzz every document under every profile that it has, on SQLite and on MongoDB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="for each operation")
    parser.add_argument("--seed", type=int, default=SEED, help="another one makes other requests")
    options = parser.parse_args()
    failed = 0
    with contextlib.ExitStack() as stack:
        stores = {"SQLite": ""}
        try:
            stores["MongoDB"] = stack.enter_context(mongo_url())
        except pytest.skip.Exception as reason:
            print(f"skipped on MongoDB: {reason.msg}", flush=True)
        for spec in documents():
            strict = ("strict",) if spec.name.endswith("v4.0.0.yaml") else ()
            for profile, (name, url) in itertools.product(("conformance", *strict), stores.items()):
                store = f"{url}fuzz{uuid.uuid4().hex[:8]}" if url else None
                with fuzzed_server(spec, profile, store=store) as server:
                    exact = profile == "strict"
                    clean, report = fuzz(server, options.examples, seed=options.seed, exact=exact)
                failed += not clean
                print(report if not clean else "\n".join(report.splitlines()[-6:]))
                where = f"{spec.name}, {profile}, {name}"
                print(f"{'clean' if clean else 'FAILED'}: {where}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
