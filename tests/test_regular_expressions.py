"""Regular expressions take linear time on every text: none of them backtracks without bound."""

from __future__ import annotations

import ast
import importlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = (
    "compile",
    "match",
    "fullmatch",
    "search",
    "sub",
    "subn",
    "split",
    "findall",
    "finditer",
)
FROM_CONTRACTS = {"app/web/routing.py"}
"""Modules that compile expressions out of the contract, which its operator chooses."""


@dataclass(frozen=True)
class Use:
    """One regular expression, where it is, and the methods it is used by (all when unknown)."""

    where: str
    pattern: Any
    flags: int
    methods: tuple[str, ...]


def uses() -> list[Use]:
    """Return every regular expression of the product, evaluated as its module would."""
    found: list[Use] = []
    for folder in ("app", "handlers", "storage"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            found += uses_in(file.relative_to(ROOT))
    return found


def uses_in(file: Path) -> Iterator[Use]:
    tree = ast.parse((ROOT / file).read_text())
    if not any(imported(tree)):
        return
    name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    names = vars(importlib.import_module(name))
    for node in ast.walk(tree):
        function = called(node)
        if function is None:
            continue
        assert isinstance(node, ast.Call)
        try:
            pattern, flags = evaluated(node, function, names)
        except NameError:
            assert str(file) in FROM_CONTRACTS, f"{file}:{node.lineno} compiles a local value"
            continue
        methods = methods_of(tree, node) if function == "compile" else (function,)
        yield Use(f"{file}:{node.lineno}", pattern, flags, methods)


def imported(tree: ast.Module) -> Iterator[bool]:
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.ImportFrom) and node.module == "re"), (
            "import re as a whole"
        )
        if isinstance(node, ast.Import):
            yield any(each.name == "re" for each in node.names)


def called(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name)) if name in FUNCTIONS:
            return name
    return None


def evaluated(node: ast.Call, function: str, names: dict[str, Any]) -> tuple[Any, int]:
    def value(expression: ast.expr) -> Any:
        return eval(compile(ast.Expression(expression), "expression", "eval"), dict(names))

    given = [each.value for each in node.keywords if each.arg == "flags"]
    given += node.args[1:2] if function == "compile" else []
    return value(node.args[0]), int(value(given[0])) if given else 0


def methods_of(tree: ast.Module, call: ast.Call) -> tuple[str, ...]:
    """Return how a module uses the constant that a compiled expression is assigned to."""
    constant = None
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.value is call:
            (target,) = node.targets
            constant = getattr(target, "id", None)
    found = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == constant
        and node.attr in FUNCTIONS
    }
    return tuple(sorted(found)) or ("match", "fullmatch", "search")


USES = uses()


def test_the_expressions_are_found() -> None:
    assert len(USES) >= 30
    assert any(use.where.startswith("app/tmf630/literals.py") for use in USES)


@pytest.mark.parametrize("use", USES, ids=lambda use: use.where)
def test_an_expression_is_linear(use: Use) -> None:
    assert survives(use), f"{use.pattern!r} takes more than linear time on some text"


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b",
        r"(a|a)*b",
        r"a*a*b",
        r"'(?:[^'\\]|\\.|[^'])*'",
        r"@ in \[((?:'[^']*'|/[^/]*/|[^]'])*)\]",
    ],
)
def test_an_expression_that_backtracks_is_noticed(pattern: str) -> None:
    assert not survives(Use("", pattern, 0, ("match",)))


def survives(use: Use) -> bool:
    binary = isinstance(use.pattern, bytes)
    given = {
        "pattern": use.pattern.decode("latin-1") if binary else use.pattern,
        "flags": use.flags,
        "methods": use.methods,
        "binary": binary,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.backtracking"],
        input=json.dumps(given),
        cwd=ROOT,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGVTALRM)
    return done.returncode == 0
