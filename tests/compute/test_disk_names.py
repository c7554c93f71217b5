"""The buses that a request asks for become names of disks, and are refused where the guest cannot have them."""

import types
import xml.etree.ElementTree as ET

import pytest

from common import errors, guest_hardware, guest_needs
from compute_agent.virt.libvirt import xml
from compute_api import devices, disk_names, local_disks
from tests.compute.test_local_disks import FLAVOR, ephemeral, swap


def hardware(**properties):
    return guest_hardware.of(1, 64, {}, properties)


@pytest.mark.parametrize(("bus", "properties", "prefix"), [
    (None, {}, "/dev/vd"), ("virtio", {}, "/dev/vd"), ("ide", {}, "/dev/hd"), ("scsi", {}, "/dev/sd"),
    ("sata", {"hw_disk_bus": "sata"}, "/dev/sd"), ("virtio", {"hw_disk_bus": "scsi"}, "/dev/vd"),
    (None, {"hw_disk_bus": "ide"}, "/dev/hd")])
def test_a_bus_becomes_a_name(bus, properties, prefix):
    asked = {"disk_bus": bus, "device_type": "disk"}
    assert disk_names.prefix_of(disk_names.bus_of(asked), hardware(**properties)) == prefix
    assert hardware(**properties).bus_of(prefix) == (bus or properties.get("hw_disk_bus", "virtio"))


@pytest.mark.parametrize(("asked", "properties", "says"), [
    ({"disk_bus": "xen"}, {}, "the disk bus xen is not one of"),
    ({"device_type": "cdrom"}, {}, "device type cdrom is not supported"),
    ({"device_type": "lun"}, {}, "lun"), ({"disk_bus": "sata"}, {}, "unless its image has hw_disk_bus=sata"),
    ({"disk_bus": "scsi"}, {"hw_disk_bus": "usb"}, "hw_disk_bus=scsi"),
    ({"disk_bus": "ide"}, {"hw_machine_type": "q35"}, "q35 has no disk bus ide")])
def test_what_a_guest_cannot_have_is_refused(asked, properties, says):
    with pytest.raises(errors.BadRequest, match=f"Block Device Mapping is Invalid: .*{says}"):
        disk_names.prefix_of(disk_names.bus_of(asked), hardware(**properties))


def test_disks_of_the_host_and_volumes_get_the_names_of_their_buses():
    asked = [{"source_type": "image", "destination_type": "local", "boot_index": 0, "disk_bus": "ide"},
             ephemeral(2, disk_bus="virtio"), ephemeral(1), swap(256)]
    prefix = disk_names.root_prefix(asked, hardware())
    own = local_disks.of(FLAVOR, asked, root=True, most=-1, prefix=prefix, hardware=hardware())
    assert prefix == "/dev/hd"
    assert [d["device_name"] for d in own] == ["/dev/vdb", "/dev/hdb", "/dev/hdc"] and not any("prefix" in d for d in own)
    found: list[dict] = []
    connection = types.SimpleNamespace(execute=lambda statement, rows: found.extend(rows))
    mapping = [{"volume_id": str(number), "boot_index": None, "delete_on_termination": False, "tag": None, "multiattach": False,
                "bus": bus} for number, bus in enumerate((None, "scsi", "virtio", "scsi", "scsi"))]
    devices.choose_prefixes(mapping, hardware())
    devices.insert(connection, {"uuid": "s", "root_device_name": "/dev/hda", "flavor": {"local_disks": own}}, mapping)
    assert [d["device_name"] for d in found] == ["/dev/hdd", "/dev/sdb", "/dev/vdc", "/dev/sdc", "/dev/sde"]


def test_a_bus_that_is_not_the_root_disks_leaves_room_for_the_config_drive():
    names = disk_names.free("/dev/hd", "/dev/vd", set())
    assert list(names) == ["/dev/hdb", "/dev/hdc"]


def test_what_a_host_must_have_for_it():
    row = {"vcpus": 1, "memory_mb": 64, "image_meta": {}, "root_device_name": "/dev/vda",
           "flavor": {"local_disks": [{"device_name": "/dev/hdb", "format": None}]},
           "block_devices": [{"device_name": "/dev/sdb"}]}
    assert guest_needs.of(row)["features"] == ["disk bus scsi"]


def guest(*volumes: tuple[str, int | None], root: str = "/dev/vda", own: bool = True):
    info = {"target_iqn": "iqn.x:v", "target_lun": 1, "target_portal": "10.0.0.1:3260", "auth_username": "u"}
    made = xml.domain(
        {"uuid": "s", "project_id": "p", "memory_mb": 64, "vcpus": 1, "root_device_name": root}, hardware(),
        xml.Host("qemu", "iqn.x", ("c", "h")), directory="/g", ports=[], config_drive=None, second=None, local=[], kernel={},
        volumes=[{"device_name": name, "volume_id": name[5:], "boot_index": index, "info": info} for name, index in volumes],
        root={"path": "/g/disk", "format": "qcow2", "cdrom": False} if own else None)
    return ET.fromstring(made)


def order(made) -> dict[str, str | None]:
    found = {}
    for disk in made.iterfind("devices/disk"):
        boot = disk.find("boot")
        found[disk.find("target").get("dev")] = None if boot is None else boot.get("order")
    return found


def test_a_guest_boots_from_its_disks_in_the_order_that_was_asked_for():
    made = guest(("/dev/vdb", 2), ("/dev/vdc", 1), ("/dev/vdd", None), ("/dev/vde", -1))
    assert order(made) == {"vda": "1", "vdb": "3", "vdc": "2", "vdd": None, "vde": None} and made.find("os/boot") is None
    of_volume = guest(("/dev/vda", 0), ("/dev/vdb", 1), own=False)
    assert order(of_volume) == {"vda": "1", "vdb": "2"}
    usual = guest(("/dev/vdb", None))
    assert order(usual) == {"vda": None, "vdb": None} and [b.get("dev") for b in usual.iterfind("os/boot")] == ["hd", "cdrom"]


def test_a_disk_on_a_scsi_bus_has_the_usual_controller():
    made = guest(("/dev/sdb", None))
    assert made.find("devices/controller[@type='scsi']").get("model") == "virtio-scsi"
    assert made.find("devices/disk/target[@dev='sdb']").get("bus") == "scsi"
    assert guest(("/dev/vdb", None)).find("devices/controller[@type='scsi']") is None
