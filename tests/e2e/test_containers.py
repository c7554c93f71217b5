"""Containers: libvirt's LXC driver keeps the contract of drivers, and a server that is one."""

import contextlib
import functools
import io
import os
import pathlib
import shutil
import struct
import subprocess
import tarfile
import tempfile
import time
import typing

import pytest

from common import conf as conf_module
from common import errors, guest_needs, inspector, server_states
from common.periodic import wait_for
from compute_agent import conf, virt
from compute_agent.virt.lxc import disks, limits
from deploy import host, hypervisor
from deploy.images import container
from tests.compute.virt_contract import UUID, Kit, VirtContract, twice
from tests.e2e.conftest import further_host

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not hypervisor.LXC.exists(), reason="libvirt has no LXC driver here")]
FIRST_USER = 1_850_000_000  # no container of the cloud itself has it
BRIDGE = "br-contract"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    made = tmp_path_factory.mktemp("container") / "container.tar.gz"
    container.build(made)
    return made


def as_disk(archive: pathlib.Path, target: pathlib.Path, *, partitioned: bool) -> None:
    """A qcow2 disk with the archive's files in an ext4 file system."""
    with tempfile.TemporaryDirectory() as name:
        root, raw, start = pathlib.Path(name, "root"), pathlib.Path(name, "raw"), (1 << 20) * partitioned
        root.mkdir()
        host.run("tar", "-xf", str(archive), "-C", str(root))
        host.run("mke2fs", "-q", "-t", "ext4", "-d", str(root), "-E", f"offset={start},root_owner=0:0", str(raw), "32M")
        if partitioned:
            table = struct.pack("<446xB3sB3sII48xH", 0, b"", 0x83, b"", start // 512, (32 << 20) // 512, 0xAA55)
            with open(raw, "r+b") as disk:
                disk.write(table)
        host.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(target))


class TestLxc(VirtContract):
    # What containers cannot do: ``test_what_a_container_cannot_do_is_refused_with_a_reason``.
    test_volumes_and_interfaces_come_and_go_while_it_runs: typing.Any = None
    test_what_is_attached_stays_when_it_is_stopped_and_started: typing.Any = None
    test_rescued_from_another_disk_and_back: typing.Any = None
    test_rescued_from_a_disk_beside_all_others: typing.Any = None
    test_consoles_of_a_guest_are_open_while_it_runs: typing.Any = None
    test_a_guest_sees_that_a_volume_has_grown_once_it_runs: typing.Any = None
    test_a_guest_is_made_anew_of_what_was_exported: typing.Any = None
    test_disks_are_kept_while_the_guest_is_resized_and_restored: typing.Any = None

    @pytest.fixture
    def kit(self, real, archive, directory):
        loaded = conf_module.load("compute-agent", conf.OPTS, str(directory), {
            "agent.virt_driver": "libvirt", "libvirt.virt_type": "lxc", "cloud_id": "contract", "host": "contract",
            "libvirt.container_uid_first": FIRST_USER, "libvirt.container_processes": 200})
        image = shutil.copy(archive, directory / "image")
        os.chmod(image, 0o644)
        made = Kit(lambda: virt.load(loaded), directory, {"volume_id": "11111111-4444-4333-8444-555555555555",
                                                          "device_name": "/dev/vdd", "info": {}},
                   files={"image": image}, has_local_disks=False,
                   # Shorter than ids of ports, so that the network agent does not take its tap for one that it has to remove.
                   port={"id": "contract", "mac_address": "fa:16:3e:00:00:01"})
        made.plug = lambda: host.run(
            "sh", "-ec", f"ip link add {BRIDGE} type bridge; ip link set {BRIDGE} up; ip tuntap add {self.tap(made)} mode tap; "
            f"ip link set {self.tap(made)} master {BRIDGE} up")
        made.booted = lambda: wait_for(lambda: b"=== guest is up" in made.driver.console_output(UUID), 30, what="a boot")
        yield made
        made.driver.destroy(UUID)
        made.driver.remove_files(UUID)
        for name in (self.tap(made), BRIDGE):
            host.run("ip", "link", "del", name, check=False)

    @staticmethod
    def tap(kit: Kit) -> str:
        return f"tap{kit.port['id'][:11]}"

    @staticmethod
    def inside(*words: str) -> str:
        """Run a program in the container."""
        controller = host.run("virsh", "-c", "lxc:///system", "domid", UUID).stdout.strip()
        init = pathlib.Path(f"/proc/{controller}/task/{controller}/children").read_text().split()[0]
        groups = [line.split(":") for line in pathlib.Path(f"/proc/{init}/cgroup").read_text().splitlines()]
        limits = [f"/sys/fs/cgroup/{kinds}{path}" for _, kinds, path in groups if kinds in ("memory", "pids")]
        limits = limits or [f"/sys/fs/cgroup{path}" for _, kinds, path in groups if not kinds]
        join = "; ".join(f"echo $$ > '{each}/cgroup.procs'" for each in limits)
        return host.run("sh", "-ec", f'{join}; exec "$@"', "join", "nsenter", "-t", init, "-a", "-S", "0", "-G", "0",
                        *words).stdout

    def test_interfaces_come_and_go_while_it_runs(self, kit):
        driver = kit.driver
        kit.spawn()
        kit.booted()
        kit.plug()
        twice(driver.attach_interface, UUID, kit.port)
        assert kit.port["mac_address"] in self.inside("ip", "link")
        twice(driver.detach_interface, UUID, kit.port)
        assert kit.port["mac_address"] not in self.inside("ip", "link")

    def test_a_container_starts_only_with_its_filtered_taps(self, kit):
        driver, port = kit.driver, {**kit.port, "mtu": 1400}
        driver.prepare_disk(kit.instance, kit.files)
        with pytest.raises(errors.StepFailed, match="not plugged"):
            driver.spawn(kit.instance, [port], [], None)
        kit.plug()
        driver.spawn(kit.instance, [port], [], None)
        kit.booted()
        link = host.run("ip", "link", "show", self.tap(kit)).stdout
        assert f"master {BRIDGE}" in link and "mtu 1400" in link
        assert kit.port["mac_address"] in self.inside("ip", "link", "show", "eth0")
        driver.reboot(UUID, timeout_s=0)
        assert kit.power() == server_states.RUNNING
        driver.power_off(UUID, timeout_s=0)
        with pytest.raises(errors.StepFailed, match="not plugged"):
            driver.power_on(UUID)

    def test_what_a_running_guest_is_asked(self, kit):
        kit.spawn()
        found = kit.driver.diagnostics(UUID)
        assert found["memory_kb"]["maximum"] == kit.instance["memory_mb"] << 10 and found["memory_stats"]["actual"] > 0
        assert found["cpus"][0]["time"] > 0 and found["nics"] == found["disks"] == [] and found["hypervisor"] == "lxc"
        assert kit.driver.set_password(UUID, "root", "x") == "no agent"
        kit.driver.power_off(UUID, timeout_s=0)
        assert kit.driver.diagnostics(UUID) is None and kit.driver.set_password(UUID, "root", "x") == "not running"

    def test_what_a_container_cannot_do_is_refused_with_a_reason(self, kit):
        driver, refused = kit.driver, "A container cannot"
        kit.spawn()
        by_name = {
            guest_needs.VOLUMES: lambda: driver.attach_volume(UUID, kit.volume),
            guest_needs.SUSPEND: lambda: driver.suspend(UUID),
            guest_needs.LOCAL_DISKS: lambda: driver.prepare_disk({**kit.instance, "flavor": {"disk": 1, "local_disks": [1]}},
                                                                 kit.files),
            guest_needs.RESCUE: lambda: driver.begin_rescue(kit.instance, kit.files),
            guest_needs.RESIZE: lambda: driver.export_disks(UUID), guest_needs.CRASH_DUMP: lambda: driver.inject_nmi(UUID),
            guest_needs.LIVE_MIGRATION: lambda: driver.describe_guest(UUID),
            guest_needs.CONSOLES: lambda: driver.open_console(UUID, "vnc")}
        assert driver.unsupported == by_name.keys() == set(driver.host_resources()["facts"]["unsupported"])
        for work in (*by_name.values(), lambda: driver.prepare_disk(kit.instance, {}),
                     lambda: driver.spawn(kit.instance, [], [kit.volume], None)):
            with pytest.raises(errors.StepFailed, match=refused):
                work()

    def test_users_of_a_container_are_nobody_on_the_host(self, kit):
        kit.spawn()
        kit.booted()
        first = kit.driver.disks.first_user(UUID)
        assert first >= FIRST_USER and f"root is user {first} of the host".encode() in kit.driver.console_output(UUID)
        files = kit.directory / "instances" / UUID
        passing = subprocess.run(["ls", str(kit.driver.disks.root(UUID))], user=65534, capture_output=True)
        assert passing.returncode != 0  # a setuid program in there is for no user of the host
        assert (files / "disk").stat().st_mode & 0o777 == 0o600 and (files / "disk").stat().st_uid == 0
        for refused in (["mknod", "/tmp/disk", "b", "7", "0"], ["mount", "-t", "ext4", "/dev/loop0", "/mnt"],
                        ["sh", "-c", "echo 1 > /proc/sys/kernel/panic"]):
            with pytest.raises(host.HostError):
                self.inside(*refused)

    def test_limits_of_memory_cpu_and_processes(self, kit):
        kit.instance["vcpus"] = 2
        kit.spawn()
        kit.booted()
        with pytest.raises(host.HostError, match="fork"):  # beyond the kit's 200
            self.inside("sh", "-c", "for i in $(seq 300); do sleep 3 & done")
        time.sleep(4)
        assert self.inside("echo", "goes on") == "goes on\n"
        told = host.run("virsh", "-c", "lxc:///system", "memtune", UUID).stdout
        assert told.count(str(kit.instance["memory_mb"] << 10)) == 2
        with pytest.raises(host.HostError):  # 200 MB in a container of 128
            self.inside("sh", "-c", "head -c 200000000 /dev/zero | tail -c 200000000 | wc -c | grep 200000000")
        assert " 200000" in host.run("virsh", "-c", "lxc:///system", "schedinfo", UUID).stdout
        host.run("virsh", "-c", "lxc:///system", "memtune", UUID, "--hard-limit", "65536")
        limits.restore(kit.driver._domain(UUID))
        assert host.run("virsh", "-c", "lxc:///system", "memtune", UUID).stdout == told

    @pytest.mark.parametrize("partitioned", [False, True])
    def test_made_of_a_disk_and_its_image_is_one(self, kit, archive, partitioned):
        """A snapshot is a disk whose users have their own numbers, of which another container can be made."""
        disk, copy = kit.directory / "disk.qcow2", kit.directory / "copy.qcow2"
        as_disk(archive, disk, partitioned=partitioned)
        disk.chmod(0o644)
        kit.instance["image_meta"] = {"disk_format": "qcow2", "properties": {}}
        kit.files = {"image": str(disk)}
        kit.spawn()
        kit.booted()
        self.inside("sh", "-c", "echo kept > /home/cirros/note; chown 1000:1001 /home/cirros/note; chmod 640 /home/cirros/note")
        kit.driver.pause(UUID)
        kit.driver.snapshot(UUID, str(copy))
        copy.chmod(0o644)
        kit.driver.destroy(UUID)
        kit.driver.remove_files(UUID)
        kit.files = {"image": str(copy)}
        kit.spawn()
        kit.booted()
        assert self.inside("stat", "-c", "%u %g %a", "/home/cirros/note").split() == ["1000", "1001", "640"]
        assert inspector.check(copy, "qcow2").virtual_bytes == 1 << 30

    def test_the_files_of_a_config_drive_are_a_directory(self, kit):
        kit.driver.prepare_disk(kit.instance, kit.files)
        kit.driver.spawn(kit.instance, [], [], {"openstack/latest/meta_data.json": '{"uuid": "here"}'})
        kit.booted()
        assert b'config drive: {"uuid": "here"}' in kit.driver.console_output(UUID)
        with pytest.raises(host.HostError):
            self.inside("touch", "/var/lib/cloud/seed/config_drive/new")

    @pytest.mark.parametrize(("content", "reason"), [
        (b"no disk, no archive", "neither an archive"), (b"\x1f\x8bbroken", "could not be unpacked"),
        ({"etc/passwd": 1}, "no /sbin/init"), ({"sbin/init": 20 << 20}, "more space than")])
    def test_images_of_which_no_container_can_be_made(self, kit, content, reason, monkeypatch):
        image = kit.directory / "bad"
        monkeypatch.setattr(disks.Disks, "_size", lambda *about: 16 << 20)
        if isinstance(content, dict):
            with tarfile.open(image, "w") as out:
                for path, size in content.items():
                    about = tarfile.TarInfo(path)
                    about.size = size
                    out.addfile(about, io.BytesIO(bytes(size)))
        else:
            image.write_bytes(content)
        image.chmod(0o644)
        with pytest.raises(errors.StepFailed, match=reason):
            kit.driver.prepare_disk(kit.instance, {"image": str(image)})
        with contextlib.suppress(FileNotFoundError):
            assert not list((kit.directory / "instances" / UUID).glob("disk*"))
        assert str(kit.directory) not in pathlib.Path("/proc/self/mounts").read_text()


def _is(real, server_id: str, status: str) -> bool:
    return real.client.call("compute", "GET", f"/servers/{server_id}")["server"]["status"] == status


def test_a_server_that_is_a_container(real, archive):
    with further_host(real, "containers", "lxc") as name:
        image = real.upload("container", archive, "raw", hypervisor_type="lxc")
        began = time.monotonic()
        server = real.boot("contained", imageRef=image)
        address = real.floating_ip(server["id"])
        shown = real.client.call("compute", "GET", f"/servers/{server['id']}")["server"]
        assert shown["OS-EXT-SRV-ATTR:host"] == name
        told = real.ssh(address, "hostname; ip -o -4 addr show eth0; cat /proc/self/uid_map").split()
        assert told[0] == "contained" and f"{shown['addresses']['private'][0]['addr']}/24" in " ".join(told)
        assert int(told[-2]) > 1_000_000  # root of the container on its host
        assert "metadata: service" in real.wait_console(server["id"], "=== guest is up")
        for action, status in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE"), ("pause", "PAUSED"), ("unpause", "ACTIVE")):
            real.client.call("compute", "POST", f"/servers/{server['id']}/action", {action: None})
            wait_for(functools.partial(_is, real, server["id"], status), 30, what=f"the server to be {status}")
            if status == "SHUTOFF":
                real.audit()
        host.run("ping", "-c", "1", "-W", "10", address)
        assert real.ssh(address, "id -u").strip() == "0"
        real.delete(server["id"])
        print(f"a container's life: {time.monotonic() - began:.1f} s")
        real.client.call("image", "DELETE", f"/images/{image}")
        for each in real.client.call("network", "GET", f"/floatingips?floating_ip_address={address}")["floatingips"]:
            real.client.call("network", "DELETE", f"/floatingips/{each['id']}")
        real.audit()
