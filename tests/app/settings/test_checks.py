"""Settings that cannot work stop the start and say why."""

from __future__ import annotations

import base64

import pytest

from app.settings import SettingsError, read_settings
from app.settings.checks import check_callback_host, check_webhook_key

KEY = base64.b64encode(bytes(24)).decode()


@pytest.mark.parametrize("key", [KEY, f"whsec_{KEY}", base64.b64encode(bytes(64)).decode()])
def test_a_key_of_enough_bytes_can_be_used(key: str) -> None:
    check_webhook_key(key)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("v1", "v1 is the version of a signature"),
        ("v1a", "v1a is the version of a signature"),
        ("whsec_", "0 bytes"),
        (f"whsec_{base64.b64encode(bytes(23)).decode()}", "23 bytes"),
        (f"whsec_{base64.b64encode(bytes(65)).decode()}", "65 bytes"),
        ("whsec_no base64!", "must be base64"),
        (f"whsk_{KEY}", "must be base64"),
        (f"whsec_{KEY[:-2]}", "must be base64"),
    ],
)
def test_a_key_that_cannot_work_is_explained(key: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_webhook_key(key)


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.0/8", "10.0.0.1", "::1", "fd00::/8", "crm.internal", "*.example.com", "a_b", "host."],
)
def test_an_entry_that_can_match_is_accepted(entry: str) -> None:
    check_callback_host(entry)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("http://x", "is a URL; name the host alone: x"),
        ("https://crm.example.com:8443/a", "name the host alone: crm.example.com"),
        ("crm.example.com:8443", "neither a host name"),
        ("crm.example.com/path", "neither a host name"),
        ("10.0.0.0/33", "neither a host name"),
        ("10.0.0.300", "neither a host name"),
        ("10.0.0", "neither a host name"),
        ("a..b", "neither a host name"),
        ("b\u00fccher.example", "Punycode"),
    ],
)
def test_an_entry_that_can_never_match_is_explained(entry: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_callback_host(entry)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TMF_WEBHOOK_KEYS", f"v1,whsec_{KEY}"), ("TMF_CALLBACK_ALLOW", "http://x")],
)
def test_the_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        read_settings()
