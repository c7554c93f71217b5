"""Attacks on every page and form of the dashboard: none comes through."""

import pathlib
import re
import shutil
import subprocess
import types
import urllib.parse

import pytest
import webob

from common import context
from dashboard import session
from dashboard.panels import PANELS
from tests.dashboard.attacks import CONTROLS, MARKUP, PAYLOADS, faults, paths, posts, spoil
from tests.dashboard.browser import Forms
from tests.dashboard.sample import SampleDashboard, first, mapped
from tests.dashboard.screens import CHROMIUM, View, screens

PATHS = paths()
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " \
         "frame-ancestors 'none'; base-uri 'none'"


def hostile(payload: str) -> SampleDashboard:
    return SampleDashboard(rows=3, changed=lambda answer: mapped(answer, spoil(payload)))


def guarded(answer: webob.Response) -> list[str]:
    """What an answer lacks of protection: against frames, sniffing, scripts of others, and headers of ours that others wrote."""
    found = []
    if answer.headers.get("Content-Security-Policy") != POLICY:
        found.append("no policy")
    if answer.headers.get("X-Content-Type-Options") != "nosniff":
        found.append("sniffing")
    for name, value in answer.headerlist:
        if name.lower() == "x-hacked" or re.search(r"[\x00-\x1f\x7f]", value):
            found.append(f"{name}: {value!r}")
    if answer.location and not re.match(r"(http://localhost)?/(?![/\\])", answer.location):
        found.append(f"leads to {answer.location}")
    return found


@pytest.mark.parametrize("payload", PAYLOADS, ids=("texts", "urls"))
def test_nothing_stored_is_more_than_text(payload):
    dashboard, found = hostile(payload), {}
    for path in PATHS:
        answer = dashboard.send(path)
        assert answer.status_int in (200, 303, 404), (path, answer.text[-300:])
        bad = guarded(answer) + (faults(answer.text) if answer.content_type == "text/html" else [])
        if bad:
            found[path] = bad[:3]
    assert not found


@pytest.mark.parametrize("payload", PAYLOADS, ids=("texts", "urls"))
def test_nothing_reflected_is_more_than_text(payload):
    """In every parameter that any page reads, in every part of a path, in cookies, and in every field of every form."""
    dashboard, found = SampleDashboard(rows=3), {}
    text = urllib.parse.quote(payload, safe="")
    names = ("q", "after", "before", "sort", "dir", "size", "status", "tab", "target", "back", "request", "lines", "next",
             "image",
             "format", "verb", "step", "error", "message")
    query = "&".join(f"{name}={text}" for name in names)
    tried = [f"{path.partition('?')[0]}?{query}" for path in PATHS[::3]] + [f"{panel.path}/{text}/{text}" for panel in PANELS]
    for path in tried:
        answer = dashboard.send(path)
        bad = guarded(answer) + (faults(answer.text) if answer.content_type == "text/html" else [])
        if bad or answer.status_int >= 500:
            found[path[:60]] = answer.status_int, bad[:3]
    for path in PATHS[::2]:
        for action, fields in Forms(dashboard.send(path).text).forms.items():
            if not action.startswith("/") or "upload" in action:
                continue
            answer = dashboard.send(action, [(name, payload) for name in fields if name != "csrfmiddlewaretoken"])
            bad = guarded(answer) + (faults(answer.text) if answer.content_type == "text/html" else [])
            if bad or answer.status_int >= 500:
                found[f"POST {action}"] = answer.status_int, bad[:3]
    for cookie in (session.NOTICE, session.CSRF, "language"):
        request = webob.Request.blank("/auth/login/", headers={"Cookie": f"{cookie}={text}", "Accept-Language": "<script>, de;q"})
        if faults(_answer(dashboard, request).text):
            found[cookie] = 0, []
    assert not found


def _answer(dashboard: SampleDashboard, request: webob.Request) -> webob.Response:
    request.environ["pileus.context"] = context.Context()
    return request.get_response(dashboard.app)


def forged(dashboard: SampleDashboard, path: str) -> list[webob.Response]:
    """The answers to a form that does not come from this dashboard."""
    cookie = f"{session.COOKIE}={dashboard.seal.close(dashboard.active.__dict__)}; {session.CSRF}=" + "x" * 32
    found = []
    for word, headers in (("", {}), ("x" * 32, {}), (session.masked("y" * 32), {}),
                          (dashboard.active.csrf, {"Origin": "http://localhost.evil.example"})):
        request = webob.Request.blank(path, POST={"csrfmiddlewaretoken": word, "name": "x"}, headers={"Cookie": cookie,
            **headers})
        found.append(_answer(dashboard, request))
    multipart = webob.Request.blank(path, POST={"csrfmiddlewaretoken": "x" * 32, "file": ("a", b"x")}, headers={"Cookie": cookie})
    plain = webob.Request.blank(path, method="POST", body=b"{}", headers={"Cookie": cookie, "Content-Type": "text/plain"})
    return [*found, _answer(dashboard, multipart), _answer(dashboard, plain)]


def test_no_form_of_another_site_is_taken():
    dashboard, taken = SampleDashboard(), {}
    for path in posts():
        for answer in forged(dashboard, path):
            if answer.status_int not in (400, 403, 404):
                taken[path] = answer.status_int
    assert len(posts()) > 200
    assert not taken and not dashboard.apis.changes()


def test_every_form_has_the_secret_and_no_get_changes_anything():
    dashboard, without = SampleDashboard(), []
    for path in PATHS:
        found = Forms(dashboard.send(path).text)
        without += [f"{path}: {action}" for action, fields in found.forms.items() if session.unmasked(
            fields.get("csrfmiddlewaretoken", "")) != dashboard.active.csrf]
    assert not without
    assert not [sent for sent in dashboard.apis.changes() if sent.body is None or "os-getConsoleOutput" not in sent.body]


def test_downloads_are_named_by_us():
    """Neither their names nor their headers have what others wrote, and no browser shows them as a page."""
    dashboard = hostile(CONTROLS + MARKUP)
    dashboard.active = dashboard.active.__class__(**{**dashboard.active.__dict__, "project": CONTROLS, "user": MARKUP})
    answers = [dashboard.send(f"{panel.path}/?format=csv&q=") for panel in PANELS]
    answers += [dashboard.send(f"/project/api_access/{name}/") for name in ("clouds.yaml", "openrc.sh")]
    answers += [dashboard.send("/project/key_pairs/create/", [("name", CONTROLS + MARKUP)]),
                dashboard.send("/identity/application_credentials/create/", [("name", MARKUP)])]
    named = [answer for answer in answers if "Content-Disposition" in answer.headers]
    assert len(named) > len(PANELS)
    for answer in named:
        assert re.fullmatch(r'attachment; filename="[a-z_]+\.[a-z]+"', answer.headers["Content-Disposition"])
        assert answer.content_type != "text/html" and not guarded(answer)
        assert answer.headers["Cache-Control"] == "no-store", "keys and secrets stay in no cache"


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell")
def test_a_file_for_the_shell_runs_nothing_of_others(tmp_path):
    dashboard = SampleDashboard()
    name = f"$(touch {tmp_path}/hacked)`touch {tmp_path}/hacked`'; touch {tmp_path}/hacked; '\nexport HACKED=1"
    dashboard.active = dashboard.active.__class__(**{**dashboard.active.__dict__, "project": name, "user": name, "domain": name})
    (tmp_path / "openrc.sh").write_text(dashboard.send("/project/api_access/openrc.sh/").text)
    said = subprocess.run(["sh", "-c", f'. {tmp_path}/openrc.sh; printf "%s" "$OS_PROJECT_NAME$HACKED"'], input=b"secret\n",
                          capture_output=True, timeout=10)
    assert said.stdout.decode() == name and not pathlib.Path(tmp_path, "hacked").exists()


# Sessions


def anonymous(method, service, where, *, body):
    """Identity, which gives everybody a token."""
    token = {"expires_at": "2099-01-01T00:00:00.000000Z", "user": {"name": "eve", "id": "e" * 32, "domain": {"name": "Default"}},
             "project": {"id": "a" * 32, "name": "of-eve"}, "roles": [{"name": "member"}], "audit_ids": ["new", "new"]}
    return types.SimpleNamespace(headers={"X-Subject-Token": "new"}, data=webob.Response(json_body={"token": token}).body)


def logged_in(dashboard: SampleDashboard, **cookies) -> dict[str, str]:
    """The cookies after a login of a browser that had some already."""
    dashboard.apis.anonymous = anonymous
    dashboard.service.throttle = types.SimpleNamespace(begin=lambda counted: 0, forgive=lambda counted: None)
    had = {session.CSRF: "x" * 32, **cookies}
    request = webob.Request.blank("/auth/login/", POST={
        "csrfmiddlewaretoken": had[session.CSRF], "username": "eve", "password": "x"},
        headers={"Cookie": "; ".join(f"{k}={v}" for k, v in had.items())})
    answer = _answer(dashboard, request)
    assert answer.status_int == 303, answer.text[-300:]
    made = [c.split(";")[0].partition("=") for c in answer.headers.getall("Set-Cookie")]
    assert all("HttpOnly" in c and "SameSite=Lax" in c for c in answer.headers.getall("Set-Cookie"))
    return {name: value for name, _, value in made}


def test_a_session_is_made_at_the_login_and_gone_after_the_logout():
    dashboard = SampleDashboard()
    planted = {session.CSRF: "p" * 32, session.COOKIE: dashboard.seal.close({"planted": True})}
    cookies = logged_in(dashboard, **planted)
    assert cookies[session.COOKIE] != planted[session.COOKIE] and cookies[session.CSRF] not in (planted[session.CSRF], "")
    own = {"Cookie": f"{session.COOKIE}={cookies[session.COOKIE]}"}

    def opened(path: str, **headers) -> int:
        return _answer(dashboard, webob.Request.blank(path, headers=headers)).status_int
    assert opened("/project/", **own) == 200
    word = session.Session(**dashboard.seal.open(cookies[session.COOKIE], 60)).csrf
    out = _answer(dashboard, webob.Request.blank("/auth/logout/", POST={"csrfmiddlewaretoken": word}, headers=own))
    assert out.status_int == 303
    private = [path for path in PATHS if not path.startswith(("/auth/", "/static/")) and path != "/"]
    alive = [path for path in private if opened(path, **own) != 303]
    foreign = [path for path in private if opened(path, Cookie=f"{session.COOKIE}={'A' * 200}") != 303]
    assert not alive and not foreign


# Uploads


def test_uploads_that_lie_leave_no_image():
    path, word = "/project/images/upload/", SampleDashboard().active.csrf

    def part(name: str, value: str, more: str = "", boundary: str = "b") -> bytes:
        return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'.encode()
    right = b"".join(part(name, value) for name, value in (
        ("csrfmiddlewaretoken", word), ("name", "x"), ("disk_format", "raw"), ("visibility", "private")))
    file = part("file", "content", '; filename="a.img"')
    kind = "multipart/form-data; boundary=b"
    for body, headers, expected in (
            (right + file + b"--b--\r\n", {}, 303),
            (right + part("file", "content", '; filename="..\\..\\x\r\nX-Hacked: 1"') + b"--b--\r\n", {}, (303, 400)),
            (right + file, {}, 400), (right + file[:-9], {}, 400), (right + b"--b--\r\n", {}, 400), (right, {}, 400),
            *((right + file + b"--b--\r\n", {"Content-Length": length}, 400) for length in ("999999", "60", "-1", "x", "")),
            (file + right + b"--b--\r\n", {}, 403), (right + file + b"--b--\r\n", {"Content-Type": "text/html"}, 400),
            (right + file + b"--b--\r\n", {"Content-Type": f"{kind}evil"}, 400)):
        dashboard = SampleDashboard()
        request = webob.Request.blank(path, method="POST", body=body, headers={
            "Cookie": f"{session.COOKIE}={dashboard.seal.close(dashboard.active.__dict__)}", "Content-Type": kind})
        request.headers.update(headers)
        answer = _answer(dashboard, request)
        made = [sent.method for sent in dashboard.apis.changes() if sent.service == "image"]
        assert answer.status_int in (expected if isinstance(expected, tuple) else (expected,)), (body[-60:], headers,
                                                                                                 answer.status)
        assert not guarded(answer)
        assert answer.status_int == 303 or not made or made[-1] == "DELETE", (headers, made)


@pytest.mark.skipif(not pathlib.Path(CHROMIUM).exists(), reason="needs Debian's chromium-headless-shell")
def test_no_script_runs_in_a_browser():
    with screens() as shown:
        shown.page.expose_function("hacked", lambda: shown.complaints.append("a script ran"))
        panel = PANELS[0]
        for path in (f"{panel.path}/", f"{panel.path}/launch/", f"{panel.path}/{first(panel)}/", "/project/network_topology/",
                     f"{panel.path}/{first(panel)}/delete/", "/project/"):
            shown.open(View(path, rows=3, changed=lambda answer: mapped(answer, spoil(MARKUP))))
            assert shown.page.locator("h1").count() == 1
        shown.page.goto(f"{shown.base}{panel.path}/")
        shown.page.locator("#q").fill(MARKUP)
        shown.page.wait_for_url("**q=**")
        assert not shown.complaints
