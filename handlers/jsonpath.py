"""The `filter` parameter: JSONPath predicates as conditions of the query tree (TMF630 part 6).

The syntax is RFC 9535's, with `=~` for regular expressions as TMF630 has it, and `@size` for
`@.size` as TM Forum's documents do. Accepted are

- a predicate, alone or as `$[?(…)]`, on the resources of the collection;
- a path from one resource, as `$.note[?(@.author=='x')]`, which asks that it selects something;
- in predicates: comparison of a path with a literal, existence of a path (`@.a.b`), `&&`, `||`,
  `!`, parentheses, nested filters (`@.a[?(@.b==1)]`, meeting on one element), `[*]`, and
  `search(path, 'regex')` or `path =~ 'regex'`.

Everything the store could not answer by its own query is refused by name: slices and indexes,
descendants (`..`), comparing two paths, absolute paths and other functions inside predicates.
"""

from __future__ import annotations

import re

import jsonpath_rfc9535 as jsonpath
from jsonpath_rfc9535 import filter_expressions as expressions
from jsonpath_rfc9535 import selectors
from jsonpath_rfc9535.segments import JSONPathChildSegment

from handlers import literals
from handlers.definition import Limits
from handlers.errors import BadQuery
from storage import And, Comparison, Condition, Matches, Not, Operator, Or, Path, Some

_REGEX = re.compile(
    r"(@[^\s!=<>&|()]*)\s*=~\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|/(?:[^/\\]|\\.)*/)"
)
_LOOSE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\.@(?P<at>\w+)|@(?=[A-Za-z_])""")
_OPERATORS = {
    "==": Operator.EQ, "<": Operator.LT, "<=": Operator.LE, ">": Operator.GT, ">=": Operator.GE,
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def condition(text: str, limits: Limits) -> Condition:
    """Return the condition of a `filter` parameter.

    Raises:
        BadQuery: it is not JSONPath, too long, or uses a construct that is not supported.
    """
    if len(text) > limits.text_length:
        raise BadQuery("filter", f"has more than {limits.text_length} characters")
    try:
        query = jsonpath.compile(
            _rooted(_REGEX.sub(_as_search, _LOOSE.sub(_as_strict, text.strip())))
        )
    except jsonpath.JSONPathError as error:
        raise BadQuery("filter", f"is not JSONPath: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise BadQuery("filter", "is nested too deeply") from None
    return _selects(tuple(query.segments), at_collection=True)


def _rooted(text: str) -> str:
    """Return a whole JSONPath; the `$` and the brackets of a predicate may be left out."""
    if text.startswith("$"):
        return text
    if text.startswith(("[", ".")):
        return f"${text}"
    return f"$[?({text})]" if "@" in text and not re.match(r"[\w.]+\[", text) else f"$.{text}"


def _as_strict(found: re.Match[str]) -> str:
    """Spell as RFC 9535 wants what TM Forum's documents write: `@size`, `@.@type`; not in texts."""
    if found["at"]:
        return f"['@{found['at']}']"
    return "@." if found[0] == "@" else found[0]


def _as_search(found: re.Match[str]) -> str:
    pattern = found[2]
    if pattern.startswith("/"):
        pattern = (
            "'" + pattern[1:-1].replace("\\/", "/").replace("\\", "\\\\").replace("'", "\\'") + "'"
        )
    return f"search({found[1]}, {pattern})"


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
                pass  # a path enters arrays by itself
            case selectors.FilterSelector(expression=expression):
                inner = _predicate(expression.expression)
                rest = segments[position + 1 :]
                if rest:
                    inner = And((inner, _selects(rest)))
                return Some(tuple(path), inner) if path else _unrooted(inner, at_collection)
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
    return inner


def _predicate(expression: object) -> Condition:
    match expression:
        case expressions.LogicalExpression(left=left, operator=operator, right=right):
            parts = (_predicate(left), _predicate(right))
            return And(parts) if operator == "&&" else Or(parts)
        case expressions.PrefixExpression(right=right):
            return Not(_predicate(right))
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
    """Compare by the literal's own type; a text that reads as an instant also as one."""
    if isinstance(value, str):
        moment = literals.instant(value)
        if moment is not None:
            return literals.compare(path, operator, value)
        return Comparison(path, operator, value)
    if value is None or isinstance(value, bool):
        if operator is not Operator.EQ:
            raise _refused("ordering by true, false or null")
        return Comparison(path, operator, value)
    if isinstance(value, int | float):
        return Comparison(path, operator, value)
    raise _refused("this literal")


def _path(query: object) -> Path:
    if not isinstance(query, expressions.RelativeFilterQuery):
        raise _refused("anything but a path from @ in a comparison")
    names = []
    for segment in query.query.segments:
        match segment:
            case JSONPathChildSegment(selectors=[selectors.NameSelector(name=name)]):
                names.append(name)
            case JSONPathChildSegment(selectors=[selectors.WildcardSelector()]):
                pass
            case _:
                raise _refused("anything but names in a compared path")
    if not names:
        raise _refused("comparing @ itself")
    return tuple(names)


def _refused(construct: str) -> BadQuery:
    return BadQuery("filter", f"uses {construct}, which is not supported")
