"""Things are shown by their names, where the user may know them."""

import dataclasses
import html
import re

import pytest

from common import errors
from dashboard import languages
from dashboard.names import KINDS
from dashboard.panels import PANELS
from tests.dashboard.apis import OTHER, PROJECT, Dashboard
from tests.dashboard.sample import LISTS, SampleDashboard, first

VOLUMES = [{"id": f"{n:032x}", "name": f"v{n}", "size": 1, "status": "available", "attachments": [], "bootable": "false",
            "volume_type": "a", "created_at": "2026-11-28T11:00:00Z", "os-vol-tenant-attr:tenant_id": project}
           for n, project in enumerate((PROJECT, OTHER, "c" * 32))]


def columns(panel):
    yield from panel.columns
    for tab in panel.tabs:
        yield from (column for _, facts in tab.facts for column in facts)
        yield from (column for table in tab.tables for column in table.columns)


def test_no_column_shows_an_id_where_a_name_can_be_known():
    found = [(panel.path, str(column.title)) for panel in PANELS for column in columns(panel)
             if str(column.title).lower() in (*KINDS, "owner") and column.kind == "code"]
    assert not found


@pytest.mark.parametrize("panel", [p for p in PANELS if any(c.kind in KINDS for c in p.columns)], ids=lambda panel: panel.path)
def test_a_name_costs_one_request_however_many_rows(panel):
    def sent(rows: int) -> int:
        shown = SampleDashboard(rows=rows)
        assert shown.send(f"{panel.path}/").status_int == 200
        return len(shown.apis.sent)
    assert sent(20) <= sent(2) + 1  # those of the user's own project are known


def test_administrators_see_names_and_what_is_gone_keeps_its_id():
    answers = {"GET /v3/volumes/detail": {"volumes": VOLUMES}, "GET /v2.1/servers": {"servers": []},
               "GET /v3/projects": {"projects": [{"id": PROJECT, "name": "of-eve"}, {"id": OTHER, "name": "of-bob"}]}}
    shown = Dashboard(answers)
    text = shown.send("/admin/volumes/").text
    assert f'<a href="/identity/projects/{OTHER}/" title="{OTHER}">of-bob</a>' in text and "of-eve</a>" in text
    assert f"{'c' * 32}</code>" in text and len([sent for sent in shown.apis.sent if sent.path == "/v3/projects"]) == 1
    answers["GET /v3/projects"] = errors.ServiceUnavailable()
    text = Dashboard(answers).send("/admin/volumes/").text
    assert f"{OTHER}</code>" in text and "of-eve</a>" in text


def test_administrators_are_offered_what_the_project_has():
    """Not what their own has: that cannot be attached to it."""
    volume = VOLUMES[1] | {"description": "", "metadata": {}, "attachments": [{"server_id": "s", "device": "/dev/vdb"}]}
    servers = {"servers": [{"id": "s", "name": "of-bob"}]}
    shown = Dashboard({f"GET /v3/volumes/{volume['id']}": {"volume": volume},
                       "GET /v2.1/servers": lambda query: servers if query.get("project_id") == OTHER else {"servers": []}})
    for verb in ("attach", "detach"):
        assert ">of-bob</option>" in shown.send(f"/admin/volumes/{volume['id']}/{verb}/").text


def test_administrators_choose_a_project_and_others_type_its_id():
    """Only administrators may list projects."""
    panel = next(panel for panel in PANELS if panel.path == "/project/images")
    where, shown = f"/project/images/{first(panel)}/share/", SampleDashboard()
    assert f'<option value="{OTHER}">of-others</option>' in shown.send(where).text
    shown.active = dataclasses.replace(shown.active, admin=False)
    assert '<input type="text" name="project"' in shown.send(where).text


def test_the_action_log_says_who_it_was():
    panel = next(panel for panel in PANELS if panel.path == "/project/instances")
    assert ">eve</a>" in SampleDashboard().send(f"{panel.path}/{first(panel)}/?tab=actions").text


def test_members_see_the_names_of_their_own_projects():
    panel = next(panel for panel in PANELS if panel.path == "/project/images")
    shown = SampleDashboard()
    shown.active = dataclasses.replace(shown.active, admin=False)
    text = shown.send(f"/project/images/{first(panel)}/").text
    assert f'<span title="{PROJECT}">of-eve</span>' in text and "/identity/projects/" not in text
    assert not [sent for sent in shown.apis.sent if sent.service == "identity"]


@pytest.mark.parametrize(("language", "written"), [("en", "10,000"), ("de", "10.000"), ("fr", "10\u202f000")])
def test_large_numbers_are_grouped(language, written):
    text = SampleDashboard(rows=10_000).send("/identity/domains/", **{"Accept-Language": language}).text
    assert written in text
    panel = next(panel for panel in PANELS if panel.path == "/project/instances")
    text = SampleDashboard().send(f"{panel.path}/{first(panel)}/?tab=metrics", **{"Accept-Language": language}).text
    assert written.replace("10", "123").replace("000", "456") in text and "123456" not in text
    assert languages.decimal(1234567.25, "en", 2) == "1,234,567.25"


# The ids of what has a name in the sample cloud.
KNOWN = {str(row["id"]) for _, _, of in LISTS.values() for row in map(of, range(25)) if {"id", "name"} <= set(row)}
_CELL = re.compile(r'(?:data-label="([^"]*)"[^>]*>|<dt>([^<]*)</dt><dd>)(.*?)</(?:td|dd)>', re.S)


def ids(page: str) -> dict[str, str]:
    """{heading: an id that is shown beneath it, of something that has a name}"""
    found = {}
    for label, term, cell in _CELL.findall(page):
        text = html.unescape(re.sub("<[^>]*>", "", cell)).strip()
        if len(text) > 30 and text in KNOWN and (label or term) != "ID":
            found[label or term] = text
    return found


def test_what_has_a_name_is_shown_by_it():
    dashboard, found = SampleDashboard(), {}
    for panel in PANELS:
        for path in (f"{panel.path}/", *(f"{panel.path}/{first(panel)}/?tab={tab.name}" for tab in panel.tabs)):
            if shown := ids(dashboard.send(path).text):
                found[path] = shown
    assert not found
