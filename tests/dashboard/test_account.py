"""How long a session lasts, staying, logging out everywhere, one-time codes, and federated logins."""

import base64
import time
import types

import pytest

from common import errors
from common.periodic import wait_for
from dashboard import session, websso
from dashboard.session import COOKIE, CSRF, WEBSSO
from dashboard.throttle import Throttle
from identity import totp
from tests.dashboard.apis import ACTIVE, Dashboard
from tests.dashboard.browser import Browser, Forms

SECRET = base64.b32encode(b"twenty bytes of key!").decode()


def new_user(cloud, name: str, **options) -> str:
    """A member of a project, with the password first-Word-1."""
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": f"of-{name}"}})["project"]["id"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": name, "password": "first-Word-1", "options": options}})
    role = admin.find("identity", "roles", "member")["id"]
    admin.call("identity", "PUT", f"/projects/{project}/users/{user['user']['id']}/roles/{role}")
    return user["user"]["id"]


@pytest.fixture(scope="module")
def robin(cloud):
    return new_user(cloud, "robin")


def is_open(base: str, cookie: str) -> bool:
    browser = Browser(base)
    browser.cookies[COOKIE] = cookie
    return "Overview" in browser.open("/project/").words()


def test_a_session_says_that_it_ends_soon():
    dashboard = Dashboard({"GET /v3/auth/projects": {"projects": []}})
    assert 'id="ending" role="status" data-ends="' in dashboard.send("/auth/account/").text
    assert dashboard.send("/auth/account/").text.partition('id="ending"')[2].partition(">")[0].endswith(" hidden")
    dashboard.active = ACTIVE.__class__(**{**ACTIVE.__dict__, "expires_at": time.time() + session.SOON_S - 5})
    assert " hidden" not in dashboard.send("/auth/account/").text.partition('id="ending"')[2].partition(">")[0]


def test_who_stays_has_a_new_session_and_the_same_forms(base, robin):
    browser = Browser(base).log_in("robin", "first-Word-1")
    before = dict(browser.cookies)
    browser.open("/auth/account/?next=/project/volumes/").post("/auth/stay/", password="wrong")
    assert browser.status == 403 and "password is incorrect" in browser.text and browser.cookies[COOKIE] == before[COOKIE]
    browser.post("/auth/stay/", password="first-Word-1")
    assert browser.path == "/project/volumes/" and browser.cookies[COOKIE] != before[COOKIE]
    assert browser.cookies[CSRF] == before[CSRF]
    wait_for(lambda: not is_open(base, before[COOKIE]), 5, what="the session before to end")


def test_a_dialog_that_prolongs_leaves_the_page(base, robin):
    browser = Browser(base).log_in("robin", "first-Word-1")
    word = Forms(browser.open("/auth/account/").text).forms["/auth/stay/"]["csrfmiddlewaretoken"]
    before = browser.cookies[COOKIE]
    browser.open("/auth/stay/", {"csrfmiddlewaretoken": word, "password": "first-Word-1"}, **{
        "HX-Request": "true", "HX-Target": "dialog-body"})
    assert browser.status == 204 and '"stayed": ' in browser.headers["HX-Trigger"] and browser.cookies[COOKIE] != before


def test_guesses_of_the_password_are_slowed_down(cloud, base):
    new_user(cloud, "guessed")
    browser = Browser(base).log_in("guessed", "first-Word-1").open("/auth/account/")
    statuses = [browser.post("/auth/stay/", password=f"guess-{n}").status for n in range(6)]
    assert statuses[-1] == 429 and set(statuses[:-1]) == {403} and 1 <= int(browser.headers["Retry-After"]) <= 300


def test_logging_out_everywhere_ends_other_browsers(cloud, base):
    new_user(cloud, "jay")
    here, there = (Browser(base).log_in("jay", "first-Word-1") for _ in range(2))
    here.open("/auth/account/").post("/auth/everywhere/")
    assert "logged out everywhere" in here.words()
    wait_for(lambda: not is_open(base, there.cookies[COOKIE]), 5, what="the other browser's session to end")
    assert "Overview" in Browser(base).log_in("jay", "first-Word-1").words()


def test_an_account_with_a_second_factor_logs_in_with_a_code(cloud, base):
    user = new_user(cloud, "two", multi_factor_auth_enabled=True, multi_factor_auth_rules=[["password", "totp"]])
    cloud.client.call("identity", "POST", "/credentials", {"credential": {"type": "totp", "blob": SECRET, "user_id": user}})
    browser = Browser(base).log_in("two", "first-Word-1")
    assert browser.status == 401 and "one-time code" in browser.text
    browser.post("/auth/login/", username="two", password="first-Word-1", passcode=totp.passcode(SECRET, int(time.time()) // 30))
    assert "Overview" in browser.words()


# Federated logins


def test_the_login_page_offers_what_the_operator_configured():
    dashboard = Dashboard({})
    dashboard.service.conf.dashboard = types.SimpleNamespace(websso=["openid", "acme/saml2=Acme"], websso_url="https://c:5000/v3/")
    request = types.SimpleNamespace(svc=dashboard.service, host_url="https://d")
    assert websso.offered(request) == [
        ("https://c:5000/v3/auth/OS-FEDERATION/websso/openid?origin=https%3A%2F%2Fd%2Fauth%2Fwebsso%2F", "Log in with openid"),
        ("https://c:5000/v3/auth/OS-FEDERATION/identity_providers/acme/protocols/saml2/websso?origin=https%3A%2F%2Fd%2Fauth%2F"
         "websso%2F", "Acme")]


def test_without_federation_no_tokens_are_taken(base):
    assert Browser(base).open("/auth/websso/", {"token": "x"}).status == 404


def test_a_federated_login_is_confirmed_before_it_counts():
    """The page that posts the token is of another site, so whoever made it may not choose who is logged in here."""
    user = {"name": "fed", "domain": {"name": "acme"}, "OS-FEDERATION": {"identity_provider": {"id": "acme"}}}
    dashboard = Dashboard({"GET /v3/auth/tokens": {"token": {"user": user}}})
    dashboard.service.conf.dashboard = types.SimpleNamespace(websso=["openid"], websso_url="https://c:5000/v3")
    answer = dashboard.send("/auth/websso/", body=b"token=t0", **{"Content-Type": "application/x-www-form-urlencoded",
                                                                   "Origin": "https://c:5000"})
    assert answer.status_int == 303 and answer.location.endswith("/auth/websso/")
    made = [c for c in answer.headers.getall("Set-Cookie") if c.startswith(WEBSSO)]
    assert made and not [c for c in answer.headers.getall("Set-Cookie") if c.startswith(COOKIE)]
    cookie = f"{made[0].partition(';')[0]}; {COOKIE}={dashboard.seal.close(ACTIVE.__dict__)}"
    page = dashboard.send("/auth/websso/", Cookie=cookie)
    assert "Log in as fed of acme?" in page.text
    refused = dashboard.send("/auth/websso/confirm/", body=b"csrfmiddlewaretoken=guess", Cookie=cookie, **{
        "Content-Type": "application/x-www-form-urlencoded"})
    assert refused.status_int == 403


def test_a_token_of_another_login_is_no_federated_one():
    """Whoever has an account, under the same name in another domain, could post the token of it from any site."""
    dashboard = Dashboard({"GET /v3/auth/tokens": {"token": {"user": {"name": "admin", "domain": {"name": "mallorys"}}}}})
    dashboard.service.conf.dashboard = types.SimpleNamespace(websso=["openid"], websso_url="https://c:5000/v3")
    cookie = f"{WEBSSO}={dashboard.seal.close('t0', WEBSSO)}; {COOKIE}={dashboard.seal.close(ACTIVE.__dict__)}"
    assert "/auth/login/" in dashboard.send("/auth/websso/", Cookie=cookie).location
    answer = dashboard.send("/auth/websso/confirm/", [], Cookie=cookie)
    assert "/auth/login/" in answer.location and not dashboard.apis.changes()


def test_the_present_password_cannot_be_guessed_in_a_session():
    """By somebody who has found a browser that is logged in."""
    dashboard = Dashboard({f"POST /v3/users/{ACTIVE.user_id}/password": errors.Unauthorized("wrong"),
                           "GET /v3/auth/projects": {"projects": []}})
    dashboard.service.throttle = Throttle({"account": 3, "source": 30}, 300)

    def attempt(**more):
        return dashboard.send("/settings/password/", [*{
            "old_password": "guess", "password": "n", "password_again": "n", **more}.items()], REMOTE_ADDR="10.0.0.1")
    assert [attempt(password_again="other").status_int for _ in range(5)] == [400] * 5, "nothing was tried"
    *tried, refused = (attempt() for _ in range(4))
    assert [each.status_int for each in tried] == [400] * 3 and refused.status_int == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 300 and "Retry-After" not in tried[-1].headers
    assert len(dashboard.apis.changes()) == 3
