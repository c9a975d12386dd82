"""Tokens of JSONPath: names, literals, patterns and symbols, and the place of an error.

The work is linear in the length of the text: the scanner never goes back, and its regular
expressions are possessive.
"""

from __future__ import annotations

import json
import math
import re

from app.tmf630.errors import BadQuery
from app.tmf630.jsonpath_syntax import Literal

_BLANK = re.compile(r"[ \t\r\n]*+")
NAME = re.compile(
    r"(?:[A-Za-z_\u0080-\uD7FF\uE000-\U0010FFFF]|@[\w])"
    r"[0-9A-Za-z_\u0080-\uD7FF\uE000-\U0010FFFF]*+"
)
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?P<real>\.[0-9]++)?(?P<power>[eE][+-]?[0-9]++)?")
INDEX = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_PLAIN = re.compile(r"[^'\"\\\x00-\x1f]++")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*+)/", re.DOTALL)
_CODE = re.compile(
    r"\\u(?:(?![dD][89A-Fa-f])[0-9A-Fa-f]{4}"
    r"|[dD][89ABab][0-9A-Fa-f]{2}\\u[dD][C-Fc-f][0-9A-Fa-f]{2})"
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_SYMBOLS = ("==", "!=", "<=", ">=", "<", ">")


def unsupported(construct: str) -> BadQuery:
    """Return the error about a construct of JSONPath that has no meaning here."""
    return BadQuery("filter", f"uses {construct}, which is not supported")


class Scanner:
    """A text and how far it is read; each method raises BadQuery for what does not belong there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def symbol(self) -> str | None:
        """Read a comparison symbol; None when another token is next."""
        self.peek()
        for symbol in _SYMBOLS:
            if self.text.startswith(symbol, self.position):
                self.position += len(symbol)
                return symbol
        return None

    # -- literals

    def literal(self) -> Literal:
        """Read a text in quotes, a number, true, false or null."""
        first = self.peek()
        if first in ("'", '"'):
            return self.quoted()
        number = NUMBER.match(self.text, self.position)
        if number is not None:
            return self._number(number)
        found = NAME.match(self.text, self.position)
        if found is not None and found[0] in WORDS:
            self.position = found.end()
            return WORDS[found[0]]
        if first in ("@", "$"):
            raise self.unsupported("comparing two paths")
        if found is not None and self.text.startswith("(", found.end()):
            raise self.unsupported(f"the function {found[0]}()")
        raise self.expected("a text in quotes, a number, true, false or null")

    def _number(self, found: re.Match[str]) -> int | float:
        if not math.isfinite(float(found[0])):
            raise self.unsupported("a number beyond all bounds")
        self.position = found.end()
        following = self.text[self.position : self.position + 1]
        if following.isalnum() or following in ("_", "."):
            self.position = found.start()
            raise self.expected("a number as JSON writes it")
        return float(found[0]) if found["real"] or found["power"] else int(found[0])

    def literals(self) -> list[Literal]:
        """Read literals between brackets or parentheses."""
        if self.take("["):
            end = "]"
        elif self.take("("):
            end = ")"
        else:
            raise self.expected("a list in brackets")
        literals = [self.literal()]
        while self.take(","):
            if self.peek() == end:
                break
            literals.append(self.literal())
        self.expect(end)
        return literals

    def pattern(self) -> str:
        """Read a regular expression, between slashes or in quotes."""
        if self.peek() != "/":
            if self.peek() not in ("'", '"'):
                raise self.expected("a regular expression, as /…/ or in quotes")
            return self.quoted()
        found = _REGEX.match(self.text, self.position)
        if found is None:
            raise self.expected("a closing / for the regular expression")
        self.position = found.end()
        pattern = found[1].replace("\\/", "/")
        flag = NAME.match(self.text, self.position)
        if flag is None:
            return pattern
        if flag[0] != "i":
            raise self.unsupported(f"the flag {flag[0]!r} of a regular expression")
        self.position = flag.end()
        return f"(?i){pattern}"

    def quoted(self) -> str:
        """Read a text in quotes (RFC 9535 §2.3.1.2)."""
        start = self.position
        quote = self.text[start]
        self.position += 1
        pieces: list[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.position)
            if plain is not None:
                pieces.append(plain[0])
                self.position = plain.end()
            match self.text[self.position : self.position + 1]:
                case "":
                    self.position = start
                    raise self.expected("a closing quote for the text")
                case "\\":
                    pieces.append(self._escaped(quote))
                case "'" | '"' as found:
                    self.position += 1
                    if found == quote:
                        return "".join(pieces)
                    pieces.append(found)
                case _:
                    raise self.expected("control characters in escapes")

    def _escaped(self, quote: str) -> str:
        letter = self.text[self.position + 1 : self.position + 2]
        if letter == "u":
            found = _CODE.match(self.text, self.position)
            if found is None:
                raise self.expected("four hexadecimal digits after \\u, and surrogates in pairs")
            self.position = found.end()
            return str(json.loads(f'"{found[0]}"'))
        if letter != quote and letter not in _ESCAPES:
            raise self.expected("an escape of JSON; regular expressions are written /…/")
        self.position += 2
        return _ESCAPES.get(letter, letter)

    # -- text

    def peek(self) -> str:
        """Pass blanks and return the next character, which is empty at the end."""
        self.position = after_blank(self.text, self.position)
        return self.text[self.position : self.position + 1]

    def take(self, token: str) -> bool:
        """Pass the token if it is next; return whether it is."""
        self.peek()
        if not self.text.startswith(token, self.position):
            return False
        self.position += len(token)
        return True

    def expect(self, token: str) -> None:
        """Pass the token, which has to be next."""
        if not self.take(token):
            raise self.expected(token)

    def place(self) -> str:
        """Return where the text is read, for an error."""
        near = self.text[self.position : self.position + 20]
        where = f"{near!r} (character {self.position + 1})" if near else "its end"
        return f", at {where}"

    def expected(self, what: str) -> BadQuery:
        """Return the error that something else is next."""
        return BadQuery("filter", f"is not JSONPath: expected {what}{self.place()}")

    def unsupported(self, construct: str) -> BadQuery:
        """Return the error about a construct that has no meaning here."""
        return BadQuery("filter", f"{unsupported(construct)}{self.place()}")


def after_blank(text: str, position: int) -> int:
    """Return the position of the next character that is no blank."""
    found = _BLANK.match(text, position)
    return found.end() if found is not None else position
