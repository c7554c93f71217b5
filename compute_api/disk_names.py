"""Names of a new server's disks. The bus of a disk follows from its name: vda is on a virtio bus, hda on IDE, and sda on the bus
that the image names (``hw_disk_bus``), else on SCSI."""

from collections.abc import Iterator

from common import errors
from common.guest_hardware import BUSES, Hardware

_INVALID = "Block Device Mapping is Invalid: "
_PREFIXES = {"virtio": "/dev/vd", "ide": "/dev/hd"}
_LETTERS = "bcdefghijklmnopqrstuvwxyz"  # that of the root disk is "a"
_BESIDE = {"/dev/hd": "bc"}  # letters on a bus that is not the root disk's; "d" is the config drive's there


def bus_of(item: dict) -> str | None:
    """The bus that an item of ``block_device_mapping_v2`` asks for.

    :raises BadRequest: there is no such bus, or the item is to be something else than a disk
    """
    bus, kind = item.get("disk_bus") or None, item.get("device_type") or "disk"
    if bus is not None and bus not in BUSES:
        raise errors.BadRequest(f"{_INVALID}the disk bus {bus} is not one of {', '.join(BUSES)}.")
    if kind != "disk":
        raise errors.BadRequest(f"{_INVALID}the device type {kind} is not supported by this cloud.")
    return bus


def prefix_of(bus: str | None, hardware: Hardware) -> str:
    """How the name of a disk on a bus begins, as in /dev/vda.

    :param bus: None: that of the server's hardware
    :raises BadRequest: the hypervisor cannot have such a disk in the server
    """
    if bus is None:
        return hardware.disk_prefix
    prefix = _PREFIXES.get(bus, "/dev/sd")
    if hardware.bus_of(prefix) != bus:
        raise errors.BadRequest(f"{_INVALID}the server can have no disk on the bus {bus} unless its image has hw_disk_bus={bus}.")
    if bus == "ide" and hardware.is_q35:
        raise errors.BadRequest(f"{_INVALID}the machine type {hardware.machine_type} has no disk bus ide.")
    return prefix


def root_prefix(mapping: list[dict], hardware: Hardware) -> str:
    """As ``prefix_of``, of the disk that a server boots from. :param mapping: ``block_device_mapping_v2`` of the request"""
    root = next((item for item in mapping if item.get("boot_index") not in (None, "") and int(item["boot_index"]) == 0), {})
    return prefix_of(bus_of(root), hardware)


def free(prefix: str, root: str, taken: set[str]) -> Iterator[str]:
    """Names besides that of the root disk. :param root: how its name begins"""
    letters = _LETTERS if prefix == root else _BESIDE.get(prefix, _LETTERS.replace("d", ""))
    return (name for letter in letters if (name := f"{prefix}{letter}") not in taken)


def take(names: Iterator[str]) -> str:
    """:raises BadRequest: no name is left"""
    name = next(names, None)
    if name is None:
        raise errors.BadRequest(f"{_INVALID}You specified more devices than a server can have.")
    return name
