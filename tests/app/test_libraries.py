"""The libraries whose internals are used are of the releases they were tested with."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from app.observability import metrics
from app.server import gunicorn_server, protocol
from app.web import connexion_parts

USED = [
    (name, release, module.__name__)
    for module in (connexion_parts, protocol, gunicorn_server, metrics)
    for name, release in module.TESTED.items()
]


@pytest.mark.parametrize(("name", "release", "module"), USED)
def test_a_library_is_of_the_release_that_was_tested(name: str, release: str, module: str) -> None:
    installed = version(name)
    assert f"{installed}.".startswith(f"{release}."), (
        f"{name} {installed} is installed, and {module} was tested with {release}: check what its"
        " docstring says it relies on, then raise TESTED and the bound in pyproject.toml"
    )
