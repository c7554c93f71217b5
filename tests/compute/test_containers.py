"""Parts of the driver of containers that need no container."""

import os
import pathlib
import select
import struct
import subprocess
import tarfile
import time
import types
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from common import conf as conf_module
from common import errors, guest_hardware, guest_needs, host_traits
from common.periodic import wait_for
from compute_agent import conf, virt
from compute_agent.service import ComputeAgent
from compute_agent.virt.libvirt.xml import owner_of
from compute_agent.virt.lxc import contents, limits, links, xml
from compute_agent.virt.lxc.console_logs import ConsoleLogs
from compute_agent.virt.lxc.disks import Disks
from compute_agent.virt.lxc.driver import LxcDriver
from scheduler.filters.always import SupportingHypervisor
from scheduler.filters.hosts import ImagePropertiesFilter

UUID = "11111111-2222-4333-8444-555555555555"
INSTANCE = {"uuid": UUID, "project_id": "p<&", "memory_mb": 128, "vcpus": 2, "flavor": {}, "image_meta": {"properties": {}}}
PORT = {"id": "abcdefgh-ijkl", "mac_address": "fa:16:3e:00:00:01", "mtu": 1450}


def defined(extra_specs=(), *, config=None, limits_cpu=True, interfaces=()) -> ET.Element:
    hardware = guest_hardware.of(2, 128, dict(extra_specs), {})
    host = xml.Host(("c", "h"), 1000, "/i/root", config, limits_cpu)
    return ET.fromstring(xml.domain(INSTANCE, hardware, host, list(interfaces)))


def text(top: ET.Element, path: str) -> str | None:
    return top.findtext(path)


def test_a_container_is_its_own_root_alone():
    top = defined()
    assert top.get("type") == "lxc" and (text(top, "os/type"), text(top, "os/init")) == ("exe", "/sbin/init")
    assert {each.tag: each.attrib for each in top.find("idmap")} == {
        kind: {"start": "0", "target": "1000", "count": "65536"} for kind in ("uid", "gid")}
    assert top.find("features/privnet") is not None  # without it, a container without interfaces has the host's
    (root,) = top.iterfind("devices/filesystem")
    assert root.find("source").get("dir") == "/i/root" and root.find("target").get("dir") == "/"
    assert owner_of(ET.tostring(top.find("metadata")[0], encoding="unicode")) == ("c", "h")
    assert top.find("devices/graphics") is None and top.find("devices/disk") is None


def test_memory_and_cpu_are_limited_to_the_flavor():
    top = defined()
    assert {text(top, f"memtune/{name}") for name in ("hard_limit", "swap_hard_limit")} == {text(top, "memory")} == {"128"}
    assert (text(top, "cputune/period"), text(top, "cputune/quota"), text(top, "cputune/shares")) == ("100000", "200000", None)
    tuned = defined({"quota:cpu_quota": "5000", "quota:cpu_period": "10000", "quota:cpu_shares": "512"})
    assert [each.text for each in tuned.find("cputune")] == ["512", "10000", "10000"]
    assert defined(limits_cpu=False).find("cputune") is None


def test_interfaces_and_config_drive():
    top = defined(config="/i/config", interfaces=[(PORT, "brq1")])
    made = top.find("devices/interface")
    assert made.find("source").get("bridge") == "brq1" and made.find("target").get("dev") == "tapabcdefgh-ij"
    assert made.find("mac").get("address") == PORT["mac_address"] and made.find("mtu").get("size") == "1450"
    drive = top.findall("devices/filesystem")[1]
    assert drive.find("source").get("dir") == "/i/config" and drive.find("readonly") is not None
    assert drive.find("target").get("dir") == "/var/lib/cloud/seed/config_drive"


def ext(offset: int, size: int = 1 << 16) -> bytes:
    return bytes(offset) + (bytes(1024 + 56) + b"\x53\xef").ljust(size, b"\0")


def with_table(*partitions: tuple[int, int]) -> bytes:
    """An MBR. partitions: [(kind, first sector)], each of as many sectors as its number"""
    entries = b"".join(struct.pack("<4xB3xII", kind, start, 10 + n) for n, (kind, start) in enumerate(partitions))
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"


def gpt(first: int) -> bytes:
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 4, 128)
    entry = bytes(32) + struct.pack("<QQ", first, first + 9)
    return with_table((0xEE, 1)) + header.ljust(512, b"\0") + entry.ljust(1024, b"\0")


@pytest.mark.parametrize(("data", "found"), [
    (b"\x1f\x8b\x08", contents.Archive(("--gzip",))), (b"\xfd7zXZ\0", contents.Archive(("--xz",))),
    (b"BZh9", contents.Archive(("--bzip2",))), (b"\x28\xb5\x2f\xfd", contents.Archive(("--zstd",))),
    (ext(0), contents.FileSystem(0)), (b"", None), (bytes(4096), None), (with_table((0x83, 8)), None),
    (with_table((0x0C, 4), (0x83, 8)) + ext(8 * 512 - 512), contents.FileSystem(8 * 512)),
    (gpt(16) + ext(16 * 512 - 2048), contents.FileSystem(16 * 512)),
    (with_table((0xEE, 1)) + b"EFI PART".ljust(84, b"\0") + struct.pack("<I", 1 << 31), None),
    (with_table((0xEE, 1)) + b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 1 << 60, 4, 128), None)])
def test_what_an_image_has_for_a_container(tmp_path, data, found):
    (tmp_path / "image").write_bytes(data)
    assert contents.of(tmp_path / "image") == found


def test_an_archive_that_is_not_compressed(tmp_path):
    with tarfile.open(tmp_path / "image", "w", format=tarfile.PAX_FORMAT) as out:
        out.addfile(tarfile.TarInfo("sbin/init"))
    assert contents.of(tmp_path / "image") == contents.Archive(())


def test_users_of_containers_do_not_overlap(tmp_path):
    disks = Disks(tmp_path, str(tmp_path), 1_000_000, 3)
    ids = [f"{n}{UUID[1:]}" for n in range(3)]
    for uuid in ids:
        (tmp_path / uuid).mkdir()
    first = [disks.first_user(uuid) for uuid in ids]
    assert first == [1_000_000, 1_065_536, 1_131_072]
    again = Disks(tmp_path, str(tmp_path), 1_000_000, 3)
    assert [again.first_user(uuid) for uuid in ids] == first


def test_config_drives_are_for_the_containers_root_alone(tmp_path):
    if os.geteuid():
        pytest.skip("only root can give files to others")
    disks = Disks(tmp_path, str(tmp_path), 1_000_000, 3)
    (tmp_path / UUID).mkdir()
    assert disks.write_config(UUID, {"openstack/latest/meta_data.json": "{}", "openstack/content/0000": b"\0\1"})
    assert disks.write_config(UUID, {"openstack/latest/meta_data.json": "{}"})
    found = sorted(disks.config(UUID).rglob("*"))
    assert [p.name for p in found] == ["openstack", "latest", "meta_data.json"]
    for each in (disks.config(UUID), *found):
        assert (each.stat().st_uid, each.stat().st_mode & 0o277) == (1_000_000, 0)
    assert not disks.write_config(UUID, None) and not disks.config(UUID).exists()


def test_a_container_does_not_have_its_limits(tmp_path, monkeypatch):
    if os.geteuid():
        pytest.skip("only root can give files to others")
    monkeypatch.setattr(limits, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(limits, "_PROCESSES", tmp_path / "processes")
    scope = tmp_path / "groups/machine.slice/machine-lxc.scope"
    (scope / "libvirt").mkdir(parents=True)
    (tmp_path / "processes/7").mkdir(parents=True)
    (tmp_path / "processes/7/cgroup").write_text("1:name=systemd:/x\n0::/machine.slice/machine-lxc.scope/libvirt\n")
    for directory in (scope.parent, scope, scope / "libvirt"):
        for name in ("memory.max", "cpu.max", "cgroup.procs", "cgroup.subtree_control"):
            (directory / name).touch()
            os.chown(directory / name, *((0, 0) if directory == scope.parent else (1_000_000, 1_000_000)))
    assert limits.take_back(7, 1_000_000)
    left = {str(each.relative_to(scope)) for each in scope.rglob("*") if each.is_file() and each.stat().st_uid == 1_000_000}
    assert left == {"cgroup.procs", "cgroup.subtree_control", "libvirt/cgroup.procs", "libvirt/cgroup.subtree_control"}
    assert not limits.take_back(7, 1_000_000)
    with pytest.raises(OSError):
        limits.take_back(8, 1_000_000)


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_has_only_so_many_processes(tmp_path, monkeypatch, version):
    groups = tmp_path / "groups"
    monkeypatch.setattr(limits, "_GROUPS", groups)
    monkeypatch.setattr(limits, "_PROCESSES", tmp_path / "processes")
    (tmp_path / "processes/7").mkdir(parents=True)
    if version == 2:
        scope = groups / "machine.slice/machine-lxc.scope"
        (scope / "libvirt").mkdir(parents=True)
        (tmp_path / "processes/7/cgroup").write_text("0::/machine.slice/machine-lxc.scope/libvirt\n")
        limits.limit_processes(7, UUID, 100)
        assert (scope / "pids.max").read_text() == "100" and not (scope / "libvirt/pids.max").exists()
        assert [(d / "cgroup.subtree_control").read_text() for d in (groups, scope.parent)] == ["+pids"] * 2
        assert not (scope / "cgroup.subtree_control").exists()
        return
    (groups / "memory/machine/lxc-1-x.libvirt-lxc").mkdir(parents=True)
    (groups / "memory/machine/lxc-1-x.libvirt-lxc/cgroup.procs").write_text("7\n8\n")
    (tmp_path / "processes/7/cgroup").write_text("8:pids:/\n4:memory:/machine/lxc-1-x.libvirt-lxc\n0::/\n")
    limits.limit_processes(7, UUID, 100)
    (own,) = (groups / "pids").rglob("pids.max")
    assert own.parent.name == UUID and own.read_text() == "100" and (own.parent / "cgroup.procs").read_text() in "78"
    for file in own.parent.iterdir():
        file.unlink()  # control groups have no files of their own
    limits.forget(UUID)
    limits.forget(UUID)
    assert not own.parent.exists()


def test_limits_are_those_of_the_definition():
    class Domain:
        def __init__(self):
            self.set = []

        def XMLDesc(self, flags):  # noqa: N802
            found = defined()
            for each in found.iterfind("memtune/*"):
                each.text, _ = str(128 << 10), each.set("unit", "KiB")  # as libvirt tells them
            return ET.tostring(found, encoding="unicode")

        def setMemoryParameters(self, values, flags):  # noqa: N802
            self.set.append(values)

        def setSchedulerParameters(self, values):  # noqa: N802
            self.set.append(values)
    domain = Domain()
    limits.restore(domain)
    assert domain.set == [{"hard_limit": 128 << 10, "swap_hard_limit": 128 << 10}, {"vcpu_period": 100000, "vcpu_quota": 200000}]


def test_ports_that_are_not_plugged(tmp_path, monkeypatch):
    monkeypatch.setattr(links, "_NETWORK", tmp_path)
    with pytest.raises(Exception, match="not plugged"):
        links.bridge_of("tap1")
    (tmp_path / "tap1").mkdir()
    with pytest.raises(Exception, match="not plugged"):
        links.bridge_of("tap1")
    (tmp_path / "tap1" / "master").symlink_to("../brq1")
    assert links.bridge_of("tap1") == "brq1" and links.exists("tap1") and not links.exists("tap2")


@pytest.mark.parametrize("flags, down", [("0x1002", True), ("0x1003", False)])
def test_a_port_that_is_down_stays_down(tmp_path, monkeypatch, flags, down):
    """Its administrator has taken it out of use, which a reboot of the container does not end."""
    done: list[tuple] = []
    monkeypatch.setattr(links, "_NETWORK", tmp_path)
    monkeypatch.setattr(links, "_ip", lambda *words: done.append(words))
    (tmp_path / "tapx").mkdir()
    (tmp_path / "tapx/flags").write_text(f"{flags}\n")
    found = ET.tostring(defined(interfaces=[({**PORT, "id": "x"}, "brq1")]), encoding="unicode")
    driver = SimpleNamespace(disks=SimpleNamespace(mount=lambda uuid: None), _keep_limits=lambda domain, uuid: None,
                             _follow=lambda uuid: None)
    domain = SimpleNamespace(XMLDesc=lambda flags: found, create=lambda: done.append(("create",)))
    LxcDriver._power_up(driver, domain, UUID, {"tapx": down})
    assert (("link", "set", "tapx", "down") in done[done.index(("create",)):]) == down == links.is_down("tapx")
    done.clear()
    monkeypatch.setattr(links, "bridge_of", lambda tap: "brq1")
    LxcDriver._power_up(driver, domain, UUID)
    assert (("link", "set", "tapx", "down") in done) == down


def test_a_console_is_logged_until_it_ends_and_its_end_is_kept(tmp_path):
    logs, log = ConsoleLogs(1000), tmp_path / "console.log"
    outer, inner = os.openpty()
    logs.follow(UUID, os.ttyname(inner), log)
    logs.follow(UUID, os.ttyname(inner), log)
    assert logs.follows(UUID)
    subprocess.run(["stty", "raw"], stdin=inner, check=True)
    os.write(outer, b"hello\n")
    wait_for(lambda: log.exists() and log.read_bytes() == b"hello\n", 10, what="the first line")
    for number in range(300):
        os.write(outer, b"%09d\n" % number)
    wait_for(lambda: log.read_bytes().endswith(b"000000299\n"), 10, what="the last line")
    assert 1000 <= log.stat().st_size <= 2000 and log.stat().st_mode & 0o777 == 0o600
    os.close(inner)
    os.close(outer)
    wait_for(lambda: not logs.follows(UUID), 10, what="the end")


def test_a_container_that_writes_without_end_does_not_use_up_the_agent(tmp_path):
    logs, log = ConsoleLogs(1000), tmp_path / "console.log"
    outer, inner = os.openpty()
    subprocess.run(["stty", "raw"], stdin=inner, check=True)
    os.set_blocking(outer, False)
    logs.follow(UUID, os.ttyname(inner), log)
    written, ends = 0, time.monotonic() + 1
    while time.monotonic() < ends:
        if select.select([], [outer], [], 0.1)[1]:
            written += os.write(outer, b"x" * 4096)
    assert 4096 < written < 500_000
    os.close(inner)
    os.close(outer)
    wait_for(lambda: not logs.follows(UUID), 10, what="the end")


def test_only_consoles_are_read(tmp_path):
    logs = ConsoleLogs(1000)
    for path in ("/etc/shadow", "/dev/pts/../../etc/shadow", "", "/dev/pts/99999"):
        logs.follow(UUID, path, tmp_path / "log")
    assert not logs.follows(UUID) and not (tmp_path / "log").exists()


def test_the_option_chooses_the_driver(tmp_path, monkeypatch):
    loaded = conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {
        "agent.virt_driver": "libvirt", "libvirt.virt_type": "lxc", "agent.instances_path": str(tmp_path / "i")})
    driver = virt.load(loaded)
    assert driver.connection.uri == "lxc:///system" and not driver.keeps_taps and guest_needs.VOLUMES in driver.unsupported


HOSTS = {"LXC": {"hypervisor_type": "LXC", "arch": "x86_64", "unsupported": ["volumes"]},
         "QEMU": {"hypervisor_type": "QEMU", "arch": "x86_64"}, "KVM": {"hypervisor_type": "KVM", "arch": "x86_64"}}


@pytest.mark.parametrize(("properties", "expected"), [
    ({}, "LXC QEMU KVM"), ({"hypervisor_type": "lxc"}, "LXC"), ({"img_hv_type": "lxc"}, "LXC"), ({"vm_mode": "exe"}, "LXC"),
    ({"hw_vm_mode": "hvm"}, "QEMU KVM"), ({"hypervisor_type": "qemu"}, "QEMU KVM"), ({"img_hv_type": "kvm"}, "QEMU KVM"),
    ({"vm_mode": "xen"}, ""), ({"hypervisor_type": "lxc", "architecture": "aarch64"}, "")])
def test_images_choose_between_containers_and_machines(properties, expected):
    one = ImagePropertiesFilter(None)
    assert [n for n, facts in HOSTS.items() if one.passes({"facts": facts}, {"image_properties": properties})] == expected.split()


@pytest.mark.parametrize(("needs", "expected"), [
    ([], "LXC QEMU KVM"), (None, "LXC QEMU KVM"), (["local disks"], "LXC QEMU KVM"), (["volumes"], "QEMU KVM")])
def test_servers_go_where_what_they_use_is_supported(needs, expected):
    one = SupportingHypervisor(None)
    assert [n for n, facts in HOSTS.items() if one.passes({"facts": facts}, {"hypervisor_needs": needs})] == expected.split()


def test_traits_of_hosts_with_containers():
    assert host_traits.of(HOSTS["QEMU"]) - host_traits.of(HOSTS["LXC"]) == {
        "COMPUTE_VOLUME_EXTEND", "COMPUTE_VOLUME_MULTI_ATTACH", "COMPUTE_RESCUE_BFV"}
    assert "COMPUTE_NODE" in host_traits.of(HOSTS["LXC"])


@pytest.mark.parametrize(("work", "then"), [("mount", []), ("unmount", ["umount"])])
def test_a_disk_that_a_killed_agent_left_frozen_is_thawed_before_it_is_used(tmp_path, monkeypatch, work, then):
    """A start would wait for it without end, and a delete fail, because the loop device would stay in use."""
    disks, ran = Disks(tmp_path, str(tmp_path), 1_000_000, 3), []
    disks.root(UUID).mkdir(parents=True)
    disks.disk(UUID).touch()
    monkeypatch.setattr(os.path, "ismount", lambda path: path == disks.root(UUID))
    monkeypatch.setattr("compute_agent.virt.lxc.disks._run", lambda *words: ran.append(words[:2]) or "")
    getattr(disks, work)(UUID)
    assert ran[0] == ("fsfreeze", "--unfreeze") and [words[0] for words in ran[1:] if words[0] != "losetup"] == then


@pytest.mark.parametrize("keeps_taps", [True, False])
def test_taps_that_end_with_a_guest_are_made_again(keeps_taps):
    """Else ``pileus audit`` misses them while the server is stopped."""
    asked: list[dict] = []

    def refuse(instance):
        asked.append(instance)
        raise errors.ServiceUnavailable(part="the network")
    agent = types.SimpleNamespace(driver=types.SimpleNamespace(keeps_taps=keeps_taps), _plug=refuse, log=ComputeAgent.log)
    ComputeAgent.replug(agent, INSTANCE)
    assert asked == ([] if keeps_taps else [INSTANCE])


@pytest.mark.parametrize(("row", "needs"), [
    ({"image_meta": {"id": "i"}, "flavor": {}, "block_devices": []}, []), ({"image_meta": {}, "flavor": {}}, ["volumes"]),
    ({"image_meta": {"id": "i"}, "flavor": {"local_disks": [{}]}, "block_devices": [{}]}, ["volumes", "local disks"])])
def test_what_servers_need_of_their_hypervisor(row, needs):
    assert guest_needs.of_hypervisor(row) == needs


def test_the_archive_of_the_test_container(tmp_path):
    from deploy.images import container
    if not pathlib.Path("/bin/busybox").exists():
        pytest.skip("no busybox-static")
    container.build(tmp_path / "c.tar.gz")
    with tarfile.open(tmp_path / "c.tar.gz") as made:
        names = made.getnames()
        assert {"./sbin/init", "./bin/busybox", "./etc/init.d/rcS", "./usr/sbin/dropbear"} <= set(names)
        assert not [m for m in made.getmembers() if m.uid or m.gid or m.isdev()]
