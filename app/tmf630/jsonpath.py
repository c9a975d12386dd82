"""The `filter` parameter: JSONPath predicates as conditions of the query tree (TMF630 part 6).

`jsonpath_parser` has the grammar. Accepted are

- a predicate, alone or as `$[?(…)]`, on the resources of the collection;
- a path from one resource, as `$.note[?(@.author=='x')]`, which asks that it selects something;
- in predicates: comparison of a path with a literal, existence of a path (`@.a.b`), `&&`, `||`,
  `!`, parentheses, nested filters (`@.a[?(@.b==1)]`, meeting on one element), `[*]`,
  `in [..]` and `nin [..]`, and `search(path, 'regex')` or `path =~ /regex/i`.

Everything the store could not answer by its own query is refused by name: slices and indexes,
descendants (`..`), comparing two paths, absolute paths and other functions inside predicates.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from app.tmf630 import literals
from app.tmf630.attribute_names import check_all_known
from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.errors import BadQuery
from app.tmf630.filtering import by_href, some
from app.tmf630.jsonpath_parser import parse
from app.tmf630.jsonpath_scanner import unsupported
from app.tmf630.jsonpath_syntax import (
    Compared,
    Exists,
    Expression,
    Filter,
    Index,
    Joined,
    Literal,
    Name,
    Negated,
    Steps,
    Wildcard,
)
from storage import And, AnyElement, Comparison, Condition, Matches, Not, Operator, Or, Path

_PLUS = re.compile(r"""(?:(?<=["'])|(?<=%2[27]))\+(?=\d)""")
_SAYS_SOMETHING = re.compile(r"[$@?\[]")
_OPERATORS = {
    "==": Operator.EQ, "<": Operator.LT, "<=": Operator.LE, ">": Operator.GT, ">=": Operator.GE,
}  # fmt: skip


def texts(query: str) -> list[str]:
    """Return every `filter` of a raw query string; a raw `+` before a phone number is a plus."""
    given = parse_qsl(_PLUS.sub("%2B", query), keep_blank_values=True)
    return [text for name, text in given if name == "filter"]


def condition(
    definition: ResourceDefinition, text: str, limits: Limits, *, strict: bool = False
) -> Condition:
    """Return the condition of a `filter` parameter.

    `strict` refuses attributes that the contract does not have (`Prefer: handling=strict`).

    Raises:
        BadQuery: it is not JSONPath, goes beyond the limits, or uses a construct that is not
            supported.
    """
    longest = limits.text_length * limits.conditions
    if len(text) > longest:
        raise BadQuery("filter", f"has more than {longest} characters")
    if not _SAYS_SOMETHING.search(text):
        raise BadQuery("filter", "is no JSONPath predicate, such as $[?(@.status=='opened')]")
    try:
        tree = _selects(parse(text), at_collection=True)
        number = _check(tree, limits, limits.path_depth)
        _check_types(definition, tree)
        if strict:
            check_all_known(definition, "filter", tree)
    except RecursionError:
        raise BadQuery("filter", "is nested too deeply") from None
    if number > limits.conditions:
        raise BadQuery("filter", f"has {number} conditions, {limits.conditions} are allowed")
    return _with_href(definition, tree)


def _check(tree: Condition, limits: Limits, depth: int) -> int:
    """Return the number of conditions in a tree; each path may go so deep."""
    path: Path = ()
    inner: tuple[Condition, ...] = ()
    match tree:
        case Comparison(path, _, value) | Matches(path, value):
            if isinstance(value, str) and len(value) > limits.text_length:
                raise BadQuery("filter", f"has a text of more than {limits.text_length} characters")
        case AnyElement(path, condition):
            inner = (condition,)
        case Not(condition):
            inner = (condition,)
        case And(conditions) | Or(conditions):
            inner = conditions
    if len(path) > depth:
        raise BadQuery("filter", f"has a path deeper than {limits.path_depth} attributes")
    return sum(_check(each, limits, depth - len(path)) for each in inner) if inner else 1


def _check_types(definition: ResourceDefinition, tree: Condition, here: Path = ()) -> None:
    """Check that what is compared can be so by what the contract says of its type."""
    match tree:
        case Comparison(path, operator, value):
            equality = operator is Operator.EQ
            check = literals.check_equality if equality else literals.check_order
            try:
                check(definition.attributes.type_of(here + path), value)
            except ValueError as error:
                raise BadQuery(
                    "filter", f"compares {'.'.join(here + path)}, which {error}"
                ) from None
        case AnyElement(path, inner):
            _check_types(definition, inner, here + path)
        case Not(inner):
            _check_types(definition, inner, here)
        case And(conditions) | Or(conditions):
            for each in conditions:
                _check_types(definition, each, here)


def _with_href(definition: ResourceDefinition, tree: Condition) -> Condition:
    """Compare hrefs by what they lead to; each resource has one, though it is not stored."""
    match tree:
        case Comparison(("href",), Operator.EQ, str() as url):
            return by_href(definition, url)
        case Comparison(("href",), Operator.EQ, None):
            return Or(())
        case Comparison(("id",), operator, int() as number) if definition.integer_ids:
            if operator is not Operator.EQ:
                raise BadQuery("filter", "can compare id for equality alone: it is stored as text")
            return Comparison(("id",), operator, str(number))
        case Comparison(("href",)) | Matches(("href",)):
            raise BadQuery("filter", "can compare href for equality alone")
        case Not(inner):
            return Not(_with_href(definition, inner))
        case And(conditions):
            return And(tuple(_with_href(definition, each) for each in conditions))
        case Or(conditions):
            return Or(tuple(_with_href(definition, each) for each in conditions))
    return tree


def _selects(steps: Steps, *, at_collection: bool = False) -> Condition:
    """Return the condition that a path from the current object selects something that is there."""
    path: list[str] = []
    for position, step in enumerate(steps):
        match step:
            case Name(name):
                path.append(name)
            case Wildcard(members=False):
                pass  # a path enters arrays by itself
            case Wildcard():
                raise unsupported("any attribute (.*)")
            case Index(index):
                raise unsupported(f"indexes ([{index}])")
            case Filter(expression):
                inner = predicate(expression)
                rest = steps[position + 1 :]
                if any(not isinstance(each, Wildcard) or each.members for each in rest):
                    inner = And((inner, _selects(rest)))
                return _element(tuple(path), inner) if path else _unrooted(inner, at_collection)
    if not path:
        raise unsupported("a path that names no attribute")
    return Not(Comparison(tuple(path), Operator.EQ, None))


def _unrooted(inner: Condition, at_collection: bool) -> Condition:
    if not at_collection:
        raise unsupported("a filter directly within a filter")
    if _is_about_itself(inner):
        raise unsupported("comparing @ itself")
    return inner


def _element(path: Path, inner: Condition) -> Condition:
    """Return the condition that an element at the path, an object or a value, satisfies another.

    What is compared with a value itself (`@=='x'`) can be no part of more than alternatives.
    """
    match inner:
        case Comparison((), operator, value):
            return Comparison(path, operator, value)
        case Matches((), pattern):
            return Matches(path, pattern)
        case Or(conditions):
            return Or(tuple(_element(path, each) for each in conditions))
    if _is_about_itself(inner):
        raise unsupported("comparing @ itself beside other conditions")
    return some(path, inner)


def _is_about_itself(tree: Condition) -> bool:
    match tree:
        case Comparison(path) | Matches(path):
            return not path
        case Not(inner):
            return _is_about_itself(inner)
        case And(conditions) | Or(conditions):
            return any(map(_is_about_itself, conditions))
    return False


def predicate(expression: Expression) -> Condition:
    """Return the condition of a filter's expression.

    Raises:
        BadQuery: it uses a construct that no query of the store answers.
    """
    match expression:
        case Joined(symbol, (only,)):
            return predicate(only)
        case Joined(symbol, expressions):
            joined = And if symbol == "&&" else Or
            return joined(tuple(map(predicate, expressions)))
        case Negated(inner):
            negated = predicate(inner)
            return negated.condition if isinstance(negated, Not) else Not(negated)
        case Exists(path):
            return _selects(path)
        case Compared(path, "=~", literal):
            return Matches(_names(path), str(literal))
        case Compared(path, symbol, literal):
            return _compare(_names(path), _OPERATORS[symbol], literal)


def _compare(path: Path, operator: Operator, literal: Literal) -> Condition:
    """Compare by the literal's own type; a text that reads as an instant or day also as one."""
    if isinstance(literal, str) and literals.is_time(literal):
        return literals.compare(path, operator, literal)
    if (literal is None or isinstance(literal, bool)) and operator is not Operator.EQ:
        raise unsupported("ordering by true, false or null")
    return Comparison(path, operator, literal)


def _names(steps: Steps) -> Path:
    names = []
    for step in steps:
        match step:
            case Name(name):
                names.append(name)
            case Wildcard(members=False):
                pass
            case Wildcard():
                raise unsupported(".* in a compared path")
            case Index(index):
                raise unsupported(f"[{index}] in a compared path")
            case Filter():
                raise unsupported("a filter in a compared path")
    return tuple(names)
