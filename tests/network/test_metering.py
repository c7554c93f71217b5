"""Meters: which packets count, read back from a kernel's own words."""

import os
import shutil
import subprocess
import unittest.mock

import pytest

from network.agent import metering
from network.agent.service import Metering


def test_counters_are_sent_as_notifications():
    agent = unittest.mock.MagicMock()
    agent.conf.network.metering_interval_s = 60
    agent.dataplane.metered.return_value = [{"label_id": "a", "bytes": 1}, {"label_id": "b", "bytes": 2}]
    Metering(agent).run_once()
    assert [c.args[1:] for c in agent.notifier.notify.mock_calls] == [("l3.meter", {"label_id": "a", "bytes": 1}),
                                                                    ("l3.meter", {"label_id": "b", "bytes": 2})]


LABEL = {"id": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "project_id": "p", "rules": [
    {"direction": "egress", "excluded": True, "source_ip_prefix": None, "destination_ip_prefix": "10.9.1.0/24"},
    {"direction": "egress", "excluded": False, "source_ip_prefix": None, "destination_ip_prefix": "10.9.0.0/16"},
    {"direction": "egress", "excluded": False, "source_ip_prefix": None, "destination_ip_prefix": "0.0.0.0/0"}]}
SPACE, FAR = "pileus-test-meter", "pileus-test-far"


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


@pytest.fixture
def router():
    """A namespace that forwards from ``in0`` to ``qg-x``, with a neighbour on each side."""
    if os.geteuid() or not shutil.which("iptables-restore"):
        pytest.skip("needs root and iptables")
    for name in (SPACE, FAR):
        ip("netns", "del", name, check=False)
        ip("netns", "add", name)
    ip("link", "add", "in0", "netns", SPACE, "type", "veth", "peer", "name", "a0", "netns", FAR)
    ip("link", "add", "qg-x", "netns", SPACE, "type", "veth", "peer", "name", "b0", "netns", FAR)
    for space, device, address in ((SPACE, "in0", "10.1.0.1/24"), (FAR, "a0", "10.1.0.2/24"), (SPACE, "qg-x", "10.9.0.1/16")):
        ip("-n", space, "addr", "add", address, "dev", device)
        ip("-n", space, "link", "set", device, "up")
    ip("-n", FAR, "link", "set", "b0", "up")
    ip("-n", SPACE, "neigh", "add", "10.9.1.5", "lladdr", "02:00:00:00:00:01", "dev", "qg-x")
    ip("-n", SPACE, "neigh", "add", "10.9.2.5", "lladdr", "02:00:00:00:00:01", "dev", "qg-x")
    ip("-n", FAR, "route", "add", "default", "via", "10.1.0.1")
    subprocess.run(["ip", "netns", "exec", SPACE, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
    yield
    for name in (SPACE, FAR):
        ip("netns", "del", name)


def send(target: str, count: int) -> None:
    subprocess.run(["ip", "netns", "exec", FAR, "ping", "-c", str(count), "-i", "0.01", "-W", "0.01", "-s", "72", target],
                   capture_output=True)


def test_packets_count_once_and_excluded_ones_never(router):
    meters = metering.Meters()
    meters.ensure(SPACE, "qg-x", [LABEL])
    send("10.9.2.5", 5)
    send("10.9.1.5", 7)
    (found,) = meters.take("h")
    assert (found["label_id"], found["pkts"], found["bytes"], found["tenant_id"]) == (LABEL["id"], 5, 500, "p")
    (nothing,) = meters.take("h")
    assert (nothing["pkts"], nothing["bytes"]) == (0, 0)
    send("10.9.2.5", 2)
    meters.ensure(SPACE, "qg-x", [{**LABEL, "rules": LABEL["rules"][:1]}])  # what was counted before the change stays
    send("10.9.2.5", 4)
    assert [m["pkts"] for m in meters.take("h")] == [2]
    meters.ensure(SPACE, "qg-x", [])
    last = meters.take("h")[0]
    assert (last["pkts"], last["tenant_id"]) == (0, "p") and meters.take("h") == []
    meters.remove(SPACE)


def test_packets_of_both_ip_versions_count(router):
    ip("netns", "exec", SPACE, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    for space, device, address in ((SPACE, "in0", "fd01::1/64"), (FAR, "a0", "fd01::2/64"), (SPACE, "qg-x", "fd09::1/64")):
        ip("-n", space, "addr", "add", address, "dev", device, "nodad")
    ip("-n", SPACE, "neigh", "add", "fd09::5", "lladdr", "02:00:00:00:00:01", "dev", "qg-x")
    ip("-n", FAR, "route", "add", "default", "via", "fd01::1")
    rule = {"direction": "egress", "excluded": False, "source_ip_prefix": None, "destination_ip_prefix": "fd09::/64"}
    meters = metering.Meters()
    meters.ensure(SPACE, "qg-x", [{**LABEL, "rules": [*LABEL["rules"], rule]}])
    send("10.9.2.5", 5)
    send("fd09::5", 3)
    assert [m["pkts"] for m in meters.take("h")] == [8]
    send("fd09::5", 2)
    meters.ensure(SPACE, "qg-x", [LABEL])  # nothing of IPv6 any more; what it counted stays, and IPv4 goes on
    send("fd09::5", 4)
    send("10.9.2.5", 1)
    assert [m["pkts"] for m in meters.take("h")] == [3]
    meters.remove(SPACE)


def test_a_router_that_cannot_be_read_can_still_go(router):
    meters = metering.Meters()
    meters.ensure(SPACE, "qg-x", [LABEL])
    ip("netns", "del", SPACE)
    assert meters.take("h") == []
    meters.remove(SPACE)
    meters.ensure(SPACE, None, [])
    ip("netns", "add", SPACE)  # for the fixture's end
