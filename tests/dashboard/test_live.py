"""Live refresh: a page is told that something of a kind has changed in its project, and nothing else."""

import contextlib
import dataclasses
import threading

import msgspec
import pytest
import urllib3

from common import errors
from common.changes import kind_of, project_of
from common.context import Context
from common.periodic import wait_for
from common.rpcapi import Change
from dashboard import live
from dashboard.live import Streams
from tests.conftest import new_member
from tests.dashboard.apis import ACTIVE, OTHER, PROJECT, Dashboard
from tests.dashboard.browser import Browser
from tests.functional.test_stories import server_body, wait_status

EVENTS = {"Accept": "text/event-stream"}
PLAIN = dataclasses.replace(ACTIVE, admin=False)
ELSEWHERE = dataclasses.replace(PLAIN, project_id=OTHER, id="another")


@pytest.fixture
def over() -> set[str]:
    """The ids of sessions that have ended."""
    return set()


@pytest.fixture
def streams(over):
    return Streams(lambda session: session.id in over, lambda session: session.id not in over)


def told(stream) -> set[str]:
    return stream.kinds


@pytest.mark.parametrize(("event", "kind"), [
    ("compute.instance.create.end", "servers"), ("volume.delete.end", "volumes"), ("image.upload", "images"),
    ("identity.user.created", "users"), ("security_group.update.end", "security_groups"),
    ("floatingip.create.end", "floatingips"), ("l3.meter", "metering_labels")])
def test_an_event_is_about_a_kind(event, kind):
    assert kind_of(event) == kind
    msgspec.convert({"kind": kind_of(event), "project_id": PROJECT}, Change)  # or else watchers refuse the whole message


def test_a_change_belongs_to_the_project_of_what_changed():
    ctx = Context(project_id="callers")
    assert project_of(ctx, {"tenant_id": "of-row"}) == "of-row" == project_of(ctx, {"network": {"project_id": "of-row"}})
    assert project_of(ctx, {"network_id": "n"}) == "callers" and project_of(None, {}) is None


def test_a_stream_is_told_of_its_own_project_only(streams):
    mine, theirs = streams.open(PLAIN, everyone=False), streams.open(ELSEWHERE, everyone=False)
    streams.publish([{"kind": "servers", "project_id": PROJECT}, {"kind": "volumes", "project_id": OTHER},
                     {"kind": "users", "project_id": None}])
    assert told(mine) == {"servers"} and told(theirs) == {"volumes"}


def test_only_an_administrator_is_told_of_every_project(streams):
    admin, plain = streams.open(ACTIVE, everyone=True), streams.open(PLAIN, everyone=True)
    streams.publish([{"kind": "servers", "project_id": OTHER}])
    assert told(admin) == {"servers"} and not told(plain)


def test_an_event_has_kinds_and_nothing_else(streams):
    events = streams.events(streams.open(PLAIN, everyone=False))
    assert next(events) == b"retry: 3000\n\n"
    streams.publish([{"kind": "volumes", "project_id": PROJECT}, {"kind": "servers", "project_id": PROJECT}])
    assert next(events) == b"event: changed\ndata: servers volumes\n\n"


def test_a_stream_ends_with_its_session(streams, over):
    events = streams.events(streams.open(PLAIN, everyone=False))
    next(events)
    over.add(PLAIN.id)
    streams.publish([{"kind": "servers", "project_id": PROJECT}])
    assert list(events) == [] and len(streams) == 0


def test_a_logout_in_one_process_ends_the_streams_of_all(monkeypatch):
    """Two processes of the dashboard on one bus, and a cookie that the second still has."""
    processes: list[Dashboard] = []

    def tell(session_id: str, until: float) -> None:
        for each in processes:
            live.Manager(each.service.streams, each.service.ended).session_ended(Context(), session_id, until)
    for _ in range(2):
        processes.append(Dashboard({"GET /v3/auth/projects": {"projects": []}, "DELETE /v3/auth/tokens": {}}))
        processes[-1].service.ended._tell = tell
    first, second = processes
    events = second.service.streams.events(second.service.streams.open(second.active, everyone=False))
    other = second.service.streams.open(ELSEWHERE, everyone=False)
    next(events)
    first.send("/auth/logout/", [])
    assert list(events) == [] and not other.ended
    assert "/auth/login/" in second.send("/project/").location


def test_a_stream_asks_identity_now_and_then(streams, over, monkeypatch):
    """What ends a session elsewhere, such as a change of the password, may never be told here."""
    asked = []
    streams = Streams(lambda session: False, lambda session: asked.append(session.id) or session.id not in over)
    monkeypatch.setattr(live, "BEAT_S", 0.01)
    events = streams.events(streams.open(PLAIN, everyone=False))
    assert next(events) and next(events) == b":\n\n" == next(events) and not asked
    monkeypatch.setattr(live, "ASKED_S", 0.0)
    assert next(events) == b":\n\n" and asked == [PLAIN.id]
    over.add(PLAIN.id)
    assert list(events) == [] and len(streams) == 0


@pytest.mark.parametrize(("row", "project"), [({"tenant_id": OTHER}, OTHER), ({}, PROJECT)])
def test_what_the_dashboard_changes_is_told_to_the_pages_of_its_project(row, project):
    """Also of kinds of which no service tells."""
    where = f"/v2.1/os-server-groups/{PROJECT}"
    dashboard = Dashboard({f"GET {where}": {"server_group": {"id": PROJECT, "name": "g", "policy": "affinity", **row}},
                           f"DELETE {where}": {}})
    dashboard.send(f"/project/server_groups/{PROJECT}/delete/", [])
    assert dashboard.noted == [("server_groups", project)]


def test_what_is_refused_is_no_change():
    dashboard = Dashboard({})
    assert dashboard.send("/project/server_groups/create/", [("name", "g"), ("policy", "affinity")]).status_int == 404
    assert not dashboard.noted


def test_a_stream_of_a_page_that_was_left_is_forgotten(streams):
    events = streams.events(streams.open(PLAIN, everyone=False))
    next(events)
    events.close()
    assert len(streams) == 0


def test_a_stream_that_nobody_reads_is_forgotten():
    dashboard = Dashboard({"GET /v3/auth/projects": {"projects": []}})
    assert dashboard.send("/live/", method="HEAD", **EVENTS).status_int == 200
    assert len(dashboard.service.streams) == 0


def test_a_session_has_few_streams_and_the_newest_counts(streams):
    opened = [streams.open(PLAIN, everyone=False) for _ in range(live.MOST_OF_SESSION + 2)]
    assert [stream.ended for stream in opened] == [True, True, *[False] * live.MOST_OF_SESSION]
    assert list(streams.events(opened[0])) == [b"retry: 3000\n\n"], "it ends"


def test_a_process_has_so_many_streams(streams, monkeypatch):
    monkeypatch.setattr(live, "MOST", 2)
    first = streams.open(PLAIN, everyone=False)
    streams.open(ELSEWHERE, everyone=False)
    with pytest.raises(errors.ServiceUnavailable):
        streams.open(dataclasses.replace(PLAIN, id="a-third"), everyone=False)
    streams.open(PLAIN, everyone=False)
    assert first.ended, "a session may exchange its own"


def test_without_the_bus_there_are_no_streams(streams, monkeypatch):
    events = streams.events(streams.open(PLAIN, everyone=False))
    next(events)
    monkeypatch.setattr(live, "SILENT_S", -1.0)
    assert list(events) == [], "those that are open end"


def test_a_silent_bus_refuses_further_streams(streams, monkeypatch):
    streams.open(PLAIN, everyone=False)
    monkeypatch.setattr(live, "SILENT_S", -1.0)
    with pytest.raises(errors.ServiceUnavailable):
        streams.open(ELSEWHERE, everyone=False)


def test_only_an_event_source_that_is_logged_in_gets_it():
    dashboard = Dashboard({"GET /v3/auth/projects": errors.Unauthorized()})
    assert dashboard.send("/live/").status_int == 404
    assert dashboard.send("/live/", **EVENTS).location.endswith("/auth/login/?next=/live/"), "its token was revoked"
    dashboard.service.ended.add(dashboard.active)
    assert "/auth/login/" in dashboard.send("/live/", **EVENTS).location


def test_a_page_of_another_region_has_no_stream_of_this_one():
    """It would hear of nothing, and ask the less often for it."""
    dashboard = Dashboard({"GET /v3/auth/projects": {"projects": []}})
    dashboard.active = dataclasses.replace(ACTIVE, region="Elsewhere", regions=["Elsewhere", "RegionOne"])
    assert dashboard.send("/live/", **EVENTS).status_int == 503 and len(dashboard.service.streams) == 0


@contextlib.contextmanager
def stream_of(browser: Browser, query: str = ""):
    """What a stream says, line by line, in a list that grows."""
    headers = {**EVENTS, "Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
    answer = browser.pool.request("GET", f"{browser.base}/live/{query}", headers=headers, preload_content=False, timeout=60)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
    lines: list[str] = []

    def read() -> None:
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
            for part in answer.stream(1):
                lines.append(part.decode())
    threading.Thread(target=read, daemon=True).start()
    wait_for(lambda: "retry" in "".join(lines), 10, what="the stream")
    yield lambda: "".join(lines)
    answer.close()


def test_services_tell_the_pages_of_a_project(cloud, base, browser):
    """A server that was built, and a volume; somebody of another project hears nothing of them."""
    new_member(cloud)
    stranger = Browser(base).log_in("mallory", "pw")
    with stream_of(browser) as heard, stream_of(stranger, "?everyone") as overheard:
        server = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "told"))["server"]["id"]
        wait_status(cloud.client, server)
        wait_for(lambda: "servers" in heard(), 10, what="the word that it was built")
        cloud.client.call("volume", "POST", "/volumes", {"volume": {"name": "told", "size": 1}})
        wait_for(lambda: "volumes" in heard(), 10, what="the word of the volume")
        assert "told" not in heard() and server not in heard()
        cloud.client.call("compute", "DELETE", f"/servers/{server}")
        assert "changed" not in overheard()
    browser.open("/project/").post("/auth/logout/")
