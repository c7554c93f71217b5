"""A real guest moves between two hosts with its disk, its volume and its addresses, whatever is killed meanwhile."""

import pytest

from deploy import lab
from tests.e2e.migrating import OTHER, Mover

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def mover(real):
    lab.add(real.state, OTHER)
    yield Mover(real)
    lab.remove(real.state, OTHER)
    for kind, path in (("compute", f"/os-services?host={OTHER}&binary=nova-compute"), ("network", f"/agents?host={OTHER}")):
        for found in next(iter(real.client.call(kind, "GET", path).values())):
            real.client.call(kind, "DELETE", f"{path.partition('?')[0]}/{found['id']}")


@pytest.fixture(scope="module")
def server(mover):
    made = mover.boot()
    yield made
    mover.delete(made)


def test_a_migration_is_confirmed(real, mover, server):
    mover.act(server, "migrate", ("VERIFY_RESIZE", OTHER))
    mover.check(server)
    real.audit()
    mover.act(server, "confirmResize", ("ACTIVE", OTHER))
    mover.check(server)
    real.audit()


def test_a_migration_is_reverted_with_agents_and_conductor_killed_meanwhile(real, mover, server):
    """From the second host to the first and back; the second one's agent is killed as it stops the guest, the first one's as
    it starts it, and the conductor on the way back."""
    mover.call("POST", f"/servers/{server['id']}/action", {"migrate": None})
    assert mover.kill_at("stop", "compute-agent", OTHER)
    assert mover.kill_at("start", "compute-agent", mover.first)
    mover.wait(server, ("VERIFY_RESIZE", mover.first))
    mover.check(server)
    mover.call("POST", f"/servers/{server['id']}/action", {"revertResize": None})
    assert mover.kill_at("start", "conductor", mover.first)
    mover.wait(server, ("ACTIVE", OTHER))
    mover.check(server)
    real.audit()
