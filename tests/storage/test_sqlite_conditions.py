"""Compiled conditions are kept for the tree they were compiled from, and for no other."""

from __future__ import annotations

import gc

import pytest

from storage import And, Comparison, Operator
from storage.sqlite import conditions
from storage.sqlite.conditions import CompiledConditions

PATH = ("note",)


def compiled_conditions() -> CompiledConditions:
    return CompiledConditions(frozenset({PATH}), {}, frozenset())


def test_a_condition_that_is_kept_is_compiled_once() -> None:
    compiled, tree = compiled_conditions(), Comparison(PATH, Operator.EQ, "x")
    assert compiled.parts(tree) is compiled.parts(tree)


def test_values_that_are_equal_in_python_alone_are_compiled_apart() -> None:
    compiled = compiled_conditions()
    one, true, float_ = (Comparison(PATH, Operator.EQ, value) for value in (1, True, 1.0))
    assert one == true == float_
    assert compiled.parts(one) != compiled.parts(true)
    assert compiled.parts(float_)[0].values == (1.0,)


def test_a_new_tree_at_the_address_of_a_forgotten_one_is_compiled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conditions, "_KEPT_CONDITIONS", 3)
    compiled = compiled_conditions()
    for number in range(200):
        (part,) = compiled.parts(Comparison(PATH, Operator.EQ, f"{number}"))
        assert part.values == (f"{number}",)
        gc.collect(0)
    assert len(compiled._known) <= 3


def test_long_conditions_are_not_kept() -> None:
    compiled = compiled_conditions()
    tree = And(tuple(Comparison(PATH, Operator.EQ, f"{number}") for number in range(200)))
    assert compiled.parts(tree) == compiled.parts(tree)
    assert not compiled._known
