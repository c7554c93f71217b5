"""What each extra spec and image property becomes in a guest's definition; all definitions are valid by libvirt's schema."""

import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from common import errors, guest_hardware, guest_needs, host_traits, rescue
from compute_agent.virt.libvirt import capabilities, firmware, xml
from compute_agent.virt.libvirt.pinning import Pinning, placement

SCHEMA = pathlib.Path("/usr/share/libvirt/schemas/domain.rng")
UUID = "11111111-2222-3333-4444-555555555555"
PORT = {"id": "22222222-2222-3333-4444-555555555555", "mac_address": "fa:16:3e:00:00:01", "mtu": 1450}
OVMF = firmware.Firmware("/usr/share/OVMF/CODE.fd", "/usr/share/OVMF/VARS.fd", ("pc-q35-*",), False)


def cell(number: int, *cores: tuple[int, ...]) -> capabilities.Cell:
    return capabilities.Cell(number, {cpu: frozenset(core) for core in cores for cpu in core},
                             {4: 3 << 18, 2048: 512})


# Two nodes of two cores with two threads.
HOST = capabilities.Capabilities((), (cell(0, (0, 4), (1, 5)), cell(1, (2, 6), (3, 7))), (), frozenset(range(8)))


def definition(specs: dict, properties: dict, *, virt_type: str = "qemu", cpu=("", (), ()), cdrom: bool = False,
               pinning: Pinning | None = None, vcpus: int = 4, rescue_from: dict | None = None) -> ET.Element:
    hardware = guest_hardware.of(vcpus, 1024, specs, properties)
    prefix, pins = hardware.disk_prefix.rpartition("/")[2], pinning or Pinning()
    placement = pins.assign(UUID, hardware, HOST)
    host = xml.Host(virt_type, "iqn.2012-01.x:h", ("cloud", "host"), (1000, 1000), placement, pins.of(UUID),
                    OVMF if hardware.uefi else None, "/d/nvram.fd", cpu, pins.memory_of(UUID))
    volume = {"volume_id": "v1", "device_name": f"/dev/{prefix}d", "info": {
        "target_iqn": "iqn.x", "target_lun": 1, "target_portal": "127.0.0.1:3260", "auth_username": "u"}}
    return ET.fromstring(xml.domain(
        {"uuid": UUID, "project_id": "p", "memory_mb": 1024, "vcpus": vcpus, "root_device_name": f"/dev/{prefix}a"}, hardware,
        host, directory="/d", ports=[PORT], volumes=[volume], config_drive="/d/disk.config",
        root={"path": "/d/disk", "format": "raw" if cdrom else "qcow2", "cdrom": cdrom}, second=None,
        local=[{"path": "/d/disk.eph0", "format": "raw", "target": f"{prefix}b"}], kernel={},
        rescue=rescue_from))


def attributes(made: ET.Element, path: str) -> list[dict]:
    return [dict(e.attrib) for e in made.iterfind(path)]


NUMA = {"hw:numa_nodes": "2", "hw:cpu_policy": "dedicated"}
# {name: (extra specs, image properties, {path: attributes of the elements there, or the text of the only one})}
CASES: dict[str, tuple[dict, dict, dict]] = {
    "usual": ({}, {}, {
        "devices/disk/target": [{"dev": "vda", "bus": "virtio"}, {"dev": "vdb", "bus": "virtio"}, {"dev": "vdd", "bus": "virtio"},
                                {"dev": "hdd", "bus": "ide"}],
        "devices/serial/target": [{"port": "0"}], "devices/interface/model": [{"type": "virtio"}], "os/bootmenu": [],
        "devices/interface/driver": [],
        "devices/watchdog": [], "memoryBacking": [], "cputune": [], "cpu/topology": [], "os/loader": [],
        "devices/memballoon/stats": [{"period": "10"}], "devices/rng/backend": "/dev/urandom"}),
    "topology": ({"hw:cpu_sockets": "1", "hw:cpu_cores": "2", "hw:cpu_threads": "2"}, {}, {
        "cpu/topology": [{"sockets": "1", "cores": "2", "threads": "2"}]}),
    "dedicated": ({"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "require"}, {}, {
        "cputune/vcpupin": [{"vcpu": "0", "cpuset": "0"}, {"vcpu": "1", "cpuset": "4"}, {"vcpu": "2", "cpuset": "1"},
                            {"vcpu": "3", "cpuset": "5"}], "cputune/emulatorpin": [{"cpuset": "0,1,4,5"}]}),
    "real time": ({"hw:cpu_policy": "dedicated", "hw:cpu_realtime": "yes", "hw:cpu_realtime_mask": "^0-1"}, {}, {
        "cputune/vcpusched": [{"vcpus": "2,3", "scheduler": "fifo", "priority": "1"}],
        "cputune/emulatorpin": [{"cpuset": "0,4"}], "memoryBacking/locked": [{}], "memoryBacking/nosharepages": [{}]}),
    "emulator threads": ({"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate"}, {}, {
        "cputune/emulatorpin": [{"cpuset": "2"}]}),
    "NUMA": (NUMA, {}, {
        "cpu/numa/cell": [{"id": "0", "cpus": "0,1", "memory": "512", "unit": "MiB"},
                          {"id": "1", "cpus": "2,3", "memory": "512", "unit": "MiB"}],
        "numatune/memnode": [{"cellid": "0", "mode": "strict", "nodeset": "0"},
                             {"cellid": "1", "mode": "strict", "nodeset": "1"}],
        "cputune/vcpupin": [{"vcpu": "0", "cpuset": "0"}, {"vcpu": "1", "cpuset": "4"}, {"vcpu": "2", "cpuset": "2"},
                            {"vcpu": "3", "cpuset": "6"}]}),
    "pages": ({"hw:mem_page_size": "2MB", "hw:locked_memory": "yes"}, {}, {
        "memoryBacking/hugepages/page": [{"size": "2048", "unit": "KiB"}], "memoryBacking/locked": [{}]}),
    "large pages": ({"hw:mem_page_size": "large"}, {}, {"memoryBacking/hugepages": [{}], "memoryBacking/hugepages/page": []}),
    "small pages": ({"hw:mem_page_size": "small"}, {}, {"memoryBacking": []}),
    "CPU quotas": ({"quota:cpu_shares": "512", "quota:cpu_quota": "20000", "quota:cpu_period": "10000"}, {}, {
        "cputune/shares": "512", "cputune/quota": "20000", "cputune/period": "10000"}),
    "disk limits": ({"quota:disk_read_iops_sec": "100", "quota:disk_total_bytes_sec": "1048576"}, {}, {
        "devices/disk/[@type='file']/iotune/total_bytes_sec": [{}, {}], "devices/disk/[@type='network']/iotune": []}),
    "interface limits": ({"quota:vif_inbound_average": "100", "quota:vif_inbound_peak": "200",
                          "quota:vif_outbound_average": "50"}, {}, {
                              "devices/interface/bandwidth/inbound": [{"average": "100", "peak": "200"}],
                              "devices/interface/bandwidth/outbound": [{"average": "50"}]}),
    "SCSI": ({}, {"hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi"}, {
        "devices/controller": [{"type": "scsi", "index": "0", "model": "virtio-scsi"}],
        "devices/disk/target": [{"dev": "sda", "bus": "scsi"}, {"dev": "sdb", "bus": "scsi"}, {"dev": "sdd", "bus": "scsi"},
                                {"dev": "hdd", "bus": "ide"}]}),
    "SATA": ({}, {"hw_disk_bus": "sata", "hw_cdrom_bus": "sata", "hw_machine_type": "q35"}, {
        "devices/disk/[@device='cdrom']/target": [{"dev": "sdz", "bus": "sata"}], "os/type": "hvm"}),
    "USB": ({}, {"hw_disk_bus": "usb"}, {"devices/disk/[@type='network']/target": [{"dev": "sdd", "bus": "usb"}]}),
    "IDE": ({}, {"hw_disk_bus": "ide", "hw_cdrom_bus": "sata"}, {
        "devices/disk/target": [{"dev": "hda", "bus": "ide"}, {"dev": "hdb", "bus": "ide"}, {"dev": "hdd", "bus": "ide"},
                                {"dev": "sdd", "bus": "sata"}]}),
    "interface model": ({}, {"hw_vif_model": "e1000e"}, {"devices/interface/model": [{"type": "e1000e"}]}),
    "interface queues": ({"hw:vif_multiqueue_enabled": "yes"}, {}, {"devices/interface/driver": [{"queues": "4"}]}),
    "no RNG": ({"hw_rng:allowed": "no"}, {"hw_rng_model": "virtio"}, {"devices/rng": []}),
    "RNG rate": ({"hw_rng:rate_bytes": "100", "hw_rng:rate_period": "50"}, {}, {
        "devices/rng/rate": [{"bytes": "100", "period": "50"}]}),
    "watchdog": ({"hw:watchdog_action": "reset"}, {"hw_watchdog_action": "poweroff"}, {
        "devices/watchdog": [{"model": "i6300esb", "action": "poweroff"}]}),
    "video": ({"hw_video:ram_max_mb": "64"}, {"hw_video_model": "qxl", "hw_video_ram": "32"}, {
        "devices/video/model": [{"type": "qxl", "vram": "32768"}]}),
    "virtio video": ({}, {"hw_video_model": "virtio"}, {"devices/video/model": [{"type": "virtio"}]}),
    "input": ({}, {"hw_input_bus": "virtio", "hw_pointer_model": "usbtablet"}, {
        "devices/input": [{"type": "tablet", "bus": "virtio"}]}),
    "UEFI": ({}, {"hw_firmware_type": "uefi", "hw_machine_type": "q35"}, {
        "os/loader": [{"readonly": "yes", "type": "pflash", "secure": "no"}], "os/nvram": "/d/nvram.fd"}),
    "secure boot": ({"os:secure_boot": "required"}, {"hw_firmware_type": "uefi"}, {
        "os/loader": [{"readonly": "yes", "type": "pflash", "secure": "yes"}], "features/smm": [{"state": "on"}],
        "os/type": "hvm"}),
    "TPM": ({"hw:tpm_version": "2.0", "hw:tpm_model": "tpm-crb"}, {}, {
        "devices/tpm": [{"model": "tpm-crb"}], "devices/tpm/backend": [{"type": "external"}], "devices/tpm/backend/source": [
            {"type": "unix", "mode": "connect", "path": f"/run/pileus-tpms/{UUID}.sock"}]}),
    "serial ports": ({"hw:serial_port_count": "3"}, {"hw_serial_port_count": "2"}, {
        "devices/serial/target": [{"port": "0"}, {"port": "1"}], "devices/serial/log": [{"file": "/d/console.log",
                                                                                         "append": "off"}]}),
    "boot menu": ({"hw:boot_menu": "no"}, {"hw_boot_menu": "yes"}, {"os/bootmenu": [{"enable": "yes"}]}),
    "hidden": ({"hw:hide_hypervisor_id": "yes"}, {}, {"cpu/feature": [{"name": "hypervisor", "policy": "disable"}]}),
    "PMU": ({"hw:pmu": "no"}, {}, {"features/pmu": [{"state": "off"}]}),
    "HPET": ({}, {"hw_time_hpet": "yes"}, {"clock/timer": [{"name": "hpet", "present": "yes"}]}),
    "guest agent": ({}, {"hw_qemu_guest_agent": "yes"}, {
        "devices/channel/target": [{"type": "virtio", "name": "org.qemu.guest_agent.0"}]}),
    "Windows": ({}, {"os_type": "windows"}, {"clock": [{"offset": "localtime"}]})}


@pytest.mark.parametrize("name", CASES)
def test_each_property(name):
    specs, properties, expected = CASES[name]
    made = definition(specs, properties)
    for path, value in expected.items():
        path = path.replace("/[", "[")
        assert made.findtext(path) == value if isinstance(value, str) else attributes(made, path) == value, path


@pytest.mark.skipif(not shutil.which("xmllint") or not SCHEMA.exists(), reason="needs xmllint and libvirt's schema")
def test_all_definitions_are_valid(tmp_path):
    made = {name: definition(specs, properties) for name, (specs, properties, _) in CASES.items()}
    made["kvm"] = definition({"hw:hide_hypervisor_id": "yes"}, {"os_type": "windows"}, virt_type="kvm")
    made["cpu"] = definition({}, {}, cpu=("custom", ("Nehalem",), ("+aes", "-vmx")))
    made["cd"] = definition({}, {}, cdrom=True)
    made.update({f"rescue {device} {bus}": definition({}, {}, rescue_from=rescue_disk(device, bus))
                 for device, buses in rescue.BUSES.items() for bus in buses})
    for name, each in made.items():
        for element in each.iterfind("metadata"):
            each.remove(element)
        (tmp_path / name).write_bytes(ET.tostring(each))
    done = subprocess.run(["xmllint", "--noout", "--relaxng", str(SCHEMA), *map(str, tmp_path.iterdir())], capture_output=True,
                          text=True)
    assert done.returncode == 0, re.sub(r"\S+\.rng", "", done.stderr)[:2000]


def rescue_disk(device: str, bus: str, *, cdrom: bool = False) -> dict:
    return {"path": "/d/disk.rescue", "format": "qcow2", "cdrom": cdrom, "device": device, "bus": bus}


@pytest.mark.parametrize(("device", "bus", "name"), [
    ("disk", "virtio", "vdz"), ("disk", "scsi", "sdz"), ("cdrom", "ide", "hdc"), ("cdrom", "sata", "sdz")])
def test_a_rescue_disk_beside_all_others_is_what_the_guest_boots_from(device, bus, name):
    usual, made = definition({}, {}), definition({}, {}, rescue_from=rescue_disk(device, bus))
    assert attributes(made, "devices/disk/target") == [*attributes(usual, "devices/disk/target"), {"dev": name, "bus": bus}]
    assert [disk.find("source").get("file") for disk in made.iterfind("devices/disk") if disk.find("boot") is not None] == [
        "/d/disk.rescue"]
    assert made.findall("os/boot") == [] and usual.findall("os/boot") != []
    assert (made.find("devices/disk[last()]/readonly") is not None) == (device == "cdrom")
    assert len(made.findall("devices/controller[@type='scsi']")) == (bus == "scsi")


def test_a_rescue_disk_that_is_the_image_itself_is_not_written_to():
    made = definition({}, {}, rescue_from=rescue_disk("disk", "virtio", cdrom=True))
    assert made.find("devices/disk[last()]/readonly") is not None


def test_a_bus_without_room_for_a_rescue_disk():
    """Root, ephemeral disk, volume and config drive are on the four places of the IDE bus; a fifth has none."""
    hardware = {"hw_disk_bus": "ide", "hw_cdrom_bus": "ide"}
    names = [target["dev"] for target in attributes(definition({}, hardware), "devices/disk/target")]
    assert "hdc" not in names
    assert attributes(definition({}, hardware, rescue_from=rescue_disk("disk", "ide")), "devices/disk/target")[-1]["dev"] == "hdc"
    devices = ET.Element("devices")
    for letter in "abcd":
        ET.SubElement(ET.SubElement(devices, "disk"), "target", dev=f"hd{letter}")
    with pytest.raises(errors.StepFailed, match="as many disks on its bus ide"):
        xml._rescue_disk(devices, rescue_disk("disk", "ide"))


def test_kvm_guests_of_windows_are_enlightened():
    made = definition({"hw:hide_hypervisor_id": "yes"}, {"os_type": "windows"}, virt_type="kvm")
    assert made.find("features/hyperv/relaxed") is not None and attributes(made, "features/kvm/hidden") == [{"state": "on"}]
    assert {"name": "hypervclock", "present": "yes"} in attributes(made, "clock/timer")


def test_the_cpu_is_the_hosts_choice():
    made = definition({}, {}, cpu=("custom", ("Nehalem",), ("+aes", "-vmx")))
    assert attributes(made, "cpu") == [{"mode": "custom", "match": "exact"}] and made.findtext("cpu/model") == "Nehalem"
    assert attributes(made, "cpu/feature") == [{"name": "aes", "policy": "require"}, {"name": "vmx", "policy": "disable"}]
    assert attributes(definition({}, {}, cpu=("none", (), ())), "cpu") == [{}]
    assert attributes(definition({}, {}, virt_type="kvm"), "cpu") == [{"mode": "host-model"}]


def pinned(pinning: Pinning, uuid: str, specs: dict, vcpus: int = 2) -> list[int]:
    hardware = guest_hardware.of(vcpus, 1024, {"hw:cpu_policy": "dedicated", **specs}, {})
    return list(pinning.assign(uuid, hardware, HOST)["cpus"].values())


def test_dedicated_cpus_are_given_once_and_come_back():
    pinning = Pinning()
    assert pinned(pinning, "one", {}) == [0, 4] and pinned(pinning, "two", {}, vcpus=3) == [2, 6, 3]
    assert pinning.free(HOST.dedicated) == {1, 5, 7}
    with pytest.raises(errors.StepFailed, match="not enough free dedicated CPUs"):
        pinned(pinning, "three", {}, vcpus=4)
    assert pinned(pinning, "three", {}, vcpus=3) == [1, 5, 7]  # of two nodes, as no single one has so many
    pinning.release("one")
    assert pinned(pinning, "four", {}) == [0, 4] and pinned(pinning, "four", {}) == [0, 4]


def test_siblings_of_isolated_cpus_stay_idle():
    pinning = Pinning()
    assert pinned(pinning, "one", {"hw:cpu_thread_policy": "isolate"}) == [0, 1] and pinning.of("one") == {0, 1, 4, 5}
    assert pinned(pinning, "two", {}) == [2, 6]
    with pytest.raises(errors.StepFailed):
        pinned(pinning, "three", {"hw:cpu_thread_policy": "isolate"})


def test_each_numa_node_is_on_one_of_its_own():
    with pytest.raises(errors.StepFailed, match="NUMA"):
        pinned(Pinning(), "one", {"hw:numa_nodes": "4"}, vcpus=4)
    assert Pinning().assign("two", guest_hardware.of(2, 1024, {"hw:numa_nodes": "2"}, {}), HOST)["cells"] == [0, 1]


def test_guests_with_numa_nodes_are_spread_by_memory_and_never_bound_to_a_full_node():
    """An image may ask for nodes. Where all were bound to the first, the kernel would kill guests while others have memory."""
    pinning, hardware = Pinning(), guest_hardware.of(2, 2048, {}, {"hw_numa_nodes": "1"})
    assert [pinning.assign(f"guest {n}", hardware, HOST)["cells"] for n in range(2)] == [[0], [1]]
    metadata = definition({}, {"hw_numa_nodes": "1"}, pinning=pinning, vcpus=2).find(f"metadata/{{{xml.METADATA_URI}}}instance")
    assert metadata is not None and metadata.get("memory") == "0:1024"
    again = Pinning()
    again.learn(UUID, ET.tostring(metadata, encoding="unicode"))
    assert again.assign("next", hardware, HOST)["cells"] == [1]
    with pytest.raises(errors.StepFailed, match="NUMA"):
        pinning.assign("too many", hardware, HOST)
    pinning.release("guest 1")
    assert pinning.assign("too many", hardware, HOST)["cells"] == [1]
    unknown = capabilities.Capabilities((), tuple(capabilities.Cell(n, {}, {}) for n in range(2)), (), frozenset())
    assert [Pinning().assign("any", hardware, unknown)["cells"]] == [[0]]


def test_a_restarted_agent_learns_what_is_reserved():
    made = definition({"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "isolate"}, {}, vcpus=2)
    metadata = made.find(f"metadata/{{{xml.METADATA_URI}}}instance")
    assert metadata is not None
    again = Pinning()
    again.learn(UUID, ET.tostring(metadata, encoding="unicode"))
    assert again.free(HOST.dedicated) == {2, 3, 6, 7}


def test_where_a_guest_is_can_be_read_from_its_definition():
    made = definition({"hw:cpu_policy": "dedicated", "hw:numa_nodes": "2"}, {}, vcpus=2)
    assert placement(ET.tostring(made, encoding="unicode")) == {
        "cells": [0, 1], "cpus": [{"vcpu": 0, "cpu": 0}, {"vcpu": 1, "cpu": 2}]}
    assert placement(ET.tostring(definition({}, {}), encoding="unicode")) == {"cells": [], "cpus": []}


def test_amounts_of_a_host_are_those_that_are_free(tmp_path):
    free = tmp_path / "node1/hugepages/hugepages-2048kB/free_hugepages"
    free.parent.mkdir(parents=True)
    free.write_text("212\n")
    pages = [cell.pages[2048] for cell in HOST.cells]
    small = [cell.memory_mb(large=False) for cell in HOST.cells]
    assert HOST.amounts(3, {0: 100}, str(tmp_path)) == {
        "dedicated CPUs": 3, "NUMA nodes": 2, "MiB of memory in pages of 2048 KiB": 2 * pages[0] + 2 * 212,
        "MiB of memory in large pages": 2 * pages[0] + 2 * 212,
        "MiB of memory that no guest is bound to, on a NUMA node": small[1],
        "MiB of memory that no guest is bound to, on each of 2 NUMA nodes": small[0] - 100}
    unknown = capabilities.Capabilities((), (capabilities.Cell(0, {}, {}),), (), frozenset())
    assert unknown.amounts(0, {}) == {"dedicated CPUs": 0, "NUMA nodes": 1}


UNEVEN = {"hw:numa_nodes": "2", "hw:numa_mem.0": "548", "hw:numa_mem.1": "1500", "hw:numa_cpus.0": "0", "hw:numa_cpus.1": "1"}


@pytest.mark.parametrize(("specs", "taken", "fits"), [
    ({"hw:numa_nodes": "1"}, 0, True), ({"hw:numa_nodes": "1"}, 1, True), ({"hw:numa_nodes": "1"}, 2, False),
    ({"hw:numa_nodes": "2"}, 1, True), (UNEVEN, 1, True), (UNEVEN, 2, False)])
def test_a_guest_is_placed_where_its_numa_nodes_have_room(specs, taken, fits):
    """What the scheduler compares and what the host does agree. The ratio for memory is for guests that are bound to no node."""
    pinning = Pinning()
    for number in range(taken):
        pinning.assign(f"guest {number}", guest_hardware.of(2, 2048, {"hw:numa_nodes": "1"}, {}), HOST)
    server = {"vcpus": 2, "memory_mb": 2048, "flavor": {"extra_specs": specs}, "image_meta": {"properties": {}}}
    missing = guest_needs.missing({"amounts": HOST.amounts(0, pinning.bound())}, guest_needs.of(server), host_traits.of)
    assert bool(missing) != fits, missing
    if fits:
        pinning.assign("next", guest_hardware.of_server(server), HOST)
        return
    with pytest.raises(errors.StepFailed, match="NUMA"):
        pinning.assign("next", guest_hardware.of_server(server), HOST)


def test_capabilities_of_a_host():
    cells = capabilities._cells("""<capabilities><host><topology><cells num="1"><cell id="0">
        <pages unit="KiB" size="2048">16</pages><cpus num="2"><cpu id="0" siblings="0,1"/>
        <cpu id="1" siblings="0-1"/></cpus></cell></cells></topology></host>
        </capabilities>""")
    assert cells == (capabilities.Cell(0, {0: frozenset({0, 1}), 1: frozenset({0, 1})}, {2048: 16}),)
    described = ET.fromstring("""<domainCapabilities><devices>
        <disk supported="yes"><enum name="bus"><value>ide</value><value>scsi</value></enum></disk>
        <video supported="no"><enum name="modelType"><value>qxl</value></enum></video></devices></domainCapabilities>""")
    assert capabilities._features(described) == {"disk bus ide", "disk bus scsi"}


def test_firmware_is_found_by_its_descriptors(tmp_path):
    for name in ("code", "vars"):
        (tmp_path / name).touch()

    def describe(name: str, features: str, machine: str, code: str = "code") -> None:
        (tmp_path / name).write_text(f"""{{"interface-types": ["uefi"], "features": [{features}], "targets": [
            {{"architecture": "x86_64", "machines": ["{machine}"]}}], "mapping": {{"device": "flash",
            "executable": {{"filename": "{tmp_path}/{code}", "format": "raw"}},
            "nvram-template": {{"filename": "{tmp_path}/vars", "format": "raw"}}}}}}""")
    describe("40.json", '"secure-boot", "enrolled-keys"', "pc-q35-*")
    describe("50.json", '"secure-boot"', "pc-i440fx-*")  # without keys it would start anything
    describe("60.json", "", "pc-i440fx-*")
    describe("61.json", "", "pc-q35-*", code="missing")
    (tmp_path / "70.json").write_text("{")
    every = firmware.found((str(tmp_path),))
    assert [(e.machines, e.secure) for e in every] == [(("pc-q35-*",), True), (("pc-i440fx-*",), False)]
    assert firmware.choose(every, "pc", secure=False) == every[1]
    assert firmware.choose(every, "pc-q35-7.2", secure=True) == every[0]
    assert firmware.choose(every, "q35", secure=False) is None
