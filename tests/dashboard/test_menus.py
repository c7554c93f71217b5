"""Menus of a list's rows, which come when they are opened."""

import re

import pytest

from common import errors
from dashboard.panels import PANELS
from tests.dashboard.apis import OTHER, PROJECT, Dashboard
from tests.dashboard.browser import words
from tests.dashboard.sample import SampleDashboard, mapped, pages

ID = "0" * 31 + "1"
SERVER = {"id": ID, "name": "web", "status": "ACTIVE", "tenant_id": PROJECT, "OS-EXT-STS:task_state": None, "addresses": {},
          "metadata": {}, "locked": False, "image": None, "flavor": {"original_name": "small"},
          "OS-EXT-AZ:availability_zone": "nova", "created": "2026-11-28T11:00:00Z"}
NETWORK = {"id": ID, "name": "net", "status": "ACTIVE", "admin_state_up": True, "shared": True, "router:external": False,
           "project_id": OTHER, "subnets": [], "created_at": "2026-01-01T00:00:00Z"}
LIST = f"/project/instances/{ID}"


def dashboard(**more) -> Dashboard:
    return Dashboard({"GET /v2.1/servers/detail": {"servers": [SERVER | more]},
                      f"GET /v2.1/servers/{ID}": {"server": SERVER | more}, "GET /v2.0/networks": {"networks": [NETWORK]},
                      f"GET /v2.0/networks/{ID}": {"network": NETWORK}, "GET /v2.0/subnets": {"subnets": []}})


def test_a_list_has_no_long_menus_but_leads_to_them():
    text = dashboard().send("/project/instances/").text
    assert f'href="{ID}/actions/"' in text and f"{ID}/rebuild/" not in text
    assert f'formaction="{ID}/vnc/"' in text, "the usual ones are there"


def test_a_script_gets_the_entries_alone():
    text = dashboard().send(f"{LIST}/actions/", **{"HX-Request": "true"}).text
    assert "<html" not in text and "<h1" not in text
    assert f'href="{LIST}/rebuild/"' in text and f'href="{LIST}/pause/"' in text
    assert f"{LIST}/vnc/" not in text, "a button of the list already"


def test_without_a_script_they_are_a_page():
    text = dashboard().send(f"{LIST}/actions/").text
    assert "<h1>web</h1>" in text and f'href="{LIST}/pause/"' in text and f'formaction="{LIST}/vnc/"' in text


def test_a_menu_has_what_the_state_allows_now():
    text = dashboard(status="SHUTOFF").send(f"{LIST}/actions/").text
    assert f"{LIST}/start/" in text and f"{LIST}/pause/" not in text


def test_a_menu_has_nothing_for_what_others_own():
    text = dashboard().send(f"/project/networks/{ID}/actions/").text
    assert not re.search(rf"networks/{ID}/\w+/", text.partition("<form method=\"post\" class=\"panel form\"")[2])
    assert "net" in words(text)


def test_only_administrators_get_menus_of_all_projects():
    mine = dashboard()
    mine.active = mine.active.__class__(**{**mine.active.__dict__, "admin": False})
    assert mine.send(f"/admin/instances/{ID}/actions/").status_int == 403
    assert "/migrate/" not in mine.send(f"{LIST}/actions/").text


@pytest.mark.parametrize(("path", "status", "title", "leads"), [
    ("/project/nothing/", 404, "Not found", "/project/"), ("/admin/nothing/", 404, "Not found", "/project/"),
    ("/admin/flavors/", 403, "Not allowed", "/project/"), ("/project/volumes/gone/", 404, "Not found", "/project/volumes/"),
    ("/project/networks/", 503, "This did not work", "/project/")])
def test_a_page_that_cannot_be_shown_says_why_and_leads_on(path, status, title, leads):
    """What the cause was is only a question to operators where a service failed."""
    shown = Dashboard({"GET /v2.0/networks": errors.ServiceUnavailable("It does not respond.")}, admin=False)
    answer = shown.send(path)
    assert answer.status_int == status and f'<h1 id="dialog-title">{title}</h1>' in answer.text
    assert f'<a class="button" href="{leads}">' in answer.text
    for found in ("pileus trace", '<a class="button main" href="">Try again</a>'):
        assert (found in answer.text) == (status >= 500)


def test_a_dialog_of_a_row_says_what_it_is_about():
    """Not "Delete: web", which would be the resource with the row; its button says it too."""
    short = {"Edit", "Delete", "Remove", "Detach"}
    assert not [(panel.path, action.verb) for panel in PANELS for action in panel.actions
                if action.hidden and action.text.message in short and not action.title]
    group = {"id": ID, "name": "web", "project_id": PROJECT, "security_group_rules": []}
    shown = Dashboard({f"GET /v2.0/security-groups/{ID}": {"security_group": group}})
    text = shown.send(f"/project/security_groups/{ID}/delete-rule/?target={ID}").text
    assert "Delete rule: security group web" in words(text) and "Delete rule</button>" in text


def test_dialogs_say_the_kind_of_what_they_act_on():
    shown = SampleDashboard()
    for panel in PANELS:
        for path in [path for path in pages(panel) if "?target=" in path][:1]:
            title = words(re.search("(?s)<h1 id=.dialog-title.*?</h1>", shown.send(path).text)[0])
            assert f": {panel.noun} " in title


@pytest.mark.parametrize("panel", [p for p in PANELS if any(table.actions for tab in p.tabs for table in tab.tables)],
                         ids=lambda panel: panel.path)
def test_a_dialog_of_a_row_shows_the_row(panel):
    """Which rule, subnet or host of the resource it is, when the row is behind the dialog or on another page."""
    shown = SampleDashboard()
    for tab, table, verb in [(tab_, of, verb) for tab_ in panel.tabs for of in tab_.tables for verb in of.actions]:
        path = next(path for path in pages(panel) if f"/{verb}/?target=" in path)
        facts = words(re.search("(?s)<dl>.*</dl>", shown.send(path).text)[0])
        row = re.search(r'(?s)<tr role="row">(<td.*?)<td role="cell" class="do">',
                        shown.send(re.sub("/[^/]*/[?]target=.*", f"/?tab={tab.name}", path)).text)[1]
        assert f"{table.columns[0].title} {words(row.partition('</td>')[0])}" in facts, verb
        assert "<dl>" not in shown.send(re.sub("=.*", "=gone", path)).text


# What is done at once, when its button is pressed: it only begins what had ended, or opens or fetches something.
_AT_ONCE = {"start", "vnc", "serial", "unpause", "resume", "unshelve", "unrescue", "unlock", "restore", "reactivate", "launch",
            "ec2rc", "enable", "up"}


def test_what_ends_or_loses_something_is_asked_first():
    found = {action.verb for panel in PANELS for action in panel.actions if not action.dialog}
    assert found <= _AT_ONCE


def test_the_account_is_in_the_menu():
    """Where windows are narrow, the user's name is not in the head."""
    assert SampleDashboard().send("/project/").text.count('<a href="/auth/account/">Account</a>') == 2


def test_the_log_says_how_much_of_it_is_shown():
    page = SampleDashboard().send(f"/project/instances/{ID}/?tab=log&lines=500").text
    assert re.findall(r'lines=(\w+)" aria-current="true"', page) == ["500"]


def test_a_sentence_shortens_a_long_name():
    """Its title has all of it, so that a question stays one."""
    long = "n" * 255
    shown = SampleDashboard(changed=lambda answer: mapped(answer, lambda key, text: long if key == "name" else text))
    page = shown.send(f"/project/instances/{ID}/hard-reboot/").text
    assert f'<p><bdi title="{long}">{"n" * 59}…</bdi> is switched off' in page


def test_a_choice_says_what_tells_its_options_apart():
    """Volumes have their size, and ports their addresses."""
    page = words(SampleDashboard().send("/project/instances/launch/").text)
    assert "data-00 (1 GiB)" in page and "port-01: 10.1.0.5" in page
    assert "data-00 (1 GiB)" in words(SampleDashboard().send("/project/volumes/create/").text)


def test_only_rows_that_an_action_is_for_can_be_chosen():
    shown = SampleDashboard()
    protected = [f"debian-{n:02}" for n in range(1, 20, 4)]
    for path, others in (("/project/security_groups/", ["default"]), ("/admin/images/", protected)):
        chosen = re.findall(r'name="id" value="[^ ]+ ([^"]*)"', shown.send(path).text)
        named = re.findall(r'class="first"><a[^>]*>([^<]*)', shown.send(path).text)
        assert [name for name in named if name not in chosen] == others
