from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tmf630.errors import BadQuery
from app.tmf630.jsonpath_parser import parse
from app.tmf630.jsonpath_syntax import (
    Compared,
    Exists,
    Expression,
    Filter,
    Index,
    Joined,
    Name,
    Negated,
    Steps,
    Wildcard,
)

A = (Name("a"),)
IS_1 = Compared(A, "==", 1)
HAS_B = Exists((Name("b"),))

PATHS: list[tuple[str, Steps]] = [
    ("$", ()),
    ("$.a", A),
    ("$.a.b", (*A, Name("b"))),
    ("$['a']", A),
    ('$["a"]', A),
    ("$ [ 'a' ] .b", (*A, Name("b"))),
    ("$.@type", (Name("@type"),)),
    ("$.a_1.ñ.数", (Name("a_1"), Name("ñ"), Name("数"))),
    ("$.a[0]", (*A, Index(0))),
    ("$.a[-1]", (*A, Index(-1))),
    ("$.a[*].b", (*A, Wildcard(), Name("b"))),
    ("$.a.[*]", (*A, Wildcard())),
    ("$.a.*", (*A, Wildcard(members=True))),
    ("a[0].b", (*A, Index(0), Name("b"))),
    ("a", A),
    ("['a'].b", (*A, Name("b"))),
    (".a", A),
    ("in[?(@.a==1)]", (Name("in"), Filter(IS_1))),
    ("$.b[?(@.a==1)].c", (Name("b"), Filter(IS_1), Name("c"))),
    ("b.[?(@.a==1)]", (Name("b"), Filter(IS_1))),
    ("$[?@.a==1][?@.b]", (Filter(IS_1), Filter(HAS_B))),
]

EXPRESSIONS: list[tuple[str, Expression]] = [
    ("@.a", Exists(A)),
    ("@a", Exists(A)),
    ("@", Exists(())),
    ("@.a.b", Exists((*A, Name("b")))),
    ("@['a']", Exists(A)),
    ("@.@type", Exists((Name("@type"),))),
    ("@.a[*]", Exists((*A, Wildcard()))),
    ("@.a==1", IS_1),
    ("@.a == 1", IS_1),
    ("1==@.a", IS_1),
    ("(@.a)==1", IS_1),
    ("@.a!=1", Negated(IS_1)),
    ("1!=@.a", Negated(IS_1)),
    ("@.a<1", Compared(A, "<", 1)),
    ("@.a<=1", Compared(A, "<=", 1)),
    ("@.a>1", Compared(A, ">", 1)),
    ("@.a>=1", Compared(A, ">=", 1)),
    ("1<@.a", Compared(A, ">", 1)),
    ("1<=@.a", Compared(A, ">=", 1)),
    ("1>@.a", Compared(A, "<", 1)),
    ("1>=@.a", Compared(A, "<=", 1)),
    ("@.a==-0", Compared(A, "==", 0)),
    ("@.a==-1.5e+2", Compared(A, "==", -150.0)),
    ("@.a==1e2", Compared(A, "==", 100)),
    ("@.a==1234567890123456789012", Compared(A, "==", 1234567890123456789012)),
    ("@.a==true", Compared(A, "==", True)),
    ("@.a==false", Compared(A, "==", False)),
    ("@.a==null", Compared(A, "==", None)),
    ("@.a=='x'", Compared(A, "==", "x")),
    ('@.a=="it\'s"', Compared(A, "==", "it's")),
    (r"@.a=='it\'s'", Compared(A, "==", "it's")),
    (r"@.a=='\b\f\n\r\t\/\\'", Compared(A, "==", "\b\f\n\r\t/\\")),
    (r"@.a=='\u00e9\ud83d\ude00'", Compared(A, "==", "é😀")),
    ("@.a=='&& || ) ]'", Compared(A, "==", "&& || ) ]")),
    ("@.a =~ 'x'", Compared(A, "=~", "x")),
    ("@.a=~/x/", Compared(A, "=~", "x")),
    ("@.a=~//", Compared(A, "=~", "")),
    ("@.a=~/x/i", Compared(A, "=~", "(?i)x")),
    (r"@.a=~/\d\/\\/", Compared(A, "=~", r"\d/\\")),
    ("search(@.a,'x')", Compared(A, "=~", "x")),
    ("search( @.a , /x/ )", Compared(A, "=~", "x")),
    ("@.a in [1]", Joined("||", (IS_1,))),
    ("@.a in (1)", Joined("||", (IS_1,))),
    ("@.a in['x', null,]", Joined("||", (Compared(A, "==", "x"), Compared(A, "==", None)))),
    ("@.a nin [1]", Negated(Joined("||", (IS_1,)))),
    ("!@.a in [1]", Negated(Joined("||", (IS_1,)))),
    ("!@.a nin [1]", Joined("||", (IS_1,))),
    ("!@.b", Negated(HAS_B)),
    ("!!@.b", HAS_B),
    ("! ! ! @.b", Negated(HAS_B)),
    ("!(@.a==1)", Negated(IS_1)),
    ("!(@.a!=1)", IS_1),
    ("!@.a=~/x/", Negated(Compared(A, "=~", "x"))),
    ("@.a==1&&@.b", Joined("&&", (IS_1, HAS_B))),
    ("@.a==1 || @.b || @.a", Joined("||", (IS_1, HAS_B, Exists(A)))),
    ("@.b || @.b && @.a==1", Joined("||", (HAS_B, Joined("&&", (HAS_B, IS_1))))),
    ("(@.b || @.b) && @.a==1", Joined("&&", (Joined("||", (HAS_B, HAS_B)), IS_1))),
    ("!(@.b && !@.b)", Negated(Joined("&&", (HAS_B, Negated(HAS_B))))),
    ("@.c[?(@.a==1)]", Exists((Name("c"), Filter(IS_1)))),
    ("@.c[?@.a==1].b", Exists((Name("c"), Filter(IS_1), Name("b")))),
    ("(" * 400 + "@.b" + ")" * 400, HAS_B),
    ("!(" * 400 + "@.b" + ")" * 400, HAS_B),
]

REFUSED: list[tuple[str, str]] = [
    ("", "expected a condition, such as @.status=='opened', at its end"),
    ("$.", "expected an attribute, * or [ after the dot, at its end"),
    ("$. a", "after the dot, at ' a' (character 3)"),
    ("$.1", "after the dot, at '1' (character 3)"),
    ("$a", "expected a dot, a bracket or the end, at 'a' (character 2)"),
    ("$.a b", "expected a dot, a bracket or the end, at 'b' (character 5)"),
    ("$[", "expected an attribute in quotes, an index, * or ? in the brackets, at its end"),
    ("$[]", "in the brackets, at ']' (character 3)"),
    ("$[a]", "in the brackets, at 'a]' (character 3)"),
    ("$['a'", "expected ], at its end"),
    ("$[01]", "expected ], at '1]' (character 4)"),
    (
        "$['a','b']",
        "several selectors in one pair of brackets, which is not supported, at \",'b']\"",
    ),
    ("$[1:2]", "slices ([a:b]), which is not supported, at ':2]' (character 4)"),
    ("$[:2]", "slices ([a:b])"),
    ("$..a", "descendants (..), which is not supported, at '..a' (character 2)"),
    ("$[?(", "expected a condition"),
    ("$[?(@.a", "expected &&, || or ), at its end"),
    ("$[?(@.a)", "expected ], at its end"),
    ("@.a)", "expected &&, || or the end, at ')' (character 4)"),
    ("@.a==", "expected a text in quotes, a number, true, false or null, at its end"),
    ("@.a=1", "expected &&, || or the end, at '=1' (character 4)"),
    ("@.a==opened", "expected a text in quotes"),
    ("@.a==.5", "expected a text in quotes"),
    ("@.a==01", "expected a number as JSON writes it, at '01' (character 6)"),
    ("@.a==1.", "expected a number as JSON writes it"),
    ("@.a==1x", "expected a number as JSON writes it"),
    ("@.a==1e999", "a number beyond all bounds"),
    ("@.a==" + "9" * 400, "a number beyond all bounds"),
    ("@.a=='x", 'expected a closing quote for the text, at "\'x" (character 6)'),
    ("@.a=='x\n'", "expected control characters in escapes"),
    (r"@.a=='\d'", 'regular expressions are written /…/, at "\\\\d\'" (character 7)'),
    ("@.a=='\\", "expected an escape of JSON"),
    (r"@.a=='\u12'", "four hexadecimal digits"),
    (r"@.a=='\ud800'", "surrogates in pairs"),
    (r"@.a=='\udc00\ud800'", "surrogates in pairs"),
    ("@.a==@.b", "comparing two paths, which is not supported, at '@.b' (character 6)"),
    ("@.a==$.b", "comparing two paths"),
    ("$[?($.a==1)]", "absolute paths ($) within a filter, which is not supported"),
    ("1==1", "expected @, at '1' (character 4)"),
    ("1", "expected a comparison after the literal, at its end"),
    ("@.a==1==1", "expected &&, || or the end, at '==1' (character 7)"),
    ("@.a==1 and @.b", "expected &&, || or the end, at 'and @.b' (character 8)"),
    ("@.a &", "expected &&, || or the end, at '&' (character 5)"),
    ("@.a &&", "expected a condition"),
    ("!@.a==1", "expected parentheses around a comparison after !, at '@.a==1' (character 2)"),
    ("!@.a!=1", "expected parentheses around a comparison after !"),
    ("length(@.a)>1", "the function length(), which is not supported, at 'length(@.a)>1'"),
    ("@.a==length(@.b)", "the function length()"),
    ("search(@.a)", "expected ,, at ')' (character 11)"),
    ("search(@.a,@.b)", "search() with anything but a text for its pattern"),
    ("search('x','x')", "expected @"),
    ("@.a=~x", "expected a regular expression, as /…/ or in quotes, at 'x' (character 6)"),
    ("@.a=~/x", "expected a closing / for the regular expression, at '/x' (character 6)"),
    ("@.a=~/x/g", "the flag 'g' of a regular expression"),
    ("@.a in 1", "expected a list in brackets, at '1' (character 8)"),
    ("@.a in []", "expected a text in quotes"),
    ("@.a in [1", "expected ], at its end"),
    ("@.a in [1)", "expected ], at ')' (character 10)"),
    ("@.a in (1]", "expected ), at ']' (character 10)"),
    ("@.a in [////", "expected a text in quotes, a number, true, false or null, at '////'"),
    ("@[?(" * 33, "nests filters deeper than 32, at"),
]

ADVERSARIAL: list[tuple[str, str, str]] = [
    ("@.a in [", "/", ""),
    ("@.a in [", "'x',", ""),
    ("@.a in [", "'/',", "x"),
    ("@.a =~ /", "\\/", ""),
    ("@.a =~ /", "a", ""),
    ("@.a=='", "\\'", ""),
    ("@.a=='", "\\\\", ""),
    ("@.a=='", "\\u0041", ""),
    ("", "@.a in [/", ""),
    ("", "(", ""),
    ("", "!(", ""),
    ("", "!", ""),
    ("", "@.a==1&&", ""),
    ("", "@.a||", "@.a"),
    ("", "@.a =~ '", ""),
    ("$", ".a", " x"),
    ("$", "['a']", "["),
    ("$", "[?(@.a)]", "["),
    ("$", "[*]", "("),
    ("@.a", " ", "x"),
    ("@.a==", "9", "x"),
    ("@.a==1.", "9", "x"),
    ("", "a", "@"),
    ("", "@", ""),
    ("", "[?(", ""),
]


@pytest.mark.parametrize(("text", "steps"), PATHS, ids=lambda each: str(each)[:40])
def test_a_path_is_its_steps(text: str, steps: Steps) -> None:
    assert parse(text) == steps


@pytest.mark.parametrize(("text", "expression"), EXPRESSIONS, ids=lambda each: str(each)[:40])
@pytest.mark.parametrize("form", ["{}", " {} ", "$[?({})]", "$[?{}]", "[?({})]", "?({})"])
def test_an_expression_is_a_filter_in_every_notation(
    text: str, expression: Expression, form: str
) -> None:
    assert parse(form.format(text)) == (Filter(expression),)


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=lambda each: str(each)[:40])
def test_what_is_refused_says_the_rule_and_the_position(text: str, says: str) -> None:
    with pytest.raises(BadQuery) as refused:
        parse(text)
    assert says in str(refused.value)
    assert refused.value.parameter == "filter"


def calls(work: Callable[[], object]) -> int:
    """Return how many functions, of Python and of C, are called in the course of some work."""
    number = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    except BadQuery:
        pass
    finally:
        sys.setprofile(None)
    return number


@pytest.mark.parametrize(("before", "repeated", "after"), ADVERSARIAL)
def test_the_work_is_linear_in_the_length_of_the_text(
    before: str, repeated: str, after: str
) -> None:
    short, long = (before + repeated * number + after for number in (2_000, 4_000))
    assert calls(lambda: parse(long)) <= 2 * calls(lambda: parse(short)) + 50


ALPHABET = [
    "$",
    "@",
    "?",
    "[",
    "]",
    "(",
    ")",
    ".",
    "..",
    "*",
    "'",
    '"',
    "/",
    "\\",
    "!",
    "=",
    "~",
    ",",
    ":",
    "&&",
    "||",
    "<",
    ">",
    "-",
    "0",
    "7",
    "e",
    "a",
    "in",
    "nin",
    "search(",
    "true",
    "é",
]


@given(st.lists(st.sampled_from([*ALPHABET, " ", "\n"]), max_size=40).map("".join))
@settings(max_examples=500, deadline=None, derandomize=True, database=None)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    says = ""
    try:
        parse(text)
    except BadQuery as refused:
        says = str(refused)
    assert says == "" or "JSONPath" in says or "not supported" in says
