"""What a session of the dashboard is bound to, how it ends, and what hostile browsers and addresses get."""

import http.client
import re
import threading
import urllib.parse

import pytest

from common.periodic import wait_for
from dashboard import throttle
from dashboard.session import COOKIE, CSRF, NOTICE, Seal, unmasked
from tests.dashboard.browser import Browser, Forms


@pytest.fixture
def log_in(cloud, base):
    def inner() -> Browser:
        made = Browser(base)
        return made.open("/").post("/auth/login/", username="admin", password=cloud.client.password)
    return inner


@pytest.fixture
def second(cloud):
    """Another project of the administrator's."""
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": "of-sessions"}})["project"]["id"]
    role, user = admin.find("identity", "roles", "member"), admin.find("identity", "users", "admin")
    admin.call("identity", "PUT", f"/projects/{project}/users/{user['id']}/roles/{role['id']}")
    yield project
    admin.call("identity", "DELETE", f"/projects/{project}")


def opens(base: str, cookie: str) -> bool:
    browser = Browser(base)
    browser.cookies[COOKIE] = cookie
    return "Overview" in browser.open("/project/").words()


def test_no_cookie_of_a_session_outlives_its_logout(base, log_in, second):
    """Those from before a switch of projects neither, nor one that a second switch made of the first cookie."""
    browser = log_in()
    other = log_in()
    first = dict(browser.cookies)
    browser.open("/project/").post("/auth/switch/", project_id=second)
    cookies = [first[COOKIE], browser.cookies[COOKIE]]
    assert "of-sessions" in browser.words() and cookies[0] != cookies[1]
    wait_for(lambda: not opens(base, cookies[0]), 5, what="the cookie from before the switch to end")
    assert opens(base, cookies[1])
    again = Browser(base)
    again.cookies = first
    assert again.open("/auth/switch/", {"csrfmiddlewaretoken": first[CSRF], "project_id": second}).path.startswith("/auth/login/")
    browser.open("/project/").post("/auth/logout/")
    assert not any(opens(base, c) for c in cookies), "at once, and not only when every service has heard of it"
    assert "Overview" in other.open("/project/").words(), "another login of the same user goes on"


def test_switches_at_once_leave_nothing_behind(cloud, base, log_in, second):
    browser, made = log_in(), []
    given = {"csrfmiddlewaretoken": browser.cookies[CSRF], "project_id": second}

    def switch() -> None:
        answer = browser.pool.request("POST", base + "/auth/switch/", body=urllib.parse.urlencode(given), redirect=False,
                                      headers={"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}",
                                               "Content-Type": "application/x-www-form-urlencoded"})
        made.extend(re.findall(rf"{COOKIE}=([^;]+);", "\n".join(answer.headers.getlist("Set-Cookie"))))
    threads = [threading.Thread(target=switch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = [t for t in map(lambda c: seal_of(cloud).open(c, 3600), made) if t]
    assert tokens
    browser.cookies[COOKIE] = next(c for c in made if seal_of(cloud).open(c, 3600))
    browser.open("/project/").post("/auth/logout/")

    def refused(token: str) -> bool:
        return cloud.client.pool.request("GET", cloud.client.url("identity") + "/auth/projects", headers={
            "X-Auth-Token": token}).status == 401
    assert all(refused(t["token"]) for t in tokens)


def seal_of(cloud) -> Seal:
    return Seal(re.search(r"dashboard_secret = (\w+)", open(f"{cloud.state}/etc/secrets.ini").read())[1], 3600)


def test_a_login_creates_a_new_csrf_token(base, log_in):
    browser = Browser(base).open("/")
    before = browser.cookies[CSRF]
    after = log_in()
    browser.post("/auth/login/", username="admin", password="wrong")
    assert browser.cookies[CSRF] == before
    word = after.cookies[CSRF]
    assert word not in (before, log_in().cookies[CSRF])
    where = "/project/volumes/create/"
    shown = [Forms(after.open(where).text).forms[where]["csrfmiddlewaretoken"] for _ in range(2)]
    assert shown[0] != shown[1] and {unmasked(s) for s in shown} == {word}, "other bytes in each page"
    fields = {"name": "x", "size": "no"}
    for wrong in (before, "", "x" * 32, log_in().cookies[CSRF]):
        after.cookies[CSRF] = wrong  # whoever can set a cookie still does not know the session's word
        assert after.open(where, {**fields, "csrfmiddlewaretoken": wrong}).status == 403
    assert after.open(where, {**fields, "csrfmiddlewaretoken": word}).status == 400
    after.open("/project/").post("/auth/logout/")
    assert after.cookies[CSRF] != word


def test_a_cookie_is_taken_for_no_other(cloud, base, log_in):
    browser = log_in()
    sealed, seal = browser.cookies[COOKIE], seal_of(cloud)
    token = seal.open(sealed, 3600)["token"]
    browser.cookies[NOTICE] = sealed
    assert token not in browser.open("/project/").text and browser.status == 200
    for wrong in ({"token": "x"}, "token", ["good", {"token": "x"}], ["token"]):
        browser.cookies[NOTICE] = seal.close(wrong, NOTICE)
        assert "token" not in browser.open("/project/").words() and browser.status == 200
    browser.cookies[NOTICE] = seal.close({"token": "x"}, NOTICE)
    assert "token" not in browser.open("/project/").words()
    for wrong in (seal.close("said", NOTICE), seal.close("text"), seal.close({"token": "x"}), seal.close(None), "é", "x"):
        browser.cookies[COOKIE] = wrong
        browser.open("/project/", **{"Cookie": urllib.parse.quote(f"{COOKIE}={wrong}", safe="=")})
        assert browser.path.startswith("/auth/login/"), wrong


def test_many_wrong_passwords_are_slowed_down(base, log_in):
    browser = Browser(base).open("/")
    statuses = [browser.post("/auth/login/", username="nobody-at-all", password=str(n)).status for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert 1 <= int(browser.headers["Retry-After"]) <= 300 and "Try again in" in browser.words()
    assert "Overview" in log_in().open("/project/").words(), "another account from there is not slowed down by it"


def test_what_the_throttle_counts(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now)
    made = throttle.Throttle({"account": 2, "source": 3}, 60)

    def begin(account: str, source: str = "s") -> int:
        return made.begin({"account": (source, account), "source": source})
    assert [begin("a") for _ in range(3)] == [0, 0, 61]
    assert begin("b") == 0 and begin("b") == 61, "the third of that source"
    assert begin("b", "other") == 0
    now += 30
    assert begin("a") == 31
    now += 31
    assert begin("a") == 0 and begin("a") == 0
    made.forgive({"account": ("s", "a"), "source": "s"})
    assert begin("a") == 0 and begin("a") > 0
    for i in range(throttle._MAX_KEYS):
        begin(str(i), str(i))
    assert len(made._tried) <= throttle._MAX_KEYS


PATHS = ("/%2e%2e", "/..", "/project/%2e%2e", "/project/../..", "/project/instances/%2e%2e", "/project/instances/%2e%2e/",
         "/project/instances/..%2f..", "/project/instances/%3f", "/project/instances/%23", "/project/instances/a%0d%0aX:1",
         "/project/instances/%ff", "/%FF", "/%00", "/project/%0d%0aSet-Cookie:a=b", "/static/%2e%2e%2fpages.py", "/static/%ff",
         "/project/?a=%ff", "/auth/login/?next=%ff", "/auth/login/?next=%0d%0aX:1", "/project/key_pairs/%2e%2e/delete/",
         "/project/volumes/%2e%2e/delete", "/project/instances/%c2%85", "//", "/project//", "/" + "a" * 4000)


def test_what_the_throttle_keeps_is_small():
    made = throttle.Throttle({"account": 2}, 60)
    key = {"account": ("10.0.0.1", "Default", "x" * 60000)}
    assert [made.begin(key) for _ in range(3)][:2] == [0, 0] and made.begin(key) > 0
    made.forgive(key)
    assert made.begin(key) == 0
    assert len(repr(list(made._tried))) < 500


def raw(base: str, method: str, path: str, *, body: bytes | None = None, **headers):
    """An answer to a request that nothing has tidied up."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=20)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.text = answer.read().decode()
    connection.close()
    return answer


def test_hostile_addresses_are_no_error_of_ours(base, log_in):
    browser = log_in()
    word = browser.cookies[CSRF]
    form, kind = urllib.parse.urlencode({"csrfmiddlewaretoken": word}).encode(), "application/x-www-form-urlencoded"
    for cookie in (f"{COOKIE}={browser.cookies[COOKIE]}", "", f"{CSRF}=\xff; {COOKIE}=\xff", f"{NOTICE}=%ff; x"):
        for path in PATHS:
            for method, body, more in (("GET", None, {}), ("POST", form, {"Content_Type": kind})):
                answer = raw(base, method, path, body=body, Cookie=cookie.encode("latin-1"), **more)
                assert answer.status in (200, 303, 400, 401, 403, 404, 405), (method, path, cookie, answer.status)
                assert not answer.getheader("X") and "a=b" not in str(answer.getheader("Set-Cookie")), path
    assert raw(base, "GET", "/project/instances/%2e%2e", Cookie=f"{COOKIE}={browser.cookies[COOKIE]}").status == 404


def test_hostile_forms_are_no_error_of_ours(base, log_in):
    browser = log_in()
    word, kind = browser.cookies[CSRF], "application/x-www-form-urlencoded"
    right = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}", "Content_Type": kind}
    good = f"csrfmiddlewaretoken={word}".encode()
    for body, more, expected in (
            (b"csrfmiddlewaretoken=%ff", {}, 400), (good + b"&size=%ff", {}, 400), (b"\xff\xfe", {}, 400),
            (b"csrfmiddlewaretoken=%C3%A9", {}, 403), (good + b"&a=" + b"x" * 70000, {}, 413), (good + b"&a=1" * 200, {}, 400),
            (good, {"Content_Type": "multipart/form-data; boundary=x"}, 400), (good, {"Content_Type": "text/plain"}, 400),
            (good, {"Origin": "http://[::1"}, 403), (good, {"Origin": "null"}, 400), (good + b"&size=%C2%B2", {}, 400),
            (good + b"&size=" + b"9" * 5000, {}, 400), (good + b"&size=1&name=%ED%A0%80", {}, 400)):
        answer = raw(base, "POST", "/project/volumes/create/", body=body, **{**right, **more})
        assert answer.status == expected, (body[:60], more, answer.status, answer.text[-400:])
    assert raw(base, "POST", "/project/volumes/create/", **right).status in (400, 413)


@pytest.mark.parametrize("later", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/project/\r\nX: 1",
                                   "/project/..//evil.example", "/project//evil.example", "/project/../auth/login/",
                                   "javascript:1", "/project/\u2028", "/project/?a=b", "/projectile", "/admin/@evil",
                                   "/project/%0d%0a"])
def test_a_login_leads_to_pages_of_ours_only(cloud, base, later):
    browser = Browser(base).open("/")
    fields = {**Forms(browser.text).forms["/auth/login/"], "username": "admin", "password": cloud.client.password, "next": later}
    answer = browser.pool.request("POST", base + "/auth/login/", body=urllib.parse.urlencode(fields), redirect=False, headers={
        "Cookie": f"{CSRF}={browser.cookies[CSRF]}", "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 303 and answer.headers["Location"] in ("/project/", base + "/project/")
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert answer.headers["Cache-Control"] == "no-store"


def test_names_that_others_chose_are_shown_and_nothing_else(cloud, base, log_in):
    hostile = "<img src=x onerror=alert(1)>\"'&amp;{{7*7}}"
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": hostile}})["project"]["id"]
    role, user = admin.find("identity", "roles", "member"), admin.find("identity", "users", "admin")
    admin.call("identity", "PUT", f"/projects/{project}/users/{user['id']}/roles/{role['id']}")
    try:
        browser = log_in()
        browser.open("/project/").post("/auth/switch/", project_id=project)
        for path in ("/project/", "/project/instances/", "/project/volumes/", "/auth/login/"):
            text = browser.open(path).text
            assert "<img" not in text and "{{7*7}}" in text and browser.status == 200, path
    finally:
        admin.call("identity", "DELETE", f"/projects/{project}")
