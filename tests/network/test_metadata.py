"""What of a guest's request goes on to the metadata service: a path, at one host and port; never its headers."""

import contextlib
import socket
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.periodic import wait_for
from network.agent import metadata

NET = "n"
PORT = {"network_id": NET, "device_id": "server-1", "project_id": "p", "mac_address": "fa:16:3e:00:00:01",
        "fixed_ips": [{"ip_address": "127.0.0.1"}], "allowed_address_pairs": []}


class Recorder(ThreadingHTTPServer):
    """A service that notes what it is asked."""

    daemon_threads = True

    def __init__(self):
        self.asked: list[tuple[str, str, dict, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append((self.command, self.path, dict(self.headers), body))
                size = 2 << 20 if self.path == "/large" else 2
                self.send_response(302 if self.path == "/moved" else 200)
                self.send_header("Location", f"http://127.0.0.1:{outer.elsewhere}/")
                self.send_header("Content-Length", str(size))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(b"x" * size)

            do_POST = do_CONNECT = do_PUT = do_GET
        super().__init__(("127.0.0.1", 0), Handler)
        self.elsewhere = 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def cloud(monkeypatch):
    service, other = Recorder(), Recorder()
    service.elsewhere = other.server_port
    conf = types.SimpleNamespace(endpoints=types.SimpleNamespace(metadata=f"http://127.0.0.1:{service.server_port}"),
                                 network=types.SimpleNamespace(metadata_secret="secret"))
    monkeypatch.setattr(metadata, "in_namespace", lambda name, work: work())
    monkeypatch.setattr(metadata, "REQUEST_S", 1)
    proxy = metadata.MetadataProxy(conf)
    monkeypatch.setattr(proxy, "is_its_own", lambda namespace, address, port: True)
    proxy.set_ports([PORT])
    proxy.listen("space", "127.0.0.1", 0, [NET])
    yield types.SimpleNamespace(service=service, other=other, proxy=proxy,
                                port=proxy._servers["space"].socket.getsockname()[1])
    proxy.keep(set())
    for server in (service, other):
        server.shutdown()
        server.server_close()


def ask(cloud, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", cloud.port), 5) as sock:
        sock.sendall(request)
        found = b""
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(65536):
                found += data
    return found


def status(answer: bytes) -> int:
    return int(answer.split()[1]) if answer else 0


@pytest.mark.parametrize("target", [
    "@127.0.0.1:{other}/x", "http://127.0.0.1:{other}/x", "//127.0.0.1:{other}/x", "///x", "\\\\127.0.0.1:{other}\\x", "/\\x",
    "x", "*", ":{other}/x", "127.0.0.1:{other}", "/a/../x", "/a/%2e%2e/x", "/%2E./x", "/x%0d%0aX-Instance-ID:%20other", "/%00",
    "/%ff", "/x%5cy", "/x%2523", "/\x80", ".127.0.0.1:{other}/", "?x", "#x", "/x#y"])
def test_only_paths_of_the_service_are_requested(cloud, target):
    target = target.format(other=cloud.other.server_port)
    answer = ask(cloud, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
    assert status(answer) == 400 and cloud.service.asked == [] and cloud.other.asked == []


@pytest.mark.parametrize("method", ["CONNECT", "PUT", "DELETE", "OPTIONS", "TRACE", "get"])
def test_other_methods_are_not_passed_on(cloud, method):
    answer = ask(cloud, f"{method} /latest HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status(answer) in (400, 501) and cloud.service.asked == []


def test_a_redirect_is_not_followed(cloud):
    assert status(ask(cloud, b"GET /moved HTTP/1.1\r\n\r\n")) == 302
    assert cloud.other.asked == []


@pytest.mark.parametrize("target, path", [
    ("/", "/"), ("/latest/meta-data/", "/latest/meta-data/"), ("/openstack//latest", "/openstack/latest"), ("/a%2Fb", "/a/b"),
    ("/latest/public-keys/0=first-key/", "/latest/public-keys/0=first-key/"), ("/user-data?x=1", "/user-data")])
def test_paths_that_guests_ask_for(cloud, target, path):
    assert status(ask(cloud, f"GET {target} HTTP/1.0\r\n\r\n".encode())) == 200
    assert [p for _, p, _, _ in cloud.service.asked] == [path]


def test_no_header_of_a_guest_is_forwarded(cloud):
    sent = ("X-Instance-ID: server-2\r\nX-Tenant-ID: q\r\nX-Instance-ID-Signature: 0\r\nX-Forwarded-For: 10.0.0.9\r\n"
            "X-Real-IP: 10.0.0.9\r\nX-Metadata-Provider: x\r\nForwarded: for=x\r\nAuthorization: x\r\nX-Auth-Token: x\r\n"
            "x_instance_id: server-2\r\nHost: other\r\nTransfer-Encoding: identity\r\n")
    assert status(ask(cloud, f"GET /latest HTTP/1.1\r\n{sent}\r\n".encode())) == 200
    headers = cloud.service.asked[0][2]
    assert (headers.pop("X-Instance-ID"), headers.pop("X-Tenant-ID")) == ("server-1", "p")
    assert len(headers.pop("X-Instance-ID-Signature")) == 64
    assert set(headers) <= {"Host", "Accept-Encoding", "User-Agent"} and "other" not in headers["Host"]


def test_bodies_and_heads_have_limits(cloud):
    assert status(ask(cloud, b"POST /password HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")) == 200
    assert cloud.service.asked.pop()[3] == b"abc"
    for words in (b"Content-Length: 4097", b"Content-Length: 99999999999999999999"):
        assert status(ask(cloud, b"POST /password HTTP/1.1\r\n" + words + b"\r\n\r\n")) == 413
    for words in (b"Content-Length: -1", b"Content-Length: \xb2", b"Content-Length: +3", b"X: y", b"Transfer-Encoding: chunked"):
        assert status(ask(cloud, b"POST /password HTTP/1.1\r\n" + words + b"\r\n\r\nabc")) == 411
    assert status(ask(cloud, b"GET / HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\n\r\n")) in (0, 400)
    assert status(ask(cloud, b"GET /large HTTP/1.1\r\n\r\n")) == 503
    assert [p for _, p, _, _ in cloud.service.asked] == ["/large"]


@pytest.mark.alone
def test_slow_or_frequent_requests_delay_no_others(cloud):
    held = [socket.create_connection(("127.0.0.1", cloud.port)) for _ in range(metadata.CONNECTIONS_EACH + 4)]
    for sock in held:
        with contextlib.suppress(OSError):
            sock.sendall(b"GET /")
    began = time.monotonic()
    for number, sock in enumerate(reversed(held)):  # those beyond the limit are refused at once, the others time out
        sock.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert sock.recv(100) == b""
        assert number >= 4 or time.monotonic() - began < 0.5
        sock.close()
    assert time.monotonic() - began < 3
    assert status(ask(cloud, b"GET / HTTP/1.1\r\n\r\n")) == 200
    assert cloud.proxy.enter(("other", "x"), "other")
    # It is counted until its thread ends, which is after its answer.
    wait_for(lambda: not cloud.proxy._connections[("space", "127.0.0.1")], 30, what="the connections to be counted out")


def test_many_guests_of_one_project_keep_no_others_out(cloud):
    guests = [("space", f"10.0.0.{n}") for n in range(metadata.CONNECTIONS // metadata.CONNECTIONS_EACH)]
    taken = [guest for guest in guests * metadata.CONNECTIONS_EACH if cloud.proxy.enter(guest, "greedy")]
    assert len(taken) == metadata.CONNECTIONS_OF_PROJECT
    assert status(ask(cloud, b"GET / HTTP/1.1\r\n\r\n")) == 200 and cloud.proxy.enter(("space", "10.0.1.1"), None)
    for guest in taken:
        cloud.proxy.leave(guest)
    assert cloud.proxy.enter(guests[0], "greedy")


@given(st.text(max_size=40))
def test_a_path_is_always_one(target):
    try:
        path = metadata.path_of(target)
    except ValueError:
        return
    assert path.startswith("/") and not path.startswith("//") and ".." not in path.split("/")
    assert path.isascii() and path.isprintable() and not set(path) & set(" \\#?@\r\n") - {"@"}


def test_an_address_that_another_port_uses_is_not_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "in_namespace", lambda name, work: work())
    monkeypatch.setattr(metadata, "macs_of", lambda address: {"fa:16:3e:00:00:77"} if address == "10.0.0.5" else set())
    assert not metadata.MetadataProxy.is_its_own("space", "10.0.0.5", PORT)
    assert metadata.MetadataProxy.is_its_own("space", "10.0.0.5", {**PORT, "mac_address": "fa:16:3e:00:00:77"})
    assert not metadata.MetadataProxy.is_its_own("space", "10.0.0.6", PORT)
