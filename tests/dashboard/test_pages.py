"""Login, projects, errors, and what every page has in common."""

import re

from common.periodic import wait_for
from dashboard.session import Seal
from deploy import trace
from tests.dashboard.browser import Browser, Forms

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
          "frame-ancestors 'none'; base-uri 'none'")


def test_login_and_logout(cloud, base):
    browser = Browser(base)
    browser.open("/project/volumes/")
    assert "id_username" in browser.text and browser.path == "/auth/login/?next=/project/volumes/"
    browser.post("/auth/login/", username="admin", password="wrong")
    assert browser.status == 401 and "user name or password is incorrect" in browser.text
    assert 'value="admin"' in browser.text and 'value="wrong"' not in browser.text
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


def test_where_a_login_leads_is_ours(cloud, base):
    browser = Browser(base)
    browser.open("/auth/login/?next=//evil.example/").post("/auth/login/", username="admin", password=cloud.client.password)
    assert browser.path == "/project/"


def test_a_page_is_traced_through_the_services(cloud, browser):
    request_id = browser.open("/project/networks/").headers["X-Openstack-Request-Id"]
    found = " ".join(text for _, _, text, _ in trace.log_lines(cloud.state, request_id))
    assert "GET /project/networks/: 200" in found and "GET /v2.0/networks: 200" in found and "GET /v2.0/subnets: 200" in found


def test_another_project(cloud, browser):
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": "second"}})["project"]["id"]
    role, user = admin.find("identity", "roles", "member"), admin.find("identity", "users", "admin")
    admin.call("identity", "PUT", f"/projects/{project}/users/{user['id']}/roles/{role['id']}")
    browser.open("/project/volumes/create/").post("/project/volumes/create/", name="of-admin", size="1")
    assert "of-admin" in browser.words()
    browser.open("/project/").post("/auth/switch/", project_id=project)
    assert "of-admin" not in browser.open("/project/volumes/").words()
    assert browser.open("/admin/hypervisors/").status == 403, "a member of this project, whatever he is in another"
    assert "Hypervisors" not in browser.open("/project/").words()
    browser.open("/project/").post("/auth/switch/", project_id=admin.project_id)
    wait_for(lambda: "available" in browser.open("/project/volumes/").row("of-admin"), 20, what="the volume")
    admin.call("volume", "DELETE", f"/volumes/{admin.find('volume', 'volumes', 'of-admin')['id']}")
    browser.open("/auth/switch/", {"csrfmiddlewaretoken": browser.csrf(), "project_id": "nothing"})
    assert "Log in" in browser.words()
    admin.call("identity", "DELETE", f"/projects/{project}")


def test_forms_of_other_sites_are_refused(browser):
    where = "/project/key_pairs/create/"
    fields = Forms(browser.open(where).text).forms[where]
    assert browser.open(where, {**fields, "csrfmiddlewaretoken": ""}).status == 403
    assert browser.open(where, {**fields, "csrfmiddlewaretoken": "guess"}).status == 403
    assert browser.open(where, fields, Origin="http://evil.example").status == 403


def test_scripts_and_styles_are_files_of_ours(browser):
    for path in ("/auth/login/", "/project/", "/project/instances/", "/project/instances/launch/", "/about/parts/"):
        browser.open(path)
        assert browser.headers["Content-Security-Policy"] == POLICY
        loaded = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', browser.text)
        assert len(loaded) == (7 if path == "/project/" else 4)
        assert all(re.fullmatch(r"/static/[\w.]+\?v=[0-9a-f]{12}", url) for url in loaded)
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=)|hx-on|hx-vals", browser.text)
    for url in loaded:
        browser.open(url)
        assert browser.status == 200 and "immutable" in browser.headers["Cache-Control"]
        assert browser.open(url.partition("?")[0]).headers["Cache-Control"] == "no-store"
    assert browser.open("/static/README.md").status == 404


def test_a_session_that_ended_leads_a_script_to_the_login(base):
    browser = Browser(base).open("/project/instances/", **{"HX-Request": "true"})
    assert browser.status == 204 and browser.headers["HX-Redirect"].startswith("/auth/login/")


def test_a_sealed_cookie_cannot_be_changed():
    seal, other = Seal("11" * 32, 100), Seal("22" * 32, 100)
    text = seal.close({"user": "a"})
    assert seal.open(text, 100) == {"user": "a"} and other.open(text, 100) is None
    assert seal.open(text[:-4] + "AAAA", 100) is None and seal.open("", 100) is None
    assert len({seal.close({"user": "a"}) for _ in range(5)}) == 5
