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
goes back, and its regular expressions are possessive.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TypeAlias

from app.tmf630.errors import BadQuery

DEEPEST = 32
"""Filters within filters; parentheses may nest as deep as the text is long."""

_BLANK = re.compile(r"[ \t\r\n]*+")
_NAME = re.compile(
    r"(?:[A-Za-z_\u0080-\uD7FF\uE000-\U0010FFFF]|@[\w])"
    r"[0-9A-Za-z_\u0080-\uD7FF\uE000-\U0010FFFF]*+"
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?P<real>\.[0-9]++)?(?P<power>[eE][+-]?[0-9]++)?")
_INDEX = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_PLAIN = re.compile(r"[^'\"\\\x00-\x1f]++")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*+)/", re.DOTALL)
_CODE = re.compile(
    r"\\u(?:(?![dD][89A-Fa-f])[0-9A-Fa-f]{4}"
    r"|[dD][89ABab][0-9A-Fa-f]{2}\\u[dD][C-Fc-f][0-9A-Fa-f]{2})"
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_SYMBOLS = ("==", "!=", "<=", ">=", "<", ">")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

Literal: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """The attribute of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """The element at this index; negative ones count from the end."""

    index: int


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Every element (`[*]`), or whatever there is (`.*`) when `members`."""

    members: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """The elements that satisfy an expression."""

    expression: Expression


Step: TypeAlias = Name | Index | Wildcard | Filter
Steps: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The path, from the current element, selects something."""

    path: Steps


@dataclass(frozen=True, slots=True)
class Compared:
    """A value at the path stands in `symbol` to the literal; the literal of `=~` is a pattern."""

    path: Steps
    symbol: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class Negated:
    """The expression does not hold."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Joined:
    """All expressions hold (`&&`), or at least one (`||`)."""

    symbol: str
    expressions: tuple[Expression, ...]


Expression: TypeAlias = Exists | Compared | Negated | Joined


def parse(text: str) -> Steps:
    """Return the steps of a query; an expression alone is the filter `$[?(…)]`.

    Raises:
        BadQuery: the text is not of the grammar, or uses what this server does not support; the
            message names the rule and the position.
    """
    return _Parser(text).query()


def unsupported(construct: str) -> BadQuery:
    """Return the error about a construct of JSONPath that has no meaning here."""
    return BadQuery("filter", f"uses {construct}, which is not supported")


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


class _Parser:
    """A text and how far it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0

    def query(self) -> Steps:
        """See `parse`."""
        first = self._peek()
        name = self._leading_name()
        if first == "$":
            self._position += 1
            steps = self._steps()
        elif first == "?":
            steps = (self._filter(),)
        elif first in ("[", "."):
            steps = self._steps()
        elif name is not None:
            self._position += len(name.name)
            steps = (name, *self._steps())
        else:
            steps = (Filter(self._expression()),)
        if self._peek():
            in_path = first in ("$", "[", ".") or name is not None
            raise self._expected("a dot, a bracket or the end" if in_path else "&&, || or the end")
        return steps

    def _leading_name(self) -> Name | None:
        """Return the attribute that a path without `$` begins with, if that is what is next."""
        found = _NAME.match(self._text, self._position)
        if found is None or found[0].startswith("@"):
            return None
        end = _after_blank(self._text, found.end())
        return Name(found[0]) if self._text[end : end + 1] in ("", "[", ".") else None

    # -- paths

    def _steps(self) -> Steps:
        steps: list[Step] = []
        while True:
            match self._peek():
                case "[":
                    steps.append(self._in_brackets())
                case ".":
                    steps.append(self._after_dot())
                case _:
                    return tuple(steps)

    def _after_dot(self) -> Step:
        if self._text.startswith("..", self._position):
            raise self._unsupported("descendants (..)")
        self._position += 1
        found = _NAME.match(self._text, self._position)
        if found is not None:
            self._position = found.end()
            return Name(found[0])
        match self._text[self._position : self._position + 1]:
            case "*":
                self._position += 1
                return Wildcard(members=True)
            case "[":
                return self._in_brackets()
        raise self._expected("an attribute, * or [ after the dot")

    def _in_brackets(self) -> Step:
        self._position += 1
        step: Step
        match self._peek():
            case "'" | '"':
                step = Name(self._quoted())
            case "*":
                self._position += 1
                step = Wildcard()
            case "?":
                step = self._filter()
            case _:
                found = _INDEX.match(self._text, self._position)
                if found is not None:
                    self._position = found.end()
                if self._peek() == ":":
                    raise self._unsupported("slices ([a:b])")
                if found is None:
                    raise self._expected("an attribute in quotes, an index, * or ? in the brackets")
                step = Index(int(found[0]))
        if self._peek() == ",":
            raise self._unsupported("several selectors in one pair of brackets")
        self._expect("]")
        return step

    def _filter(self) -> Filter:
        self._position += 1
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadQuery("filter", f"nests filters deeper than {DEEPEST}{self._place()}")
        expression = self._expression()
        self._depth -= 1
        return Filter(expression)

    def _path(self) -> Steps:
        """Read a path from the current element, `@.a`, also written `@a`."""
        if self._peek() == "$":
            raise self._unsupported("absolute paths ($) within a filter")
        self._expect("@")
        found = _NAME.match(self._text, self._position)
        if found is None:
            return self._steps()
        self._position = found.end()
        return (Name(found[0]), *self._steps())

    # -- expressions

    def _expression(self) -> Expression:
        """Read an expression; parentheses are a stack of groups, and so take no recursion."""
        groups = [_Group()]
        while True:
            negated = self._negations()
            if self._take("("):
                groups.append(_Group(negated))
                continue
            operand = self._operand(negated)
            while True:
                conjunction = groups[-1].alternatives[-1]
                conjunction.append(operand)
                if self._take("&&"):
                    break
                if self._take("||"):
                    groups[-1].alternatives.append([])
                    break
                if len(groups) == 1:
                    return groups[0].expression()
                if self._peek() != ")":
                    raise self._expected("&&, || or )")
                self._position += 1
                operand = groups.pop().expression()
                if isinstance(operand, Exists):  # (@.a)=='x'
                    operand = self._comparison(operand.path)

    def _negations(self) -> bool:
        negated = False
        while self._peek() == "!":
            self._position += 1
            negated = not negated
        return negated

    def _operand(self, negated: bool) -> Expression:
        start = self._position
        match self._peek():
            case "@" | "$":
                operand = self._comparison(self._path())
                plain = isinstance(operand, Compared) and operand.symbol != "=~"
            case "'" | '"':
                operand, plain = self._mirrored(), True
            case _:
                found = _NAME.match(self._text, self._position)
                if found is not None and found[0] not in _WORDS:
                    operand, plain = self._search(found[0]), False
                elif found is not None or _NUMBER.match(self._text, self._position):
                    operand, plain = self._mirrored(), True
                else:
                    raise self._expected("a condition, such as @.status=='opened'")
        if not negated:
            return operand
        if plain or (isinstance(operand, Negated) and isinstance(operand.expression, Compared)):
            self._position = start
            raise self._expected("parentheses around a comparison after !")
        return _negated(operand)

    def _comparison(self, path: Steps) -> Expression:
        """Read what a path is compared with; without one it has to exist."""
        symbol = self._symbol()
        if symbol == "!=":
            return Negated(Compared(path, "==", self._literal()))
        if symbol is not None:
            return Compared(path, symbol, self._literal())
        if self._take("=~"):
            return Compared(path, "=~", self._pattern())
        found = _NAME.match(self._text, self._position)
        if found is None or found[0] not in ("in", "nin"):
            return Exists(path)
        self._position = found.end()
        either = Joined("||", tuple(Compared(path, "==", each) for each in self._list()))
        return Negated(either) if found[0] == "nin" else either

    def _mirrored(self) -> Expression:
        """Read a comparison that begins with the literal, `5 < @.a`."""
        literal = self._literal()
        symbol = self._symbol()
        if symbol is None:
            raise self._expected("a comparison after the literal")
        path = self._path()
        if symbol == "!=":
            return Negated(Compared(path, "==", literal))
        return Compared(path, _MIRRORED.get(symbol, symbol), literal)

    def _search(self, name: str) -> Expression:
        start = self._position
        self._position += len(name)
        if self._peek() != "(":
            self._position = start
            raise self._expected("a condition, such as @.status=='opened'")
        if name != "search":
            self._position = start
            raise self._unsupported(f"the function {name}()")
        self._position += 1
        path = self._path()
        self._expect(",")
        if self._peek() not in ("'", '"', "/"):
            raise self._unsupported("search() with anything but a text for its pattern")
        pattern = self._pattern()
        self._expect(")")
        return Compared(path, "=~", pattern)

    def _symbol(self) -> str | None:
        self._peek()
        for symbol in _SYMBOLS:
            if self._text.startswith(symbol, self._position):
                self._position += len(symbol)
                return symbol
        return None

    # -- literals

    def _literal(self) -> Literal:
        first = self._peek()
        if first in ("'", '"'):
            return self._quoted()
        number = _NUMBER.match(self._text, self._position)
        if number is not None:
            return self._number(number)
        found = _NAME.match(self._text, self._position)
        if found is not None and found[0] in _WORDS:
            self._position = found.end()
            return _WORDS[found[0]]
        if first in ("@", "$"):
            raise self._unsupported("comparing two paths")
        if found is not None and self._text.startswith("(", found.end()):
            raise self._unsupported(f"the function {found[0]}()")
        raise self._expected("a text in quotes, a number, true, false or null")

    def _number(self, found: re.Match[str]) -> int | float:
        if not math.isfinite(float(found[0])):
            raise self._unsupported("a number beyond all bounds")
        self._position = found.end()
        following = self._text[self._position : self._position + 1]
        if following.isalnum() or following in ("_", "."):
            self._position = found.start()
            raise self._expected("a number as JSON writes it")
        return float(found[0]) if found["real"] or found["power"] else int(found[0])

    def _list(self) -> list[Literal]:
        if self._take("["):
            end = "]"
        elif self._take("("):
            end = ")"
        else:
            raise self._expected("a list in brackets")
        literals = [self._literal()]
        while self._take(","):
            if self._peek() == end:
                break
            literals.append(self._literal())
        self._expect(end)
        return literals

    def _pattern(self) -> str:
        if self._peek() != "/":
            if self._peek() not in ("'", '"'):
                raise self._expected("a regular expression, as /…/ or in quotes")
            return self._quoted()
        found = _REGEX.match(self._text, self._position)
        if found is None:
            raise self._expected("a closing / for the regular expression")
        self._position = found.end()
        pattern = found[1].replace("\\/", "/")
        flag = _NAME.match(self._text, self._position)
        if flag is None:
            return pattern
        if flag[0] != "i":
            raise self._unsupported(f"the flag {flag[0]!r} of a regular expression")
        self._position = flag.end()
        return f"(?i){pattern}"

    def _quoted(self) -> str:
        """Read a text in quotes (RFC 9535 §2.3.1.2)."""
        start = self._position
        quote = self._text[start]
        self._position += 1
        pieces: list[str] = []
        while True:
            plain = _PLAIN.match(self._text, self._position)
            if plain is not None:
                pieces.append(plain[0])
                self._position = plain.end()
            match self._text[self._position : self._position + 1]:
                case "":
                    self._position = start
                    raise self._expected("a closing quote for the text")
                case "\\":
                    pieces.append(self._escaped(quote))
                case "'" | '"' as found:
                    self._position += 1
                    if found == quote:
                        return "".join(pieces)
                    pieces.append(found)
                case _:
                    raise self._expected("control characters in escapes")

    def _escaped(self, quote: str) -> str:
        letter = self._text[self._position + 1 : self._position + 2]
        if letter == "u":
            found = _CODE.match(self._text, self._position)
            if found is None:
                raise self._expected("four hexadecimal digits after \\u, and surrogates in pairs")
            self._position = found.end()
            return str(json.loads(f'"{found[0]}"'))
        if letter != quote and letter not in _ESCAPES:
            raise self._expected("an escape of JSON; regular expressions are written /…/")
        self._position += 2
        return _ESCAPES.get(letter, letter)

    # -- text

    def _peek(self) -> str:
        """Pass blanks and return the next character, which is empty at the end."""
        self._position = _after_blank(self._text, self._position)
        return self._text[self._position : self._position + 1]

    def _take(self, token: str) -> bool:
        self._peek()
        if not self._text.startswith(token, self._position):
            return False
        self._position += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._expected(token)

    def _place(self) -> str:
        near = self._text[self._position : self._position + 20]
        where = f"{near!r} (character {self._position + 1})" if near else "its end"
        return f", at {where}"

    def _expected(self, what: str) -> BadQuery:
        return BadQuery("filter", f"is not JSONPath: expected {what}{self._place()}")

    def _unsupported(self, construct: str) -> BadQuery:
        return BadQuery("filter", f"{unsupported(construct)}{self._place()}")


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found is not None else position
