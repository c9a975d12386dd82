r"""Regular expressions of RE2's syntax in the syntax of PCRE, which MongoDB uses.

The same text means another thing in the two where it says `$`, `^` over several lines, `\s`, `\v`
or a brace that is no repetition; those are rewritten, and so is `\Q…\E`.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)"
    r"|\\(?P<escaped>.)"
    r"|(?P<class>\[\^?+\]?+(?:\\.|\[:\^?\w++:\]|[^\]\\])*+(?:\]|\\?\Z))"
    r"|\(\?(?P<flags>[A-Za-z]*+(?:-[A-Za-z]*+)?)(?P<scope>[:)])"
    r"|(?P<open>\()|(?P<close>\))"
    r"|(?P<repeat>\{\d++(?:,\d*+)?\})|(?P<brace>\{)"
    r"|(?P<end>\$)|(?P<begin>\^)",
    re.DOTALL,
)
_ESCAPE_IN_CLASS = re.compile(r"\\(.)", re.DOTALL)
_SPACES = r"\t\n\f\r "


def as_pcre(pattern: str) -> str:
    """Return the pattern, valid in RE2, as one that matches the same texts in PCRE."""
    multiline = [False]  # for each open group, whether `(?m)` is in force
    parts: list[str] = []
    position = 0
    for token in _TOKEN.finditer(pattern):
        parts.append(pattern[position : token.start()])
        position = token.end()
        parts.append(_translated(token, multiline))
    return "".join(parts) + pattern[position:]


def _translated(token: re.Match[str], multiline: list[bool]) -> str:
    match token.lastgroup:
        case "quoted":
            return re.escape(token["quoted"])
        case "escaped":
            outside = {"s": f"[{_SPACES}]", "S": f"[^{_SPACES}]", "v": r"\x0b"}
            return outside.get(token["escaped"], token[0])
        case "class":
            within = {"s": _SPACES, "S": r"\S\x0b", "v": r"\x0b"}
            return _ESCAPE_IN_CLASS.sub(lambda found: within.get(found[1], found[0]), token[0])
        case "scope":
            on, _, off = token["flags"].partition("-")
            now = (multiline[-1] or "m" in on) and "m" not in off
            if token["scope"] == ":":
                multiline.append(now)
            else:
                multiline[-1] = now
        case "open":
            multiline.append(multiline[-1])
        case "close":
            if len(multiline) > 1:
                multiline.pop()
        case "brace":
            return r"\{"
        case "end":
            return token[0] if multiline[-1] else r"\z"
        case "begin":
            return r"(?:^|(?<=\n))" if multiline[-1] else token[0]
    return token[0]
