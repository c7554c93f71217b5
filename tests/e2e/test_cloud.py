"""The cloud that deploy/up makes, from inside its guests. In order: later tests use what earlier ones made."""

import base64
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import time

import psutil
import pytest

from common.periodic import wait_for
from deploy import broker, host, hypervisor, up
from deploy.daemons import METRICS_PORT
from deploy.processes import daemons
from tests import walkthrough

pytestmark = pytest.mark.e2e
CAPABILITIES = "/var/cache/libvirt/qemu/capabilities"


@pytest.fixture(scope="module")
def address(real) -> str:
    return re.search(r"cirros@(\S+)", real.text)[1]


@pytest.fixture(scope="module")
def first_server(real) -> dict:
    return real.client.find("compute", "servers", "first", "/servers/detail")


def test_login_to_first_and_its_volume(real, address, first_server):
    assert real.ssh(address, "hostname").strip() == "first"
    partitions = real.ssh(address, "cat /proc/partitions")
    assert re.search(r"1048576 vdb$", partitions, re.M)
    assert re.search(r"/dev/vda2\s+9\d\d\.", real.ssh(address, "df -h /")), "the root did not grow to the disk"
    found = real.client.call("compute", "GET", f"/servers/{first_server['id']}")["server"]["addresses"]["private"]
    assert {a["OS-EXT-IPS:type"] for a in found} == {"fixed", "floating"}


def test_data_moves_with_the_volume(real, address, first_server):
    volume = real.client.find("volume", "volumes", "first-data", "/volumes/detail")["id"]
    real.ssh(address, "mke2fs /dev/vdb && mount -t ext2 /dev/vdb /mnt && echo treasure > /mnt/x && umount /mnt")
    real.client.call("compute", "DELETE", f"/servers/{first_server['id']}/os-volume_attachments/{volume}")
    wait_for(lambda: real.volume_status(volume) == "available", 60, what="the detached volume")
    wait_for(lambda: "vdb" not in real.ssh(address, "cat /proc/partitions"), 10, what="the guest to see it gone")
    second = real.boot("second")
    outside = real.floating_ip(second["id"])
    real.client.call("compute", "POST", f"/servers/{second['id']}/os-volume_attachments",
                     {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the attached volume")
    assert real.ssh(outside, "mount -t ext2 /dev/vdb /mnt && cat /mnt/x && umount /mnt").strip() == "treasure"
    real.audit()


def test_two_guests_share_a_volume(real, address, first_server):
    """``first`` and ``second`` of the test before: what one writes the other reads, and it stays with the one that is left."""
    second = real.client.find("compute", "servers", "second", "/servers/detail")
    (outside,) = (a["addr"] for a in second["addresses"]["private"] if a["OS-EXT-IPS:type"] == "floating")
    real.client.call("volume", "POST", "/types", {"volume_type": {
        "name": "shared", "extra_specs": {"multiattach": "<is> True"}}})
    volume = real.client.call("volume", "POST", "/volumes", {"volume": {
        "name": "shared", "size": 1, "volume_type": "shared"}})["volume"]["id"]
    wait_for(lambda: real.volume_status(volume) == "available", 20, what="the volume")
    devices = {}
    for server in (first_server, second):
        made = real.client.call("compute", "POST", f"/servers/{server['id']}/os-volume_attachments",
                                {"volumeAttachment": {"volumeId": volume}}, version="2.60")["volumeAttachment"]
        devices[server["id"]] = made["device"]
        wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the attached volume")
    here, there = devices[first_server["id"]], devices[second["id"]]
    for guest, device in ((address, here), (outside, there)):
        # Its kernel takes more than a second; a write before would make a file of that name.
        real.ssh(guest, f"until test -b {device}; do sleep 1; done")
    # Sectors that neither guest has read, so that neither answers from its cache.
    real.ssh(address, f"echo from-first | dd of={here} bs=4096 seek=1000 conv=fsync")
    assert "from-first" in real.ssh(outside, f"dd if={there} bs=4096 skip=1000 count=1")
    real.audit()
    real.client.call("compute", "DELETE", f"/servers/{first_server['id']}/os-volume_attachments/{volume}")
    wait_for(lambda: here.rsplit("/")[-1] not in real.ssh(address, "cat /proc/partitions"), 30, what="one guest to see it gone")
    wait_for(lambda: real.volume_status(volume) == "in-use", 30, what="the other one to keep it")
    real.ssh(outside, f"echo from-second | dd of={there} bs=4096 seek=2000 conv=fsync && dd if={there} bs=4096 skip=3000 count=1")
    real.audit()
    real.client.call("compute", "DELETE", f"/servers/{second['id']}/os-volume_attachments/{volume}")
    wait_for(lambda: real.volume_status(volume) == "available", 60, what="the detached volume")
    real.client.call("volume", "DELETE", f"/volumes/{volume}")


def test_second_server_moves_no_image_bytes(real):
    def downloads() -> int:
        text = real.client.pool.request("GET", f"http://127.0.0.1:{METRICS_PORT}/metrics").data.decode()
        return sum(float(v) for v in re.findall(
            r'pileus_http_request_seconds_count\{method="GET",route="/v2/images/\{id\}/file"[^}]*\} (\S+)', text))
    before = downloads()
    assert before >= 1
    server = real.boot("third")
    assert downloads() == before
    real.delete(server["id"])


def _empty_cache() -> None:
    """Start libvirtd as on a fresh host: it knows nothing of QEMU."""
    hypervisor.stop("libvirtd")
    shutil.rmtree(CAPABILITIES, ignore_errors=True)
    hypervisor.ensure_libvirt()


def test_libvirt_does_not_see_a_kvm_that_cannot_run_guests(real):
    """Also not one that somebody started without us, and not the guests that it starts."""
    assert hypervisor.kvm_works() or not any(map(hypervisor.sees_kvm, hypervisor.pids("libvirtd")))
    hypervisor.stop("libvirtd")
    host.run("libvirtd", "-d")
    wait_for(hypervisor.answers, 30, what="libvirtd")
    began = hypervisor.pids("libvirtd")
    hypervisor.ensure_libvirt()
    now = hypervisor.pids("libvirtd")
    assert hypervisor.kvm_works() or not os.path.exists("/dev/kvm") or now != began
    server = real.boot("unseeing")
    guests = hypervisor.pids("qemu-system-x86")
    assert guests and (hypervisor.kvm_works() or not any(map(hypervisor.sees_kvm, now + guests)))
    real.delete(server["id"])


def test_boot_costs_little_more_than_the_hypervisor(real):
    """POST to ACTIVE against ``virsh create`` of the same domain, side by side, after libvirt's cache was emptied.

    libvirt probes QEMU once; where it sees a useless /dev/kvm it does so at each start, which would slow both.
    """
    def probed() -> dict:
        return {p: p.stat().st_mtime_ns for p in pathlib.Path(CAPABILITIES).iterdir()}
    ours, theirs = [], []
    _empty_cache()
    real.delete(real.boot("reconnects")["id"])
    known = probed()  # of this emulator; libvirt may come to the others of the host later
    assert known
    for i in range(3):
        began = time.monotonic()
        server = real.boot(f"timed-{i}")
        ours.append(time.monotonic() - began)
        text = host.run("virsh", "dumpxml", "--inactive", f"instance-{server['id']}").stdout
        host.run("virsh", "destroy", f"instance-{server['id']}")
        host.run("virsh", "undefine", f"instance-{server['id']}")
        began = time.monotonic()
        host.run("virsh", "create", "/dev/stdin", input=text)
        theirs.append(time.monotonic() - began)
        real.delete(server["id"])
    print(f"POST to ACTIVE {min(ours):.2f} s, virsh create {min(theirs):.2f} s")
    assert min(ours) - min(theirs) <= 1.0
    assert known.items() <= probed().items(), "libvirt probed QEMU again"


def test_user_data_and_config_drive(real):
    """One guest reads the metadata service, one has a network without DHCP and reads its config drive."""
    script = base64.b64encode(b"#!/bin/sh\necho user-data ran on $(hostname) > /dev/ttyS0\n").decode()
    lonely = real.client.call("network", "POST", "/networks", {"network": {"name": "lonely"}})["network"]["id"]
    real.client.call("network", "POST", "/subnets", {"subnet": {"network_id": lonely, "cidr": "10.77.0.0/24",
                                                               "enable_dhcp": False, "ip_version": 4}})
    by_service = real.boot("by-service", user_data=script)
    reads = base64.b64encode(b"#!/bin/sh\nmount -t iso9660 /dev/sr0 /mnt\n"
                             b"grep -o '.admin_pass[^,}]*' /mnt/openstack/latest/meta_data.json > /dev/ttyS0\n"
                             b"umount /mnt\necho user-data ran on $(hostname) > /dev/ttyS0\n").decode()
    by_drive = real.boot("by-drive", user_data=reads, config_drive=True, adminPass="Correct-Horse", networks=[{"uuid": lonely}])
    assert "metadata: service" in real.wait_console(by_service["id"], "user-data ran on by-service")
    console = real.wait_console(by_drive["id"], "user-data ran on by-drive")
    assert "metadata: config drive" in console and '"admin_pass": "Correct-Horse"' in console
    real.delete(by_service["id"])
    real.delete(by_drive["id"])
    real.client.call("network", "DELETE", f"/networks/{lonely}")


def test_security_group_changes_reach_a_running_guest(real):
    group = real.client.call("network", "POST", "/security-groups", {"security_group": {"name": "closed"}})["security_group"]
    server = real.boot("closed", security_groups=[{"name": group["id"]}])
    outside = real.floating_ip(server["id"])
    real.wait_console(server["id"], "login:")

    def ping() -> bool:
        return subprocess.run(["ping", "-c1", "-W1", outside], capture_output=True).returncode == 0
    assert not ping()
    rule = real.client.call("network", "POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": group["id"], "direction": "ingress", "protocol": "icmp"}})["security_group_rule"]
    wait_for(ping, 10, what="ping after the rule")
    real.client.call("network", "DELETE", f"/security-group-rules/{rule['id']}")
    wait_for(lambda: not ping(), 10, what="silence after the rule is gone")
    _established_connections_end(real, group["id"], outside)
    real.delete(server["id"])


def _established_connections_end(real, group: str, address: str) -> None:
    """A session hears no more of a guest once the rule that let it in is deleted, and hears of it again with another."""
    def allow() -> str:
        return real.client.call("network", "POST", "/security-group-rules", {"security_group_rule": {
            "security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
            "port_range_max": 22}})["security_group_rule"]["id"]
    rule = allow()
    real.ssh(address, "true")
    with Echo(real, address) as session:
        assert session.answers()
        real.client.call("network", "DELETE", f"/security-group-rules/{rule}")
        wait_for(lambda: not session.answers(), 20, what="silence in the session")
        allow()
        wait_for(session.answers, 60, what="the session to go on")


class Echo:
    """A session in which a guest repeats each line that it is sent, and says nothing by itself."""

    def __init__(self, real, address: str):
        self._words = ["ssh", "-q", "-i", f"{real.state}/first_key", "-o", "StrictHostKeyChecking=no", "-o",
                       "UserKnownHostsFile=/dev/null", f"cirros@{address}", "cat"]

    def __enter__(self) -> "Echo":
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        os.set_blocking(self._process.stdout.fileno(), False)
        return self

    def answers(self, within_s: float = 3) -> bool:
        self._process.stdout.read()
        self._process.stdin.write(b"again\n")
        self._process.stdin.flush()
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if self._process.stdout.read():
                return True
            time.sleep(0.05)
        return False

    def __exit__(self, *about) -> None:
        self._process.kill()
        self._process.wait()


def test_guest_cannot_spoof(real, address):
    """Another source address, and another MAC, do not leave the guest."""
    second = real.client.find("compute", "servers", "second", "/servers/detail")
    target = next(a["addr"] for a in second["addresses"]["private"] if a["OS-EXT-IPS:type"] == "fixed")
    assert "1 packets received" in real.ssh(address, f"ping -c1 -W2 {target}")
    spoofed = real.ssh(address, f"ip addr add 10.0.0.200/24 dev eth0; ping -c1 -W2 -I 10.0.0.200 {target}; "
                                f"ip addr del 10.0.0.200/24 dev eth0; true")
    assert "1 packets received" not in spoofed


def test_every_command_of_the_walkthrough(real, tmp_path):
    host.run("qemu-img", "convert", "-O", "raw", os.environ["PILEUS_GUEST_IMAGE"], str(tmp_path / "disk.img"))
    began = time.monotonic()
    walkthrough.walk(real.environment(), tmp_path)
    print(f"the README's {len(walkthrough.commands())} commands: {time.monotonic() - began:.0f} s")
    real.audit()


def test_killed_daemons_return_and_guests_keep_their_network(real, address):
    ping = subprocess.Popen(["ping", "-i", "0.2", address], stdout=subprocess.PIPE, text=True)
    slowest = 0.0
    for name, pid in sorted(daemons().items()):
        host.run("kill", "-9", str(pid))
        began = time.monotonic()
        wait_for(lambda n=name, p=pid: daemons().get(n, p) != p, 10, every_s=0.02, what=f"{name} to return")
        slowest = max(slowest, time.monotonic() - began)

    def answers() -> bool:
        try:
            for service, path in (("image", "/images"), ("network", "/networks"), ("volume", "/volumes"),
                                  ("compute", "/servers")):
                real.client.call(service, "GET", path)
            return True
        except (RuntimeError, OSError):
            return False
    began = time.monotonic()
    wait_for(answers, 20, every_s=0.05, what="every API")
    print(f"slowest return {slowest:.2f} s, then {time.monotonic() - began:.2f} s to answer")
    assert slowest < 5
    host.run("kill", "-INT", str(ping.pid))
    # The last one or two may still be on their way: an emulated guest takes its time. Before them none may be missing.
    seen = [int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", ping.communicate()[0])]
    assert seen and sorted(set(range(1, max(seen) + 1)) - set(seen)) == [], "packets were lost"
    real.wait_console(real.boot("after-kill")["id"], "login:")


def test_broker_away_then_back(real):
    """The API answers at once, the request is kept, and the server is built when the broker returns."""
    broker.stop_broker(real.state)
    try:
        began = time.monotonic()
        made = real.client.call("compute", "POST", "/servers", {"server": {
            "name": "patient", "imageRef": real.image, "flavorRef": "42", "networks": [{"uuid": real.networks["private"]}]}})
        took = time.monotonic() - began
        print(f"POST without a broker answered after {took:.1f} s")
        assert took < 10
        listed = time.monotonic()
        real.client.call("compute", "GET", "/servers/detail")
        assert time.monotonic() - listed < 1
    finally:
        up.runtime(real.state)  # what a start of the host does

    def status():
        server = real.client.call("compute", "GET", f"/servers/{made['server']['id']}")["server"]
        return server if server["status"] != "BUILD" else None
    server = wait_for(status, 90, every_s=0.5, what="the server to be built after all")
    assert server["status"] == "ACTIVE", server.get("fault")
    real.delete(server["id"])


def test_libvirtd_away_then_back(real):
    host.run("pkill", "-KILL", "-x", "libvirtd")
    try:
        made = real.client.call("compute", "POST", "/servers", {"server": {
            "name": "waits", "imageRef": real.image, "flavorRef": "42", "networks": [{"uuid": real.networks["private"]}]}})
        time.sleep(3)
        server = real.client.call("compute", "GET", f"/servers/{made['server']['id']}")["server"]
        assert server["status"] == "BUILD"
    finally:
        hypervisor.ensure_libvirt()

    def status():
        server = real.client.call("compute", "GET", f"/servers/{made['server']['id']}")["server"]
        return server["status"] if server["status"] != "BUILD" else None
    assert wait_for(status, 60, every_s=0.5, what="the server to be built") == "ACTIVE"
    real.delete(made["server"]["id"])


def test_a_libvirtd_that_hangs_leaves_the_host_up_and_disabled_until_it_goes_on(real):
    def service() -> tuple:
        (found,) = real.client.call("compute", "GET", "/os-services?binary=nova-compute")["services"]
        return found["state"], found["status"], (found["disabled_reason"] or "")[:5]

    def server(name: str) -> dict:
        return real.client.find("compute", "servers", name, "/servers/detail")
    first_id, hung = server("second")["id"], hypervisor.pids("libvirtd")
    host.run("kill", "-STOP", *map(str, hung))
    try:
        real.client.call("compute", "POST", f"/servers/{first_id}/action", {"pause": None})
        began, states = time.monotonic(), set()
        wait_for(lambda: (states.add(service()), ("up", "disabled", "AUTO:") in states)[1], 60, every_s=0.5, what="disabled")
        print(f"disabled after {time.monotonic() - began:.0f} s")
        while time.monotonic() < began + 75:  # longer than until a host is down
            states.add(service())
            time.sleep(0.5)
        assert {state for state, _, _ in states} == {"up"}, states
        assert server("second")["OS-EXT-STS:task_state"] == "pausing"
    finally:
        host.run("kill", "-CONT", *map(str, hung))
    wait_for(lambda: service() == ("up", "enabled", ""), 30, every_s=0.5, what="enabled again")
    wait_for(lambda: server("second")["status"] == "PAUSED", 30, every_s=0.5, what="what waited to be done")
    real.client.call("compute", "POST", f"/servers/{first_id}/action", {"unpause": None})
    wait_for(lambda: server("second")["status"] == "ACTIVE", 30, every_s=0.5, what="the guest to go on")
    real.audit()


def test_tgtd_away_then_back(real):
    """Attaching waits for the target to return; a running guest's volume is exported again without being asked."""
    volume = real.client.call("volume", "POST", "/volumes", {"volume": {"name": "late", "size": 1}})["volume"]["id"]
    wait_for(lambda: real.volume_status(volume) == "available", 20, what="the volume")
    server = real.client.find("compute", "servers", "second", "/servers/detail")["id"]
    exports = len(host.targets())
    host.run("pkill", "-KILL", "-x", "tgtd")
    path = f"/servers/{server}/os-volume_attachments"
    try:
        real.client.call("compute", "POST", path, {"volumeAttachment": {"volumeId": volume}})
        time.sleep(3)
        assert real.volume_status(volume) != "in-use"
    finally:
        up.runtime(real.state)
    wait_for(lambda: real.volume_status(volume) == "in-use", 60, what="the volume attached after all")
    wait_for(lambda: len(host.targets()) == exports + 1, 30, what="every export to be back")
    real.client.call("compute", "DELETE", f"{path}/{volume}")
    wait_for(lambda: real.volume_status(volume) == "available", 60, what="the volume detached")
    real.client.call("volume", "DELETE", f"/volumes/{volume}")
    real.audit()


def test_image_store_full(real):
    """An upload that does not fit is refused with the reason, and leaves nothing."""
    made = real.client.call("image", "POST", "/images", {"name": "huge", "disk_format": "raw", "container_format": "bare"})
    host.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", f"{real.state}/images")
    try:
        with pytest.raises(RuntimeError, match="413.*not enough space"):
            real.client.call("image", "PUT", f"/images/{made['id']}/file", raw=b"\0" * (4 << 20),
                             content_type="application/octet-stream")
    finally:
        host.run("umount", f"{real.state}/images")
    assert real.client.call("image", "GET", f"/images/{made['id']}")["status"] == "queued"
    real.client.call("image", "DELETE", f"/images/{made['id']}")


def test_everything_listens_at_the_management_address(real):
    """Not at the gateway of the external network, which guests reach, and not everywhere."""
    sockets = [c for c in psutil.net_connections("inet")
               if c.status == psutil.CONN_LISTEN or c.type == socket.SOCK_DGRAM and c.laddr and not c.raddr]
    ports = {c.laddr.port for c in sockets}
    assert {5000, 35357, 8774, 8775, 8776, 8778, 9292, 9696, 8080, 5672, 3260, 4369} <= ports
    local = {real.address, "127.0.0.1", "::1"}
    assert not [f"{c.laddr.ip}:{c.laddr.port} of pid {c.pid}" for c in sockets if c.laddr.ip not in local]
    elsewhere = {c.laddr.port for c in sockets if c.laddr.ip != real.address}
    assert not elsewhere & {5000, 35357, 8774, 8775, 8776, 8778, 9292, 9696, 8080, 5672, 3260}


# What others may read of a state, and why: QEMU's user reads the images that disks are based on, dnsmasq reads its files
# again after it became a user of its own; both lie in directories that cannot be listed.
READABLE = re.compile(r"image-cache/[^/]+|network/dhcp/[^/]+/(hosts|opts|leases|pid)")


def test_others_read_nothing_of_the_state(real):
    top, found = pathlib.Path(real.state), []
    for home, directories, names in os.walk(top):
        if home == str(top):
            directories.remove("venv") if "venv" in directories else None
        for path in [pathlib.Path(home), *(pathlib.Path(home) / n for n in names)]:
            if path.is_symlink() or not path.exists():
                continue
            mode, name = stat.S_IMODE(path.stat().st_mode), str(path.relative_to(top))
            if mode & (0o066 if path.is_dir() else 0o077) and not (READABLE.fullmatch(name) and not mode & 0o133):
                found.append(f"{name} {mode:o}")
    assert found == []


def test_audit_finds_nothing(real):
    real.audit()
