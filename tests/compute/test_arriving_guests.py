"""The definition with which a guest arrives: the source's devices, the target's files, volumes and users."""

import xml.etree.ElementTree as ET

import pytest

from common import errors, guest_hardware
from compute_agent.virt.libvirt import gate, xml
from compute_agent.virt.libvirt.firmware import Firmware
from compute_agent.virt.libvirt.live import destination

VOLUME = {"volume_id": "v", "device_name": "/dev/vdb"}
INSTANCE = {"uuid": "s", "project_id": "p", "memory_mb": 128, "vcpus": 1, "flavor": {"extra_specs": {}}, "image_meta": {}}


def definition(host: str, *, volumes: bool = True) -> str:
    info = {"target_iqn": f"iqn.{host}", "target_lun": 1, "target_portal": "10.0.0.1:3260", "auth_username": f"chap-{host}"}
    own = xml.Host("qemu", f"iqn.initiator.{host}", ("cloud", host), (1000 + len(host), 7))
    return xml.domain(INSTANCE, guest_hardware.of_server(INSTANCE), own, directory=f"/{host}",
                      volumes=[{**VOLUME, "info": info}] if volumes else [],
                      ports=[{"id": "port-000000000", "mac_address": "fa:16:3e:00:00:01"}], config_drive=f"/{host}/disk.config",
                      root={"path": f"/{host}/disk", "format": "qcow2", "cdrom": False}, second=None, local=[],
                      kernel={"kernel": f"/{host}/kernel", "ramdisk": f"/{host}/ramdisk", "cmdline": "quiet"})


def running(host: str) -> str:
    """As libvirt describes it once it runs: with addresses, and the chain of images below a disk."""
    top = ET.fromstring(definition(host))
    for number, disk in enumerate(top.iterfind("devices/disk")):
        ET.SubElement(disk, "backingStore", type="file").append(ET.Element("source", file=f"/{host}/base"))
        ET.SubElement(disk, "address", type="pci", slot=f"0x{number:02x}")
    return ET.tostring(top, encoding="unicode")


def test_nothing_of_the_source_host_is_left_but_the_addresses_of_devices():
    found = destination(running("source"), definition("target9"))
    assert "source/" not in found.replace("<source/", "") and "/source" not in found.replace("</source", "")
    assert "iqn.source" not in found and "chap-source" not in found and "initiator.source" not in found
    top, own = ET.fromstring(found), ET.fromstring(definition("target9"))
    for path in ("seclabel/label", "os/kernel", "os/initrd", "os/cmdline"):
        assert top.findtext(path) == own.findtext(path), path
    assert [d.find("address").get("slot") for d in top.iterfind("devices/disk")] == ["0x00", "0x01", "0x02"]
    assert not top.findall("devices/disk/backingStore")
    assert xml.owner_of(ET.tostring(top.find("metadata")[0], encoding="unicode")) == ("cloud", "target9")
    assert top.find("devices/serial/log").get("file") == "/target9/console.log"


def test_a_guest_with_a_disk_that_its_server_does_not_have_is_refused():
    with pytest.raises(errors.StepFailed, match="vdb"):
        destination(running("source"), definition("target9", volumes=False))


def test_a_guest_with_cpus_of_its_own_and_firmware_gets_those_of_the_target():
    specs = {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "2", "hw:vif_multiqueue_enabled": "yes", "hw:tpm_version": "2.0"}
    instance = {**INSTANCE, "vcpus": 2, "flavor": {"extra_specs": specs}, "image_meta": {"properties": {
        "hw_firmware_type": "uefi"}}}

    def made(name: str, cpus: dict, cells: list[int]) -> str:
        host = xml.Host("qemu", f"iqn.{name}", ("cloud", name), (1000 + len(name), 7),
                        {"cpus": cpus, "emulator": None, "cells": cells}, frozenset(cpus.values()),
                        Firmware(f"/{name}/CODE.fd", f"/{name}/VARS.fd", ("pc-*",), False), f"/{name}/nvram.fd",
                        memory=dict.fromkeys(cells, 64))
        return xml.domain(instance, guest_hardware.of_server(instance), host, directory=f"/{name}", ports=[], volumes=[],
                          config_drive=None, root={"path": f"/{name}/disk", "format": "qcow2", "cdrom": False}, second=None,
                          local=[], kernel={})
    own = made("target", {0: 5, 1: 9}, [1, 0])
    found = destination(made("source", {0: 1, 1: 2}, [0, 1]), own)
    top = ET.fromstring(found)
    assert [pin.get("cpuset") for pin in top.iterfind("cputune/vcpupin")] == ["5", "9"]
    assert [node.get("nodeset") for node in top.iterfind("numatune/memnode")] == ["1", "0"]
    assert (top.findtext("os/nvram"), top.findtext("os/loader")) == ("/target/nvram.fd", "/target/CODE.fd")
    assert "source/" not in found.replace("<source/", "") and not gate.foreign(found, own)
