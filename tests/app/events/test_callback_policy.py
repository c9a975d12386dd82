"""Where events may not be sent, however the address is written."""

from __future__ import annotations

import asyncio
import socket
import threading
from importlib.metadata import version
from typing import Any

import pytest

from app.events.outbound.callback_policy import CallbackPolicy
from app.events.outbound.payloads import OutgoingEvent
from app.events.outbound.webhook import DeliveryResult, WebhookSender
from app.tmf630.errors import BadCallback
from tests.app.events.receiver import Got, receiving, status

NAMES = {
    "loop.example.com": "127.0.0.1",
    "inside.example.com": "10.1.2.3",
    "crm.internal": "10.1.2.3",
    "mapped.example.com": "::ffff:127.0.0.1",
    "six.example.com": "::1",
    "public.example.com": "93.184.216.34",
    "both.example.com": "93.184.216.34,192.168.1.1",
    "metadata.example.com": "169.254.169.254",
    "xn--bcher-kva.example.com": "127.0.0.53",
}


def resolve(host: str, port: int, **options: Any) -> list[Any]:
    """Resolve the names above as a name server would, and everything else as this machine does."""
    if host not in NAMES:
        return socket.getaddrinfo(host, port, **options)
    return [
        (
            socket.AF_INET6 if ":" in each else socket.AF_INET,
            socket.SOCK_STREAM,
            6,
            "",
            (each, port),
        )
        for each in NAMES[host].split(",")
    ]


REFUSED = [
    "http://127.0.0.1/", "http://127.0.0.1:8080/x", "https://127.0.0.1/", "http://127.1/",
    "http://127.255.255.254/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.0.0.1/",
    "http://0x7f000001/", "http://017700000001/", "http://127.0.1/", "http://0/", "http://0.0.0.0/",
    "http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/", "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::10.0.0.1]/", "http://[2002:7f00:1::]/", "http://[2002:a00:1::1]/",
    "http://[fe80::1]/", "http://[fc00::1]/", "http://[fd12:3456::1]/", "http://[ff02::1]/",
    "http://10.0.0.1/", "http://10.255.255.255/", "http://172.16.0.1/", "http://172.31.255.255/",
    "http://192.168.0.1/", "http://169.254.169.254/latest/meta-data/", "http://2852039166/",
    "http://0xa9fea9fe/", "http://169.254.0.1/", "http://100.64.0.1/", "http://192.0.0.1/",
    "http://192.0.2.1/", "http://198.18.0.1/", "http://198.51.100.7/", "http://203.0.113.9/",
    "http://224.0.0.1/", "http://239.255.255.250/", "http://240.0.0.1/", "http://255.255.255.255/",
    "http://loop.example.com/", "http://inside.example.com/", "http://mapped.example.com/",
    "http://six.example.com/", "http://both.example.com/", "http://metadata.example.com/",
    "http://xn--bcher-kva.example.com/", "ftp://93.184.216.34/", "file:///etc/passwd",
    "gopher://127.0.0.1/", "//93.184.216.34/", "/events", "http://", "http:///x",
    "http://user:pw@93.184.216.34/", "http://user@93.184.216.34/", "http://93.184.216.34/#part",
    "http://[fec0::1]/", "http://[64:ff9b:1::7f00:1]/", "http://[2001:0:7f00:1::]/",
    "http://[::127.0.0.1]/", "http://[3fff::1]/", "http://192.0.0.192/", "http://168.63.129.16/",
    "http://192.88.99.1/", "http://100.100.100.200/", "http://169.254.169.254./",
    "http://metadata.google.internal/", "http://metadata.google.internal./",
    "http://any.localhost/", "http://printer.local/", "http://router.home.arpa/",
    "http://\uff11\uff12\uff17.0.0.1/", "http://127\u30020\u30020\u30021/", "http:/93.184.216.34/",
    "http://93.184.216.34/#", "http://93.184.216.34:99999/", "http://[::1", "",
    "http://93.184.216.34/" + "a" * 2000,
]  # fmt: skip

# U+1FBF0 to U+1FBF9 are digits that UTS-46 maps to ASCII, as the HTTP client does.
REFUSED += [
    "http://\U0001fbf1\U0001fbf2\U0001fbf7.\U0001fbf0.\U0001fbf0.\U0001fbf1/",
    "http://\u2460\u2461\u2466.0.0.1/", "http://\U0001d7cf\U0001d7d0\U0001d7d5.0.0.1/",
    "http://%31%32%37.0.0.1/", "http://ex ample.com/", "http://[fe80::1%25eth0]/",
    "http://93.184.216.34:0/", "http://93.184.216.34:22/", "http://93.184.216.34:25/",
    "https://93.184.216.34:6379/", "http://93.184.216.34:3306/", "http://93.184.216.34:53/",
]  # fmt: skip

ALLOWED = [
    "http://93.184.216.34/", "https://93.184.216.34:8443/a?b=c", "http://public.example.com/",
    "http://[2606:2800:220:1:248:1893:25c8:1946]/", "http://[::ffff:93.184.216.34]/",
    "http://not-resolved.invalid/", "http://crm_prod.not-resolved.invalid/",
    "http://93.184.216.34:8080/", "http://b\u00fccher.not-resolved.invalid/",
]  # fmt: skip


def test_the_table_is_long_enough() -> None:
    assert len(REFUSED) >= 40
    assert len(set(REFUSED)) == len(REFUSED)


@pytest.mark.parametrize("url", REFUSED)
def test_a_callback_is_refused(url: str) -> None:
    with pytest.raises(BadCallback):
        CallbackPolicy(resolve=resolve).check(url)


@pytest.mark.parametrize("url", ALLOWED)
def test_a_callback_is_accepted(url: str) -> None:
    CallbackPolicy(resolve=resolve).check(url)


@pytest.mark.parametrize(
    ("allow", "url", "refused"),
    [
        ("127.0.0.0/8", "http://127.0.0.1/", False),
        ("127.0.0.0/8", "http://[::ffff:127.0.0.1]/", False),
        ("127.0.0.0/8", "http://10.0.0.1/", True),
        ("10.1.2.3", "http://inside.example.com/", False),
        ("10.1.2.4", "http://inside.example.com/", True),
        ("inside.example.com", "http://inside.example.com/", False),
        ("inside.example.com", "http://INSIDE.example.com/", False),
        ("*.example.com", "http://loop.example.com/", False),
        ("*.example.com", "http://localhost/", True),
        ("example.com", "http://loop.example.com/", True),
        ("10.0.0.0/8", "http://crm.internal/", False),
        ("later.internal", "http://later.internal/", False),
        ("other.internal", "http://later.internal/", True),
        ("::1", "http://[::1]/", False),
        ("fd00::/8", "http://[fd12:3456::1]/", False),
    ],
)
def test_an_operator_can_allow_more(allow: str, url: str, refused: bool) -> None:
    policy = CallbackPolicy([allow], resolve)
    if refused:
        with pytest.raises(BadCallback):
            policy.check(url)
    else:
        policy.check(url)


def result(url: str, policy: CallbackPolicy) -> DeliveryResult:
    """Send an event; return what became of it."""

    async def run() -> DeliveryResult:
        sender = WebhookSender(policy, seconds=3)
        try:
            return await sender.send(url, OutgoingEvent("1", "T", {"a": 1}))
        finally:
            await sender.close()

    return asyncio.run(run())


def sent(url: str, policy: CallbackPolicy) -> str:
    """Send an event; return what went wrong."""
    return result(url, policy).error


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "[::ffff:127.0.0.1]", "127.1", "2130706433"]
)
def test_the_address_is_checked_again_where_the_connection_is_made(host: str) -> None:
    with receiving() as receiver:
        error = sent(f"http://{host}:{receiver.port}/", CallbackPolicy())
        assert "no public address" in error or "not a canonical IPv4 address" in error
        assert not receiver.got


@pytest.mark.parametrize(
    "host",
    [
        "\U0001fbf1\U0001fbf2\U0001fbf7.\U0001fbf0.\U0001fbf0.\U0001fbf1",
        "\u2460\u2461\u2466.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
    ],
)  # fmt: skip
def test_other_digits_lead_nowhere_either(host: str) -> None:
    """A subscription that was imported is not checked by a contract's pattern."""
    with receiving() as receiver:
        assert "no public address" in sent(f"http://{host}:{receiver.port}/", CallbackPolicy())
        assert not receiver.got


def test_a_port_of_another_protocol_is_refused_whatever_is_allowed() -> None:
    with pytest.raises(BadCallback, match="port 25"):
        CallbackPolicy(["127.0.0.0/8"]).check("http://127.0.0.1:25/")
    assert "port 25" in sent("http://127.0.0.1:25/", CallbackPolicy(["127.0.0.0/8"]))


def test_an_event_says_which_program_sends_it() -> None:
    with receiving() as receiver:
        assert sent(receiver.url(), CallbackPolicy(["127.0.0.1"])) == ""
    assert receiver.got[0].headers["user-agent"] == f"tmf683/{version('tmf683')}"


@pytest.mark.parametrize(
    ("line", "refused", "gone"),
    [
        *((f"{each} No", True, False) for each in (400, 401, 403, 404, 409, 413, 415, 422, 451)),
        *((f"{each} No", False, False) for each in (302, 408, 425, 429, 500, 502, 503, 504)),
        ("410 Gone", False, True),
    ],
)
def test_a_refused_event_is_told_from_an_absent_listener(
    line: str, refused: bool, gone: bool
) -> None:
    with receiving() as receiver:
        receiver.answer = status(line)
        found = result(receiver.url(), CallbackPolicy(["127.0.0.1"]))
    assert (found.delivered, found.refused, found.gone) == (False, refused, gone)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_allowed_address_is_reached(host: str) -> None:
    with receiving() as receiver:
        url = f"http://{host}:{receiver.port}/"
        assert sent(url, CallbackPolicy(["127.0.0.0/8", "localhost"])) == ""
        assert len(receiver.got) == 1


def test_a_name_that_changes_its_address_after_registration_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: public when it registers, loopback when an event is sent."""
    policy = CallbackPolicy(resolve=lambda host, port, **_: resolve("public.example.com", port))
    with receiving() as receiver:
        url = f"http://rebinding.example.com:{receiver.port}/"
        policy.check(url)
        real = socket.getaddrinfo

        def rebound(host: Any, *arguments: Any, **options: Any) -> Any:
            return real("127.0.0.1" if "rebinding" in str(host) else host, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        assert "no public address" in sent(url, policy)
        assert not receiver.got


def test_a_redirect_is_not_followed() -> None:
    with receiving() as receiver, receiving() as other:
        receiver.answer = status("302 Found", f"Location: {other.url()}\r\n")
        error = sent(receiver.url(), CallbackPolicy(["127.0.0.1"]))
        assert error == "the listener answered 302"
        assert not other.got


def test_a_silent_name_server_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many listeners whose names are not resolved for long, and one whose address is known."""
    real, answering = socket.getaddrinfo, threading.Event()

    def slow(host: Any, *arguments: Any, **options: Any) -> Any:
        if "silent" in str(host):
            answering.wait(60)
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def run(url: str) -> None:
        sender = WebhookSender(CallbackPolicy(["localhost"]), seconds=30)
        event = OutgoingEvent("1", "T", {"a": 1})
        names = [f"http://silent{number}.example.com/" for number in range(20)]
        others = [asyncio.create_task(sender.send(each, event)) for each in names]
        try:
            await asyncio.sleep(0)  # the others begin
            assert (await sender.send(url, event)).delivered
            await asyncio.to_thread(len, url)  # where the store is used, for example
            assert not any(each.done() for each in others)
        finally:
            answering.set()
        await asyncio.gather(*others)
        await sender.close()

    with receiving() as receiver:
        asyncio.run(run(f"http://localhost:{receiver.port}/"))


async def cut_short(writer: asyncio.StreamWriter, got: Got) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    writer.close()


def test_a_status_is_an_answer_whatever_becomes_of_the_rest() -> None:
    with receiving() as receiver:
        receiver.answer = cut_short
        assert sent(receiver.url(), CallbackPolicy(["127.0.0.1"])) == ""


@pytest.mark.parametrize("answer", ["429 Too Many Requests", "503 Busy", "500 Error", "413 Large"])
def test_any_refusal_can_ask_to_wait(answer: str) -> None:
    with receiving() as receiver:
        receiver.answer = status(answer, "Retry-After: 7\r\n")
        assert result(receiver.url(), CallbackPolicy(["127.0.0.1"])).wait == 7
