from __future__ import annotations

from app.application import open_contracts
from app.contract import Kind
from app.settings import read_settings
from app.tmf630.json_equality import without_nulls


def test_nulls_are_left_out_of_objects_and_stay_in_arrays() -> None:
    value = {"a": None, "b": {"c": None, "d": [None, {"e": None}]}, "f": False}
    assert without_nulls(value) == {"b": {"d": [None, {}]}, "f": False}


def test_null_means_absent_in_whole_bodies_and_not_in_the_strict_profile() -> None:
    whole = {Kind.CREATE, Kind.REPLACE, Kind.SUBSCRIBE}  # listeners store what they receive
    for contract in open_contracts(read_settings(store="memory:")):
        for binding in contract.bindings:
            assert binding.null_is_absent == (binding.kind in whole)
    for contract in open_contracts(read_settings(store="memory:", profile="strict")):
        assert not any(binding.null_is_absent for binding in contract.bindings)
