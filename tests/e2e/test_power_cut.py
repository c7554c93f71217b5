"""The power of a host is cut, and ``deploy/up`` without options brings back all that ran: once for a host of the lab, once
for the first. ``tests/bench/power_cut.py`` does the same more often."""

import os

import pytest

from deploy import lab
from tests.bench import power_cut

pytestmark = pytest.mark.e2e
NODE = "node2"


@pytest.fixture(scope="module")
def world(real):
    lab.add(real.state, NODE)
    made = power_cut.World(real)
    made.add_running("ran-first", os.uname().nodename, volume=True)
    made.add_running("ran-second", NODE, volume=True)
    made.add_other("stopped", NODE, {"os-stop": None}, "SHUTOFF", "SHUTOFF")
    made.write()
    yield made
    made.remove()
    lab.remove(real.state, NODE)
    for kind, path in (("compute", f"/os-services?host={NODE}"), ("network", f"/agents?host={NODE}")):
        for found in next(iter(real.client.call(kind, "GET", path).values())):
            real.client.call(kind, "DELETE", f"{path.partition('?')[0]}/{found['id']}")


def returns(world, cut) -> None:
    up_s, answered_s = power_cut.cut_and_return(world, cut)
    print(f"deploy/up {up_s:.1f} s, all servers answer after {answered_s:.1f} s")
    world.check()
    # The limit itself is measured by the benchmark, on a machine that does nothing else.
    assert answered_s <= 2 * power_cut.LIMIT_S


def test_a_host_of_the_lab_comes_back(real, world):
    returns(world, lambda: power_cut.cut_lab_host(real.state, NODE))


def test_the_first_host_comes_back(world):
    """Those of the lab run on it, and go with it."""
    returns(world, power_cut.cut_host)
