"""Neighbours of DHCP servers and routers in the kernel: kept while states are applied, dropped with their ports."""

import os
import pathlib
import subprocess
import sys
import unittest.mock

import pytest

from common import errors
from network.agent import dataplane, links
from tests.network import test_resync

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = """
import os, socket
from network.agent.links import Links, in_namespace
from network.agent.metadata import MetadataProxy

MAC, GUEST = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
os.makedirs("/run/netns")
host, server = Links(), Links("qdhcp-n")
host.ensure_bridge("brq1", 1450)

def apply(mtu):
    host.ensure_veth("tap1", "brq1", server, "ns-1", MAC, mtu)
    server.set_addresses("ns-1", ["10.9.0.2/24"])

def listen():
    return socket.create_server(("10.9.0.2", 80))

apply(1450)
(link,) = server.ip.link("get", index=server.index("ns-1"))
assert link.get_attr("IFLA_ADDRESS") == MAC
guest = Links("guest")
host.ensure_veth("tap2", "brq1", guest, "eth0", GUEST, 1450)
guest.set_addresses("eth0", ["10.9.0.3/24"])
listener = in_namespace("qdhcp-n", listen)
def knows():
    with open("/proc/thread-self/net/arp") as table:
        return any(line.startswith("10.9.0.3 ") and GUEST in line for line in table)
def known():
    return in_namespace("qdhcp-n", knows)
def its_own(address, mac):
    return MetadataProxy.is_its_own("qdhcp-n", address, {"mac_address": mac, "allowed_address_pairs": []})

assert not known()
connection = in_namespace("guest", lambda: socket.create_connection(("10.9.0.2", 80), 3))
assert known()
apply(1450)
apply(1400)
assert known(), "applying the state made the kernel forget a guest"
server.drop_neighbours("ns-1", {("10.9.0.3", MAC), ("10.9.0.4", GUEST)})
assert known()
server.drop_neighbours("ns-1", {("10.9.0.3", GUEST)})
assert not known()
assert its_own("10.9.0.3", GUEST), "the kernel was not made to ask"
assert not its_own("10.9.0.3", MAC)
assert not its_own("10.9.0.4", GUEST)  # nobody answers
assert not its_own("10.8.0.4", GUEST)  # which leads nowhere
print("done")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_a_guest_stays_known_while_a_state_is_applied_and_is_dropped_with_its_port():
    words = ["unshare", "-n", "-m", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh", sys.executable, "-c", SCRIPT]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "done", done.stderr


class Plane(test_resync.Plane):
    """Of its routers it is only kept whose addresses they were told to forget."""

    def __init__(self):
        super().__init__()
        self.told: list[dict] = []
        self.fails = False
        self._held = {"p"}

    def _ensure_tap(self, *args):
        pass

    def _ensure_router(self, router, bridges, mtus, gone, known):
        self.told.append(gone)
        if self.fails:
            raise errors.StepFailed(reason="not now")


NETWORK = test_resync.GOOD["id"]


def ports(*addresses: str, mac: str = "a") -> list[dict]:
    return [{"id": "p", "network_id": NETWORK, "mac_address": mac, "here": True, "admin_state_up": True,
             "fixed_ips": [{"ip_address": a} for a in addresses]}]


def router(revision: int) -> dict:
    return {"id": "r", "part": "whole", "interfaces": [], "revision": revision}


@pytest.mark.parametrize("after, gone", [
    ([], {NETWORK: {("10.0.0.2", "a"), ("10.0.0.3", "a")}}),
    (ports("10.0.0.2"), {NETWORK: {("10.0.0.3", "a")}}),
    (ports("10.0.0.2", "10.0.0.3", mac="b"), {NETWORK: {("10.0.0.2", "a"), ("10.0.0.3", "a")}}),
    (ports("10.0.0.3", "10.0.0.2", "10.0.0.4"), {})])
def test_what_has_left_a_network(after, gone):
    plane = Plane()
    plane.give(test_resync.GOOD, ports=ports("10.0.0.2", "10.0.0.3"), routers=[router(1)])
    plane.give(test_resync.GOOD, ports=after, routers=[router(1)])
    plane.give(test_resync.GOOD, ports=after, routers=[router(1)])
    assert plane.told == [{}, gone, {}]


def test_a_router_is_told_of_what_left_until_it_is_built():
    """It was told only by the state that came next: not of what a plug had changed, nor again after a failure."""
    plane = Plane()
    plane.give(test_resync.GOOD, ports=ports("10.0.0.2"), routers=[router(1)])
    plane.give(test_resync.GOOD, ports=ports("10.0.0.3"), partial=True)
    plane.fails = True
    plane.give(test_resync.GOOD, ports=ports("10.0.0.3"), routers=[router(1)])
    plane.fails = False
    for revision in (2, 3):
        plane.give(test_resync.GOOD, ports=ports("10.0.0.3"), routers=[router(revision)])
    gone = {NETWORK: {("10.0.0.2", "a")}}
    assert plane.told == [{}, gone, gone, {}]


def test_a_part_that_cannot_be_built_does_not_keep_all_addresses_that_ever_left(monkeypatch):
    monkeypatch.setattr(dataplane, "MOST_LEFT", 2)
    plane = Plane()
    plane.fails = True
    for number in range(2, 8):
        plane.give(test_resync.GOOD, ports=ports(f"10.0.0.{number}"), routers=[router(number)])
        assert len(plane._left) <= 2


def test_an_address_that_comes_back_is_not_forgotten():
    plane = Plane()
    plane.give(test_resync.GOOD, ports=ports("10.0.0.2"), routers=[router(1)])
    plane.give(test_resync.GOOD, ports=ports("10.0.0.3"), partial=True)
    plane.give(test_resync.GOOD, ports=ports("10.0.0.2"), routers=[router(1)])
    assert plane.told == [{}, {NETWORK: {("10.0.0.3", "a")}}]


def test_the_host_keeps_many_neighbours_and_what_an_operator_has_set(tmp_path, monkeypatch):
    monkeypatch.setattr(links, "SYSCTLS", tmp_path)
    (tmp_path / "ipv4/neigh/default").mkdir(parents=True)
    limits = [tmp_path / f"ipv4/neigh/default/gc_thresh{n}" for n in (2, 3)]
    for limit, value in zip(limits, ("512\n", "1000000\n")):
        limit.write_text(value)
    plane = Plane()
    plane.filters = unittest.mock.MagicMock()
    dataplane.LinuxDataplane._filter(plane, {"ports": []}, {}, False)
    assert [limit.read_text() for limit in limits] == ["8192", "1000000\n"]
    assert sorted(tmp_path.rglob("gc_thresh*")) == limits
