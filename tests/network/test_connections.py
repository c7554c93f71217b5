"""Established connections end when the rule, the member or the address that allowed them is taken away, and only then."""

import contextlib
import copy
import os
import pathlib
import subprocess
import sys
import types

import pytest

from network.agent import connections, parsing, routers
from network.agent.connections import Ended
from tests.network.test_parsing import GROUP, NET, OTHER, PORT, STATE

ROOT = pathlib.Path(__file__).parents[2]
ZONE = 7
OWN, OTHERS = frozenset({"10.0.0.5", "fd00::5", "10.99.0.0/24"}), frozenset({"10.0.0.6"})


def allowed(raw: dict) -> connections.Allowed:
    from network.agent.filters import port_rules
    state = parsing.Parser().state(raw)
    return connections.allowed(state, lambda network_id: {NET: ZONE}[network_id],
                               lambda port: [line for v in (4, 6) for line in port_rules(port, state, v)])


@pytest.fixture
def ended():
    """What ends when a state is changed by a function."""
    def compute(change, first=STATE):
        before, after = copy.deepcopy(first), copy.deepcopy(first)
        change(after)
        return connections.ended(allowed(before), allowed(after))
    return compute


def test_nothing_ends_while_nothing_or_more_is_allowed(ended):
    assert ended(lambda state: None) == []
    more = {**STATE["groups"][GROUP]["rules"][0], "port_range_min": 80, "port_range_max": 80}
    assert ended(lambda state: state["groups"][GROUP]["rules"].append(more)) == []
    assert ended(lambda state: state["groups"][GROUP]["members"].append("10.0.0.77")) == []
    assert ended(lambda state: state["ports"].append({**STATE["ports"][1], "id": NET, "fixed_ips": []})) == []
    assert ended(lambda state: state["ports"].pop()) == []


def test_a_rule_that_is_deleted_ends_connections_of_the_ports_that_had_it(ended):
    assert ended(lambda state: state["groups"][GROUP]["rules"].pop(0)) == [Ended(ZONE, OWN), Ended(ZONE, OTHERS)]
    assert ended(lambda state: state["ports"][0].update(security_groups=[])) == [Ended(ZONE, OWN)]


def test_a_member_that_leaves_ends_connections_with_it(ended):
    found = ended(lambda state: state["groups"][GROUP].update(members=["fd00::5"]))
    assert found == [Ended(ZONE, OWN, frozenset({"10.0.0.5"})), Ended(ZONE, OTHERS, frozenset({"10.0.0.5"}))]


def test_an_address_that_is_taken_away_ends_connections(ended):
    assert ended(lambda state: state["ports"][0].update(allowed_address_pairs=[])) == [Ended(ZONE, OWN)]


def test_whole_networks_of_a_port_end_nothing_where_the_hosts_own_connections_are(ended):
    """Its owner chose them, and may have chosen all addresses."""
    physical = copy.deepcopy(STATE)
    physical["networks"][0].update(type="flat", physical="public", segment=None)
    physical["ports"][0]["allowed_address_pairs"].append({"ip_address": "10.0.0.99", "mac_address": "fa:16:3e:00:00:01"})
    for pair in ("0.0.0.0/0", "::/0"):
        physical["ports"][0]["allowed_address_pairs"].append({"ip_address": pair, "mac_address": "fa:16:3e:00:00:01"})
    found, = ended(lambda state: state["ports"][0].update(security_groups=[]), physical)
    assert (found.zone, {n.removesuffix("/32") for n in found.networks}) == (0, {"10.0.0.5", "fd00::5", "10.0.0.99"})


def test_many_ports_that_lose_one_peer_cost_one_question(monkeypatch):
    asked = []

    def entries(conntrack, family, zone, networks):
        asked.append((zone, sorted(map(str, networks.addresses))))
        return []
    monkeypatch.setattr(connections, "_entries", entries)
    monkeypatch.setattr(connections, "NFCTSocket", lambda **named: contextlib.nullcontext())
    ends = [Ended(ZONE, frozenset({f"10.0.0.{n}", f"fd00::{n}"}), frozenset({"10.0.9.9"})) for n in range(1, 99)]
    assert connections.forget(ends) and asked == [(ZONE, ["10.0.9.9"])]


def test_connections_of_whole_networks_are_asked_for_by_zone_or_by_their_peers(monkeypatch):
    """A host has those of all its networks in one table."""
    asked = []

    class Conntrack:
        def dump(self, **named):
            asked.append({name: value.saddr or value.daddr if name == "tuple_orig" else value for name, value in named.items()})
            return []
    monkeypatch.setattr(connections, "NFCTSocket", lambda **named: contextlib.nullcontext(Conntrack()))
    assert connections.forget([Ended(ZONE, frozenset({"10.0.0.0/8"}))]) and asked == [{"zone": ZONE}]
    asked.clear()
    assert connections.forget([Ended(ZONE, frozenset({"10.0.0.0/8"}), frozenset({"10.0.0.6", "10.0.0.7", "fd00::7"}))])
    assert asked == [{"tuple_orig": address, "zone": ZONE} for address in ("10.0.0.6", "10.0.0.6", "10.0.0.7", "10.0.0.7")]


def test_a_kernel_that_refuses_leaves_it_to_be_repeated(monkeypatch):
    def refuse(**named):
        raise OSError(93, "Protocol not supported")
    monkeypatch.setattr(connections, "NFCTSocket", refuse)
    assert connections.forget([]) and not connections.forget([Ended(ZONE, OWN)])


def test_floating_ips_whose_connections_could_not_be_ended_are_tried_again(monkeypatch, tmp_path):
    answers, asked = [False, True], []

    def forget(ends) -> bool:
        asked.append(ends)
        return answers.pop(0)
    monkeypatch.setattr(connections, "forget", forget)
    monkeypatch.setattr(routers, "in_namespace", lambda name, work: work())
    made = routers.Routers(types.SimpleNamespace(state_path=str(tmp_path)), None)
    made._end_connections("qrouter-1", {("172.24.4.20", "10.0.0.5"), ("172.24.4.21", "10.0.0.6")})
    for _ in range(3):
        made._end_connections("qrouter-1", {("172.24.4.21", "10.0.0.6")})
    assert asked == [[Ended(0, frozenset({"172.24.4.20", "10.0.0.5"}))]] * 2


def test_port_security_that_is_enabled_ends_what_was_never_checked(ended):
    open_ports = {**STATE, "ports": [{**p, "port_security_enabled": p["id"] == OTHER} for p in STATE["ports"]]}
    assert ended(lambda state: state["ports"][0].update(port_security_enabled=True), open_ports) == [Ended(ZONE, OWN)]


def test_a_port_that_is_closed_has_no_connections_left():
    state = parsing.Parser().state(copy.deepcopy(STATE))
    shut = {**state, "ports": [parsing.closed(p) if p["id"] == PORT else p for p in state["ports"]]}
    rules = {PORT: ["-A x -j ACCEPT"], OTHER: []}
    before = connections.allowed(state, lambda network_id: ZONE, lambda p: rules[p["id"]])
    now = connections.allowed(shut, lambda network_id: ZONE, lambda p: [])
    assert connections.ended(before, now) == [Ended(ZONE, OWN)]


SCRIPT = """
import socket
from pyroute2 import NFCTSocket
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple
from network.agent.connections import Ended, forget

def add(zone, one, other, protocol=6):
    family = socket.AF_INET6 if ":" in one else socket.AF_INET
    ends = NFCTAttrTuple(family=family, saddr=one, daddr=other, proto=protocol, sport=40000, dport=22)
    tcp = {"attrs": [["CTA_PROTOINFO_TCP", {"attrs": [["CTA_PROTOINFO_TCP_STATE", 3]]}]]}
    state = {"protoinfo": tcp} if protocol == 6 else {}
    with NFCTSocket(nfgen_family=family) as conntrack:
        conntrack.entry("add", timeout=300, zone=zone, tuple_orig=ends, tuple_reply=ends.reverse(), **state)

def there():
    found = set()
    for family in (socket.AF_INET, socket.AF_INET6):
        with NFCTSocket(nfgen_family=family) as conntrack:
            for entry in conntrack.dump():
                ends = NFCTAttrTuple.from_netlink(family, entry.get_attr("CTA_TUPLE_ORIG"))
                found.add((entry.get_attr("CTA_ZONE") or 0, ends.saddr, ends.daddr))
    return found

def ends_of(addresses, zone=0, peers=None):
    before = there()
    assert forget([Ended(zone, frozenset({each}), None if peers is None else frozenset(peers)) for each in addresses])
    return before - there()

for zone in (0, 7):
    add(zone, "10.0.0.2", "10.0.0.3")
    add(zone, "10.0.0.3", "10.0.0.2", 17)
    add(zone, "10.0.0.4", "10.0.0.3")
    add(zone, "fd00::2", "fd00::3")
assert ends_of({"10.0.0.9", "fd00::9"}) == set()
assert ends_of({"10.0.0.2"}, 7) == {(7, "10.0.0.2", "10.0.0.3"), (7, "10.0.0.3", "10.0.0.2")}
assert ends_of({"10.0.0.3"}, 0, {"10.0.0.4"}) == {(0, "10.0.0.4", "10.0.0.3")}
assert ends_of({"fd00::3"}, 7) == {(7, "fd00::2", "fd00::3")}
assert ends_of({"10.0.0.0/30"}, 0, {"10.0.0.3", "fd00::2"}) == {(0, "10.0.0.2", "10.0.0.3"), (0, "10.0.0.3", "10.0.0.2")}
assert there() == {(7, "10.0.0.4", "10.0.0.3"), (0, "fd00::2", "fd00::3")}
add(0, "10.0.0.4", "10.0.0.3")
assert ends_of({"10.0.0.0/24"}, 7) == {(7, "10.0.0.4", "10.0.0.3")}
assert ends_of({"10.0.0.0/24"}) == {(0, "10.0.0.4", "10.0.0.3")}
print("done")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
def test_the_kernels_entries_are_deleted_by_zone_and_address():
    done = subprocess.run(["unshare", "-n", sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "done", done.stderr
