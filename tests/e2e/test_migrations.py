"""A real guest moves between two hosts with its disk, its volume and its addresses, whatever is killed meanwhile. It is evacuated
from a host that is cut off.
"""

import time

import pytest

from common.periodic import wait_for
from deploy import host, lab
from tests.e2e.migrating import MARK, OTHER, Mover, Pings

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


def test_a_guest_moves_live_there_and_back(real, mover, server):
    """Its kernel goes on, and it is out of reach for a moment only; also if the source's agent is killed meanwhile."""
    before = mover.booted_at(server)
    for target in (OTHER, mover.first):
        with Pings(server["address"]) as pings:
            mover.move_live(server, target)
        print(f"live migration to {target}: {pings.lost} of {pings.sent} pings lost, {pings.gap_s:.2f} s without an answer")
        mover.check(server)
        assert mover.booted_at(server) == before and mover.attached_to(server) == [target]
        assert pings.gap_s < 10
        real.audit()
    mover.begin_live(server, OTHER)
    assert mover.kill_at("migrate", "compute-agent", mover.first)
    _, host, _ = mover.wait(server, ("ACTIVE", mover.first), ("ACTIVE", OTHER))
    mover.check(server)
    assert mover.booted_at(server) == before and mover.attached_to(server) == [host]
    real.audit()
    if host == OTHER:
        mover.move_live(server, mover.first)


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


def _processes(server_id: str) -> list[str]:
    """The guests of a server, on any host of the lab."""
    return host.run("pgrep", "-f", f"qemu.*guest=instance-{server_id}", check=False).stdout.split()


def test_a_server_runs_elsewhere_when_its_host_is_cut_off_which_removes_it_when_it_returns_and_nothing_else(real, mover, server):
    """The host's guests run on meanwhile. An operator has forced it down, and need not wait until it counts as down."""
    if mover.state(server)[1] != OTHER:
        mover.act(server, "migrate", ("VERIFY_RESIZE", OTHER))
        mover.act(server, "confirmResize", ("ACTIVE", OTHER))
    stays = real.boot("stays", availability_zone=f"nova:{OTHER}", networks="none")["id"]
    former, other = _processes(server["id"]), _processes(stays)
    (service,) = mover.call("GET", f"/os-services?host={OTHER}&binary=nova-compute", version="2.53")["services"]
    host.run("ip", "link", "set", f"lab-{OTHER}", "down")
    mover.call("PUT", f"/os-services/{service['id']}", {"forced_down": True}, version="2.53")
    began = time.monotonic()
    mover.call("POST", f"/servers/{server['id']}/action", {"evacuate": {}}, version="2.68")
    mover.wait(server, ("ACTIVE", mover.first))
    took_s = time.monotonic() - began
    text = real.ssh(server["address"], "mount -t ext2 /dev/vdb /mnt && cat /mnt/x; umount /mnt; ls /mark || true", timeout_s=180)
    assert text.strip() == MARK, "its volume has what was written, its disk is new"
    print(f"evacuated in {took_s:.1f} s, logged in after {time.monotonic() - began:.1f} s")
    assert took_s < 60 and mover.attached_to(server) == [mover.first]
    assert set(former) < set(_processes(server["id"])), "its former host could not be told"
    host.run("ip", "link", "set", f"lab-{OTHER}", "up")
    mover.call("PUT", f"/os-services/{service['id']}", {"forced_down": False}, version="2.53")

    def migration() -> dict:
        return mover.call("GET", f"/os-migrations?instance_uuid={server['id']}&migration_type=evacuation", version="2.59")[
            "migrations"][0]
    wait_for(lambda: migration()["status"] == "completed", 60, what=f"the host to remove what it had, not {migration()}")
    assert not set(former) & set(_processes(server["id"])) and _processes(stays) == other
    assert real.ssh(server["address"], "echo reached").strip() == "reached"
    real.delete(stays)
    real.audit()
