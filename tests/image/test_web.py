"""Which URLs the image service fetches: names, addresses, ports, redirects, and names that change their mind."""

import http.server
import ipaddress
import socket
import threading
import types

import pytest

from common import errors
from image import web


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                self.server.seen.append(self.path)
                status, headers, body = self.server.answers.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *args):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.answers = [], {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


@pytest.fixture
def server():
    made = Server()
    yield made
    made.shutdown()
    made.server_close()


def conf(*ports: int, networks=()):
    return types.SimpleNamespace(import_allowed_ports=[80, 443, *ports], import_allowed_networks=list(networks))


@pytest.mark.parametrize("url", [
    "http://127.0.0.1/x", "http://localhost/x", "http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/",
    "http://169.254.169.254/latest/meta-data", "http://[::1]/", "http://[fe80::1]/", "http://[::ffff:127.0.0.1]/",
    "http://[2002:7f00:1::]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::10.0.0.1]/",
    "http://[::127.0.0.1]/", "http://[::ffff:0:127.0.0.1]/", "http://[64:ff9b:1::7f00:1]/", "http://[fec0::1]/", "http://[5f00::1]/",
    "http://0.0.0.0/", "http://100.64.0.1/", "http://224.0.0.1/", "http://2130706433/",
    "http://0x7f000001/", "http://127.1/", "http://8.8.8.8:22/", "http://8.8.8.8:99999/", "ftp://8.8.8.8/x", "file:///etc/passwd",
    "gopher://8.8.8.8/", "http:///x", "http://user:pw@8.8.8.8/", "//8.8.8.8/x", "x", "", "http://no-such-host.invalid/",
    "http://[::1/x", "http://[8.8.8.8/", "http://ex\u00e4mple.invalid/", "http://\ud800/", "http://8.8.8.8\u2100/",
    "http://a b/", "http://a\0b/",
    "http://" + "a." * 300 + "/", "http://8.8.8.8:\u00b2/"])
def test_urls_that_are_refused(url):
    with pytest.raises(errors.BadRequest):
        web.target(url, conf())


def test_urls_that_are_taken():
    found = web.target("https://8.8.8.8/a/b?c=d#e", conf())
    assert (found.scheme, found.port, found.address, found.path) == ("https", 443, "8.8.8.8", "/a/b?c=d")
    assert web.target("http://127.0.0.1:8000/x", conf(8000, networks=["127.0.0.0/8"])).port == 8000


def test_what_a_url_names_is_read(server):
    server.answers["/image"] = (200, {}, b"x" * 100000)
    with web.fetch(server.url("/image"), conf(server.server_port, networks=["127.0.0.0/8"])) as source:
        assert len(source.read(70000)) + len(source.read(70000)) == 100000 and source.read(1) == b""
    with pytest.raises(errors.StepFailed, match="404"), web.fetch(server.url("/none"), conf(
            server.server_port, networks=["127.0.0.0/8"])):
        pass


def test_each_redirect_is_looked_at(server):
    allowed = conf(server.server_port, networks=["127.0.0.0/8"])
    server.answers.update({"/a": (302, {"Location": "/b"}, b""), "/b": (200, {}, b"data"),
                           "/in": (301, {"Location": "http://10.0.0.1/secret"}, b""),
                           "/file": (302, {"Location": "file:///x"}, b""),
                           "/loop": (307, {"Location": "/loop"}, b"")})
    with web.fetch(server.url("/a"), allowed) as source:
        assert source.read(10) == b"data"
    for path in ("/in", "/file"):
        with pytest.raises(errors.BadRequest), web.fetch(server.url(path), allowed):
            pass
    with pytest.raises(errors.StepFailed, match="redirects"), web.fetch(server.url("/loop"), allowed):
        pass
    assert server.seen.count("/loop") == web.MAX_REDIRECTS + 1


def test_a_name_is_resolved_once(server, monkeypatch):
    """It first answers an address of the world, and then one of ours: what was looked at is what is connected to."""
    answers = iter(["198.51.100.1", "127.0.0.1", "127.0.0.1"])
    asked = []

    def resolve(host, port, *args, **kwargs):
        if host == "rebinding.example":
            asked.append(next(answers))
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (asked[-1], port))]
        return real(host, port, *args, **kwargs)
    real = socket.getaddrinfo
    monkeypatch.setattr(web.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(web, "_allowed", lambda address, networks: address == "198.51.100.1")
    assert ipaddress.ip_address(web.target(f"http://rebinding.example:{server.server_port}/x", conf(
        server.server_port)).address) == ipaddress.ip_address("198.51.100.1")
    monkeypatch.setattr(web, "_TIMEOUT", web.urllib3.Timeout(connect=0.5, read=0.5))
    answers = iter(["198.51.100.1", "127.0.0.1"])
    url = f"http://rebinding.example:{server.server_port}/x"
    with pytest.raises(errors.StepFailed), web.fetch(url, conf(server.server_port)):
        pass
    assert asked.count("127.0.0.1") == 0 and server.seen == []


def test_a_host_with_one_bad_address_is_refused(monkeypatch):
    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *a, **k: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (x, 80)) for x in ("8.8.8.8", "10.0.0.1")])
    with pytest.raises(errors.BadRequest):
        web.target("http://two.example/", conf())
