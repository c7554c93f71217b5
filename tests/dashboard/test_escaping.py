"""Texts that others chose are shown and nothing else: every page is rendered from answers of the APIs in which every text is
hostile, whichever fields a page shows."""

import re

import pytest
import webob

from dashboard import filters
from dashboard.panels import PANELS
from dashboard.service import Dashboard
from dashboard.session import COOKIE
from tests.dashboard.browser import Forms

HOSTILE = "\"'><img src=x onerror=alert(1)></textarea></script><script>alert(1)</script>{{7*7}}&lt;"
# Ids, times and numbers are checked by the services that make them; a page uses them in requests and links.
_PLAIN = re.compile(r"[0-9a-f]{32}|[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z?|[\d.]+|true|false|enabled|nova-compute")
_STATES = {"status", "state", "OS-EXT-STS:vm_state"}  # which actions are offered depends on them


def spoiled(value, key: str = ""):
    if isinstance(value, dict):
        return {k: spoiled(v, k) for k, v in value.items()} | ({"k" + HOSTILE: HOSTILE} if key in ("metadata",
                                                                                                   "properties") else {})
    if isinstance(value, list):
        return [spoiled(v, key) for v in value]
    if isinstance(value, str) and not _PLAIN.fullmatch(value) and key not in _STATES:
        return value + HOSTILE
    return value


class Spoiling:
    """The client of the APIs, with every text of their answers made hostile."""

    def __init__(self, real):
        self.real = real

    def request(self, *args, **more):
        return spoiled(self.real.request(*args, **more))


@pytest.fixture(scope="module")
def dashboard(cloud):
    """The dashboard in this process, which asks the cloud's APIs through ``Spoiling``."""
    service = Dashboard.load(cloud.state, {})
    service.setup()
    service.__dict__["rest"] = Spoiling(service.rest)
    app = service.wsgi_app("dashboard")

    def get(path: str, cookie: str) -> str:
        answer = webob.Request.blank(path, headers={"Cookie": cookie}).get_response(app)
        assert answer.status_int in (200, 404, 409), (path, answer.status_int, answer.text[-500:])
        return answer.text
    return get


def check(text: str, where: str) -> None:
    for part in ("<img", "<script>", "alert(1)></textarea>", "onerror=alert(1)>"):
        assert part not in text, (where, part)
    for tag in re.findall(r"<[a-zA-Z][^>]*>", text):
        assert not re.search(r"[\s\"']on\w+\s*=", re.sub(r'"[^"]*"', '""', tag)), (where, tag)
    Forms(text)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.path)
def test_nothing_that_an_api_says_is_markup(cloud, dashboard, browser, panel):
    cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
    text = dashboard(f"{panel.path}/", cookie)
    check(text, panel.path)
    pages = [f"{panel.path}/?q=%22%3E%3Cimg", f"{panel.path}/?after=%22%3E%3Cimg"]
    if panel.create:
        pages.append(f"{panel.path}/{panel.create.segment}/")
    first = re.search(r'data-id="([^"]+)"', text)
    if first:
        assert "alert(1)" in text, "the texts are there, as texts"
        own = f"{panel.path}/{first[1]}"
        pages += [f"{own}/?tab={tab.name}" for tab in panel.tabs]
        pages += [f"{own}/{action.verb}/?target=%22%3E%3Cimg&back=%22%3E%3Cimg" for action in panel.actions if not action.opens]
    for page in pages:
        check(dashboard(page, cookie), page)


@pytest.mark.parametrize("page", [
    "/project/", "/project/usage/", "/admin/usage/", "/admin/defaults/", "/settings/password/", "/project/api_access/",
    "/project/network_topology/", "/project/images/upload/"])
def test_no_other_page_has_markup_of_an_api(dashboard, browser, page):
    check(dashboard(page, f"{COOKIE}={browser.cookies[COOKIE]}"), page)


def test_what_a_form_was_sent_is_text_again(browser):
    where = "/project/instances/launch/"
    fields = Forms(browser.open(where).text).forms[where]
    browser.open(where, {**fields, **{name: HOSTILE for name in fields if name != "csrfmiddlewaretoken"}, "step": "create"})
    assert browser.status == 400
    check(browser.text, where)
    browser.open("/project/instances/", {"csrfmiddlewaretoken": browser.csrf(), "verb": "delete", "id": f"x {HOSTILE}"})
    assert "alert(1)" in browser.text
    check(browser.text, "bulk")


def test_a_command_is_quoted_for_the_shell(browser):
    where = "/project/instances/launch/"
    browser.open(where).post(where, name="$(reboot) `id`'", metadata="a=; rm -rf /", step="review")
    assert """'a=; rm -rf /' '$(reboot) `id`'"'"''""" in browser.words()


def test_a_name_that_may_be_broken_is_text():
    assert filters.breakable({"language": "en"}, "OS::Compute::<b>/a_b") == "OS::<wbr>Compute::<wbr>&lt;b&gt;/<wbr>a_<wbr>b"
    assert filters.breakable({"language": "en"}, "203.0.113.0/24") == "203.0.113.0/24"


def test_cells_of_a_table_are_no_formulas(cloud, browser):
    cloud.client.call("network", "POST", "/networks", {"network": {"name": "=HYPERLINK(1)"}})
    assert ",'=HYPERLINK(1)," in browser.open("/project/networks/?format=csv").text
