"""Fuzzing: schemathesis with all its checks against running servers (`make fuzz`)."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from app.bootstrap import open_contracts
from app.contract.document.load import Json
from app.settings import OPENAPI_FOLDER, read_settings
from tests.mongo.running import mongo_url
from tests.server import Server, running_server

SEED = 683

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
LOGS = Path(__file__).parents[1] / "build" / "fuzz"
SECONDS = 7200
"""How long the fuzzing of one document may take."""


@dataclass(frozen=True)
class Fuzzed:
    """A server, and the effective contract by which it judges requests."""

    server: Server
    contract: Json


@dataclass(frozen=True)
class Run:
    """A document under one profile on one store, at the URL of a MongoDB server or on SQLite."""

    spec: Path
    profile: str
    store: str
    url: str = ""

    @property
    def log(self) -> Path:
        """The file with what schemathesis reported."""
        return LOGS / f"{self.spec.stem}-{self.profile}-{self.store.lower()}.log"

    def __str__(self) -> str:
        return f"{self.spec.name}, {self.profile}, {self.store}"


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
    command += ["--suppress-health-check", "too_slow"]  # so it is where others use the machine
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
            command, capture_output=True, text=True, cwd=folder, check=False, timeout=SECONDS
        )
    return done.returncode == 0, done.stdout + done.stderr


def documents(patterns: Sequence[str] = ()) -> list[Path]:
    """Return our documents, and the official ones where they are at hand.

    With `patterns`, those that one of them matches: paths of other documents, or what the name of a
    file begins with (`TMF681`), `*` for any text. Raise ValueError for one that matches none.
    """
    folder = os.environ.get("TMF_OFFICIAL_SPECS")
    official = sorted(Path(folder).glob("TMF*")) if folder else []
    known = [*sorted(OPENAPI_FOLDER.glob("*.yaml")), *official]
    chosen: list[Path] = []
    for pattern in patterns:
        if Path(pattern).is_file():
            matched = [Path(pattern)]
        else:
            matched = [each for each in known if fnmatch(each.name.lower(), f"{pattern.lower()}*")]
        if not matched:
            raise ValueError(f"{pattern} is no document; there are {', '.join(map(str, known))}")
        chosen += [each for each in matched if each not in chosen]
    return chosen if patterns else known


def runs_of(specs: Sequence[Path], stores: dict[str, str]) -> list[Run]:
    """Return a run for each document, profile that it has, and store."""
    found = []
    for spec in specs:
        strict = ("strict",) if spec.name.endswith("v4.0.0.yaml") else ()
        for profile, (name, url) in itertools.product(("conformance", *strict), stores.items()):
            found.append(Run(spec, profile, name, url))
    return found


def fuzz_one(run: Run, *, examples: int, seed: int, phases: str | None) -> bool:
    """Fuzz one document, write its log and print a line; return whether nothing was found."""
    started = time.monotonic()
    store = f"{run.url}fuzz{uuid.uuid4().hex[:8]}" if run.url else None
    errors: list[str] = []
    try:
        with fuzzed_server(run.spec, run.profile, store=store) as server:
            exact = run.profile == "strict"
            clean, report = fuzz(server, examples, seed=seed, exact=exact, phases=phases)
            log = server.server.log()
        # What goes wrong beside the requests, in the delivery of events above all, fails as well.
        errors = [line for line in log.splitlines() if '"level":"error"' in line]
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        clean, report = False, str(error)
    clean = clean and not errors
    run.log.parent.mkdir(parents=True, exist_ok=True)
    run.log.write_text("\n".join([report, *errors]))
    took = round(time.monotonic() - started)
    told = f"{_counted(report)}, {len(errors)} errors in the server's log, {took} s"
    print(f"{'clean' if clean else 'FAILED'}: {run}: {told}", flush=True)
    if not clean:
        print(f"  {run.log}", flush=True)
    return clean


def main() -> int:
    """Fuzz documents under every profile that they have, on SQLite and on MongoDB."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("documents", nargs="*", help="files, or what their names begin with")
    parser.add_argument("--examples", type=int, default=1000, help="for each operation")
    parser.add_argument("--seed", type=int, default=SEED, help="another one makes other requests")
    parser.add_argument("--phases", help="of examples,coverage,fuzzing,stateful; else all")
    parser.add_argument("--store", choices=("sqlite", "mongodb"), help="else both")
    options = parser.parse_args()
    try:
        specs = documents(options.documents)
    except ValueError as reason:
        parser.error(str(reason))
    with contextlib.ExitStack() as stack:
        stores = {} if options.store == "mongodb" else {"SQLite": ""}
        if options.store != "sqlite":
            try:
                stores["MongoDB"] = stack.enter_context(mongo_url())
            except pytest.skip.Exception as reason:
                print(f"skipped on MongoDB: {reason.msg}", flush=True)
        outcomes = [
            fuzz_one(each, examples=options.examples, seed=options.seed, phases=options.phases)
            for each in runs_of(specs, stores)
        ]
    print(f"{outcomes.count(True)} of {len(outcomes)} runs clean; reports in {LOGS}")
    return int(not outcomes or not all(outcomes))


def _counted(report: str) -> str:
    """Return how many operations were tested, and what became of the requests."""
    tested = re.search(r"Tested: (\d+)", report)
    cases = re.search(r"Test cases:\n\s*(.+)", report)
    return f"{tested[1] if tested else 0} operations, {cases[1] if cases else 'no requests'}"


if __name__ == "__main__":
    sys.exit(main())
