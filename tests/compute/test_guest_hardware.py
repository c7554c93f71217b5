"""What extra specs of flavors and properties of images mean together."""

import pathlib
import re

import hypothesis
import hypothesis.strategies as st
import os_traits
import pytest

from common import errors, guest_hardware, guest_needs, host_traits
from common.guest_cpus import NumaNode


def made(specs: dict | None = None, properties: dict | None = None, vcpus: int = 4, memory_mb: int = 1024):
    return guest_hardware.of(vcpus, memory_mb, specs or {}, properties or {})


def refused(says: str, specs: dict | None = None, properties: dict | None = None, **more) -> None:
    with pytest.raises(errors.BadRequest, match=says):
        made(specs, properties, **more)


def test_without_any_it_is_the_usual_guest():
    usual = made({"aggregate:ssd": "true", "resources:X": "1"}, {"hw_something_new": "1", "kernel_id": "k"})
    assert usual == guest_hardware.Hardware(4, 1024) and usual.disk_prefix == "/dev/vd"


@pytest.mark.parametrize("specs, properties, expected", [
    ({"hw:cpu_sockets": "2"}, {}, (2, 2, 1)), ({"hw:cpu_cores": "2"}, {}, (2, 2, 1)), ({"hw:cpu_threads": "2"}, {}, (2, 1, 2)),
    ({"hw:cpu_max_sockets": "1"}, {}, (1, 4, 1)), ({"hw:cpu_max_sockets": "1", "hw:cpu_max_cores": "2"}, {}, (1, 2, 2)),
    ({"hw:cpu_sockets": "4"}, {"hw_cpu_sockets": "1"}, (1, 4, 1)),
    ({}, {"hw_cpu_max_sockets": "2", "hw_cpu_threads": 2}, (2, 1, 2)),
    ({"hw:cpu_cores": "3"}, {}, (4, 1, 1))], ids=str)
def test_topology(specs, properties, expected):
    assert made(specs, properties).topology == expected


@pytest.mark.parametrize("says, specs, properties", [
    ("exceeds the limits of the flavor", {"hw:cpu_max_sockets": "1"}, {"hw_cpu_max_sockets": "2"}),
    ("exceeds the limits of the flavor or image", {"hw:cpu_max_cores": "2"}, {"hw_cpu_cores": "4"}),
    ("impossible to satisfy", {"hw:cpu_max_cores": "1", "hw:cpu_max_sockets": "1", "hw:cpu_max_threads": "2"}, {}),
    ("hw:cpu_cores", {"hw:cpu_cores": "0"}, {}), ("hw_cpu_threads", {}, {"hw_cpu_threads": "many"}),
    ("not permitted to override CPU pinning", {"hw:cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}),
    ("thread pinning policy in a non dedicated", {"hw:cpu_thread_policy": "isolate"}, {}),
    ("override CPU thread pinning", {"hw:cpu_policy": "dedicated", "hw:cpu_thread_policy": "isolate"},
     {"hw_cpu_thread_policy": "prefer"}),
    ("requires a dedicated CPU policy", {"hw:emulator_threads_policy": "isolate"}, {}),
    ("non dedicated", {"hw:cpu_realtime": "yes"}, {}),
    ("non-realtime CPU", {"hw:cpu_realtime": "yes", "hw:cpu_policy": "dedicated"}, {}),
    ("non-realtime CPU", {"hw:cpu_realtime": "yes", "hw:cpu_policy": "dedicated", "hw:cpu_realtime_mask": "^0-3"}, {}),
    ("forbidden against 'None'", {}, {"hw_mem_page_size": "2MB"}),
    ("forbidden against '2048'", {"hw:mem_page_size": "2MB"}, {"hw_mem_page_size": "1GB"}),
    ("page size", {"hw:mem_page_size": "2 elephants"}, {}), ("mem_page_size is not set", {"hw:locked_memory": "true"}, {}),
    ("evenly", {"hw:numa_nodes": "3"}, {}), ("all NUMA nodes", {"hw:numa_nodes": "2", "hw:numa_cpus.0": "0"}, {}),
    ("larger than max 3", {"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-4", "hw:numa_mem.0": "1024"}, {}),
    ("assigned to two", {"hw:numa_nodes": "2", "hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1", "hw:numa_cpus.1": "3",
                         "hw:numa_mem.1": "1"}, {}),
    ("not assigned", {"hw:numa_nodes": "1", "hw:numa_cpus.0": "0,2", "hw:numa_mem.0": "1024"}, {}),
    ("1000 MB of memory assigned", {"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1000"}, {}),
    ("override NUMA", {"hw:numa_nodes": "1"}, {"hw_numa_nodes": "2"}),
    ("exceed flavor value", {"hw:serial_port_count": "1"}, {"hw_serial_port_count": "2"}),
    ("Conflicting values for hw:tpm_version", {"hw:tpm_version": "2.0"}, {"hw_tpm_version": "1.2"}),
    ("needs a TPM version", {"hw:tpm_model": "tpm-crb"}, {}), ("needs the TPM version 2.0", {"hw:tpm_model": "tpm-crb",
                                                                                         "hw:tpm_version": "1.2"}, {}),
    ("Conflicting values for os:secure_boot", {"os:secure_boot": "required"}, {"os_secure_boot": "disabled",
                                                                              "hw_firmware_type": "uefi"}),
    ("hw_firmware_type=uefi", {"os:secure_boot": "required"}, {}),
    ("machine type q35", {"os:secure_boot": "required"}, {"hw_firmware_type": "uefi", "hw_machine_type": "pc"}),
    ("no IDE bus", {}, {"hw_machine_type": "q35", "hw_disk_bus": "ide"}),
    ("video memory 64 is higher", {"hw_video:ram_max_mb": "32"}, {"hw_video_ram": "64"}),
    ("hw:mem_encryption is not supported", {"hw:mem_encryption": "true"}, {}),
    ("hw_disk_bus", {}, {"hw_disk_bus": "xen"}), ("hw_vif_model", {}, {"hw_vif_model": "<evil/>"}),
    ("hw_machine_type", {}, {"hw_machine_type": "pc' or 1"}), ("quota:cpu_quota", {"quota:cpu_quota": "much"}, {})], ids=str)
def test_what_contradicts_itself_is_refused(says, specs, properties):
    refused(says, specs, properties)


def test_dedicated_real_time_cpus():
    found = made({"hw:cpu_policy": "dedicated", "hw:cpu_realtime": "true", "hw:cpu_realtime_mask": "^0",
                  "hw:cpu_thread_policy": "require", "hw:emulator_threads_policy": "isolate"})
    assert (found.dedicated, found.thread_policy, found.emulator_threads) == (True, "require", "isolate")
    assert found.real_time == {1, 2, 3} and found.locked_memory
    assert made({}, {"hw_cpu_policy": "dedicated"}).dedicated


def test_numa_nodes_even_and_uneven():
    assert made({"hw:numa_nodes": "2"}).numa == (NumaNode(frozenset({0, 1}), 512), NumaNode(frozenset({2, 3}), 512))
    uneven = {"hw_numa_nodes": "2", "hw_numa_cpus.0": "0-2", "hw_numa_mem.0": "1000", "hw_numa_cpus.1": "3",
              "hw_numa_mem.1": "24"}
    assert made({}, uneven).numa == (NumaNode(frozenset({0, 1, 2}), 1000), NumaNode(frozenset({3}), 24))


@pytest.mark.parametrize("flavor, image, size", [("2MB", None, 2048), ("large", None, "large"), ("any", "1GB", 1 << 20),
                                                 ("large", "2048", 2048), ("small", None, "small")])
def test_sizes_of_pages(flavor, image, size):
    assert made({"hw:mem_page_size": flavor}, {"hw_mem_page_size": image} if image else {}).page_size == size


def test_quotas():
    found = made({"quota:disk_read_iops_sec": "100", "quota:disk_total_bytes_sec": "0", "quota:cpu_quota": "5000",
                  "quota:cpu_shares": 10, "quota:vif_inbound_average": "1000", "quota:vif_inbound_burst": "10",
                  "quota:vif_outbound_peak": "9"})
    assert (found.disk_limits, found.tuning) == ({"read_iops_sec": 100}, {"quota": 5000, "shares": 10})
    assert found.vif_limits == {"inbound": {"average": 1000, "burst": 10}}  # without an average there is no limit


def test_devices():
    found = made({"hw:watchdog_action": "pause", "hw_rng:rate_bytes": "64", "hw:boot_menu": "no", "hw:serial_port_count": "3",
                  "hw:vif_multiqueue_enabled": "true", "hw_video:ram_max_mb": "64"},
                 {"hw_watchdog_action": "reset", "hw_disk_bus": "scsi", "hw_scsi_model": "virtio-scsi", "hw_boot_menu": "yes",
                  "hw_serial_port_count": 2, "hw_video_model": "qxl", "hw_video_ram": "64", "img_hide_hypervisor_id": "true"})
    assert (found.watchdog, found.rng_rate, found.boot_menu, found.serial_ports) == ("reset", (64, 1000), True, 2)
    assert found.disk_prefix == "/dev/sd" and found.video_ram_mb == 64 and found.hide_hypervisor
    assert not made({"hw_rng:allowed": "false"}).rng and made({"hw:watchdog_action": "disabled"}).watchdog is None
    assert found.vif_queues == 4 and made({}, {"hw_vif_multiqueue_enabled": "yes"}, vcpus=1).vif_queues == 1
    assert made({}, {"hw_vif_multiqueue_enabled": "yes", "hw_vif_model": "e1000"}).vif_queues == 1  # it has no more
    assert made({"hw:vif_multiqueue_enabled": "yes"}, {}, vcpus=300).vif_queues == 256
    refused("Conflicting values", {"hw:vif_multiqueue_enabled": "true"}, {"hw_vif_multiqueue_enabled": "no"})


def test_firmware_and_machine():
    secure = made({"os:secure_boot": "required"}, {"hw_firmware_type": "uefi"})
    assert (secure.machine_type, secure.uefi, secure.secure_boot, secure.cdrom_bus) == ("q35", True, True, "sata")
    assert made({"hw:tpm_version": "2.0"}, {"hw_tpm_model": "tpm-crb"}).tpm == ("2.0", "tpm-crb")
    assert made({"hw:tpm_version": "1.2", "hw:tpm_secret_security": "deployment"}).tpm == ("1.2", "tpm-tis")
    refused("no key manager", {"hw:tpm_version": "2.0", "hw:tpm_secret_security": "user"}, {})
    assert not made({"os:secure_boot": "optional"}).secure_boot


def server(specs: dict, properties: dict, disks: tuple = ()) -> dict:
    return {"vcpus": 4, "memory_mb": 1024, "flavor": {"extra_specs": specs, "local_disks": list(disks)},
            "image_meta": {"properties": properties}}


def test_what_a_host_must_have():
    assert guest_needs.of(server({}, {"hw_disk_bus": "virtio", "hw_video_model": "vga"})) == {"features": [], "amounts": {}}
    needs = guest_needs.of(server(
        {"quota:cpu_shares": "5", "quota:vif_inbound_average": "1", "hw:cpu_policy": "dedicated",
         "hw:emulator_threads_policy": "isolate", "hw:numa_nodes": "2",
         "hw:mem_page_size": "2MB"}, {"hw_firmware_type": "uefi", "hw_machine_type": "q35", "hw_disk_bus": "scsi"},
        ({"device_name": "/dev/sdb", "format": "xfs"}, {"device_name": "/dev/sdc", "format": None})))
    assert needs["features"] == ["cpu-tuning", "disk bus sata", "disk bus scsi", "file system xfs", "interface bandwidth limits",
                                 "machine type q35", "uefi"]
    assert needs["amounts"] == {"dedicated CPUs": 5, "NUMA nodes": 2, "MiB of memory in pages of 2048 KiB": 1024}
    facts = {"features": [n for n in needs["features"] if n != "uefi"], "amounts": {**needs["amounts"], "dedicated CPUs": 4}}
    assert guest_needs.missing(facts, needs, host_traits.of) == ["uefi", "5 dedicated CPUs"]
    assert guest_needs.missing({}, {"features": [], "amounts": {}}, host_traits.of) == []


def test_the_page_for_users_names_every_property():
    named = set(re.findall("`([^`]+)`", (pathlib.Path(__file__).parents[2] / "doc/hardware.md").read_text()))
    known = {name for p in guest_hardware.PROPERTIES.values() for name in (p.spec, p.image) if name}
    assert known <= named
    written = {name for name in named if re.fullmatch(r"(hw|quota|os|hw_rng|hw_video):[a-z_.]+|(hw|img|os)_[a-z_]+", name)}
    assert written - known <= {"img_config_drive", "os_traits"}


def test_traits_are_made_only_where_one_is_asked_for():
    """Of each host, for each decision."""
    def made(facts):
        raise AssertionError("nobody asks for a trait")
    needs = guest_needs.of(server({"hw:cpu_policy": "dedicated"}, {"hw_firmware_type": "uefi"}))
    assert guest_needs.missing({}, needs, made) == ["uefi", "4 dedicated CPUs"]


def test_traits_of_hosts():
    facts = {"arch": "x86_64", "cpu_info": {"features": ["avx2", "sse4_2", "vmx", "aes"]}, "features": guest_needs.every()}
    needs = guest_needs.of(server({"trait:HW_CPU_X86_AVX2": "required", "trait:HW_CPU_X86_SSE42": "required",
                                   "trait:COMPUTE_NODE": "required", "trait:CUSTOM_GOLD": "forbidden"},
                                  {"trait:COMPUTE_SECURITY_TPM_2_0": "required"}))
    assert guest_needs.missing(facts, needs, host_traits.of) == []
    assert guest_needs.missing({}, needs, host_traits.of) == [
        "trait COMPUTE_SECURITY_TPM_2_0", "trait HW_CPU_X86_AVX2", "trait HW_CPU_X86_SSE42"]
    found = guest_needs.of(server({"trait:HW_CPU_X86_VMX": "forbidden"}, {}))
    assert guest_needs.missing(facts, found, host_traits.of) == ["no trait HW_CPU_X86_VMX"]
    assert set(host_traits.of(facts)) <= set(os_traits.get_traits())
    assert set(host_traits._OF_FEATURES.values()) <= set(os_traits.get_traits())
    assert guest_hardware.traits({"trait:kind": "small"}, {"trait:A": "forbidden"}) == {}, "other values"
    refused("which the flavor forbids", {"trait:A": "forbidden"}, {"trait:A": "required"})


# Whatever properties a user writes, as their names grow in the table; values that are near to what is meant, and any text.
NAMES = sorted({*(p.image for p in guest_hardware.PROPERTIES.values() if p.image),
                *(f"hw_numa_{part}.{n}" for part in ("cpus", "mem") for n in range(3)),
                *(f"hw_{name}" for name in guest_hardware.UNSUPPORTED)})
VALUES = st.one_of(st.integers(-2, 5).map(str), st.sampled_from((
    "yes", "no", "dedicated", "isolate", "require", "large", "any", "2MB", "1GB", "virtio", "scsi", "usb", "q35", "pc-q35-7.2",
    "uefi", "required", "2.0", "tpm-crb", "windows", "0-3", "^0", "0-9999", "512", "1024", "2147483648", "9" * 400, "reset",
    "none")),
    st.text(max_size=20), st.none(), st.integers(), st.booleans())
GRANTED = ("real_time", "locked_memory", "large_pages", "tuning", "disk_limits", "vif_limits", "rng_rate", "video_ram_mb",
           "emulator_threads")


@hypothesis.given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), st.integers(1, 8))
def test_whatever_an_image_asks_for_is_refused_or_no_more_than_flavors_leave_to_images(properties, vcpus):
    try:
        found = made({}, properties, vcpus=vcpus)
        needs = guest_needs.of({"vcpus": vcpus, "memory_mb": 1024, "flavor": {}, "image_meta": {"properties": properties}})
    except errors.BadRequest:
        return
    assert (found.vcpus, found.memory_mb) == (vcpus, 1024) and not any(getattr(found, name) for name in GRANTED)
    assert sum(len(node.cpus) for node in found.numa) in (0, vcpus) and sum(n.memory_mb for n in found.numa) in (0, 1024)
    of_nodes = map(guest_needs.node_memory, range(1, vcpus + 1))
    assert set(needs["amounts"]) <= {guest_needs.DEDICATED_CPUS, guest_needs.NUMA_NODES, *of_nodes}
