"""Paths through JSON documents as SQL text.

Index and query must spell a path with the very same text for SQLite to use the index, so every
spelling comes from here. Attribute names go into the text quoted, never raw.
"""

from __future__ import annotations

from storage.errors import UnsupportedQuery
from storage.query import Path


def literal(text: str) -> str:
    """Quote a string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def json_path(path: Path) -> str:
    """Spell a path in SQLite's JSON path syntax, as an SQL literal.

    Raises:
        UnsupportedQuery: an attribute name holds a character that syntax cannot quote.
    """
    for name in path:
        if '"' in name or "\\" in name or not name.isprintable():
            raise UnsupportedQuery(
                "attribute names with quotes, backslashes or control characters cannot be queried"
            )
    return literal("$" + "".join(f'."{name}"' for name in path))


def scalar(path: Path, content: str = "content") -> str:
    """Return the expression for the single value at a path that crosses no array."""
    return f"json_extract({content}, {json_path(path)})"


def values(path: Path, content: str = "content") -> str:
    """Return a FROM clause that yields each value at the path, arrays entered, as row `v`.

    Row `v` has json_each's columns; `v.type` and `v.atom` are what conditions look at.
    """
    sources = []
    parent, guard = content, ""
    for depth, name in enumerate(path):
        alias = "v" if depth == len(path) - 1 else f"v{depth}"
        step = json_path((name,))
        child = (
            f"CASE json_type({parent}, {step}) WHEN 'array' THEN {parent} -> {step}"
            f" ELSE json_array(json({parent} -> {step})) END"
        )
        sources.append(f"json_each({guard.format(child) if guard else child}) AS {alias}")
        parent = f"{alias}.value"
        guard = f"CASE {alias}.type WHEN 'object' THEN {{}} ELSE '[]' END"
    return ", ".join(sources)
