"""Every form that is refused, or whose service fails, says why, keeps what was typed, and names the request for ``trace``."""

import html
import re

import pytest
import webob

from common import errors
from dashboard.panels import PANELS
from dashboard.service import Dashboard
from dashboard.session import COOKIE, CSRF
from tests.dashboard.browser import Forms, words

TYPED = "typed-by-somebody"
REASON = "The reason for it, and what to do"
FAULTS = (errors.Conflict(REASON), errors.Forbidden(REASON), errors.ServiceUnavailable(part="volume"))


class Refusing:
    """The client of the APIs, whose requests that change something are refused."""

    def __init__(self, real):
        self.real, self.fault = real, FAULTS[0]

    def request(self, method, service, where, **more):
        if method != "GET" and "os-getConsoleOutput" not in str(more.get("body")):
            raise self.fault
        return self.real.request(method, service, where, **more)


class Page:
    def __init__(self, cloud):
        self.service = Dashboard.load(cloud.state, {})
        self.refusing = self.service.__dict__["rest"] = Refusing(self.service.rest)
        self.app = self.service.wsgi_app("dashboard")

    def send(self, path: str, cookie: str, fields: dict | None = None) -> webob.Response:
        request = webob.Request.blank(path, headers={"Cookie": cookie}, POST=fields)
        return request.get_response(self.app)


@pytest.fixture(scope="module")
def page(cloud):
    return Page(cloud)


def filled(text: str, action: str) -> list[tuple[str, str]]:
    """The fields of a form as somebody sends them who has typed something into each."""
    form = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', text, re.S)
    assert form, action
    kinds = dict(re.findall(r'<input type="(?:text)" name="([\w-]+)"()', form[0])) | dict(
        (name, "area") for name in re.findall(r'<textarea name="([\w-]+)"', form[0])) | dict(
        (name, "number") for name in re.findall(r'<input type="number" name="([\w-]+)"', form[0])) | dict(
        (name, "password") for name in re.findall(r'<input type="password" name="([\w-]+)"', form[0]))
    found = []
    for name, value in Forms(text).forms[action].items():
        kind = kinds.get(name)
        new = {None: value, "": TYPED, "area": f"{TYPED}=1", "number": value or "1", "password": f"secret-{TYPED}-1A"}[kind]
        if name == "confirm_name":
            new = html.unescape(re.search(r"Type “(.*?)” to confirm", form[0])[1])
        found += [(name, each) for each in (new if isinstance(new, list) else [new])]
    return found


def check(page: Page, cookie: str, where: str, action: str) -> None:
    opened = page.send(where, cookie)
    if opened.status_int in (404, 409):
        return  # no such thing now
    assert opened.status_int == 200, (where, opened.status_int)
    for fault in FAULTS:
        page.refusing.fault = fault
        fields = filled(opened.text, action)
        answer = page.send(action, cookie, fields)
        if answer.status_int == 303:
            return  # nothing had to be changed
        shown = words(answer.text)
        allowed = (400, 404, fault.status) if "?target=" in where else (400, fault.status)  # what is to be taken is not there
        assert answer.status_int in allowed, (where, answer.status_int, shown[-300:])
        assert 'role="alert"' in answer.text and f'action="{action}"' in answer.text, where
        for name, value in fields:
            if TYPED in value and not value.startswith("secret"):
                assert value in html.unescape(answer.text), (where, name)
        assert "secret-" not in answer.text, "passwords are not shown again"
        if answer.status_int in (400, 404):
            return  # the form itself says what is wrong with these values
        assert (REASON if fault.status != 503 else "Try again") in shown, (where, shown[-300:])
        assert f"pileus trace {answer.headers['X-Openstack-Request-Id']}" in shown


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.path)
def test_what_was_typed_stays(cloud, page, browser, panel):
    cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
    if panel.create:
        where = f"{panel.path}/{panel.create.segment}/"
        check(page, cookie, where, where)
    first = re.search(r'data-id="([^"]+)"', page.send(f"{panel.path}/", cookie).text)
    for action in panel.actions if first else ():
        if action.dialog and not action.opens:
            where = f"{panel.path}/{first[1]}/{action.verb}/"
            check(page, cookie, f"{where}?target=none" if action.hidden else where, where)


def test_a_page_that_is_not_there_leads_to_its_list(page, browser):
    answer = page.send(f"/project/instances/{'0' * 32}/", f"{COOKIE}={browser.cookies[COOKIE]}")
    assert answer.status_int == 404 and 'class="button" href="/project/instances/"' in answer.text


def test_a_form_of_a_session_that_ended_leads_back_to_it(page):
    word = "w" * 32  # which the browser still has
    answer = page.send("/project/volumes/create/", f"{CSRF}={word}", {"name": TYPED, "csrfmiddlewaretoken": word})
    assert answer.location.endswith("/auth/login/?next=/project/volumes/create/")
