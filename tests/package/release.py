"""What belongs to a release: the wheel, its bill of materials, an audit of what it brings.

    python -m tests.package.release sbom     # writes dist/tmf683-VERSION.cdx.json
    python -m tests.package.release audit    # lists known vulnerabilities; 1 when there are any

The tools are installed into an environment of their own, `build/release-tools`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOLS = ("cyclonedx-bom==7.5.0", "pip-audit==2.10.1")
_LOCK = ROOT / "requirements.lock"
_TOOLS_FOLDER = ROOT / "build" / "release-tools"
_PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


class ReleaseError(Exception):
    """A step failed; the message has what it wrote."""


class Unavailable(ReleaseError):
    """What a step needs from the network is not to be had."""


@dataclass(frozen=True)
class Audit:
    """Vulnerabilities by package, and the packages of which nothing could be learnt."""

    vulnerable: dict[str, list[str]]
    unknown: list[str]
    audited: int


def build_wheel(source: Path, out: Path, *, epoch: int | None = None) -> Path:
    """Build the wheel of a source tree; return the file."""
    environment = {} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)}
    python = [sys.executable, *_PIP, "wheel", "--no-deps", "-w", str(out), str(source)]
    run(python, environment)
    (wheel,) = out.glob("tmf683-*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel with what it requires into a new environment; return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run([str(python), *_PIP, "install", "-c", str(_LOCK), str(wheel)])
    return python


def bill_of_materials(python: Path) -> dict[str, Any]:
    """Return what an environment contains, as CycloneDX."""
    program = str(tools() / "cyclonedx-py")
    options = ["--output-reproducible", "--pyproject", str(ROOT / "pyproject.toml")]
    content: dict[str, Any] = json.loads(run([program, "environment", *options, str(python)]))
    return content


def audit(python: Path) -> Audit:
    """Ask for the known vulnerabilities of what an environment contains."""
    frozen = run([str(python), *_PIP, "list", "--format=freeze", "--exclude", "tmf683"])
    with tempfile.TemporaryDirectory() as name:
        pins = Path(name) / "requirements.txt"
        pins.write_text(frozen)
        program = [str(tools() / "pip-audit"), "--no-deps", "--disable-pip", "--format", "json"]
        done = subprocess.run(
            [*program, "--progress-spinner", "off", "-r", str(pins)],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise Unavailable(f"pip-audit: {done.stderr.strip().splitlines()[-1:]}") from None
    told = [each for each in found if "skip_reason" not in each]
    return Audit(
        vulnerable={
            f"{each['name']} {each['version']}": [vuln["id"] for vuln in each["vulns"]]
            for each in told
            if each["vulns"]
        },
        unknown=sorted(each["name"] for each in found if "skip_reason" in each),
        audited=len(told),
    )


def tools() -> Path:
    """Return the folder of the tools' programs, installed once."""
    stamp = _TOOLS_FOLDER / "+".join(TOOLS)
    if not stamp.exists():
        venv.create(_TOOLS_FOLDER, with_pip=True, clear=True)
        try:
            run([str(_TOOLS_FOLDER / "bin" / "python"), *_PIP, "install", *TOOLS])
        except ReleaseError as error:
            raise Unavailable(f"pip cannot install {' and '.join(TOOLS)}: {error}") from None
        stamp.touch()
    return _TOOLS_FOLDER / "bin"


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Run a command; return what it writes.

    Raises:
        ReleaseError: it fails.
    """
    env = os.environ | (environment or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(step: str) -> int:
    """Run a step for a release; return the exit code."""
    with tempfile.TemporaryDirectory() as name:
        python = install(build_wheel(ROOT, Path(name)), Path(name) / "environment")
        if step == "sbom":
            content = bill_of_materials(python)
            version = content["metadata"]["component"]["version"]
            file = ROOT / "dist" / f"tmf683-{version}.cdx.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(content, indent=2) + "\n")
            print(f"{len(content['components'])} components: {file.relative_to(ROOT)}")
            return 0
        found = audit(python)
    for package, ids in found.vulnerable.items():
        print(f"{package}: {', '.join(ids)}")
    if found.unknown:
        print(f"nothing is known of: {', '.join(found.unknown)}")
    print(f"{found.audited} packages audited, {len(found.vulnerable)} with known vulnerabilities")
    return 1 if found.vulnerable or not found.audited else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
