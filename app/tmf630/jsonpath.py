"""The `filter` parameter: JSONPath predicates as conditions of the query tree (TMF630 part 6).

The syntax is RFC 9535's, with what TM Forum's documents write beside it: `=~` for regular
expressions (`/…/`, also `/…/i`), `in [..]` and `nin [..]`, `@size` for `@.size`. Accepted are

- a predicate, alone or as `$[?(…)]`, on the resources of the collection;
- a path from one resource, as `$.note[?(@.author=='x')]`, which asks that it selects something;
- in predicates: comparison of a path with a literal, existence of a path (`@.a.b`), `&&`, `||`,
  `!`, parentheses, nested filters (`@.a[?(@.b==1)]`, meeting on one element), `[*]`, and
  `search(path, 'regex')` or `path =~ 'regex'`.

Everything the store could not answer by its own query is refused by name: slices and indexes,
descendants (`..`), comparing two paths, absolute paths and other functions inside predicates.
"""

from __future__ import annotations

import math
import re
from typing import Any

import jsonpath_rfc9535 as jsonpath
from jsonpath_rfc9535 import filter_expressions as expressions
from jsonpath_rfc9535 import selectors
from jsonpath_rfc9535.segments import JSONPathChildSegment

from app.tmf630 import literals
from app.tmf630.definitions import Limits, ResourceDefinition
from app.tmf630.errors import BadQuery
from app.tmf630.filtering import by_href, some
from storage import And, AnyElement, Comparison, Condition, Matches, Not, Operator, Or, Path

_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)*/i?"""
_REGEX = re.compile(rf"(@[^\s!=<>&|()]*)\s*=~\s*({_TEXT})")
_IN = re.compile(rf"(@[^\s!=<>&|()]*)\s+(n?in)\s*[\[(]((?:{_TEXT}|[^\[\]()'\"])*)[\])]")
_ITEM = re.compile(rf"{_TEXT}|[^,\s]+")
_LOOSE = re.compile(rf"{_TEXT}|\.@(?P<at>\w+)|(?P<bare>@)(?=[A-Za-z_])|(?P<dot>\.)(?=\[)")
_EVERY = re.compile(rf"{_TEXT}|(?P<every>\.?\[\*\])")
_SAYS_SOMETHING = re.compile(r"[$@?\[]")
_OPERATORS = {
    "==": Operator.EQ, "<": Operator.LT, "<=": Operator.LE, ">": Operator.GT, ">=": Operator.GE,
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def condition(definition: ResourceDefinition, text: str, limits: Limits) -> Condition:
    """Return the condition of a `filter` parameter.

    Raises:
        BadQuery: it is not JSONPath, goes beyond the limits, or uses a construct that is not
            supported.
    """
    if len(text) > limits.text_length:
        raise BadQuery("filter", f"has more than {limits.text_length} characters")
    if not _SAYS_SOMETHING.search(text):
        raise BadQuery("filter", "is no JSONPath predicate, such as $[?(@.status=='opened')]")
    # `[*]` says nothing: a path enters arrays by itself, and can be compared without it.
    text = _EVERY.sub(lambda found: "" if found["every"] else found[0], text)
    try:
        tree = _selects(segments(text), at_collection=True)
        number = _check(tree, limits, limits.path_depth)
    except RecursionError:
        raise BadQuery("filter", "is nested too deeply") from None
    if number > limits.conditions:
        raise BadQuery("filter", f"has {number} conditions, {limits.conditions} are allowed")
    return _with_href(definition, tree)


def segments(text: str) -> tuple[Any, ...]:
    """Return the segments of a JSONPath, or of what may stand for one in `filter`.

    Raises:
        BadQuery: it is not JSONPath.
    """
    strict = _LOOSE.sub(_as_strict, text.strip())
    strict = _rooted(_REGEX.sub(_as_search, _IN.sub(_as_alternatives, strict)))
    try:
        return tuple(jsonpath.compile(strict).segments)
    except OverflowError:
        raise _refused("a number beyond all bounds") from None
    except jsonpath.JSONPathError as error:
        place = error.token.index if error.token is not None else 0
        near = f", at {strict[place : place + 20]!r}" if strict[place:] else ""
        reason = str(error).splitlines()[0].partition(", line ")[0]
        raise BadQuery("filter", f"is not JSONPath: {reason}{near}") from None


def _rooted(text: str) -> str:
    """Return a whole JSONPath; the `$` and the brackets of a predicate may be left out."""
    if text.startswith("$"):
        return text
    if text.startswith("?"):
        return f"$[{text}]"
    if text.startswith(("[", ".")):
        return f"${text}"
    return f"$[?({text})]" if "@" in text and not re.match(r"[\w.]+\[", text) else f"$.{text}"


def _as_strict(found: re.Match[str]) -> str:
    """Spell as RFC 9535 wants what others write: `@size`, `@.@type`, `.[`; not in texts."""
    if found["at"]:
        return f"['@{found['at']}']"
    if found["dot"]:
        return ""
    return "@." if found["bare"] else found[0]


def _as_search(found: re.Match[str]) -> str:
    pattern = found[2]
    if pattern.startswith("/"):
        flag = "(?i)" if pattern.endswith("i") else ""
        text = pattern[1 : pattern.rindex("/")].replace("\\/", "/")
        pattern = "'" + flag + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"search({found[1]}, {pattern})"


def _as_alternatives(found: re.Match[str]) -> str:
    path, word, items = found.groups()
    equal = " || ".join(f"{path}=={item}" for item in _ITEM.findall(items))
    return f"({equal})" if word == "in" else f"!({equal})"


def _check(tree: Condition, limits: Limits, depth: int) -> int:
    """Return the number of conditions in a tree; each path may go so deep."""
    path: Path = ()
    inner: tuple[Condition, ...] = ()
    match tree:
        case Comparison(path) | Matches(path):
            pass
        case AnyElement(path, condition):
            inner = (condition,)
        case Not(condition):
            inner = (condition,)
        case And(conditions) | Or(conditions):
            inner = conditions
    if len(path) > depth:
        raise BadQuery("filter", f"has a path deeper than {limits.path_depth} attributes")
    return sum(_check(each, limits, depth - len(path)) for each in inner) if inner else 1


def _with_href(definition: ResourceDefinition, tree: Condition) -> Condition:
    """Compare hrefs by what they lead to; each resource has one, though it is not stored."""
    match tree:
        case Comparison(("href",), Operator.EQ, str() as url):
            return by_href(definition, url)
        case Comparison(("href",), Operator.EQ, None):
            return Or(())
        case Comparison(("href",)) | Matches(("href",)):
            raise BadQuery("filter", "can compare href for equality alone")
        case Not(inner):
            return Not(_with_href(definition, inner))
        case And(conditions):
            return And(tuple(_with_href(definition, each) for each in conditions))
        case Or(conditions):
            return Or(tuple(_with_href(definition, each) for each in conditions))
    return tree


def _selects(segments: tuple[object, ...], *, at_collection: bool = False) -> Condition:
    """Return the condition that a path from the current object selects something that is there."""
    path: list[str] = []
    for position, segment in enumerate(segments):
        if not isinstance(segment, JSONPathChildSegment):
            raise _refused("descendants (..)")
        if len(segment.selectors) != 1:
            raise _refused("several selectors in one pair of brackets")
        match segment.selectors[0]:
            case selectors.NameSelector(name=name):
                path.append(name)
            case selectors.WildcardSelector():
                raise _refused("any attribute (.*)")
            case selectors.FilterSelector(expression=expression):
                inner = predicate(expression.expression)
                rest = segments[position + 1 :]
                if rest:
                    inner = And((inner, _selects(rest)))
                return _element(tuple(path), inner) if path else _unrooted(inner, at_collection)
            case selectors.SliceSelector():
                raise _refused("slices ([a:b])")
            case _:
                raise _refused("indexes ([n])")
    if not path:
        raise _refused("a path that names no attribute")
    return Not(Comparison(tuple(path), Operator.EQ, None))


def _unrooted(inner: Condition, at_collection: bool) -> Condition:
    if not at_collection:
        raise _refused("a filter directly within a filter")
    if _is_about_itself(inner):
        raise _refused("comparing @ itself")
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
        raise _refused("comparing @ itself beside other conditions")
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


def predicate(expression: object) -> Condition:
    """Return the condition of a filter's logical expression.

    Raises:
        BadQuery: it uses a construct that is not supported.
    """
    match expression:
        case expressions.LogicalExpression(operator=operator):
            joined = And if operator == "&&" else Or
            return joined(tuple(predicate(each) for each in _operands(expression, operator)))
        case expressions.PrefixExpression(right=right):
            inner = predicate(right)
            return inner.condition if isinstance(inner, Not) else Not(inner)
        case expressions.ComparisonExpression(left=left, operator=operator, right=right):
            return _comparison(left, operator, right)
        case expressions.RelativeFilterQuery(query=query):
            return _selects(tuple(query.segments))
        case expressions.FunctionExtension(name="search", args=[query, pattern]):
            if not isinstance(pattern, expressions.StringLiteral):
                raise _refused("search() with anything but a text for its pattern")
            return Matches(_path(query), pattern.value)
        case expressions.FunctionExtension(name=name):
            raise _refused(f"the function {name}()")
    raise _refused(type(expression).__name__)


def _operands(expression: object, operator: str) -> list[object]:
    """Return what one operator joins, as one list: `a && b && c` is no nesting."""
    found: list[object] = []
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, expressions.LogicalExpression) and each.operator == operator:
            waiting += [each.right, each.left]
        else:
            found.append(each)
    return found


def _comparison(left: object, operator: str, right: object) -> Condition:
    if isinstance(left, expressions.FilterExpressionLiteral):
        left, right, operator = right, left, _MIRRORED.get(operator, operator)
    if not isinstance(right, expressions.FilterExpressionLiteral):
        raise _refused("comparing two paths")
    path, value = _path(left), right.value
    if operator == "!=":
        return Not(_compare(path, Operator.EQ, value))
    return _compare(path, _OPERATORS[operator], value)


def _compare(path: Path, operator: Operator, value: object) -> Condition:
    """Compare by the literal's own type; a text that reads as an instant or day also as one."""
    if isinstance(value, str):
        if literals.is_time(value):
            return literals.compare(path, operator, value)
        return Comparison(path, operator, value)
    if value is None or isinstance(value, bool):
        if operator is not Operator.EQ:
            raise _refused("ordering by true, false or null")
        return Comparison(path, operator, value)
    if isinstance(value, int | float) and math.isfinite(value):
        return Comparison(path, operator, value)
    raise _refused("a number beyond all bounds")


def _path(query: object) -> Path:
    if isinstance(query, expressions.FunctionExtension):
        raise _refused(f"the function {query.name}()")
    if not isinstance(query, expressions.RelativeFilterQuery):
        raise _refused("anything but a path from @ in a comparison")
    names = []
    for segment in query.query.segments:
        match segment:
            case JSONPathChildSegment(selectors=[selectors.NameSelector(name=name)]):
                names.append(name)
            case _:
                raise _refused(f"{segment} in a compared path")
    return tuple(names)


def _refused(construct: str) -> BadQuery:
    return BadQuery("filter", f"uses {construct}, which is not supported")
