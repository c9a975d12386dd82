"""The code serves any TM Forum API, so it names none."""

from __future__ import annotations

import re
from pathlib import Path

from app.contract.binding.operation_kinds import collection_of
from app.contract.document.load import load
from app.contract.document.normalise import api_name, normalise
from app.contract.document.upgrade import upgrade
from tests.conftest import OURS, OURS_V5, official_specs

ROOT = Path(__file__).parent.parent.parent


def names_of(file: Path) -> set[str]:
    """Return the names of an API and its resources.

    A name of one word (`resource`, `quote`) is a word of the language, which code may use.
    """
    document = normalise(upgrade(load(file)))
    paths = {part for path in document["paths"] for part in collection_of(path).split("/") if part}
    names = {api_name(document), *paths}
    return {name for name in names if not name.islower()}


def test_no_api_is_named_in_the_code() -> None:
    files = [OURS, OURS_V5, *official_specs().glob("TMF*")]
    names = {name for file in files for name in names_of(file) if "{" not in name}
    assert {"partyInteraction", "troubleTicket", "communicationMessage"} <= names
    pattern = re.compile("|".join(sorted(names)), re.IGNORECASE)
    folders = [ROOT / name for name in ("app", "handlers", "storage")]
    code = [file for folder in folders for file in folder.rglob("*")]
    found = [
        f"{file.relative_to(ROOT)}: {hit[0]}"
        for file in code
        if file.suffix in (".py", ".jinja")
        if file.parent.name != "commands"  # the examples of the help name resources
        for hit in pattern.finditer(file.read_text())
    ]
    assert not found
