"""An agent's replica: numbered changes in any order, doubled or lost."""

import itertools
import time

import pytest

from network.agent import replica
from network.agent.replica import Replica

EMPTY: dict = {"networks": [], "ports": [], "groups": {}, "routers": [], "hosts": [], "sequence": 0}
NETWORK = {"id": "n", "serves": False, "peers": []}


def change(*numbers: int, **more) -> dict:
    return {"sequences": list(numbers), "networks": {}, "ports": {}, "routers": {}, "groups": {}, "whole": [], **more}


def port(port_id: str = "p", **more) -> dict:
    return {"id": port_id, "network_id": "n", "here": True, "security_groups": [], **more}


@pytest.fixture
def known() -> Replica:
    made = Replica()
    made.pulled(EMPTY)
    made.offer(change(1, networks={"n": NETWORK}))
    return made


def mac(known: Replica, port_id: str = "p"):
    return next((p["mac"] for p in known.state()["ports"] if p["id"] == port_id), None)


@pytest.mark.parametrize("order", list(itertools.permutations((2, 3, 4))))
def test_changes_in_any_order_end_with_the_newest(known, order):
    for number in order:
        for _ in range(2):
            known.offer(change(number, ports={"p": port(mac=number)}))
    assert mac(known) == 4 and known.sequence == 4 and known.pull_in_s() is None


def test_a_change_for_several_numbers_has_its_turn_with_the_last(known):
    known.offer(change(2, 4, ports={"p": port(mac=4)}))
    assert known.sequence == 2 and mac(known) is None
    known.offer(change(3, ports={"p": port(mac=3)}))
    assert known.sequence == 4 and mac(known) == 4


def test_an_urgent_change_is_there_at_once_and_outlives_older_ones(known):
    known.offer(change(4, ports={"p": port(mac=4)}), urgent=True)
    assert mac(known) == 4 and known.sequence == 1
    for number in (2, 3):
        known.offer(change(number, ports={"p": port(mac=number)}))
        assert mac(known) == 4
    assert known.sequence == 4


def test_a_gap_is_waited_for_and_then_pulled_over(known, monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    known.offer(change(3, ports={"p": port(mac=3)}))
    assert known.pull_in_s() == replica.WAIT_S
    now += replica.WAIT_S
    assert known.pull_in_s() == 0
    known.pulled({**EMPTY, "networks": [NETWORK], "ports": [port(mac=9)], "sequence": 3})
    assert known.pull_in_s() is None and mac(known) == 9
    assert not known.offer(change(2, ports={"p": None})), "it came with the pull"
    assert mac(known) == 9


def test_a_heartbeat_that_says_more_shows_a_gap_and_one_that_says_less_has_all_pulled(known):
    known.expect(1)
    assert known.pull_in_s() is None
    known.expect(2)
    assert known.pull_in_s() is not None
    known.offer(change(2))
    assert known.pull_in_s() is None
    known.expect(1)
    assert known.sequence is None, "network-api has lost something: its database was restored"


def test_what_no_port_here_needs_is_left_out(known):
    rules = [{"remote_group_id": "remote"}]
    known.offer(change(2, ports={"p": port(mac=1, security_groups=["own"]), "far": port("far", mac=2, here=False)}, groups={
        "own": {"rules": rules}, "remote": {"rules": [], "members": ["192.0.2.1"], "only_members": True},
        "other": {"rules": []}}))
    assert set(known.state()["groups"]) == {"own", "remote"} and mac(known, "far") is None
    known.offer(change(3, networks={"n": {**NETWORK, "serves": True}}))
    assert mac(known, "far") == 2
    known.offer(change(4, ports={"p": None, "far": None}))
    assert known.state()["networks"] == [] and known.state()["groups"] == {}


def test_members_alone_leave_the_rules_of_a_group(known):
    own = {"rules": [{"remote_group_id": "own"}], "members": []}
    known.offer(change(2, ports={"p": port(mac=1, security_groups=["own"])}, groups={"own": own}))
    known.offer(change(3, groups={"own": {"rules": [], "members": ["192.0.2.1"], "only_members": True}}))
    assert known.state()["groups"]["own"] == {**own, "members": ["192.0.2.1"]}


def test_an_api_of_the_release_before_does_not_count():
    made = Replica()
    made.pulled({k: v for k, v in EMPTY.items() if k != "sequence"})
    assert made.sequence is None and made.pull_in_s() is None
    assert made.offer(change(networks={"n": NETWORK}, ports={"p": port(mac=1)}), urgent=True)
    assert mac(made) == 1
