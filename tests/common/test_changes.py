"""What daemons tell those who watch."""

import threading
import time
import types

from common import changes, errors
from common.changes import Changes
from common.periodic import wait_for


def made(monkeypatch, send) -> Changes:
    monkeypatch.setattr(changes, "WatchersAPI", lambda conf: types.SimpleNamespace(changed=send))
    monkeypatch.setattr(changes, "COLLECT_S", 0.05)
    return Changes(None)


def test_changes_of_a_moment_are_one_message_without_repeats(monkeypatch):
    sent: list[list] = []
    noted = made(monkeypatch, lambda ctx, found: sent.append(found))
    for _ in range(100):
        noted.note("servers", "p")
    noted.note("volumes", None)
    wait_for(lambda: sent, 30, every_s=0.01)
    time.sleep(0.15)
    assert sent == [[{"kind": "servers", "project_id": "p"}, {"kind": "volumes", "project_id": None}]]
    noted.note("servers", "p")
    wait_for(lambda: len(sent) == 2, 30, every_s=0.01, what="a change after a pause")


def test_a_bus_that_is_away_stops_nothing_and_has_one_thread(monkeypatch):
    blocked, tried = threading.Event(), []

    def send(ctx, found):
        tried.append(found)
        blocked.wait(5)
        raise errors.ServiceUnavailable(part="the message bus")
    noted = made(monkeypatch, send)
    noted.note("servers", "p")
    wait_for(lambda: tried, 30, every_s=0.01)
    for n in range(20):
        noted.note(f"kind{n}", "p")
    time.sleep(0.15)
    assert len(tried) == 1 and sum(thread.name == "changes" for thread in threading.enumerate()) == 1
    blocked.set()
    wait_for(lambda: len(tried) == 2, 30, every_s=0.01, what="what came meanwhile")
    assert len(tried[1]) == 20
