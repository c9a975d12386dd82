"""Paths through JSON documents as SQL text.

Index and query must spell a path with the very same text for SQLite to use the index, so every
spelling comes from here. Attribute names go into the text quoted, never raw.
"""

from __future__ import annotations

from functools import lru_cache

from storage.query import Path

_INSTANT_FORMS = ("????-??-??T??:??:??*Z", "????-??-??T??:??:??*[-+]??:??")


def literal(text: str) -> str:
    """Quote a string as an SQL literal; NUL, which SQL text cannot hold, is in no document."""
    return "'" + text.replace("'", "''").replace("\0", "\ufffd") + "'"


def within(collection: str, alias: str = "") -> str:
    """Return the condition that a row is in a collection.

    A placeholder would have SQLite compile the statement again whenever it gets a value: it looks
    at that to see whether an index that has the rows of one collection can be used.
    """
    return f"{alias}collection = {literal(collection)}"


def identifier(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def child(parent: str, name: str) -> str:
    """Return the expression for an attribute's value as JSON text; NULL when it is absent.

    A name that SQLite's path syntax cannot spell is looked for among the keys.
    """
    if _is_plain(name):
        return f"{parent} -> {_step(name)}"
    return (
        "(SELECT CASE type WHEN 'text' THEN json_quote(atom) WHEN 'true' THEN 'true'"
        " WHEN 'false' THEN 'false' ELSE coalesce(value, 'null') END"
        f" FROM json_each({parent}) WHERE key = {literal(name)})"
    )


@lru_cache(maxsize=1024)
def scalar(path: Path, content: str = "content") -> str:
    """Return the expression for the single value at a path that crosses no array."""
    if all(map(_is_plain, path)):
        return f"json_extract({content}, {_json_path(path)})"
    for name in path:
        content = child(content, name)
    return f"json_extract({content}, '$')"


@lru_cache(maxsize=1024)
def kind(path: Path, content: str = "content") -> str:
    """Return the expression for the JSON type's name of the value `scalar` returns."""
    if all(map(_is_plain, path)):
        return f"json_type({content}, {_json_path(path)})"
    for name in path:
        content = child(content, name)
    return f"json_type({content})"


def instant(text: str) -> str:
    """Return the expression for a string's instant, in milliseconds; NULL when it is none.

    What `storage.query.INSTANT` and the calendar refuse is refused first: SQLite's functions would
    take `now`, plain numbers, spaces, an hour 24 and the 31st of February for times.
    """
    form = " OR ".join(f"{text} GLOB '{each}'" for each in _INSTANT_FORMS)
    day = f"substr({text}, 1, 10)"
    return (
        f"CASE WHEN ({form}) AND {text} NOT GLOB '*[^0-9TZ:.+-]*' AND {text} > '0001-01-02'"
        f" AND substr({text}, 12, 2) < '24' AND date({day}, '+0 days') = {day}"
        f" THEN CAST(round((julianday({text}) - 2440587.5) * 86400000) AS INTEGER) END"
    )


def values(path: Path, content: str = "content", alias: str = "v") -> str:
    """Return a FROM clause that yields each value at the path, arrays entered, as row `alias`.

    The row has json_each's columns; `type` and `atom` are what conditions look at.
    """
    sources = []
    parent, guard = content, "{}"
    for depth, name in enumerate(path):
        row = alias if depth == len(path) - 1 else f"{alias}_{depth}"
        sources.append(f"json_each({guard.format(_elements(child(parent, name)))}) AS {row}")
        parent = f"{row}.value"
        guard = f"CASE {row}.type WHEN 'object' THEN {{}} ELSE '[]' END"
    return ", ".join(sources)


def text(path: Path, content: str, alias: str) -> str:
    """Return the expression for the JSON text of the value in a row of `values`."""
    parent = f"{alias}_{len(path) - 2}.value" if len(path) > 1 else content
    return f"({_elements(child(parent, path[-1]))} -> {alias}.key)"


def _elements(value: str) -> str:
    return f"CASE json_type({value}) WHEN 'array' THEN {value} ELSE json_array(json({value})) END"


def scalars(path: Path, content: str = "content") -> str:
    """Return a FROM clause like that of `values` that may leave out objects at the path's end.

    It looks at each attribute once or twice instead of three times.
    """
    if not all(map(_is_plain, path)):
        return values(path, content)
    sources = []
    parent, is_object = content, ""
    for depth, name in enumerate(path):
        last = depth == len(path) - 1
        row = "v" if last else f"v_{depth}"
        value, kind = child(parent, name), f"json_type({parent}, {_step(name)})"
        whole = "'[]'" if last else f"json_array(json({value}))"
        elements = f"WHEN {kind} = 'object' THEN {whole} ELSE {value} END"
        guard = f"WHEN NOT ({is_object}) THEN '[]' " if is_object else ""
        sources.append(f"json_each(CASE {guard}{elements}) AS {row}")
        parent, is_object = f"{row}.value", f"{row}.type = 'object'"
    return ", ".join(sources)


def _is_plain(name: str) -> bool:
    return name != "" and name.isprintable() and '"' not in name and "\\" not in name


def _step(name: str) -> str:
    return _json_path((name,))


def _json_path(path: Path) -> str:
    return literal("$" + "".join(f'."{name}"' for name in path))
