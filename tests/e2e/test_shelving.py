"""A real guest with a volume is resized on its host, put away without a host, and comes back."""

import json

import pytest

from common.periodic import wait_for
from tests.e2e.migrating import Mover

pytestmark = pytest.mark.e2e


def act(mover, server: dict, action: str, arguments, end: str) -> dict:
    mover.call("POST", f"/servers/{server['id']}/action", {action: arguments})

    def done():
        found = mover.call("GET", f"/servers/{server['id']}")["server"]
        return found if found["status"] in (end, "ERROR") and not found["OS-EXT-STS:task_state"] else None
    found = wait_for(done, 120, every_s=0.2, what=end)
    assert found["status"] == end, found.get("fault")
    return found


def root_mb(mover, server: dict) -> int:
    """The size of the guest's root disk."""
    return int(mover.real.ssh(server["address"], "cat /sys/block/vda/size")) >> 11


def test_it_keeps_its_disk_its_volume_and_its_address(real):
    mover = Mover(real)
    server = mover.boot()
    before, own = root_mb(mover, server), mover.call("GET", f"/servers/{server['id']}", version="2.1")["server"]["flavor"]["id"]
    small = mover.call("GET", f"/flavors/{own}")["flavor"]
    large = mover.call("POST", "/flavors", {"flavor": {
        "name": "larger", "ram": small["ram"], "vcpus": 1, "disk": small["disk"] + 1}})["flavor"]["id"]
    act(mover, server, "resize", {"flavorRef": large}, "VERIFY_RESIZE")
    mover.check(server)
    assert root_mb(mover, server) == (small["disk"] + 1) << 10
    real.ssh(server["address"], "echo later > /mark && sync")
    real.audit()
    act(mover, server, "revertResize", None, "ACTIVE")
    mover.check(server)
    assert root_mb(mover, server) == before
    real.audit()
    shown = act(mover, server, "shelve", None, "SHELVED_OFFLOADED")
    assert shown["OS-EXT-SRV-ATTR:host"] is None and real.volume_status(server["volume"]) == "reserved"
    assert mover.attached_to(server) == [None], json.dumps(shown)
    real.audit()
    act(mover, server, "unshelve", None, "ACTIVE")
    mover.check(server)
    real.audit()
    mover.delete(server)
    mover.call("DELETE", f"/flavors/{large}")
    real.audit()
