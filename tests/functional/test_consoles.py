"""Consoles on the fake driver, through real WebSockets: who gets one, how often, and what the proxy gives nobody."""

import contextlib
import hashlib
import json
import pathlib
import sqlite3
import urllib.parse

import pytest
import urllib3
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from common.periodic import wait_for
from tests.conftest import FakeCloud, new_member
from tests.functional.test_stories import server_body, wait_status

TTL_S = 3600
OTHER_SITE = "https://horizon.example.org"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("cloud"), f"compute.consoleauth.token_ttl={TTL_S}",
                     f"console.console.allowed_origins={OTHER_SITE}").start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def proxy(cloud) -> str:
    return f"127.0.0.1:{6080 + cloud.offset}"


def ask(cloud, method: str, path: str, body=None, *, version: str = "2.85", client=None) -> tuple[int, dict]:
    client = client or cloud.client
    response = client.pool.request(method, client.url("compute") + path, json=body, headers={
        "X-Auth-Token": client.token, "OpenStack-API-Version": f"compute {version}"})
    return response.status, json.loads(response.data or "{}")


def boot(cloud, name: str) -> str:
    server = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, name))["server"]["id"]
    wait_status(cloud.client, server)
    return server


@pytest.fixture(scope="module")
def server(cloud) -> str:
    return boot(cloud, "shown")


def url_of(cloud, server: str, protocol: str = "serial", console_type: str = "serial", **more) -> str:
    status, found = ask(cloud, "POST", f"/servers/{server}/remote-consoles", {
        "remote_console": {"protocol": protocol, "type": console_type}}, **more)
    assert status == 200, found
    assert {k: v for k, v in found["remote_console"].items() if k != "url"} == {"protocol": protocol, "type": console_type}
    return found["remote_console"]["url"]


def token_of(url: str) -> str:
    given = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    return given["token"][0] if "token" in given else given["path"][0].removeprefix("?token=")


def opened(proxy: str, token: str, **more):
    return connect(f"ws://{proxy}/?token={token}", subprotocols=["binary"], open_timeout=60, **more)


def refused(proxy: str, token: str, **more) -> bool:
    try:
        with opened(proxy, token, **more):
            return False
    except InvalidStatus as error:
        assert error.response.status_code == 403
        return True


def read(console, wanted: bytes) -> bytes:
    found = b""
    while wanted not in found:
        found += console.recv(timeout=30)
    return found


def test_serial_console_takes_what_is_typed(cloud, server, proxy):
    url = url_of(cloud, server)
    assert url.startswith(f"ws://{proxy}/?token=")
    with connect(url, subprotocols=["binary"], open_timeout=60) as console:
        assert console.subprotocol == "binary"
        read(console, b"shown login: ")
        console.send(b"x" * 200_000)
        assert read(console, b"x" * 200_000) == b"x" * 200_000
        console.send("as text")
        assert read(console, b"as text") == b"as text"


def test_screen_speaks_rfb(cloud, server, proxy):
    url = url_of(cloud, server, "vnc", "novnc")
    assert url.startswith(f"http://{proxy}/vnc_auto.html?path=%3Ftoken%3D")
    with opened(proxy, token_of(url)) as console:
        assert console.recv(timeout=30) == b"RFB 003.008\n"
        console.send(b"RFB 003.008\n")
        assert console.recv(timeout=30) == b"\x01\x01"
        console.send(b"\x01")
        assert console.recv(timeout=30) == bytes(4)
        console.send(b"\x01")
        assert console.recv(timeout=30).endswith(b"shown")


def test_a_token_opens_one_console_of_its_server_once(cloud, server, proxy):
    other = boot(cloud, "other")
    mine, others = (token_of(url_of(cloud, s)) for s in (server, other))
    with opened(proxy, mine) as console:
        read(console, b"shown login: ")
        assert refused(proxy, mine), "while it is open"
    assert refused(proxy, mine), "after it"
    with opened(proxy, others) as console:
        read(console, b"other login: ")


@pytest.mark.parametrize("token", ["", "x", "0" * 43, "%00", "a" * 5000])
def test_no_other_word_opens_anything(proxy, server, token):
    with pytest.raises(InvalidStatus) as caught:
        opened(proxy, token)
    assert caught.value.response.status_code in (403, 400) and not caught.value.response.headers.get("Sec-WebSocket-Accept")


def test_only_a_handshake_uses_up_a_token(cloud, server, proxy):
    token, key = token_of(url_of(cloud, server)), {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    for method, headers in (("GET", {}), ("GET", upgrade), ("GET", key), ("HEAD", {**upgrade, **key})):
        answer = urllib3.request(method, f"http://{proxy}/?token={token}", headers=headers, timeout=30, retries=False)
        assert answer.status == 400, (method, headers)
    with opened(proxy, token) as console:
        read(console, b"login: ")


def _expire(cloud, token: str) -> None:
    with contextlib.closing(sqlite3.connect(f"{cloud.state}/db/compute.sqlite", timeout=20)) as database:
        changed = database.execute("UPDATE console_auth_tokens SET expires_at = '2020-01-01 00:00:00.000000' "
                                   "WHERE token_hash = ?", [hashlib.sha256(token.encode()).hexdigest()])
        assert changed.rowcount == 1, "tokens are kept as their SHA-256"
        database.commit()


def _tokens(cloud) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"{cloud.state}/db/compute.sqlite", timeout=20)) as database:
        return [row[0] for row in database.execute("SELECT token_hash FROM console_auth_tokens")]


def test_a_token_expires_and_is_removed(cloud, server, proxy):
    token = token_of(url_of(cloud, server))
    _expire(cloud, token)
    assert refused(proxy, token) and ask(cloud, "GET", f"/os-console-auth-tokens/{token}")[0] == 404
    assert hashlib.sha256(token.encode()).hexdigest() in _tokens(cloud)
    url_of(cloud, server)
    assert hashlib.sha256(token.encode()).hexdigest() not in _tokens(cloud)


def _act(cloud, server: str, action: str, status: str, argument=None) -> None:
    cloud.client.call("compute", "POST", f"/servers/{server}/action", {action: argument})
    wait_status(cloud.client, server, status)


def test_what_ends_the_guest_revokes(cloud, proxy):
    server = boot(cloud, "ended")
    kept, token = token_of(url_of(cloud, server)), ""
    image = cloud.client.call("compute", "GET", f"/servers/{server}")["server"]["image"]["id"]
    _act(cloud, server, "reboot", "ACTIVE", {"type": "HARD"})
    _act(cloud, server, "pause", "PAUSED")
    _act(cloud, server, "unpause", "ACTIVE")
    with opened(proxy, kept) as console:
        read(console, b"ended login: ")
    for action, argument, status in (("os-stop", None, "SHUTOFF"), ("suspend", None, "SUSPENDED"),
                                     ("rebuild", {"imageRef": image}, "ACTIVE"), ("rescue", None, "RESCUE")):
        token = token_of(url_of(cloud, server))
        _act(cloud, server, action, status, argument)
        assert refused(proxy, token), action
        back = {"SHUTOFF": "os-start", "SUSPENDED": "resume", "RESCUE": "unrescue"}.get(status)
        if back:
            _act(cloud, server, back, "ACTIVE")
            assert refused(proxy, token), action
    token = token_of(url_of(cloud, server))
    cloud.client.call("compute", "DELETE", f"/servers/{server}")
    assert refused(proxy, token)
    wait_for(lambda: ask(cloud, "GET", f"/servers/{server}")[0] == 404, 20, what="the server to go")
    assert hashlib.sha256(token.encode()).hexdigest() not in _tokens(cloud)


def test_an_open_console_ends_with_its_guest(cloud, proxy):
    server = boot(cloud, "short")
    with opened(proxy, token_of(url_of(cloud, server))) as console:
        read(console, b"short login: ")
        _act(cloud, server, "os-stop", "SHUTOFF")
        with pytest.raises(ConnectionClosed) as caught:
            console.recv(timeout=30)
        assert caught.value.rcvd.reason == "The console has ended."


def test_a_serial_port_has_one_reader_the_newest(cloud, server, proxy):
    with opened(proxy, token_of(url_of(cloud, server))) as before:
        read(before, b"login: ")
        with opened(proxy, token_of(url_of(cloud, server))) as console:
            read(console, b"login: ")
            with pytest.raises(ConnectionClosed):
                before.recv(timeout=30)
            console.send(b"still")
            assert read(console, b"still")


def test_why_a_console_cannot_be_had(cloud, server):
    def reason(protocol: str, console_type: str, version: str = "2.85", of: str = server) -> tuple[int, str]:
        status, found = ask(cloud, "POST", f"/servers/{of}/remote-consoles", {
            "remote_console": {"protocol": protocol, "type": console_type}}, version=version)
        return status, next(iter(found.values())).get("message", "")
    assert reason("spice", "spice-html5") == (400, "Unavailable console type spice-html5.")
    assert reason("rdp", "rdp-html5") == (400, "Unavailable console type rdp.")
    assert reason("mks", "webmks", "2.8") == (400, "Unavailable console type webmks.")
    assert reason("mks", "webmks", "2.7")[0] == 400 and "webmks." not in reason("mks", "webmks", "2.7")[1]
    assert reason("vnc", "xvpvnc") == (400, "Invalid console type xvpvnc")
    assert reason("vnc", "serial") == (400, "Invalid console type serial")
    assert reason("vnc", "novnc", "2.5")[0] == 404
    nowhere = "11111111-2222-4333-8444-555555555555"
    assert reason("vnc", "novnc", of=nowhere) == (404, f"Instance {nowhere} could not be found.")
    stopped = boot(cloud, "stopped")
    _act(cloud, stopped, "os-stop", "SHUTOFF")
    assert reason("vnc", "novnc", of=stopped) == (409, f"Instance {stopped} is not ready")


@pytest.mark.parametrize(("action", "console_type", "text"), [
    ("os-getVNCConsole", "novnc", None), ("os-getSerialConsole", "serial", None),
    ("os-getVNCConsole", "xvpvnc", "Invalid console type xvpvnc"),
    ("os-getSPICEConsole", "spice-html5", "Unavailable console type spice-html5."), ("os-getVNCConsole", "other", "other"),
    ("os-getRDPConsole", "rdp-html5", "RDP")])
def test_actions_of_old(cloud, server, proxy, action, console_type, text):
    status, found = ask(cloud, "POST", f"/servers/{server}/action", {action: {"type": console_type}}, version="2.5")
    if text:
        assert status == 400 and text in found["badRequest"]["message"]
    else:
        assert status == 200 and found["console"]["type"] == console_type
        with opened(proxy, token_of(found["console"]["url"])) as console:
            assert console.recv(timeout=30)
    status, _ = ask(cloud, "POST", f"/servers/{server}/action", {action: {"type": console_type}}, version="2.6")
    assert status == (400 if text and ("RDP" in action) else 404)


def test_a_token_is_shown_to_administrators_and_not_used_up(cloud, server, proxy):
    token = token_of(url_of(cloud, server))
    status, found = ask(cloud, "GET", f"/os-console-auth-tokens/{token}", version="2.31")
    assert (status, found) == (200, {"console": {"instance_uuid": server, "host": "fake-host", "port": 0,
                                                 "internal_access_path": None}})
    assert ask(cloud, "GET", f"/os-console-auth-tokens/{token}", version="2.30")[0] == 400
    status, found = ask(cloud, "GET", f"/os-console-auth-tokens/{token}x")
    assert (status, found) == (404, {"itemNotFound": {"code": 404, "message": "Token not found"}})
    member = new_member(cloud)
    assert ask(cloud, "GET", f"/os-console-auth-tokens/{token}", client=member)[0] == 403
    assert ask(cloud, "POST", f"/servers/{server}/remote-consoles", {
        "remote_console": {"protocol": "vnc", "type": "novnc"}}, client=member)[0] == 404
    with opened(proxy, token) as console:
        read(console, b"login: ")


@pytest.mark.parametrize(("origin", "allowed"), [
    (None, True), ("http://{proxy}", True), (OTHER_SITE, True), ("https://evil.example.org", False), ("null", False),
    ("http://127.0.0.1", False), ("http://127.0.0.1:1", False), ("https://horizon.example.org.evil.org", False)])
def test_pages_of_other_sites_open_nothing(cloud, server, proxy, origin, allowed):
    token = token_of(url_of(cloud, server))
    named = origin and origin.format(proxy=proxy)
    if allowed:
        with opened(proxy, token, origin=named) as console:
            read(console, b"login: ")
    else:
        assert refused(proxy, token, origin=named)
        with opened(proxy, token) as console:  # it was not used up
            read(console, b"login: ")


def test_pages_and_files_carry_what_keeps_a_browser_safe(proxy):
    pool = urllib3.PoolManager()
    for page in ("vnc_auto.html", "serial.html"):
        answer = pool.request("GET", f"http://{proxy}/{page}?path=%3Ftoken%3Dsecret")
        assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=UTF-8"
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["script-src"] == "'self'" and policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == f"'self' {OTHER_SITE}"
        assert (answer.headers["Referrer-Policy"], answer.headers["X-Content-Type-Options"]) == ("no-referrer", "nosniff")
        text = answer.data.decode()
        assert text.count("<script") == text.count('<script type="module" src="/files/') == 1 and "secret" not in text
        assert " style=" not in text and " on" not in text.replace(" on the", "")
    script = pool.request("GET", f"http://{proxy}/files/novnc-1.7.0/core/rfb.js")
    assert script.status == 200 and script.headers["Content-Type"].startswith("text/javascript")
    for path in ("files/../service.py", "files/..%2fservice.py", "files/README.md", "files/", "service.py"):
        assert pool.request("GET", f"http://{proxy}/{path}").status == 404, path
    assert pool.request("GET", f"http://{proxy}/healthcheck").status == 200


def test_tokens_are_in_no_log(cloud, server, proxy):
    token = token_of(url_of(cloud, server))
    ask(cloud, "GET", f"/os-console-auth-tokens/{token}")
    urllib3.PoolManager().request("GET", f"http://{proxy}/vnc_auto.html?path=%3Ftoken%3D{token}")
    with opened(proxy, token) as console:
        read(console, b"login: ")
    assert refused(proxy, token)
    log = pathlib.Path(cloud.state, "log/pileus.log")
    wait_for(lambda: "console closed" in log.read_text(), 10, what="the log")
    said = log.read_text()
    assert token not in said and "/os-console-auth-tokens/{token}" in said and "console opened" in said
