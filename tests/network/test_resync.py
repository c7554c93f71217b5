"""The agent's pull: a failure that stays is tried less and less often, and a change is tried at once."""

import threading
import time
import types
import unittest.mock

import pytest

from common import errors
from network.agent import backoff, service
from network.agent.dataplane import LinuxDataplane
from network.agent.replica import Replica
from network.agent.service import Manager, NetworkAgent, Resync

EMPTY: dict = {"networks": [], "ports": [], "groups": {}, "routers": [], "hosts": [], "sequence": 0}
PLUG: dict = {"networks": [], "ports": [], "groups": {}}


def agent(apply, monkeypatch):
    made = NetworkAgent.__new__(NetworkAgent)
    made.conf, made.stop_event, made.lock, made.plugged = types.SimpleNamespace(host="h"), threading.Event(), threading.Lock(), 0
    made.network = unittest.mock.MagicMock()
    made.dataplane = types.SimpleNamespace(apply=apply, retry_s=lambda: None, whole=True)
    made.applied = threading.Event()
    made.replica = Replica()
    made.network.get_state.return_value = EMPTY
    monkeypatch.setattr(backoff, "jittered", lambda seconds: seconds)
    monkeypatch.setattr(service, "jittered", lambda seconds: seconds)
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
    made.resync(pull=True)

    def pulled(ctx, host):
        if applied == [False]:
            Manager(made).plug(None, PLUG)
        return EMPTY
    made.network.get_state.side_effect = pulled
    made.resync(pull=True)
    assert applied == [False, True, False] and made.network.get_state.call_count == 3


def test_a_plug_waits_for_the_first_whole_state(monkeypatch):
    """With the filters of its port alone, those of all other guests would go."""
    applied = []
    made = agent(lambda state, partial=False: applied.append(partial), monkeypatch)
    made.dataplane.networks = lambda: set()
    made.resyncer.pull.clear()
    monkeypatch.setattr(service, "FIRST_S", 0.01)
    with pytest.raises(errors.StepFailed, match="not set up yet"):
        Manager(made).plug(None, PLUG)
    assert not applied and made.resyncer.pull.is_set() and made.resyncer.wanted.is_set()
    monkeypatch.setattr(service, "FIRST_S", 20)
    plug = threading.Thread(target=Manager(made).plug, args=(None, PLUG))
    plug.start()
    made.dataplane.whole = False  # it broke off at its beginning
    made.resync(pull=True)
    assert not made.applied.wait(0.05)
    made.dataplane.whole = True
    made.resync(pull=True)
    plug.join(20)
    assert applied == [False, False, True]


NETWORK = {"type": "vxlan", "segment": 7, "mtu": 1450, "peers": [],
           "serves": False, "dhcp_port": None, "subnets": [], "physical": None}
GOOD, BAD = ({**NETWORK, "id": f"{n}1111111-1111-4111-8111-111111111111"} for n in "12")


class Plane(LinuxDataplane):
    """A data plane of which only the bridges are made, and not of all networks."""

    def __init__(self):
        self.made: list[str] = []
        self.state = {"networks": [], "ports": [], "groups": {}, "routers": []}
        self.backoff, self.refused, self.closed = backoff.Backoff(), {}, None
        self._held, self._left = set(), set()
        self.metadata = unittest.mock.MagicMock()

    def _ensure_bridge(self, network, bridges):
        self.made.append(network["id"])
        if network["id"] == BAD["id"]:
            raise errors.StepFailed(reason="Physical network x has no bridge on this host.")
        bridges[network["id"]] = "br"

    def _filter(self, *args):
        pass

    def _remove_links(self, *args):
        pass

    def _clean(self, *args):
        pass

    def give(self, *networks, partial=False, ports=(), routers=()):
        """Apply a state of these; which bridges were made or tried."""
        self.made.clear()
        with unittest.mock.patch("network.agent.parsing.Parser") as parser:
            parser.return_value.refused = {}
            parser.return_value.state = lambda raw: raw
            self._apply({"networks": list(networks), "ports": list(ports), "groups": {}, "routers": list(routers)}, partial)
        return [n["id"] for n in (GOOD, BAD) if n["id"] in self.made]


def test_one_network_that_fails_is_tried_less_and_less_often_and_the_others_go_on(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(backoff, "jittered", lambda seconds: seconds)
    plane, tried = Plane(), 0
    for _ in range(600):
        found = plane.give(GOOD, BAD)  # each second something changes elsewhere
        assert GOOD["id"] in found
        tried += BAD["id"] in found
        now[0] += 1
    assert 10 < tried < 30
    assert plane.give(GOOD, {**BAD, "mtu": 1400}) == [GOOD["id"], BAD["id"]], "it is to look otherwise"
    assert plane.give(GOOD, {**BAD, "mtu": 1400}) == [GOOD["id"]]
    assert plane.retry_s() == backoff.FIRST_S
    assert plane.backoff.reasons() == {BAD["id"]: "the bridge: Physical network x has no bridge on this host."}
    plane.give(GOOD)
    assert plane.retry_s() is None


def test_a_failed_plug_is_reported_to_its_caller_at_once(monkeypatch):
    plane = Plane()
    plane.give(BAD)
    for _ in range(2):
        try:
            plane.give(BAD, partial=True)
            raise AssertionError("nobody heard of it")
        except errors.StepFailed as error:
            assert "no bridge" in str(error)
        assert plane.made == [BAD["id"]]


def test_hosts_that_fail_together_do_not_try_together():
    assert len({round(backoff.jittered(60)) for _ in range(50)}) > 10
    assert all(45 <= backoff.jittered(60) <= 75 for _ in range(50))


def test_a_part_that_failed_is_tried_again_without_a_change(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    made = agent(lambda state: None, monkeypatch)
    made.resyncer.wanted = clock
    made.dataplane.retry_s = lambda: 4.0
    begun = runs(made.resyncer, 60, clock)
    assert {round(b - a) for a, b in zip(begun, begun[1:])} == {4}
