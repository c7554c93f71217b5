"""The agent's pull: a failure that stays is tried less and less often, and a change is tried at once."""

import threading
import time
import types
import unittest.mock

from common import errors
from network.agent.service import Manager, NetworkAgent, Resync


def agent(apply, monkeypatch):
    made = NetworkAgent.__new__(NetworkAgent)
    made.conf, made.stop_event, made.lock, made.plugged = types.SimpleNamespace(host="h"), threading.Event(), threading.Lock(), 0
    made.network = unittest.mock.MagicMock()
    made.dataplane = types.SimpleNamespace(apply=apply)
    made.resyncer = Resync(made)
    return made


def runs(resyncer, seconds: float, clock) -> list[float]:
    """When it runs in so much time, by a clock that goes as fast as it waits."""
    begun, end = [], clock.now + seconds
    while clock.now < end:
        try:
            resyncer.run_once()
        except errors.Error:
            pass
        begun.append(clock.now)
        clock.now += resyncer.interval_s
    return begun


class Clock:
    """Time that passes where it is waited for; an event that is set at given moments."""

    def __init__(self, *changes: float):
        self.now, self.changes, self.is_set = 0.0, sorted(changes), True

    def wait(self, timeout: float) -> bool:
        until = self.now + timeout
        if self.changes and self.changes[0] <= until and not self.is_set:
            self.now, self.is_set = max(self.now, self.changes.pop(0)), True
        if not self.is_set:
            self.now = until
        return self.is_set

    def clear(self):
        self.is_set = False


def test_a_failure_that_stays_backs_off_to_a_minute(monkeypatch):
    def fail(state):
        raise errors.StepFailed(reason="Physical network x has no bridge on this host.")
    clock = Clock(300.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    made = agent(fail, monkeypatch)
    made.resyncer.wanted = clock
    begun = runs(made.resyncer, 600, clock)
    waits = [round(b - a) for a, b in zip(begun, begun[1:])]
    assert waits[:6] == [1, 2, 4, 8, 16, 32] and set(waits[6:9]) == {60}
    at = begun.index(300.0)
    assert [round(b - a) for a, b in zip(begun[at:], begun[at + 1:])][:3] == [1, 2, 4], "a change begins anew"
    assert len(begun) < 30


def test_what_works_runs_each_minute(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    made = agent(lambda state: None, monkeypatch)
    made.resyncer.wanted = clock
    assert len(runs(made.resyncer, 600, clock)) in (10, 11)


def test_a_plug_is_never_overtaken_by_an_older_state(monkeypatch):
    applied = []
    made = agent(lambda state, partial=False: applied.append(partial), monkeypatch)
    made.dataplane.networks = lambda: set()

    def pulled(ctx, host):
        if not applied:
            Manager(made).plug(None, {"networks": [], "ports": [], "groups": {}})
        return {}
    made.network.get_state.side_effect = pulled
    made.resync()
    assert applied == [True, False] and made.network.get_state.call_count == 2
