"""Identity by web: credentials, the user's password, domains, and logins through other sites."""

import json
import re
import time

import pytest

from common.periodic import wait_for
from identity.totp import STEP_S, passcode
from tests.dashboard.browser import Browser
from tests.dashboard.chromium import Chromium, is_there
from tests.dashboard.test_account import SECRET, new_user
from tests.dashboard.test_panels import made

RULES = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "OIDC-preferred_username"}]}]


@pytest.fixture
def browser(window):
    return window


def test_an_ec2_access_key(cloud, browser):
    where = "/identity/credentials/create/"
    browser.open(where).post(where, type="ec2")
    assert browser.path.startswith("/identity/credentials/") and browser.status == 200
    (found,) = [c for c in cloud.client.call("identity", "GET", "/credentials")["credentials"] if c["type"] == "ec2"]
    blob = json.loads(found["blob"])
    assert blob["secret"] in browser.words() and found["project_id"] == cloud.client.project_id
    assert blob["secret"] not in browser.open("/identity/credentials/").text, "a list shows no secrets"
    own = f"/identity/credentials/{found['id']}"
    browser.open(own + "/").press(own + "/ec2rc/")
    assert f"export EC2_ACCESS_KEY={blob['access']}\n" in browser.text and "ec2rc.sh" in browser.headers["Content-Disposition"]
    browser.do(own + "/delete/")
    assert "There are no credentials yet" in browser.words()


def test_one_time_passwords(cloud, browser):
    """The secret is that of the user's account."""
    users = made(browser, "/identity/users", name="olga", password="first-Word-1", password_again="first-Word-1")
    user = browser.id_of("olga")
    made(browser, "/identity/all_credentials", user=user, type="totp")
    (found,) = [c for c in cloud.client.call("identity", "GET", f"/credentials?user_id={user}")["credentials"]]
    assert passcode(found["blob"], int(time.time()) // STEP_S).isascii() and len(found["blob"]) == 32
    browser.do(f"/identity/all_credentials/{found['id']}/delete/")
    where = "/identity/credentials/create/"
    browser.open(where).post(where, type="totp")
    assert re.search(r"otpauth://totp/Pileus%3Aadmin\?secret=[A-Z2-7]{32}&issuer=Pileus", browser.words())
    browser.do(browser.path + "delete/")
    browser.do(f"{users}{user}/delete/")


@pytest.mark.skipif(not is_there(), reason="needs Debian's chromium-headless-shell")
def test_a_login_with_a_code_and_the_choice_of_a_project(cloud, base, chromium):
    user = new_user(cloud, "dora", multi_factor_auth_enabled=True, multi_factor_auth_rules=[["password", "totp"]])
    admin, role = cloud.client, cloud.client.find("identity", "roles", "member")["id"]
    admin.call("identity", "POST", "/credentials", {"credential": {"type": "totp", "blob": SECRET, "user_id": user}})
    second = admin.call("identity", "POST", "/projects", {"project": {"name": "second-of-dora"}})["project"]["id"]
    admin.call("identity", "PUT", f"/projects/{second}/users/{user}/roles/{role}")
    dora = Chromium(base, chromium.new_context()).log_in("dora", "first-Word-1")
    assert dora.status == 401 and "one-time code" in dora.text
    dora.post("/auth/login/", username="dora", domain="Default", password="first-Word-1",
              passcode=passcode(SECRET, int(time.time()) // STEP_S))
    assert "Overview" in dora.words()
    dora.post("/auth/switch/", project_id=second)
    assert "second-of-dora" in dora.page.locator("header").inner_text()
    dora.context.close()


def test_a_user_changes_the_password(cloud, browser, base):
    project = cloud.client.project_id
    made(browser, "/identity/users", name="rosa", password="first-Word-1", password_again="first-Word-1", project=project)
    rosa, where = Browser(base).log_in("rosa", "first-Word-1"), "/settings/password/"
    rosa.open(where).post(where, old_password="wrong", password="second-Word-2", password_again="second-Word-2")
    assert rosa.status == 400 and "second-Word-2" not in rosa.text
    rosa.post(where, old_password="first-Word-1", password="second-Word-2", password_again="other")
    assert rosa.status == 400 and "The passwords differ" in rosa.words()
    rosa.post(where, old_password="first-Word-1", password="second-Word-2", password_again="second-Word-2")
    assert "The password was changed" in rosa.words() and rosa.path.startswith("/auth/login/")
    assert rosa.log_in("rosa", "first-Word-1").status == 401
    assert "Overview" in rosa.log_in("rosa", "second-Word-2").words()


def test_members_of_a_domain_and_what_is_in_it(cloud, browser):
    domains = made(browser, "/identity/domains", name="north")
    domain = browser.id_of("north")
    own, admin = f"{domains}{domain}", cloud.client
    role, user = admin.find("identity", "roles", "member")["id"], admin.find("identity", "users", "admin")["id"]
    browser.do(own + "/member/", who=f"user {user}", role=role)
    assert browser.path == own + "/?tab=members" and "admin user Default member" in browser.words()
    browser.do(f"{own}/remove-member/?target=user%20{user}%20{role}")
    assert "It has no members" in browser.words()
    made(browser, "/identity/projects", name="of-north", domain_id=domain)
    listed = browser.open(f"/identity/projects/?domain_id={domain}").words()
    assert "of-north" in browser.row("of-north") and not browser.row(admin.project_id), listed[-300:]
    assert f"/identity/users/?domain_id={domain}" in browser.open(domains).text
    browser.do(own + "/disable/", confirm_name="north")
    browser.do(own + "/delete/", confirm_name="north")


def test_the_usage_of_a_project(cloud, browser):
    words = browser.open(f"/identity/projects/{cloud.client.project_id}/?tab=usage").words()
    assert re.search(r"Instances 1 of \d+", words) and re.search(r"Volumes 0 of \d+", words) and re.search(
        r"Networks \d+ of \d+", words)
    assert "first" in words and "m1.nano" in browser.row("first")


def test_usage_over_time(cloud, browser):
    words = browser.open("/project/usage/").words()
    assert "VCPU hours" in words and "first" in words
    assert "first" in browser.open("/project/usage/?format=csv").text
    assert cloud.client.project_id in browser.open("/admin/usage/").text and "VCPU hours" in browser.words()


def test_identity_providers_with_protocols_and_mappings(cloud, browser):
    mappings = made(browser, "/identity/mappings", id="plain", rules=json.dumps(RULES))
    where = mappings + "create/"
    assert browser.open(where).post(where, id="broken", rules="{").status == 400 and "This is not JSON" in browser.words()
    browser.do(mappings + "plain/edit/", rules=json.dumps(RULES * 2))
    assert len(cloud.client.call("identity", "GET", "/OS-FEDERATION/mappings/plain")["mapping"]["rules"]) == 2
    assert "OIDC-preferred_username" in browser.open(mappings + "plain/").words()
    providers = made(browser, "/identity/providers", id="sso", description="of tests", remote_ids="https://sso.example.org")
    own = providers + "sso"
    browser.do(own + "/protocol/", protocol="openid", mapping="plain")
    assert browser.path == own + "/?tab=protocols" and "openid plain" in browser.row("openid")
    browser.do(own + "/edit-protocol/?target=openid", mapping="plain")
    browser.do(own + "/edit/", description="changed")
    assert "changed" in browser.open(own + "/").words() and "https://sso.example.org" in browser.words()
    browser.do(own + "/disable/")
    browser.open(providers).press(own + "/enable/")
    browser.do(own + "/delete-protocol/?target=openid")
    assert "No protocols" in browser.words()
    browser.do(own + "/delete/", confirm_name="sso")
    browser.do(mappings + "plain/delete/")
    wait_for(lambda: not browser.open(mappings).row("plain"), 5, what="the mapping to go")
