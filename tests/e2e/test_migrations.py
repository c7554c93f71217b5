"""A real guest moves between two hosts with its disk, its volume and its addresses, whatever is killed meanwhile. It is evacuated
from a host that is cut off.
"""

import os
import pathlib
import struct
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


def _tpm(real, address: str, command: str) -> bytes:
    """The answer of a guest's TPM (TPM 2.0 library, part 3). :param command: hexadecimal digits"""
    sent = "".join(f"\\x{command[i:i + 2]}" for i in range(0, len(command), 2))
    script = f"exec 3<>/dev/tpm0; printf '{sent}' >&3; dd bs=512 count=1 <&3 2>/dev/null | od -An -v -tx1"
    found = bytes.fromhex("".join(real.ssh(address, f'sudo sh -c "{script}"', 240).split()))
    assert found[6:10] == bytes(4), found.hex()
    return found


def test_a_guest_with_firmware_a_tpm_and_several_queues_moves_with_them(real, mover):
    call, specs = mover.call, {"hw:tpm_version": "2.0", "hw:vif_multiqueue_enabled": "yes"}
    flavor = call("POST", "/flavors", {"flavor": {"name": "firmware", "ram": 256, "vcpus": 2, "disk": 1}})["flavor"]["id"]
    call("POST", f"/flavors/{flavor}/os-extra_specs", {"extra_specs": specs})
    image = real.upload("firmware", pathlib.Path(os.environ["PILEUS_GUEST_IMAGE"]), "qcow2", hw_firmware_type="uefi")
    server = real.boot("firmware", flavorRef=flavor, imageRef=image, availability_zone=f"nova:{mover.first}")
    address = real.floating_ip(server["id"])

    def pcr() -> str:
        return real.ssh(address, "cat /sys/class/tpm/tpm0/pcr-sha256/16", 240)

    def restarts() -> int:
        """How often the TPM was restarted with its platform, which it remembers."""
        return struct.unpack_from(">I", _tpm(real, address, "80010000000a00000181"), 10 + 16)[0]
    _tpm(real, address, "80020000004100000182000000100000000940000009000000000000000001000b" + "5a" * 32)  # extends PCR 16
    booted, measured, before = mover.booted_at({"address": address}), pcr(), restarts()
    assert set(measured.strip()) != {"0"}
    mover.move_live(server, OTHER)
    assert (mover.booted_at({"address": address}), pcr(), restarts()) == (booted, measured, before)
    assert real.ssh(address, "ls /sys/class/net/eth0/queues").count("tx-") == 2
    mover.act(server, "migrate", ("VERIFY_RESIZE", mover.first))
    mover.act(server, "confirmResize", ("ACTIVE", mover.first))
    assert restarts() == before + 1 and mover.booted_at({"address": address}) != booted
    real.delete(server["id"])
    for kind, path in (("compute", f"/flavors/{flavor}"), ("image", f"/images/{image}")):
        real.client.call(kind, "DELETE", path)
    real.audit()


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


def test_servers_run_elsewhere_when_their_host_is_cut_off_which_removes_them_and_nothing_else_later(real, mover, server):
    """Two at once, one with a volume. The host's guests run on meanwhile. An operator has forced it down, and need not wait until
    it counts as down."""
    if mover.state(server)[1] != OTHER:
        mover.act(server, "migrate", ("VERIFY_RESIZE", OTHER))
        mover.act(server, "confirmResize", ("ACTIVE", OTHER))
    stays, also = (real.boot(name, availability_zone=f"nova:{OTHER}", networks="none")["id"] for name in ("stays", "also"))
    moved, other = {server["id"]: _processes(server["id"]), also: _processes(also)}, _processes(stays)
    (service,) = mover.call("GET", f"/os-services?host={OTHER}&binary=nova-compute", version="2.53")["services"]
    host.run("ip", "link", "set", f"lab-{OTHER}", "down")
    mover.call("PUT", f"/os-services/{service['id']}", {"forced_down": True}, version="2.53")
    began = time.monotonic()
    for each in moved:
        mover.call("POST", f"/servers/{each}/action", {"evacuate": {}}, version="2.68")
    for each in moved:
        mover.wait({"id": each}, ("ACTIVE", mover.first))
    took_s = time.monotonic() - began
    text = real.ssh(server["address"], "mount -t ext2 /dev/vdb /mnt && cat /mnt/x; umount /mnt; ls /mark || true", timeout_s=180)
    assert text.strip() == MARK, "its volume has what was written, its disk is new"
    print(f"evacuated in {took_s:.1f} s, logged in after {time.monotonic() - began:.1f} s")
    assert took_s < 60 and mover.attached_to(server) == [mover.first]
    for each, former in moved.items():
        assert former and set(former) < set(_processes(each)), "its former host could not be told"
    host.run("ip", "link", "set", f"lab-{OTHER}", "up")
    mover.call("PUT", f"/os-services/{service['id']}", {"forced_down": False}, version="2.53")

    def statuses() -> list[str]:
        found = [f"/os-migrations?instance_uuid={each}&migration_type=evacuation" for each in moved]
        return [mover.call("GET", path, version="2.59")["migrations"][0]["status"] for path in found]
    wait_for(lambda: set(statuses()) == {"completed"}, 60, what=f"the host to remove what it had, not {statuses()}")
    for each, former in moved.items():
        assert len(_processes(each)) == len(former) and not set(former) & set(_processes(each))
    assert _processes(stays) == other
    assert real.ssh(server["address"], "echo reached").strip() == "reached"
    real.delete(stays)
    real.delete(also)
    real.audit()
