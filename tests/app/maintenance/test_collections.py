"""The collections that may hold the resources of a contract."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from app.bootstrap import open_contracts
from app.commands.contracts import check, migrate_command
from app.maintenance import sources_of
from app.settings import Settings
from storage import open_store
from tests.app.contract.test_mapping_draft import NEW


@pytest.mark.parametrize(
    ("title", "stored"),
    [
        ("Shops", "shop/v4/shop"),
        ("Shops", "shopManagement/v4/shop"),
        ("Street Market", "streetMarket/v4/shop"),
        ("Street and Market", "StreetAndMarket/v4/shop"),
        ("API Street Market", "streetMarketManagement/v4/shop"),
    ],
)
def test_an_api_is_known_by_its_path_and_by_its_title(
    tmp_path: Path, title: str, stored: str
) -> None:
    file = tmp_path / "shops.yaml"
    file.write_text(yaml.safe_dump({**NEW, "info": {"title": title, "version": "5.0.0"}}))
    (contract,) = open_contracts(Settings(spec=(file,), store="memory:"))
    assert stored in {each.collection for each in sources_of(contract)}


def test_documents_under_an_unknown_name_are_told_and_found_by_it(tmp_path: Path) -> None:
    file = tmp_path / "shops.yaml"
    file.write_text(yaml.safe_dump(NEW))
    url = f"sqlite:///{tmp_path}/shops.db"
    store = open_store(url)
    store.prepare("bazaar/v4/shop", ())
    store.insert("bazaar/v4/shop", "1", b'{"id":"1","city":"Ulm"}')
    store.close()

    def told(command: click.Command, *arguments: str) -> str:
        return CliRunner().invoke(command, [*arguments, "--store", url]).output.splitlines()[-1]

    checking, migrating = (check, str(file)), (migrate_command, "--to", str(file))
    for command in (checking, migrating):
        assert told(*command) == (
            "no documents of this API are stored under its names; the store has bazaar/v4/shop."
            " Name their API with --from if it is the same"
        )
    named = ("--from", "bazaar")
    assert told(*checking, *named).startswith("bazaar/v4/shop: 1 of 1 documents fit")
    assert told(*migrating, *named).startswith("bazaar/v4/shop: 1 documents migrated")
    assert told(*checking).startswith("shop/v5/shop: 1 of 1 documents fit")
    assert told(*migrating, "--commit", *named) == "1 documents of before removed"
