"""A request that offers another protocol is answered as without the offer (RFC 9110 §7.8)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.http.conftest import MINIMAL
from tests.server import Server

BODY = json.dumps(MINIMAL).encode()
CHUNKED = (
    b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:9], BODY[9:])) + b"0\r\n\r\n"
)
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n",
    "websocket": b"Connection: keep-alive, upgrade\r\nupgrade: websocket\r\n",
    "TLS": b"Upgrade: TLS/1.2, x/y\r\nConnection: Upgrade\r\n",
    "split": b"Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: b\r\nConnection: keep-alive\r\n",
}
JDK_CLIENT = """
import java.net.URI;
import java.net.http.*;
public class Client {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpResponse<String> made = client.send(request(arguments[0], "POST", arguments[1]),
            HttpResponse.BodyHandlers.ofString());
        System.out.println(made.statusCode());
        String url = made.headers().firstValue("Location").get();
        HttpResponse<String> changed = HttpClient.newHttpClient().send(
            request(url, "PATCH", "{\\"description\\":\\"by a JDK\\"}"),
            HttpResponse.BodyHandlers.ofString());
        System.out.println(changed.statusCode());
        System.out.println(changed.body());
    }
    static HttpRequest request(String url, String method, String body) {
        return HttpRequest.newBuilder(URI.create(url)).header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body)).build();
    }
}
"""


class Connection:
    """A raw connection to a server, and the answers that arrive on it."""

    def __init__(self, server: Server) -> None:
        port = int(server.url.rpartition(":")[2])
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.path = (server.base_url.removeprefix(server.url) + "/partyInteraction").encode()
        self._unread = b""

    def answer(self) -> tuple[int, bytes]:
        """Return the status and body of the next answer."""
        while b"\r\n\r\n" not in self._unread:
            self._read()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", 0))
        while len(self._unread) < length:
            self._read()
        body, self._unread = self._unread[:length], self._unread[length:]
        return int(head[9:12]), body

    def _read(self) -> None:
        part = self.socket.recv(65536)
        assert part, "the server closed the connection"
        self._unread += part


def request(path: bytes, method: bytes, offer: bytes, body: bytes, framing: bytes) -> bytes:
    head = b"%b %b HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" % (method, path)
    return head + offer + framing + b"\r\n" + body


@pytest.mark.parametrize("cut", [None, 1, 40, 120, 260])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("offer", OFFERS)
def test_a_body_belongs_to_its_request_whatever_is_offered(
    sqlite_server: Server, offer: str, framing: str, cut: int | None
) -> None:
    connection = Connection(sqlite_server)
    field, body = (
        (b"Content-Length: %d\r\n" % len(BODY), BODY)
        if framing == "length"
        else (b"Transfer-Encoding: chunked\r\n", CHUNKED)
    )
    sent = request(connection.path, b"POST", OFFERS[offer], body, field)
    sent += request(connection.path + b"?limit=1", b"GET", OFFERS[offer], b"", b"")
    if cut is None:
        connection.socket.sendall(sent)
    else:
        for start in range(0, len(sent), cut):
            connection.socket.sendall(sent[start : start + cut])
    status, content = connection.answer()
    assert status == 201, content
    assert json.loads(content)["reason"] == MINIMAL["reason"]
    status, content = connection.answer()
    assert (status, len(json.loads(content))) == (200, 1)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"PATCH"])
def test_a_body_is_never_read_as_the_next_request(sqlite_server: Server, method: bytes) -> None:
    connection = Connection(sqlite_server)
    smuggled = b"DELETE %b HTTP/1.1\r\nHost: h\r\n\r\n" % connection.path
    field = b"Content-Length: %d\r\nConnection: close\r\n" % len(smuggled)
    connection.socket.sendall(request(connection.path, method, OFFERS["h2c"], smuggled, field))
    received = b""
    while part := connection.socket.recv(65536):
        received += part
    assert received.count(b"HTTP/1.1 ") == 1, received


def test_a_tunnel_is_refused(sqlite_server: Server) -> None:
    connection = Connection(sqlite_server)
    connection.socket.sendall(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\nGET /")
    status, content = connection.answer()
    assert (status, json.loads(content)["code"]) == (501, "notImplemented")
    assert connection.socket.recv(1) == b""


@pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed (JDK 11 or newer)")
def test_a_default_jdk_client_creates_and_changes(sqlite_server: Server, tmp_path: Path) -> None:
    source = tmp_path / "Client.java"
    source.write_text(JDK_CLIENT)
    url = f"{sqlite_server.base_url}/partyInteraction"
    done = subprocess.run(
        ["java", str(source), url, json.dumps(MINIMAL)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    created, changed, body = done.stdout.splitlines() or ["", "", done.stderr]
    assert (created, changed) == ("201", "200"), body
    assert json.loads(body)["description"] == "by a JDK"
