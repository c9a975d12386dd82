"""Filters on a collection: the query string as a condition of the query tree (TMF630 part 1).

Every parameter that is not reserved is a condition on the attribute it names, with dots into
objects and arrays; conditions must all hold. Values separated by commas, or by repeating the
parameter, are alternatives, and so is the whole text with its commas: sentences hold commas, and
few clients escape them. `;` between conditions means "or".

Operators come in three notations: a suffix (`a.gt=5`), a symbol (`a>=5`, `a!=x`, `a*=x`), and the
symbol percent-encoded. They are found in the raw query string: a form decoder would split `a>=5`
into a parameter named `a>`.

Conditions on paths that begin with the same attributes (`relatedParty.id=7&relatedParty.role=x`)
must meet on the same element of an array among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from app.tmf630 import literals
from app.tmf630.attribute_names import check_known
from app.tmf630.definitions import Limits, ResourceDefinition, UnknownFilters
from app.tmf630.errors import BadQuery
from storage import And, AnyElement, Comparison, Condition, Matches, Not, Operator, Or, Path

RESERVED = frozenset({"fields", "offset", "limit", "sort", "filter", "before", "after", "_"})

DIRECTIVES = frozenset({"depth", "expand"})
"""Parameters about references (TMF630 part 2), accepted without effect; attributes come first."""

_NOTHING = Or(())
_SYMBOLS = {
    "==": "eq", "=~": "regex", "*=": "regex", "!=": "ne",
    ">=": "gte", "<=": "lte", ">": "gt", "<": "lt", "=": "eq",
}  # fmt: skip
_SYMBOL = re.compile("|".join(map(re.escape, sorted(_SYMBOLS, key=len, reverse=True))))
_ORDER = {
    "eq": Operator.EQ, "gt": Operator.GT, "gte": Operator.GE, "lt": Operator.LT, "lte": Operator.LE,
}  # fmt: skip
_PLUS = re.compile(
    r"""(?:(?<=[=~<>,])|(?<=%3[C-Ec-e]|%2[Cc])|(?<=[=~<>,]["'])|(?<=[=~<>,]%2[27]))\+(?=\d)"""
)
_SUFFIXES = frozenset({*_ORDER, "ne", "regex"})
_COMMA = re.compile(r'\s*((?:"[^"]*"|\\.|[^,\\])*),?')


@dataclass(frozen=True, slots=True)
class Term:
    """One condition as the client wrote it: a path, an operator, and the text of the values."""

    name: str
    path: Path
    operator: str
    text: str


def condition(
    definition: ResourceDefinition, query: str, limits: Limits, *, strict: bool = False
) -> Condition | None:
    """Return the condition that a raw query string states; None when it states none.

    What becomes of attributes that the contract does not have is one of the limits, unless `strict`
    (`Prefer: handling=strict`, RFC 7240) makes them an error.

    Raises:
        BadQuery: a condition has no meaning or goes beyond the limits.
    """
    conditions: list[Condition] = []
    alternatives: dict[tuple[Path, str], list[Term]] = {}
    number = 0
    unknown = UnknownFilters.REFUSE if strict else limits.unknown_filters
    for piece in query.split("&"):
        terms = [_term(definition, each) for each in _split(piece)]
        if unknown is UnknownFilters.REFUSE:
            _check_complete(piece, terms)
        terms = [term for term in terms if term.name and not _is_reserved(definition, term)]
        if unknown is UnknownFilters.IGNORE:
            terms = [term for term in terms if definition.attributes.knows(term.path)]
        for term in terms:
            number += _check(definition, term, limits, strict=unknown is UnknownFilters.REFUSE)
            if number > limits.conditions:
                raise BadQuery(
                    term.name, f"is one of more than {limits.conditions} conditions and values"
                )
        if len(terms) == 1:
            alternatives.setdefault((terms[0].path, terms[0].operator), []).append(terms[0])
        elif terms:
            conditions.append(_or(_compiled(definition, term) for term in terms))
    for terms in alternatives.values():
        conditions.append(_repeated(definition, terms))
    return _and(_on_same_elements(conditions)) if conditions else None


def _check_complete(piece: str, terms: list[Term]) -> None:
    """Check that a piece of a query, if there is one, is a condition."""
    text = _decode(piece).strip()
    if text and not any(term.name for term in terms) and text not in RESERVED | DIRECTIVES:
        raise BadQuery(text[:50], "has no value: a condition is as status=opened")


def _split(piece: str) -> list[str]:
    """Split at raw semicolons; one without an operator of its own continues the condition."""
    if ";" not in piece:
        return [piece]
    parts: list[str] = []
    for part in piece.split(";"):
        decoded = _decode(part)
        if parts and not _SYMBOL.search(decoded):
            parts[-1] += f"%2C{part}"  # status=a;b: another value
        else:
            parts.append(part)
    return parts


def _decode(text: str) -> str:
    """Decode a part of the query; a raw `+` is a space, but before a phone number it is a plus."""
    if "%" not in text and "+" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(_PLUS.sub("%2B", text).replace("+", " ")).decode()
    except UnicodeDecodeError:
        name = re.split("[=<>!*~]", text, maxsplit=1)[0][:50]
        raise BadQuery(name, "is not UTF-8 once decoded") from None


def _is_reserved(definition: ResourceDefinition, term: Term) -> bool:
    if term.name in DIRECTIVES:
        return not definition.attributes.knows(term.path)
    return term.name in RESERVED or term.name in definition.directives


def _term(definition: ResourceDefinition, part: str) -> Term:
    text = _decode(part)
    found = _SYMBOL.search(text)
    if found is None:
        return Term(text.strip(), _path(text), "eq", "") if "=" in text else Term("", (), "eq", "")
    name, operator, value = text[: found.start()].strip(), _SYMBOLS[found[0]], text[found.end() :]
    name = name.replace("[]", "")  # as PHP and jQuery write lists
    head, _, suffix = name.rpartition(".")
    suffixed = operator == "eq" and head != "" and suffix in _SUFFIXES
    if suffixed and not definition.attributes.knows(_path(name)):
        name, operator = head, suffix
    return Term(name, _path(name), operator, value)


def _path(name: str) -> Path:
    return tuple(name.strip().split("."))


def _check(definition: ResourceDefinition, term: Term, limits: Limits, *, strict: bool) -> int:
    """Check a condition, and return how many it counts for: one for each alternative value."""
    if "" in term.path:
        raise BadQuery(term.name, "names no attribute between two dots")
    if len(term.path) > limits.path_depth:
        raise BadQuery(term.name, f"is deeper than {limits.path_depth} attributes")
    values = [term.text] if term.operator == "regex" else _values(term.text)
    if any(len(value) > limits.text_length for value in values):
        raise BadQuery(term.name, f"has a value of more than {limits.text_length} characters")
    if strict:
        check_known(definition, term.path)
    return len(values)


def _repeated(definition: ResourceDefinition, terms: list[Term]) -> Condition:
    """Join conditions on one path: values to equal are alternatives, bounds must all hold."""
    compiled = [_compiled(definition, term) for term in terms]
    return (
        _and(compiled) if terms[0].operator in ("ne", "gt", "gte", "lt", "lte") else _or(compiled)
    )


def _compiled(definition: ResourceDefinition, term: Term) -> Condition:
    if term.path == ("href",):
        if term.operator not in ("eq", "ne"):
            raise BadQuery("href", "can be compared for equality alone: it depends on the host")
        found = _or(by_href(definition, value) for value in _values(term.text))
        return Not(found) if term.operator == "ne" else found
    if term.operator == "regex":
        return Matches(term.path, term.text[1:-1] if literals.is_quoted(term.text) else term.text)
    operator = _ORDER.get(term.operator, Operator.EQ)
    if operator is not Operator.EQ and term.path == ("id",) and definition.integer_ids:
        raise BadQuery(term.name, "can be compared for equality alone: ids are stored as text")
    type = definition.attributes.type_of(term.path)
    values = _values(term.text)
    try:
        meant = [literals.compare(term.path, operator, value, type) for value in values]
    except ValueError as error:
        raise BadQuery(term.name, str(error)) from None
    if operator is Operator.EQ and len(values) > 1:
        meant.append(Comparison(term.path, operator, term.text))  # a sentence with commas
    found = _or(meant)
    return Not(found) if term.operator == "ne" else found


def _values(text: str) -> list[str]:
    r"""Split a value at its commas; quotes and `\,` keep a comma in the text."""
    if "," not in text:
        return [text]
    return [found[1].replace("\\,", ",") for found in _COMMA.finditer(text) if found[0]]


def by_href(definition: ResourceDefinition, text: str) -> Condition:
    """Match a reference by its path, whatever host and prefix it was written with."""
    try:
        place, _, id = urlsplit(text.strip("\"'")).path.rpartition("/")
    except ValueError:  # a host that is none
        return _NOTHING
    if not id or not place.endswith(definition.path):
        return _NOTHING
    return Comparison(("id",), Operator.EQ, id)


def _on_same_elements(conditions: list[Condition]) -> list[Condition]:
    """Gather the conditions below each first attribute that several of them share."""
    groups: dict[str, list[Condition]] = {}
    gathered: list[Condition] = []
    for each in conditions:
        first = _shared_first(each)
        if first is None:
            gathered.append(each)
        else:
            groups.setdefault(first, []).append(each)
    for first, members in groups.items():
        if len(members) == 1:
            gathered.append(members[0])
        else:
            below = _on_same_elements([_below(each) for each in members])
            gathered.append(some((first,), _and(below)))
    return gathered


def _shared_first(tree: Condition) -> str | None:
    """Return the first attribute of every path in a condition, if it is one and not the last."""
    match tree:
        case Comparison(path) | Matches(path):
            return path[0] if len(path) > 1 else None
        case Not(inner):
            return _shared_first(inner)
        case And(conditions) | Or(conditions):
            firsts = {_shared_first(each) for each in conditions}
            return firsts.pop() if len(firsts) == 1 else None
    return None


def _below(tree: Condition) -> Condition:
    """Return a condition with the first attribute taken off its paths."""
    match tree:
        case Comparison(path, operator, value):
            return Comparison(path[1:], operator, value)
        case Matches(path, pattern):
            return Matches(path[1:], pattern)
        case Not(inner):
            return Not(_below(inner))
        case And(conditions):
            return And(tuple(map(_below, conditions)))
        case Or(conditions):
            return Or(tuple(map(_below, conditions)))
    return tree


def some(path: Path, inner: Condition) -> Condition:
    """Return the condition that an object at the path satisfies `inner`.

    A single condition on one attribute becomes a plain condition on the longer path.
    """
    match inner:
        case AnyElement(below, condition):
            return AnyElement(path + below, condition)
    return AnyElement(path, inner)


def _and(conditions: Iterable[Condition]) -> Condition:
    found = tuple(conditions)
    return found[0] if len(found) == 1 else And(found)


def _or(conditions: Iterable[Condition]) -> Condition:
    found = tuple(conditions)
    return found[0] if len(found) == 1 else Or(found)
