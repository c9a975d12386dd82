"""The collections that may hold the resources of a contract."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from app.bootstrap import open_contracts
from app.maintenance import sources_of
from app.settings import Settings
from tests.app.contract.test_mapping_draft import NEW


@pytest.mark.parametrize(
    ("title", "stored"),
    [
        ("Shops", "shop/v4/shop"),
        ("Shops", "shopManagement/v4/shop"),
        ("Street Market", "streetMarket/v4/shop"),
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
