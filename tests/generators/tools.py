"""The code generators, downloaded once into a folder that outlives the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.npm import install

CACHE = Path(os.environ.get("TMF_TEST_CACHE", Path.home() / ".cache" / "tmf683-generators"))
OPENAPI_GENERATOR = "7.25.0"
NPM = {
    "newman": "6.2.2",
    "openapi-fetch": "0.17.0",
    "openapi-to-postmanv2": "6.3.3",
    "openapi-typescript": "7.13.0",
    "typescript": "5.9.3",
    "@types/node": "20.19.0",
}
PIP = ("openapi-python-client==0.29.1", "pydantic>=2,<3", "urllib3>=2,<3", "python-dateutil>=2,<3")
_SECONDS = 500


def program(name: str) -> str:
    """Return the path of a program, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return what it prints; its output is shown when it fails."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout[-4000:]}"
    return done.stdout


def downloaded(name: str, make: str, *command: str | Path) -> Path:
    """Return a file or folder of the cache, made by a command when it is missing, or skip."""
    target = CACHE / make
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [str(each) for each in command],
            cwd=CACHE,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode != 0 or not target.exists():
            pytest.skip(f"{name} could not be downloaded: {(done.stderr or done.stdout)[-200:]}")
    return target


def openapi_generator() -> list[str]:
    """Return the command that runs openapi-generator."""
    java = program("java")
    file = f"openapi-generator-cli-{OPENAPI_GENERATOR}.jar"
    artifact = f"org.openapitools:openapi-generator-cli:{OPENAPI_GENERATOR}"
    jar = CACHE / file
    if not jar.exists():
        maven = program("mvn")
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
        copy = (f"-Dartifact={artifact}", f"-DoutputDirectory={CACHE}")
        downloaded("openapi-generator", file, maven, "-q", "-B", goal, *copy)
    return [java, "-Xmx700m", "-jar", str(jar), "generate", "--skip-validate-spec"]


def node_modules() -> Path:
    """Return the folder of the npm packages."""
    program("node")
    versions = [f"{name}@{version}" for name, version in NPM.items()]
    key = "npm-" + "-".join(sorted(NPM.values()))
    folder = CACHE / key
    if not (folder / "node_modules").exists():
        install(program("npm"), folder, *versions)
    return folder / "node_modules"


def python_environment() -> Path:
    """Return the interpreter of an environment for openapi-python-client and made clients."""
    key = f"python-{sys.version_info.major}.{sys.version_info.minor}"
    if not (CACHE / key / "ready").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(CACHE / key)], check=True)
        interpreter = CACHE / key / "bin" / "python"
        install = f'"{interpreter}" -m pip install -q {" ".join(map(repr, PIP))}'
        downloaded(
            "openapi-python-client", f"{key}/ready", "sh", "-c", f"{install} && touch {key}/ready"
        )
    return CACHE / key / "bin" / "python"


def java_libraries(project: Path) -> Path:
    """Return the folder of the jars that a made Java client needs."""
    goal = "dependency:copy-dependencies"
    output = f"-DoutputDirectory={CACHE / 'jars'}"
    command = (program("mvn"), "-q", "-B", "-f", project / "pom.xml", goal, output)
    return downloaded("jars of the Java client", "jars", *command)
