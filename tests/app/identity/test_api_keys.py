"""API keys: made once, kept as digests."""

from __future__ import annotations

import pytest

from app.identity.api_keys import ApiKeys, make_key, parse_entry
from app.identity.errors import NotAuthenticated
from app.tmf630.caller import Access, Identity
from tests.commands import tmf683


def test_a_key_is_known_by_its_entry() -> None:
    key, entry = make_key("crm", [Access.READ, Access.WRITE], ["42", "7"])
    assert key not in entry
    assert ApiKeys([entry]).identity_of(key) == Identity(
        "crm", "key", frozenset({Access.READ, Access.WRITE}), ("42", "7")
    )


def test_no_two_keys_are_alike() -> None:
    assert len({make_key("crm", [Access.READ])[0] for _ in range(100)}) == 100


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key.upper(), lambda _: ""])
def test_a_key_is_known_whole_or_not_at_all(change: object) -> None:
    key, entry = make_key("crm", [Access.READ])
    with pytest.raises(NotAuthenticated):
        ApiKeys([entry]).identity_of(change(key))  # type: ignore[operator]


@pytest.mark.parametrize(
    "entry",
    [
        "", "crm", "crm:read", "crm:read:abc", "crm:fly:" + "0" * 64, "crm::" + "0" * 64,
        "c r m:read:" + "0" * 64, "crm:read:" + "0" * 64 + ":", "crm:read:" + "0" * 64 + ":a+",
        "crm:read:" + "G" * 64,
    ],
)  # fmt: skip
def test_what_is_no_entry_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"API key|access"):
        parse_entry(entry)


def test_the_command_makes_a_key_and_its_entry() -> None:
    done = tmf683("key", "crm", "--access", "read", "--party", "42")
    key, entry = (line.split()[1] for line in done.stdout.splitlines())
    assert ApiKeys([entry]).identity_of(key).parties == ("42",)
    assert tmf683("key", "c m", "--access", "read").returncode == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"TMF_OIDC_ISSUER": "https://i.example"}, "belong together"),
        ({"TMF_API_KEYS": "crm:read:abc"}, "TMF_API_KEYS"),
        ({"TMF_JWT_ALGORITHMS": "HS256"}, "HS256 is not accepted"),
        ({"TMF_JWT_ALGORITHMS": "none"}, "none is not accepted"),
        ({"TMF_JWKS": "http://keys.example/"}, "use https://"),
        ({"TMF_JWKS": "/nowhere/keys.json"}, "there is no file"),
        ({"TMF_PARTY_CLAIM": "party_id"}, "set TMF_OIDC_ISSUER too"),
        ({"TMF_CLOCK_SKEW": "3600"}, "TMF_CLOCK_SKEW"),
    ],
)
def test_settings_that_would_guard_nothing_stop_the_start(
    settings: dict[str, str], says: str
) -> None:
    done = tmf683("config", **settings)
    assert done.returncode == 2
    assert says in done.stderr


def test_the_configuration_shows_no_key() -> None:
    _, entry = make_key("crm", [Access.READ])
    assert entry.split(":")[2] not in tmf683("config", TMF_API_KEYS=entry).stdout
