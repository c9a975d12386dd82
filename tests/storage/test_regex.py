from __future__ import annotations

import pytest

from storage import UnsupportedQuery
from storage.regex import after_prefix, compiled, literal, literal_prefix


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(a*b)*", "((ab+)c){2,}", "(x(y*))+z", "^(([a-z])+.)+$", "(?:a+|b)*"]
)
def test_repeating_a_repetition_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedQuery):
        compiled(pattern)


@pytest.mark.parametrize(
    "pattern", ["(ab)+", "a+b+", "(a{2,3})+", r"(\+)*", "([+*])*", "(a+)?", "(a+){2}", "[(]+", "a*"]
)
def test_plain_repetition_is_accepted(pattern: str) -> None:
    assert compiled(pattern) is not None


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("^Broadband", "Broadband"),
        ("^Broad.*", "Broad"),
        (r"^a\.b\*", "a.b*"),
        ("^ab*", "a"),
        ("^ab?c", "a"),
        ("^ab+", "ab"),
        ("^ab{0,2}", "a"),
        ("^a|b", ""),
        ("^(ab)", ""),
        ("(?i)^ab", ""),
        ("ab", ""),
        ("^é\U0001f600x", "é\U0001f600x"),
    ],
)
def test_the_prefix_of_an_anchored_pattern_is_known(pattern: str, prefix: str) -> None:
    assert literal_prefix(pattern) == prefix


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("late fee", "late fee"),
        (r"a\.b\*\\", "a.b*\\"),
        ("é\U0001f600", "é\U0001f600"),
        ("", ""),
        ("a.b", None),
        ("^a", None),
        ("a$", None),
        ("a|b", None),
        (r"\d", None),
        ("(?i)a", None),
    ],
)
def test_a_pattern_that_is_nothing_but_text_is_known(pattern: str, text: str | None) -> None:
    assert literal(pattern) == text


@pytest.mark.parametrize("prefix", ["a", "az", "\ud7ff", "é", "a\U0010ffff"])
def test_everything_with_a_prefix_lies_before_the_next(prefix: str) -> None:
    after = after_prefix(prefix)
    assert prefix <= prefix + "z" < after or after >= prefix
