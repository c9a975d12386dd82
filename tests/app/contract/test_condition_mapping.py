"""A condition in one version's terms finds the documents that the other version stored."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.contract.evolution.condition_mapping import mapped_condition, mapped_key
from app.contract.evolution.mapping import Shape, Side, read_mapping
from storage import (
    And,
    AnyElement,
    Comparison,
    Condition,
    KeyInForms,
    Matches,
    Not,
    Operator,
    Or,
    holds,
)

EQ = Operator.EQ
MAPPINGS = FilePath(__file__).parents[3] / "openapi" / "mappings"


@pytest.fixture(scope="module")
def shape() -> Shape:
    mapping = read_mapping(MAPPINGS / "tmf683-v4-v5.mapping.yaml")
    return mapping.resources["partyInteraction"]


PARTY_4 = {"id": "42", "href": "/party/42", "@referredType": "Individual", "role": "customer"}
CHANNEL_4 = {"id": "web", "href": "/channel/web", "name": "Web", "role": "first"}
OLDER: dict[str, Any] = {
    "id": "1",
    "channel": [CHANNEL_4],
    "relatedParty": [PARTY_4, {"id": "7", "@type": "RelatedParty", "role": "agent"}],
    "note": [{"text": "hello"}],
    "interactionItem": [{"id": "1", "item": {"id": "88", "role": "order"}}],
}
NEWER: dict[str, Any] = {
    "id": "1",
    "@type": "PartyInteraction",
    "relatedChannel": [
        {
            "@type": "RelatedChannel",
            "role": "first",
            "channel": {"id": "web", "@type": "ChannelRef"},
        }
    ],
    "relatedParty": [
        {
            "@type": "RelatedPartyOrPartyRole",
            "role": "customer",
            "partyOrPartyRole": {"id": "42", "@type": "PartyRef", "@referredType": "Individual"},
        }
    ],
    "note": [{"text": "hello", "@type": "Note"}],
}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (Comparison(("relatedParty", "partyOrPartyRole", "id"), EQ, "42"), True),
        (Comparison(("relatedParty", "partyOrPartyRole", "id"), EQ, "43"), False),
        (Comparison(("relatedParty", "id"), EQ, "42"), False),
        (Comparison(("relatedParty", "id"), EQ, None), True),
        (Comparison(("relatedChannel", "channel", "name"), EQ, "Web"), True),
        (Comparison(("channel", "id"), EQ, "web"), False),
        (Comparison(("note", "@type"), EQ, "Note"), True),
        (Comparison(("@type",), EQ, "PartyInteraction"), True),
        (Comparison(("@type",), EQ, None), False),
        (Matches(("relatedChannel", "@type"), "^RelatedCh"), True),
        (Comparison(("relatedParty", "partyOrPartyRole", "@type"), EQ, "PartyRef"), True),
        (Comparison(("relatedParty", "partyOrPartyRole", "@type"), EQ, "RelatedParty"), False),
        (Comparison(("interactionItem", "item", "entity", "id"), EQ, "88"), True),
        (Comparison(("relatedChannel", "channel", "href"), EQ, "/channel/web"), False),
        (
            AnyElement(
                ("relatedParty",),
                And(
                    (
                        Comparison(("role",), EQ, "agent"),
                        Comparison(("partyOrPartyRole", "id"), EQ, "42"),
                    )
                ),
            ),
            False,
        ),
        (
            AnyElement(
                ("relatedParty", "partyOrPartyRole"),
                And((Comparison(("id",), EQ, "42"), Comparison(("@type",), EQ, "PartyRef"))),
            ),
            True,
        ),
    ],
)
def test_release_5_finds_what_release_4_stored(
    shape: Shape, condition: Condition, found: bool
) -> None:
    assert holds(condition, shape.translate(OLDER, Side.NEWER)) is found
    assert holds(mapped_condition(shape, Side.OLDER, condition), OLDER) is found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (Comparison(("relatedParty", "id"), EQ, "42"), True),
        (Comparison(("relatedParty", "partyOrPartyRole", "id"), EQ, "42"), False),
        (Comparison(("channel", "href"), EQ, "/channel/web"), True),
        (Comparison(("channel", "href"), EQ, "/channel/shop"), False),
        (Comparison(("channel", "href"), EQ, None), False),
        (Comparison(("relatedParty", "@type"), EQ, "RelatedParty"), False),
        (Comparison(("relatedParty", "@type"), EQ, None), True),
        (Comparison(("note", "@type"), EQ, None), True),
        (Comparison(("relatedParty", "@referredType"), EQ, "Individual"), True),
        (Comparison(("relatedParty", "@referredType"), EQ, "Party"), False),
        (Not(Comparison(("relatedParty", "role"), EQ, "agent")), True),
    ],
)
def test_release_4_finds_what_release_5_stored(
    shape: Shape, condition: Condition, found: bool
) -> None:
    assert holds(condition, shape.translate(NEWER, Side.OLDER)) is found
    assert holds(mapped_condition(shape, Side.NEWER, condition), NEWER) is found


_TEXTS = st.sampled_from(
    ["42", "7", "web", "customer", "/channel/web", "/party/42", "Party", "Note", "RelatedParty",
     "PartyRef", "RelatedChannel", "ChannelRef", "RelatedPartyOrPartyRole", "PartyInteraction"]
)  # fmt: skip
_NAMES = ["id", "name", "role", "href", "@type", "@referredType", "extension"]


def _objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, _TEXTS))


_ENTITY = _objects(*_NAMES)
_NOTES = st.lists(_objects("text", "author", "@type"), max_size=2)
_FLAT = st.lists(_ENTITY, max_size=2)


def _nested(name: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    # An inner object is there and is not empty: release 5 requires it.
    inner = st.fixed_dictionaries({"id": _TEXTS}, optional=dict.fromkeys(_NAMES[1:], _TEXTS))
    inner = inner.map(lambda value: {n: each for n, each in value.items() if n != "role"})
    outer = st.fixed_dictionaries({name: inner}, optional={"role": _TEXTS, "@type": _TEXTS})
    return st.lists(outer, max_size=2)


_OLDER = st.fixed_dictionaries(
    {},
    optional={
        "@type": _TEXTS, "status": _TEXTS, "channel": _FLAT, "relatedParty": _FLAT, "note": _NOTES,
    },
)  # fmt: skip
_NEWER = st.fixed_dictionaries(
    {"relatedChannel": _nested("channel"), "relatedParty": _nested("partyOrPartyRole")},
    optional={"@type": _TEXTS, "status": _TEXTS, "note": _NOTES},
)


def _conditions(paths: list[tuple[str, ...]]) -> st.SearchStrategy[Condition]:
    def leaf(path: tuple[str, ...]) -> st.SearchStrategy[Condition]:
        equal = st.builds(Comparison, st.just(path), st.just(EQ), _TEXTS | st.none())
        if path[-1] == "href":  # derived from the id
            return equal.filter(lambda each: each.value is not None)
        order = st.builds(Comparison, st.just(path), st.sampled_from(Operator), _TEXTS)
        return equal | order | st.builds(Matches, st.just(path), st.sampled_from(["^P", "e", "2$"]))

    single = st.sampled_from(paths).flatmap(leaf)
    below = [path for path in paths if len(path) > 1]
    element = st.sampled_from(below).flatmap(
        lambda path: st.builds(
            AnyElement,
            st.just(path[:1]),
            st.lists(
                st.sampled_from([p[1:] for p in below if p[0] == path[0]]).flatmap(leaf),
                min_size=1,
                max_size=2,
            ).map(lambda found: And(tuple(found))),
        )
    )
    return st.recursive(
        single | element,
        lambda inner: (
            st.builds(Not, inner)
            | st.lists(inner, max_size=2).map(lambda found: And(tuple(found)))
            | st.lists(inner, max_size=2).map(lambda found: Or(tuple(found)))
        ),
        max_leaves=4,
    )


_NEWER_PATHS = [
    ("@type",), ("status",), ("note", "@type"), ("note", "text"),
    *(("relatedChannel", "channel", name) for name in _NAMES if name != "role"),
    *(("relatedParty", "partyOrPartyRole", name) for name in _NAMES if name != "role"),
    ("relatedParty", "role"), ("relatedParty", "@type"), ("relatedChannel", "@type"),
    ("relatedParty", "id"), ("channel", "id"),
]  # fmt: skip
_OLDER_PATHS = [
    ("@type",), ("status",), ("note", "@type"), ("note", "text"),
    *(("channel", name) for name in _NAMES if name != "@type"),
    *(("relatedParty", name) for name in _NAMES if name != "@type"),
    ("relatedParty", "partyOrPartyRole", "id"), ("relatedChannel", "role"),
]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(_OLDER, _conditions(_NEWER_PATHS))
def test_random_conditions_of_release_5_hold_for_what_it_reads(
    shape: Shape, stored: dict[str, Any], condition: Condition
) -> None:
    read = shape.translate(stored, Side.NEWER)
    assert holds(mapped_condition(shape, Side.OLDER, condition), stored) is holds(condition, read)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_NEWER, _conditions(_OLDER_PATHS))
def test_random_conditions_of_release_4_hold_for_what_it_reads(
    shape: Shape, stored: dict[str, Any], condition: Condition
) -> None:
    read = shape.translate(stored, Side.OLDER)
    assert holds(mapped_condition(shape, Side.NEWER, condition), stored) is holds(condition, read)


SHAPE = Shape(
    defaults={Side.NEWER: {"@type": "New", "made": "/{id}"}, Side.OLDER: {"level": 1}},
    types={"Old": "New", "OldPart": "Part"},
    attributes={
        "date": ("day", Shape()),
        "place": (
            "site",
            Shape(
                nest="address",
                beside=frozenset({"role"}),
                defaults={Side.NEWER: {"address": {"@type": "Address"}}},
            ),
        ),
    },
)


@pytest.mark.parametrize(
    ("stored", "path", "expected"),
    [
        (Side.OLDER, ("status",), KeyInForms((), ("status",))),
        (Side.OLDER, ("day",), KeyInForms((), ("date",))),
        (Side.NEWER, ("date",), KeyInForms((), ("day",))),
        (Side.OLDER, ("date",), KeyInForms((), None)),
        (
            Side.OLDER,
            ("@type",),
            KeyInForms((), ("@type",), (("Old", "New"), ("OldPart", "Part"), (None, "New"))),
        ),
        (
            Side.NEWER,
            ("@type",),
            KeyInForms((), ("@type",), (("New", None), ("Part", "OldPart"))),
        ),
        (Side.NEWER, ("level",), KeyInForms((), ("level",), ((None, 1),))),
        (Side.OLDER, ("level",), KeyInForms((), ("level",), ((1, None),))),
        (Side.OLDER, ("site", "address", "id"), KeyInForms((), ("place", "id"), (), ("place",))),
        (Side.OLDER, ("site", "id"), KeyInForms((), None, (), ("place",))),
        (Side.OLDER, ("site", "role"), KeyInForms((), ("place", "role"), (), ("place",))),
        (Side.OLDER, ("site", "address"), KeyInForms((), None)),
        (Side.NEWER, ("place", "id"), KeyInForms((), ("site", "address", "id"), (), ("site",))),
        (Side.NEWER, ("place", "address"), KeyInForms((), None)),
    ],
)
def test_a_sort_key_is_that_of_the_stored_form(
    stored: Side, path: tuple[str, ...], expected: KeyInForms
) -> None:
    assert mapped_key(SHAPE, stored, path, ()) == expected


def test_no_list_is_sorted_by_what_is_made_from_other_attributes() -> None:
    for stored in Side:
        with pytest.raises(ValueError, match="made from other attributes"):
            mapped_key(SHAPE, stored, ("made",), ())
