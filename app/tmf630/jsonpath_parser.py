r"""Parser for the JSONPath subset of filters and of patch paths (TMF630 parts 5 and 6).

RFC 9535 with what TM Forum's documents write beside it:

    query      = "$" steps | "?" expression | name steps | steps | expression
    steps      = { [ "." ] "[" selector "]" | "." ( name | "*" ) }
    selector   = text | integer | "*" | "?" expression
    expression = both { "||" both }
    both       = operand { "&&" operand }
    operand    = { "!" } ( "(" expression ")" | path [ comparison ] | literal symbol path
                         | "search(" path "," pattern ")" )
    path       = "@" [ name ] steps
    comparison = symbol literal | "=~" pattern | ( "in" | "nin" ) list
    symbol     = "==" | "!=" | "<" | "<=" | ">" | ">="
    list       = ( "[" | "(" ) literal { "," literal } [ "," ] ( "]" | ")" )
    pattern    = text | "/" regular expression "/" [ "i" ]
    literal    = text | number | "true" | "false" | "null"

`@size` means `@.size`; `@.@type` is the attribute `@type`. Texts are in single or double quotes,
with the escapes of RFC 9535 §2.3.1. The work is linear in the length of the text: the parser never
goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.tmf630.errors import BadQuery
from app.tmf630.jsonpath_scanner import INDEX, NAME, NUMBER, WORDS, Scanner, after_blank
from app.tmf630.jsonpath_syntax import (
    Compared,
    Exists,
    Expression,
    Filter,
    Index,
    Joined,
    Name,
    Negated,
    Step,
    Steps,
    Wildcard,
)

DEEPEST = 32
"""Filters within filters; parentheses may nest as deep as the text is long."""
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def parse(text: str) -> Steps:
    """Return the steps of a query; an expression alone is the filter `$[?(…)]`.

    Raises:
        BadQuery: the text is not of the grammar, or uses what this server does not support; the
            message names the rule and the position.
    """
    return _Parser(text).query()


@dataclass(slots=True)
class _Group:
    """Operands between two parentheses: alternatives, each of them a conjunction."""

    negated: bool = False
    alternatives: list[list[Expression]] = field(default_factory=lambda: [[]])

    def expression(self) -> Expression:
        whole = _joined("||", [_joined("&&", each) for each in self.alternatives])
        return _negated(whole) if self.negated else whole


def _joined(symbol: str, expressions: list[Expression]) -> Expression:
    return expressions[0] if len(expressions) == 1 else Joined(symbol, tuple(expressions))


def _negated(expression: Expression) -> Expression:
    return expression.expression if isinstance(expression, Negated) else Negated(expression)


class _Parser(Scanner):
    """Reads a text by the grammar."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def query(self) -> Steps:
        """See `parse`."""
        first = self.peek()
        name = self._leading_name()
        if first == "$":
            self.position += 1
            steps = self._steps()
        elif first == "?":
            steps = (self._filter(),)
        elif first in ("[", "."):
            steps = self._steps()
        elif name is not None:
            self.position += len(name.name)
            steps = (name, *self._steps())
        else:
            steps = (Filter(self._expression()),)
        if self.peek():
            in_path = first in ("$", "[", ".") or name is not None
            raise self.expected("a dot, a bracket or the end" if in_path else "&&, || or the end")
        return steps

    def _leading_name(self) -> Name | None:
        """Return the attribute that a path without `$` begins with, if that is what is next."""
        found = NAME.match(self.text, self.position)
        if found is None or found[0].startswith("@"):
            return None
        end = after_blank(self.text, found.end())
        return Name(found[0]) if self.text[end : end + 1] in ("", "[", ".") else None

    # -- paths

    def _steps(self) -> Steps:
        steps: list[Step] = []
        while True:
            match self.peek():
                case "[":
                    steps.append(self._in_brackets())
                case ".":
                    steps.append(self._after_dot())
                case _:
                    return tuple(steps)

    def _after_dot(self) -> Step:
        if self.text.startswith("..", self.position):
            raise self.unsupported("descendants (..)")
        self.position += 1
        found = NAME.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
            return Name(found[0])
        match self.text[self.position : self.position + 1]:
            case "*":
                self.position += 1
                return Wildcard(members=True)
            case "[":
                return self._in_brackets()
        raise self.expected("an attribute, * or [ after the dot")

    def _in_brackets(self) -> Step:
        self.position += 1
        step: Step
        match self.peek():
            case "'" | '"':
                step = Name(self.quoted())
            case "*":
                self.position += 1
                step = Wildcard()
            case "?":
                step = self._filter()
            case _:
                found = INDEX.match(self.text, self.position)
                if found is not None:
                    self.position = found.end()
                if self.peek() == ":":
                    raise self.unsupported("slices ([a:b])")
                if found is None:
                    raise self.expected("an attribute in quotes, an index, * or ? in the brackets")
                step = Index(int(found[0]))
        if self.peek() == ",":
            raise self.unsupported("several selectors in one pair of brackets")
        self.expect("]")
        return step

    def _filter(self) -> Filter:
        self.position += 1
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadQuery("filter", f"nests filters deeper than {DEEPEST}{self.place()}")
        expression = self._expression()
        self._depth -= 1
        return Filter(expression)

    def _path(self) -> Steps:
        """Read a path from the current element, `@.a`, also written `@a`."""
        if self.peek() == "$":
            raise self.unsupported("absolute paths ($) within a filter")
        self.expect("@")
        found = NAME.match(self.text, self.position)
        if found is None:
            return self._steps()
        self.position = found.end()
        return (Name(found[0]), *self._steps())

    # -- expressions

    def _expression(self) -> Expression:
        """Read an expression; parentheses are a stack of groups, and so take no recursion."""
        groups = [_Group()]
        while True:
            negated = self._negations()
            if self.take("("):
                groups.append(_Group(negated))
                continue
            operand = self._operand(negated)
            while True:
                conjunction = groups[-1].alternatives[-1]
                conjunction.append(operand)
                if self.take("&&"):
                    break
                if self.take("||"):
                    groups[-1].alternatives.append([])
                    break
                if len(groups) == 1:
                    return groups[0].expression()
                if self.peek() != ")":
                    raise self.expected("&&, || or )")
                self.position += 1
                operand = groups.pop().expression()
                if isinstance(operand, Exists):  # (@.a)=='x'
                    operand = self._comparison(operand.path)

    def _negations(self) -> bool:
        negated = False
        while self.peek() == "!":
            self.position += 1
            negated = not negated
        return negated

    def _operand(self, negated: bool) -> Expression:
        start = self.position
        match self.peek():
            case "@" | "$":
                operand = self._comparison(self._path())
                plain = isinstance(operand, Compared) and operand.symbol != "=~"
            case "'" | '"':
                operand, plain = self._mirrored(), True
            case _:
                found = NAME.match(self.text, self.position)
                if found is not None and found[0] not in WORDS:
                    operand, plain = self._search(found[0]), False
                elif found is not None or NUMBER.match(self.text, self.position):
                    operand, plain = self._mirrored(), True
                else:
                    raise self.expected("a condition, such as @.status=='opened'")
        if not negated:
            return operand
        if plain or (isinstance(operand, Negated) and isinstance(operand.expression, Compared)):
            self.position = start
            raise self.expected("parentheses around a comparison after !")
        return _negated(operand)

    def _comparison(self, path: Steps) -> Expression:
        """Read what a path is compared with; without one it has to exist."""
        symbol = self.symbol()
        if symbol == "!=":
            return Negated(Compared(path, "==", self.literal()))
        if symbol is not None:
            return Compared(path, symbol, self.literal())
        if self.take("=~"):
            return Compared(path, "=~", self.pattern())
        found = NAME.match(self.text, self.position)
        if found is None or found[0] not in ("in", "nin"):
            return Exists(path)
        self.position = found.end()
        either = Joined("||", tuple(Compared(path, "==", each) for each in self.literals()))
        return Negated(either) if found[0] == "nin" else either

    def _mirrored(self) -> Expression:
        """Read a comparison that begins with the literal, `5 < @.a`."""
        literal = self.literal()
        symbol = self.symbol()
        if symbol is None:
            raise self.expected("a comparison after the literal")
        path = self._path()
        if symbol == "!=":
            return Negated(Compared(path, "==", literal))
        return Compared(path, _MIRRORED.get(symbol, symbol), literal)

    def _search(self, name: str) -> Expression:
        start = self.position
        self.position += len(name)
        if self.peek() != "(":
            self.position = start
            raise self.expected("a condition, such as @.status=='opened'")
        if name != "search":
            self.position = start
            raise self.unsupported(f"the function {name}()")
        self.position += 1
        path = self._path()
        self.expect(",")
        if self.peek() not in ("'", '"', "/"):
            raise self.unsupported("search() with anything but a text for its pattern")
        pattern = self.pattern()
        self.expect(")")
        return Compared(path, "=~", pattern)
