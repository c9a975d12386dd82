"""Which indexes a server keeps for its collections."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.bootstrap import collections_of, open_contracts
from app.settings import Settings
from tests.conftest import OURS, OURS_V5

COLLECTION = "partyInteraction/partyInteraction"


@pytest.mark.parametrize("served", [(OURS,), (OURS_V5,), (OURS, OURS_V5)])
def test_what_versions_name_differently_is_indexed_under_each_name(
    served: tuple[Path, ...],
) -> None:
    found = {
        each.name for each in collections_of(open_contracts(Settings(spec=served)))[COLLECTION]
    }
    assert found >= {
        "relatedParty.id[]",
        "relatedParty.partyOrPartyRole.id[]",
        "channel.id[]",
        "relatedChannel.channel.id[]",
        "status,creationDate@time",
    }
