"""What belongs to a release: the wheel, its bill of materials, an audit of what it brings.

    python -m tests.package.release sbom     # writes dist/tmf683-VERSION.cdx.json
    python -m tests.package.release audit    # lists known vulnerabilities; 1 when there are any
    python -m tests.package.release audit https://osv.example/v1/query    # asks this OSV server

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


def installed(python: Path) -> str:
    """Return what an environment contains as pinned requirements, without this project."""
    return run([str(python), *_PIP, "list", "--format=freeze", "--exclude", "tmf683"])


def audit(pins: str, osv_url: str | None = None) -> Audit:
    """Ask for the known vulnerabilities of pinned requirements.

    They are asked for at `osv_url` (OSV's query API), or at pypi.org and, where that knows none of
    the packages, at osv.dev.

    Raises:
        Unavailable: none of these answers.
    """
    if osv_url is not None:
        return _audit(pins, "--vulnerability-service", "osv", "--osv-url", osv_url)
    reasons = []
    for service in ("pypi", "osv"):
        try:
            found = _audit(pins, "--vulnerability-service", service)
        except Unavailable as error:
            reasons.append(f"{service}: {error}")
            continue
        if found.audited:
            return found
        reasons.append(f"{service}: none of {len(found.unknown)} packages is known")
    raise Unavailable(
        f"no index of vulnerabilities answers ({'; '.join(reasons)}); run this where pypi.org or"
        " api.osv.dev can be reached, or name an OSV server:"
        " make audit OSV_URL=https://osv.example/v1/query"
    )


def _audit(pins: str, *options: str) -> Audit:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "requirements.txt"
        file.write_text(pins)
        program = [str(tools() / "pip-audit"), "--no-deps", "--disable-pip", "--format", "json"]
        done = subprocess.run(
            [*program, "--progress-spinner", "off", *options, "-r", str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        lines = done.stderr.strip().splitlines() or ["pip-audit wrote nothing"]
        raise Unavailable(lines[-1]) from None
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


def main(step: str, osv_url: str | None = None) -> int:
    """Run a step for a release; return the exit code: 2 when the step could not be done."""
    try:
        with tempfile.TemporaryDirectory() as name:
            python = install(build_wheel(ROOT, Path(name)), Path(name) / "environment")
            if step == "sbom":
                write_bill(bill_of_materials(python))
                return 0
            found = audit(installed(python), osv_url)
    except ReleaseError as error:
        print(f"make {step}: {error}", file=sys.stderr)
        return 2
    return tell(found)


def write_bill(content: dict[str, Any]) -> None:
    """Write a bill of materials beside the wheel."""
    version = content["metadata"]["component"]["version"]
    file = ROOT / "dist" / f"tmf683-{version}.cdx.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n")
    print(f"{len(content['components'])} components: {file.relative_to(ROOT)}")


def tell(found: Audit) -> int:
    """Print what an audit found; return 1 when a package has vulnerabilities."""
    for package, ids in found.vulnerable.items():
        print(f"{package}: {', '.join(ids)}")
    if found.unknown:
        print(f"nothing is known of: {', '.join(found.unknown)}")
    print(f"{found.audited} packages audited, {len(found.vulnerable)} with known vulnerabilities")
    return 1 if found.vulnerable else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
