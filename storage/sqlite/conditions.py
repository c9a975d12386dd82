"""Conditions of the query tree as SQL on a row of the document table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import TypeAlias

from storage.errors import UnsupportedQuery
from storage.json import as_double
from storage.query import (
    And,
    AnyElement,
    Comparison,
    Condition,
    InForm,
    Matches,
    Not,
    Operator,
    Or,
    Path,
    Value,
)
from storage.regex import after_prefix, compiled, literal, literal_prefix
from storage.sqlite import paths

Hints: TypeAlias = Mapping[Path, int]
"""The number of each path whose values through arrays are rows of the element table."""


WRITTEN = "document AS written ON written.seq = element.seq"

_KEPT_CONDITIONS = 512
_LONGEST_KEPT = 4096
"""Compiled conditions that are kept for each collection, and the characters of the longest."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values of its placeholders."""

    text: str
    values: tuple[str | int | float, ...] = ()


@dataclass(frozen=True, slots=True)
class Indexed(Sql):
    """A condition on one attribute that has an index of its own; `key` is what that orders by."""

    key: str = ""
    operator: Operator = Operator.EQ

    def selection(self, collection: str) -> str:
        """Return SQL that selects the numbers of the rows it holds for, within a collection."""
        return f"SELECT seq FROM document WHERE {paths.within(collection)} AND ({self.text})"


@dataclass(frozen=True, slots=True)
class Listed(Sql):
    """A condition that the element table decides alone: `rows` selects what it holds for.

    It may select a row more than once. `probe` selects those of all forms, at less cost. `member`
    is the same condition, looked up for one row instead of selected for all. `hints` are the paths
    it asks about and `holds` what it asks of their values, where it asks all of them the same;
    `elements` is then the condition on the element table joined with the documents `written`.
    `forms` are the forms of the documents whose values at a path count; those of all documents do
    where it says nothing.
    """

    rows: str = ""
    probe: str = ""
    member: str = ""
    hints: tuple[int, ...] = ()
    holds: str = ""
    elements: str = ""
    forms: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


class Compiler:
    """Compiles conditions for one collection.

    `scalars` are the paths known to cross no array, which are read (and indexed) as one value;
    `hints` those with rows in the element table; `indexed` those that an index begins with, as
    instants or as they are. `written` joins the document of a row of the element table.
    """

    def __init__(
        self,
        scalars: frozenset[Path],
        hints: Hints,
        indexed: frozenset[tuple[Path, bool]],
        written: str = WRITTEN,
    ) -> None:
        self._written = written
        self._scalars = scalars
        self._indexed = indexed
        self._hints = hints
        self._aliases = count()

    def condition(self, tree: Condition, content: str = "content") -> Sql:
        """Compile a condition on the JSON object in `content`.

        Raises:
            UnsupportedQuery: a comparison that SQL over JSON cannot express.
        """
        match tree:
            case Comparison():
                return self._comparison(tree, content)
            case Matches(path, pattern):
                return self._matches(path, pattern, content)
            case AnyElement(path, inner):
                return self._some(path, inner, content)
            case InForm(forms):
                return Sql(in_forms("form", forms))
            case Not(inner):
                compiled_inner = self.condition(inner, content)
                return Sql(f"NOT coalesce({compiled_inner.text}, 0)", compiled_inner.values)
            case And((InForm(forms), condition)):
                found = self.condition(condition, content)
                limited = self._limited(found, forms)
                return limited or joined(" AND ", "1", [Sql(in_forms("form", forms)), found])
            case And(conditions):
                return joined(" AND ", "1", [self.condition(each, content) for each in conditions])
            case Or(conditions):
                return self._either([self.condition(each, content) for each in conditions])

    def conjuncts(self, tree: Condition) -> list[Sql]:
        """Compile a condition as parts that must all hold, those that an index decides apart."""
        match tree:
            case And(conditions):
                return _ranges([part for each in conditions for part in self.conjuncts(each)])
            case AnyElement(path, inner):
                # An index on a path below finds the few documents worth looking into.
                return [*self._narrowed(inner, path), self._in_some(path, inner, "content")]
            case Or():
                whole = self.condition(tree)
                if isinstance(whole, Listed):
                    return [whole]
                narrowed = [part for part in self._narrowed(tree, ()) if isinstance(part, Listed)]
                return [*narrowed, whole]
        return [self.condition(tree)]

    def _comparison(self, tree: Comparison, content: str) -> Sql:
        path, operator, value = tree.path, tree.operator, tree.value
        if _is_long(value):
            # SQLite reads such numbers in JSON as floating point; the digits are in the text.
            near = self._comparison(Comparison(path, operator, _near(value)), content)
            if operator is not Operator.EQ:
                return near
            row, digits = self._alias(), str(value)
            mentioned = Sql(f"instr({content}, ?)", (digits,))
            same = Sql(f"{paths.text(path, content, row)} = ?", (digits,))
            exact = self._exists(path, content, row, same)
            return joined(" AND ", "1", [near, mentioned, exact])
        root = content == "content"
        if (value is None or isinstance(value, bool)) and operator is not Operator.EQ:
            raise UnsupportedQuery("booleans and null can only be compared for equality")
        if root and path == ("id",) and not isinstance(value, datetime):
            return _id(operator, value)
        if value is None:
            row = self._alias()
            source = paths.values(path, content, row)
            return Sql(f"NOT EXISTS (SELECT 1 FROM {source} WHERE {row}.type <> 'null')")
        if root and path in self._scalars:
            holds = _scalar_holds(paths.scalar(path), paths.kind(path), operator, value)
            asked = (path, isinstance(value, datetime))
            indexed = asked in self._indexed and not isinstance(value, bool)
            if not indexed:
                return holds
            atom = paths.scalar(path)
            return Indexed(
                holds.text,
                holds.values,
                paths.instant(atom) if isinstance(value, datetime) else atom,
                operator,
            )
        if root and path in self._hints and not isinstance(value, bool | datetime):
            return _listed(self._hints[path], operator, value)
        row = self._alias()
        holds = _holds(f"{row}.atom", f"{row}.type", operator, value)
        exists = self._exists(path, content, row, holds)
        if root and operator is Operator.EQ and isinstance(value, str):
            return joined(" AND ", "1", [_mentioned(value), exists])
        return exists

    def _matches(self, path: Path, pattern: str, content: str) -> Sql:
        compiled(pattern)  # refuses what is not RE2 before the database meets it
        if content == "content" and path in self._scalars:
            atom = paths.scalar(path)
            found = _in_pattern(atom, _is_text(atom, paths.kind(path)), pattern)
            indexed = (path, False) in self._indexed and literal_prefix(pattern)
            return Indexed(found.text, found.values, atom, Operator.GE) if indexed else found
        prefix = literal_prefix(pattern)
        listed = None
        if prefix and content == "content" and path in self._hints:
            listed = _listed_prefix(self._hints[path], prefix)
            if literal(pattern[1:]) is not None:
                return listed
        row = self._alias()
        holds = _in_pattern(f"{row}.atom", f"{row}.type = 'text'", pattern)
        exists = self._exists(path, content, row, holds)
        return joined(" AND ", "1", [listed, exists]) if listed else exists

    def _in_some(self, path: Path, inner: Condition, content: str) -> Sql:
        row = self._alias()
        holds = self.condition(inner, f"{row}.value")
        holds = Sql(f"{row}.type = 'object' AND ({holds.text})", holds.values)
        return self._exists(path, content, row, holds)

    def _some(self, path: Path, inner: Condition, content: str) -> Sql:
        if content != "content":
            return self._in_some(path, inner, content)
        return joined(" AND ", "1", self.conjuncts(AnyElement(path, inner)))

    def _narrowed(self, tree: Condition, path: Path) -> list[Sql]:
        """Return what can be told of a condition on the objects at a path without them."""
        match tree:
            case Comparison(below, operator, value):
                full = path + below
                usable = value is not None and not isinstance(value, bool | datetime)
                if usable and full in self._hints:
                    return [_listed(self._hints[full], operator, _near(value))]
                if operator is Operator.EQ and isinstance(value, str):
                    return [_mentioned(value)]
            case AnyElement(below, inner):
                return self._narrowed(inner, path + below)
            case And(conditions):
                return [found for each in conditions for found in self._narrowed(each, path)]
            case Or(conditions) if conditions:
                branches = [self._narrowed(each, path) for each in conditions]
                return [self._either([branch[0] for branch in branches])] if all(branches) else []
        return []

    def _either(self, parts: list[Sql]) -> Sql:
        """Join alternatives; those that the element table decides alone stay one look into it."""
        listed = [part for part in parts if isinstance(part, Listed)]
        if len(listed) > 1 and len(listed) == len(parts):
            asked = {(part.holds, part.values) for part in listed}
            forms = {hint: each for part in listed for hint, each in part.forms.items()}
            hints = tuple(sorted(hint for part in listed for hint in part.hints))
            if len(asked) == 1 and listed[0].holds and (not forms or len({*hints}) == len(hints)):
                hints = tuple(dict.fromkeys(hints))
                return _rows_of_elements(
                    hints, listed[0].holds, listed[0].values, forms, self._written
                )
            rows = " UNION ".join(part.rows for part in listed)
            probe = " UNION ALL ".join(part.probe for part in listed)
            values = tuple(value for part in listed for value in part.values)
            member = " OR ".join(part.member for part in listed)
            return Listed(f"seq IN ({rows})", values, rows, probe, f"({member})")
        return joined(" OR ", "0", parts)

    def _limited(self, found: Sql, forms: tuple[str, ...]) -> Listed | None:
        """Limit a condition to documents of some forms, if the element table can decide that."""
        if not isinstance(found, Listed) or not found.holds or found.forms:
            return None
        limits = dict.fromkeys(found.hints, forms)
        return _rows_of_elements(found.hints, found.holds, found.values, limits, self._written)

    @staticmethod
    def _exists(path: Path, content: str, row: str, holds: Sql) -> Sql:
        source = paths.values(path, content, row)
        return Sql(f"EXISTS (SELECT 1 FROM {source} WHERE {holds.text})", holds.values)

    def _alias(self) -> str:
        return f"v{next(self._aliases)}"


class CompiledConditions:
    """The conditions compiled last for one collection; see `Compiler` for the arguments.

    A condition is found again by its identity, which its entry keeps alive: to compare trees would
    take as long as to compile them, and 1 equals true in Python.
    """

    def __init__(
        self,
        scalars: frozenset[Path],
        hints: Hints,
        indexed: frozenset[tuple[Path, bool]],
        written: str = WRITTEN,
    ) -> None:
        self._paths = scalars, hints, indexed, written
        self._known: dict[int, tuple[Condition, list[Sql]]] = {}

    def parts(self, tree: Condition) -> list[Sql]:
        """Return what `Compiler.conjuncts` does; not to be changed by the caller."""
        found = self._known.get(id(tree))
        if found is not None:
            return found[1]
        parts = Compiler(*self._paths).conjuncts(tree)
        if sum(len(part.text) for part in parts) <= _LONGEST_KEPT:
            if len(self._known) >= _KEPT_CONDITIONS:
                self._known.clear()
            self._known[id(tree)] = tree, parts
        return parts


def _id(operator: Operator, value: Value) -> Sql:
    if not isinstance(value, str):
        return Sql("0")
    return Indexed(f"id {operator} ?", (value,), "id", operator)


def _ranges(parts: list[Sql]) -> list[Sql]:
    """Return parts with the conditions that one index decides made one: the ends of a range."""
    ranges: dict[str, list[Indexed]] = {}
    for part in parts:
        if isinstance(part, Indexed):
            ranges.setdefault(part.key, []).append(part)
    found = [part for part in parts if not isinstance(part, Indexed)]
    for key, members in ranges.items():
        both = joined(" AND ", "1", _narrowest_first(members))
        found.append(Indexed(both.text, both.values, key, members[0].operator))
    return found


def _narrowest_first(members: list[Indexed]) -> list[Indexed]:
    """Return conditions on one key in the order in which SQLite takes the ends of a range."""
    if len(members) == 1:
        return members
    lower = (Operator.GT, Operator.GE)
    same = [each for each in members if each.operator is Operator.EQ]
    from_ = [each for each in members if each.operator in lower]
    to = [each for each in members if each.operator in (Operator.LT, Operator.LE)]
    return [*same, *sorted(from_, key=_first_value, reverse=True), *sorted(to, key=_first_value)]


def _first_value(part: Sql) -> tuple[bool, str, float]:
    (value, *_) = part.values
    return (True, value, 0.0) if isinstance(value, str) else (False, "", float(value))


def joined(word: str, empty: str, parts: Sequence[Sql]) -> Sql:
    """Join pieces by a word; `empty` stands for none of them."""
    if len(parts) < 2:
        return parts[0] if parts else Sql(empty)
    return Sql(
        word.join(f"({part.text})" for part in parts),
        tuple(value for part in parts for value in part.values),
    )


def _is_long(value: Value) -> bool:
    """Whether a number is an integer beyond those of SQLite."""
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _near(value: Value) -> Value:
    """Return the number that SQLite has for a long integer in JSON, any other value as it is."""
    return as_double(value) if isinstance(value, int) and _is_long(value) else value


def _listed(hint: int, operator: Operator, value: Value) -> Listed:
    kinds = "'text'" if isinstance(value, str) else "'integer', 'real'"
    assert isinstance(value, str | int | float)  # noqa: S101 - the callers' promise
    return _rows_of_elements(
        (hint,), f"value {operator} ? AND typeof(value) IN ({kinds})", (value,)
    )


def _listed_prefix(hint: int, prefix: str) -> Listed:
    return _rows_of_elements((hint,), "value >= ? AND value < ?", (prefix, after_prefix(prefix)))


def _rows_of_elements(
    hints: tuple[int, ...],
    holds: str,
    values: tuple[str | int | float, ...],
    forms: Mapping[int, tuple[str, ...]] | None = None,
    written: str = WRITTEN,
) -> Listed:
    where = f"hint IN ({', '.join(map(str, hints))}) AND {holds}"
    rows = probe = f"SELECT seq FROM element WHERE {where}"
    if forms:
        cases = (f"WHEN {hint} THEN {in_forms('written.form', forms[hint])}" for hint in forms)
        where += f" AND CASE hint {' '.join(cases)} ELSE 1 END"
        rows = f"SELECT written.seq FROM element CROSS JOIN {written} WHERE {where}"
    member = f"EXISTS ({rows} AND element.seq = document.seq)"
    return Listed(f"seq IN ({rows})", values, rows, probe, member, hints, holds, where, forms or {})


def in_forms(column: str, forms: Iterable[str]) -> str:
    """Return the condition that a column has one of some forms; `IN` would make a table of them."""
    return f"({' OR '.join(f'{column} = {paths.literal(form)}' for form in forms) or '0'})"


def _mentioned(value: str) -> Sql:
    """Hold for every document that may have a string; few others get as far as being parsed.

    A string without escapes is in the text as it is; any document with a backslash may have it.
    """
    return Sql("(instr(content, ?) OR instr(content, char(92)))", (f'"{value}"',))


def _in_pattern(atom: str, is_text: str, pattern: str) -> Sql:
    """Match a pattern; one that is nothing but text needs no regular expression."""
    sought = literal(pattern)
    if sought is not None:
        return Sql(f"{is_text} AND instr({atom}, ?)", (sought,))
    prefix = literal_prefix(pattern)
    found = Sql(f"{is_text} AND regexp(?, {atom})", (pattern,))
    if not prefix:
        return found
    start = Sql(f"{atom} >= ? AND {atom} < ?", (prefix, after_prefix(prefix)))
    if literal(pattern[1:]) is not None:
        return Sql(f"{start.text} AND {is_text}", start.values)
    return Sql(f"{start.text} AND {found.text}", start.values + found.values)


def _scalar_holds(atom: str, kind: str, operator: Operator, value: Value) -> Sql:
    """Compare the value at a path that crosses no array, from an index wherever possible.

    What `atom` is indexed by tells most JSON types apart. The document itself is only looked at
    for `kind` where it does not: booleans count as 1 and 0, objects as their text.
    """
    match value:
        case bool():
            return Sql(f"{atom} = {int(value)} AND {kind} = '{'true' if value else 'false'}'")
        case str() if operator is Operator.EQ and value[:1] not in ("{", "["):
            return Sql(f"{atom} = ?", (value,))
        case str():
            return Sql(f"{atom} {operator} ? AND {_is_text(atom, kind)}", (value,))
        case int() | float():
            number = f"typeof({atom}) IN ('integer', 'real')"
            number += f" AND ({atom} NOT IN (0, 1) OR {kind} IN ('integer', 'real'))"
            return Sql(f"{atom} {operator} ? AND {number}", (value,))
    return _holds(atom, kind, operator, value)


def _is_text(atom: str, kind: str) -> str:
    plain = f"substr({atom}, 1, 1) NOT IN ('{{', '[')"
    return f"typeof({atom}) = 'text' AND ({plain} OR {kind} = 'text')"


def _holds(atom: str, kind: str, operator: Operator, value: Value) -> Sql:
    """Compare one JSON value, given as its SQL value and its JSON type's name."""
    match value:
        case bool():
            return Sql(f"{kind} = '{'true' if value else 'false'}'")
        case str():
            return Sql(f"{atom} {operator} ? AND {kind} = 'text'", (value,))
        case datetime():
            return Sql(f"{paths.instant(atom)} {operator} ?", (milliseconds(value),))
        case None:
            return Sql(f"{kind} = 'null'")
    return Sql(f"{atom} {operator} ? AND {kind} IN ('integer', 'real')", (value,))


def milliseconds(instant: datetime) -> int:
    """Return an instant as whole milliseconds since 1970."""
    return round(instant.timestamp() * 1000)
