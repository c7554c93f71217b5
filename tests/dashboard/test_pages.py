"""The dashboard as a browser sees it: cookies are kept, forms are read from the page and posted."""

import html
import html.parser
import re
import urllib.parse

import pytest
import urllib3

from common.periodic import wait_for
from dashboard.session import Seal
from deploy import trace


class Forms(html.parser.HTMLParser):
    """Every form of a page: {action: {field: value}}."""

    def __init__(self, text: str):
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] | None = None
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            assert given.get("method") == "post"
            self._form = self.forms.setdefault(given["action"], {})
        elif tag in ("input", "textarea") and self._form is not None:
            self._form[given["name"]] = given.get("value", "")
        elif tag == "select" and self._form is not None:
            self._select = given["name"]
        elif tag == "option" and self._form is not None:
            if self._select not in self._form or "selected" in given:
                self._form[self._select] = given["value"]

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None


class Browser:
    """Cookies and redirects, nothing else."""

    def __init__(self, base: str):
        self.base, self.cookies, self.pool = base, {}, urllib3.PoolManager(retries=False)
        self.status, self.text, self.path, self.headers = 0, "", "/", {}

    def open(self, path: str, fields: dict | None = None, **headers) -> "Browser":
        send = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), **headers}
        if fields is None:
            answer = self.pool.request("GET", self.base + path, headers=send, redirect=False)
        else:
            send["Content-Type"] = "application/x-www-form-urlencoded"
            answer = self.pool.request("POST", self.base + path, body=urllib.parse.urlencode(fields), headers=send,
                                       redirect=False)
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, value = cookie.split(";")[0].partition("=")
            assert "HttpOnly" in cookie or not value
            self.cookies[name] = value
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        if answer.status in (302, 303):
            where = urllib.parse.urlsplit(answer.headers["Location"])
            return self.open(where.path + (f"?{where.query}" if where.query else ""))
        self.status, self.text, self.path, self.headers = answer.status, answer.data.decode(), path, answer.headers
        return self

    def post(self, action: str, **values) -> "Browser":
        """Send a form of the page that is open."""
        fields = Forms(self.text).forms[action]
        assert set(values) <= set(fields), (values, fields)
        return self.open(action, {**fields, **values})

    def words(self) -> str:
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.text)))


@pytest.fixture
def browser(cloud):
    made = Browser(f"http://127.0.0.1:{8080 + cloud.offset}")
    made.open("/").post("/auth/login/", username="admin", password=cloud.client.password)
    return made


def test_login_and_logout(cloud):
    browser = Browser(f"http://127.0.0.1:{8080 + cloud.offset}")
    browser.open("/project/volumes/")
    assert "id_username" in browser.text and browser.path == "/auth/login/?next=/project/volumes/"
    browser.post("/auth/login/", username="admin", password="wrong")
    assert browser.status == 401 and "user name or password is incorrect" in browser.text
    assert 'value="admin"' in browser.text and "wrong" not in browser.text
    browser.post("/auth/login/", username="admin", password=cloud.client.password)
    assert (browser.status, browser.path) == (200, "/project/volumes/")
    browser.open("/")
    assert browser.path == "/project/" and "Overview" in browser.words() and "Instances" in browser.words()
    copied = dict(browser.cookies)
    browser.post("/auth/logout/")
    assert "You have logged out." in browser.words()
    browser.cookies = copied
    # The token of a copied cookie is revoked.
    wait_for(lambda: browser.open("/project/").path.startswith("/auth/login/"), 5, what="the session to end")


def test_where_a_login_leads_is_ours(cloud):
    browser = Browser(f"http://127.0.0.1:{8080 + cloud.offset}")
    browser.open("/auth/login/?next=//evil.example/").post("/auth/login/", username="admin", password=cloud.client.password)
    assert browser.path == "/project/"


def test_an_instance_from_launch_to_delete(cloud, browser):
    name = "<b>bold & \"quoted\"</b>"
    browser.open("/project/instances/launch/").post("/project/instances/launch/", name=name)
    assert "is being built" in browser.words() and "<b>" not in browser.text
    wait_for(lambda: "ACTIVE" in _row(browser.open("/project/instances/"), name), 20, what="the instance")
    identity = re.search(r'/project/instances/([0-9a-f-]{36})/">' + re.escape(html.escape(name).replace("&quot;", "&#34;")),
                         browser.text)[1]
    own = f"/project/instances/{identity}"
    browser.open(own + "/")
    assert "Console Log" in browser.words() and "create" in browser.words() and "req-" in browser.text
    for verb, page in (("vnc", "/vnc_auto.html?path=%3Ftoken%3D"), ("serial", "/serial.html?token=")):
        assert f'href="{own}/{verb}/" target="_blank" rel="noopener"' in browser.open(own + "/").text
        answer = browser.pool.request("GET", browser.base + f"{own}/{verb}/", redirect=False, headers={
            "Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())})
        assert answer.status == 303
        assert answer.headers["Location"].startswith(f"http://127.0.0.1:{6080 + cloud.offset}{page}")
    assert browser.open(own + "/spice/").status == 404
    browser.open("/project/instances/").post(own + "/stop/")
    wait_for(lambda: "SHUTOFF" in _row(browser.open("/project/instances/"), name), 20, what="it to stop")
    browser.post(own + "/start/")
    wait_for(lambda: "ACTIVE" in _row(browser.open("/project/instances/"), name), 20, what="it to start")
    browser.post(own + "/delete/")
    wait_for(lambda: name not in browser.open("/project/instances/").words(), 20, what="it to go")
    assert browser.open(own + "/").status == 404 and "That did not work" in browser.words()


def test_a_page_is_traced_through_the_services(cloud, browser):
    request_id = browser.open("/project/volumes/").headers["X-Openstack-Request-Id"]
    found = " ".join(text for _, _, text, _ in trace.log_lines(cloud.state, request_id))
    assert "GET /project/volumes/: 200" in found and "/volumes/detail: 200" in found and "GET /v2.1/servers: 200" in found


def _row(browser, name: str) -> str:
    """The words of the table's row that begins with a name, or nothing."""
    rows = [html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row))).strip() for row in browser.text.split("<tr>")]
    return next((r for r in rows if r.startswith(name)), "")


def test_a_refused_launch_keeps_what_was_typed(browser):
    browser.open("/project/instances/launch/").post("/project/instances/launch/", name="typed", flavor="no-such-flavor")
    assert browser.status == 400 and 'role="alert"' in browser.text and 'value="typed"' in browser.text


def test_volumes_keys_and_addresses(browser):
    browser.open("/project/volumes/").post("/project/volumes/", name="paged", size="1")
    wait_for(lambda: "available" in _row(browser.open("/project/volumes/"), "paged"), 10, what="the volume")
    own = next(a.removesuffix("/attach/") for a in Forms(browser.text).forms if a.endswith("/attach/"))
    browser.post(own + "/attach/")
    wait_for(lambda: "in-use" in _row(browser.open("/project/volumes/"), "paged"), 10, what="the attachment")
    browser.post(own + "/detach/")
    wait_for(lambda: "available" in _row(browser.open("/project/volumes/"), "paged"), 10, what="the detachment")
    browser.post(own + "/delete/")
    wait_for(lambda: not _row(browser.open("/project/volumes/"), "paged"), 10, what="the volume to go")
    browser.open("/project/volumes/").post("/project/volumes/", size="many")
    assert browser.status == 400 and "whole number" in browser.words()
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgJ5gD8fd0P0G5PkR0bFzZ2iQn2HkC2o8o2oT2pJ2b"
    browser.open("/project/key_pairs/").post("/project/key_pairs/", name="pages", public_key=key)
    assert "The key was imported." in browser.words()
    browser.post("/project/key_pairs/pages/delete/")
    assert "pages" not in browser.words()
    browser.open("/project/networks/").post("/project/floating_ips/")
    assert "is yours" in browser.words() and "router1" in browser.words()
    browser.post(next(a for a in Forms(browser.text).forms if a.endswith("/release/")))
    assert "The address was released." in browser.words()
    assert "cirros" in browser.open("/project/images/").words()
    assert "fake-host" in browser.open("/admin/hosts/").words() and "DHCP agent" in browser.words()


def test_another_project(cloud, browser):
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": "second"}})["project"]["id"]
    role, user = admin.find("identity", "roles", "member"), admin.find("identity", "users", "admin")
    admin.call("identity", "PUT", f"/projects/{project}/users/{user['id']}/roles/{role['id']}")
    browser.open("/project/volumes/").post("/project/volumes/", name="of-admin", size="1")
    assert "of-admin" in browser.words()
    browser.open("/project/").post("/auth/switch/", project_id=project)
    assert "of-admin" not in browser.open("/project/volumes/").words()
    assert browser.open("/admin/hosts/").status == 403, "a member of this project, whatever he is in another"
    browser.open("/project/").post("/auth/switch/", project_id=admin.project_id)
    wait_for(lambda: "available" in _row(browser.open("/project/volumes/"), "of-admin"), 20, what="the volume")
    volume = admin.find("volume", "volumes", "of-admin")["id"]
    admin.call("volume", "DELETE", f"/volumes/{volume}")
    browser.open("/auth/switch/", {"csrfmiddlewaretoken": browser.cookies["csrftoken"], "project_id": "nothing"})
    assert "Log in" in browser.words()
    admin.call("identity", "DELETE", f"/projects/{project}")


def test_forms_of_other_sites_are_refused(browser):
    browser.open("/project/volumes/")
    fields = Forms(browser.text).forms["/project/volumes/"]
    assert browser.open("/project/volumes/", {**fields, "csrfmiddlewaretoken": ""}).status == 403
    assert browser.open("/project/volumes/", {**fields, "csrfmiddlewaretoken": "guess"}).status == 403
    assert browser.open("/project/volumes/", fields, Origin="http://evil.example").status == 403
    assert "script-src" not in browser.headers["Content-Security-Policy"]
    assert "default-src 'none'" in browser.headers["Content-Security-Policy"] and "<script" not in browser.text


def test_a_sealed_cookie_cannot_be_changed():
    seal, other = Seal("11" * 32, 100), Seal("22" * 32, 100)
    text = seal.close({"user": "a"})
    assert seal.open(text, 100) == {"user": "a"} and other.open(text, 100) is None
    assert seal.open(text[:-4] + "AAAA", 100) is None and seal.open("", 100) is None
    assert len({seal.close({"user": "a"}) for _ in range(5)}) == 5
