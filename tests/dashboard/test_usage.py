"""Usage of a project and of all projects."""

import datetime
import re
import sys

import pytest

from dashboard.usage import MOST_PARTS, Period, parts
from tests.dashboard.apis import OTHER, PROJECT, Dashboard
from tests.dashboard.browser import words

DAY = datetime.date(2026, 11, 1)
NOW = datetime.datetime(2026, 11, 3, 12)
OWN = f"GET /v2.1/os-simple-tenant-usage/{PROJECT}"


def server(name: str, begun: str, ended: str | None, **more) -> dict:
    return {"instance_id": f"id-{name}", "name": name, "flavor": "small", "vcpus": 2, "memory_mb": 2048, "local_gb": 10,
            "hours": 1.0, "started_at": begun, "ended_at": ended, "state": "active", "uptime": 1, **more}


def usage(*servers: dict, project: str = PROJECT) -> dict:
    return {"tenant_id": project, "server_usages": list(servers), "total_vcpus_usage": 5.0, "total_memory_mb_usage": 2048.0,
            "total_local_gb_usage": 10.0, "total_hours": 2.5}


def days(count: int) -> Period:
    return Period.of_days(DAY, DAY + datetime.timedelta(days=count - 1))


def test_use_is_divided_among_the_days():
    found = parts([server("a", "2026-11-01T18:00:00.000000", "2026-11-03T06:00:00.000000")], days(3), NOW)
    assert [(p.vcpu, p.ram, p.disk, p.instance) for p in found] == [(12, 12, 60, 6), (48, 48, 240, 24), (12, 12, 60, 6)]


def test_what_was_before_and_will_be_after_the_period_does_not_count():
    found = parts([server("a", "2026-10-01T00:00:00", "2026-12-01T00:00:00")], days(3), NOW)
    assert [p.instance for p in found] == [24, 24, 12], "until now"


def test_what_still_runs_has_run_until_now():
    assert parts([server("a", "2026-11-03T11:00:00", None)], days(3), NOW)[-1].instance == 1


def test_short_periods_have_hours_and_long_ones_few_parts():
    assert len(parts([], days(1), NOW)) == 24 and days(2).step() == datetime.timedelta(hours=1)
    assert days(3).step() == datetime.timedelta(days=1)
    assert len(parts([], days(3650), datetime.datetime(2040, 1, 1))) <= MOST_PARTS


def test_use_in_parts_adds_up_to_all_use():
    """Servers of every length, as a plain sum over hours finds it."""
    at = [datetime.datetime(2026, 10, 30) + datetime.timedelta(minutes=97 * n) for n in range(130)]
    servers = [server(str(n), at[n].isoformat(), at[(n * 7) % 130].isoformat() if n % 5 else None) for n in range(130)]
    for period in (days(1), days(2), days(4), days(300)):
        found = parts(servers, period, NOW)
        for part in found:
            end, used = min(part.start + period.step(), period.end, NOW), datetime.timedelta()
            for one in servers:
                begun = datetime.datetime.fromisoformat(one["started_at"])
                ended = datetime.datetime.fromisoformat(one["ended_at"]) if one["ended_at"] else NOW
                used += max(datetime.timedelta(), min(ended, end) - max(begun, part.start))
            hours = used.total_seconds() / 3600
            assert (part.vcpu, part.ram, part.disk, part.instance) == pytest.approx(
                (2 * hours, 2 * hours, 10 * hours, hours), abs=0.01)


def test_many_servers_are_added_up_quickly_and_let_others_have_their_turn(monkeypatch):
    """The work is that of the servers, not of servers and parts; a process has many pages to serve."""
    turns, steps = [], []
    monkeypatch.setattr("dashboard.usage.time.sleep", lambda seconds: turns.append(seconds))
    servers = [server(str(n), "2026-08-01T00:00:00", None) for n in range(2000)]
    sys.setprofile(lambda frame, event, of: steps.append(event))
    try:
        parts(servers, days(92), datetime.datetime(2027, 3, 1))
    finally:
        sys.setprofile(None)
    assert len(turns) == 4 and len(steps) < 2000 * 40


def test_a_period_that_begins_tomorrow_has_no_parts():
    assert parts([], Period.of_days(NOW.date() + datetime.timedelta(days=1), NOW.date() + datetime.timedelta(days=9)), NOW) == []


def test_the_page_shows_sums_and_asks_for_its_period():
    asked: list[dict] = []

    def answer(query: dict) -> dict:
        asked.append(query)
        return {"tenant_usage": usage(server("web", "2026-11-01T00:00:00.000000", None))}
    text = Dashboard({OWN: answer}).send("/project/usage/?from=2026-11-01&to=2026-11-04").text
    assert asked == [{"start": "2026-11-01T00:00:00", "end": "2026-11-05T00:00:00"}]
    assert "VCPU hours 5.00" in words(text) and "RAM GiB hours 2.00" in words(text) and "web" in words(text)
    assert len(re.findall(r"data-at=", text)) >= 4


def test_all_pages_of_the_api_are_added_up():
    def answer(query: dict) -> dict:
        first = "marker" not in query
        more = {"tenant_usage_links": [{"rel": "next", "href": "http://c/x?marker=id-a"}]} if first else {}
        return {"tenant_usage": usage(server("a" if first else "b", "2026-11-01T00:00:00", None)), **more}
    text = words(Dashboard({OWN: answer}).send("/project/usage/").text)
    assert "VCPU hours 10.00" in text


def test_a_project_without_instances_has_used_nothing():
    answer = Dashboard({OWN: {"tenant_usage": {}}}).send("/project/usage/")
    assert answer.status_int == 200 and "VCPU hours 0.00" in words(answer.text)


@pytest.mark.parametrize(("query", "text"), [
    ("from=yesterday&to=2026-11-02", "Enter dates"), ("from=2026-11-09&to=2026-11-02", "after the last"),
    ("from=9999-12-31&to=9999-12-31", "Enter dates")])
def test_a_period_that_is_none_is_shown_again(query, text):
    answer = Dashboard({OWN: {"tenant_usage": {}}}).send(f"/project/usage/?{query}")
    assert answer.status_int == 400 and text in answer.text
    assert f'value="{query[5:].partition("&")[0]}"' in answer.text


def test_csv_has_every_instance_and_no_formula():
    found = usage(*(server(name, "2026-11-01T00:00:00", None) for name in (*(f"s{n}" for n in range(150)), "=1+1")))
    dashboard = Dashboard({OWN: {"tenant_usage": found}})
    answer = dashboard.send("/project/usage/?format=csv")
    assert answer.content_type == "text/csv" and len(answer.text.splitlines()) == 152 and "'=1+1" in answer.text
    assert "51 more are in the CSV" in words(dashboard.send("/project/usage/").text)


def test_the_usage_of_all_projects_is_the_administrators():
    answers = {"GET /v3/projects": {"projects": [{"id": PROJECT, "name": "mine"}]}, "GET /v2.1/os-simple-tenant-usage": {
        "tenant_usages": [usage(server("a", "2026-11-01T00:00:00", None)), usage(server(
            "b", "2026-11-01T00:00:00", None), project=OTHER)]}}
    text = Dashboard(answers).send("/admin/usage/").text
    assert "VCPU hours 10.00" in words(text) and ">mine</a>" in text and OTHER in text
    assert "data-at=" in Dashboard(answers).send("/admin/usage/?by_time=1").text
    assert Dashboard(answers).send("/admin/usage/?format=csv").text.splitlines()[1].startswith(f"{PROJECT},mine,5.0,2.0,")
    assert Dashboard(answers, admin=False).send("/admin/usage/").status_int == 403


def test_the_sums_of_all_projects_need_no_server():
    """Every server is asked for only by what shows the time, after the page is there."""
    asked: list[dict] = []

    def answer(query: dict) -> dict:
        asked.append(query)
        found = usage(server("a", "2026-11-01T00:00:00", None))
        if query["detailed"] == "0":
            del found["server_usages"]
        more = {"tenant_usages_links": [{"rel": "next", "href": "http://c/x?marker=id-a"}]} if "marker" not in query else {}
        return {"tenant_usages": [found], **more}
    dashboard = Dashboard({"GET /v3/projects": {"projects": []}, "GET /v2.1/os-simple-tenant-usage": answer})
    text = dashboard.send("/admin/usage/?from=2026-11-01&to=2026-11-04").text
    assert "VCPU hours 10.00" in words(text) and [query["detailed"] for query in asked] == ["0", "0"], "both pages"
    later = 'hx-get="/admin/usage/?from=2026-11-01&amp;to=2026-11-04&amp;by_time=1" hx-trigger="load" hx-select="#usage"'
    assert later in text and "data-at=" not in text
    text = dashboard.send("/admin/usage/?from=2026-11-01&to=2026-11-04&by_time=1").text
    assert "data-at=" in text and asked[-1]["detailed"] == "1" and "hx-trigger" not in text.partition("<main")[2]
