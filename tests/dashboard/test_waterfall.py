"""The steps of an instance's action, in time."""

import datetime
import re

from dashboard.filters import duration
from dashboard.waterfall import steps
from tests.dashboard.apis import Dashboard
from tests.dashboard.browser import words
from tests.dashboard.test_menus import ID, SERVER

NOW = datetime.datetime(2026, 11, 28, 11, 0, 10)


def event(name: str, begun: float, ended: float | None, result: str | None = "Success", **more) -> dict:
    def at(second: float) -> str:
        return f"2026-11-28T11:00:{second:09.6f}"
    return {"event": name, "start_time": at(begun), "finish_time": None if ended is None else at(ended), "result": result, **more}


def test_steps_stand_where_they_were_in_time():
    found, whole = steps([event("spawn", 3, 4), event("schedule", 0, 1), event("network", 1, 3)])
    assert [(s.name, s.x, s.width, s.seconds) for s in found] == [
        ("schedule", 0, 25, 1), ("network", 25, 50, 2), ("spawn", 75, 25, 1)]
    assert whole == 4


def test_a_step_without_an_end_still_runs():
    (found,), whole = steps([event("spawn", 5, None, None)], NOW)
    assert (found.seconds, found.result, found.width, whole) == (None, "running", 100, 5)


def test_what_takes_no_time_is_seen_and_stays_inside():
    found, _ = steps([event("long", 0, 10), event("moment", 10, 10)])
    assert found[1].width > 0 and found[1].x + found[1].width <= 100


def test_clocks_of_hosts_that_differ_do_no_harm():
    (one, other), _ = steps([event("first", 5, 4), event("second", 6, 6.5)])
    assert one.seconds == 0 and other.x + other.width <= 100


def test_nothing_has_no_steps():
    assert steps([]) == ([], 0)


def test_durations_are_read_by_people():
    assert [duration({"language": "en"}, n) for n in (0.0123, 1.5, 75, 7265)] == [
        "12 ms", "1.50 s", "1 min 15 s", "2 h 1 min"]
    assert duration({"language": "de"}, 1.5) == "1,50 s"


def test_the_page_of_an_instance_shows_the_steps_of_a_request():
    actions = f"/v2.1/servers/{ID}/os-instance-actions"
    action = {"action": "create", "request_id": "req-1", "user_id": "u1", "message": None,
              "start_time": "2026-11-28T11:00:00.000000"}
    dashboard = Dashboard({f"GET /v2.1/servers/{ID}": {"server": SERVER}, f"GET {actions}": {"instanceActions": [action]},
                           f"GET {actions}/req-1": {"instanceAction": {**action, "events": [
                               event("schedule", 0, 1), event("spawn", 1, 4, "Error", traceback="no disk", host="host-1")]}}})
    text = dashboard.send(f"/project/instances/{ID}/?tab=actions&request=req-1").text
    assert "Steps of create, 4.00 s" in words(text) and "no disk" in text and "host-1" in text
    assert re.findall(r'<rect x="([\d.]+)" y="1" width="([\d.]+)"', text) == [("0.0", "25.0"), ("25.0", "75.0")]
    assert "pileus trace req-1" in words(text)
    assert f'hx-get="/project/instances/{ID}/?tab=actions&amp;request=req-1"' in text, "a refresh shows the same"


def test_metrics_of_an_instance_that_runs():
    disk = {"read_bytes": 1048576, "read_requests": 3, "write_bytes": 0, "write_requests": 0, "errors_count": -1}
    nic = {"mac_address": "fa:16:3e:00:00:01", "rx_octets": 2048, "rx_packets": 4, "rx_drop": 0, "tx_octets": 1, "tx_packets": 1,
           "tx_drop": 0}
    of = {"uptime": 7265, "num_cpus": 1, "memory_details": {"maximum": 512, "used": 200}, "disk_details": [disk],
          "cpu_details": [{"id": 0, "time": 2_500_000_000}], "nic_details": [nic]}
    dashboard = Dashboard({f"GET /v2.1/servers/{ID}": {"server": SERVER}, f"GET /v2.1/servers/{ID}/diagnostics": of})
    text = words(dashboard.send(f"/project/instances/{ID}/?tab=metrics").text)
    assert "2 h 1 min" in text and "2.50 s" in text and "1 MiB 3" in text and "fa:16:3e:00:00:01 2 KiB 4" in text


def test_metrics_that_the_api_refuses_leave_a_page():
    answer = Dashboard({f"GET /v2.1/servers/{ID}": {"server": SERVER}}).send(f"/project/instances/{ID}/?tab=metrics")
    assert answer.status_int == 200 and "only administrators see them" in answer.text
