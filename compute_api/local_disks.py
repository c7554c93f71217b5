"""Ephemeral and swap disks, which the flavor gives to a server besides its root disk.

A server's flavor (the ``flavor`` column) has them as ``local_disks``: [{"device_name", "kind": "ephemeral" or "swap", "size_mb",
"format": the file system that was asked for, or None}], so that a resize changes them and a revert restores them. Servers of
releases that did not make such disks have no ``local_disks``.
"""

import math

from common import errors, values
from common.guest_hardware import Hardware
from compute_api import disk_names

FORMATS = ("ext2", "ext3", "ext4", "vfat", "xfs", "ntfs")
SWAP = "swap"
_DEFAULT = Hardware(1, 1)
_INVALID = "Block Device Mapping is Invalid: "


def is_local(device: dict) -> bool:
    """Whether an item of ``block_device_mapping_v2`` is an ephemeral or a swap disk."""
    return device.get("source_type", "volume") == "blank" and device.get("destination_type") == "local"


def of(flavor: dict, mapping: list[dict], *, root: bool, most: int, prefix: str = "/dev/vd",
       hardware: Hardware = _DEFAULT) -> list[dict]:
    """A new server's disks: those in the request, else those of the flavor.

    :param mapping: ``block_device_mapping_v2`` of the request; a swap disk of size 0 means none
    :param root: whether the server has a root disk on its host too
    :param most: maximum number of disks on the host, -1 for any
    :param prefix: how the name of the root disk begins
    :param hardware: the server's
    :raises BadRequest: it exceeds the flavor, or has an unsupported file system, bus or type
    """
    asked = [_parsed(each, flavor, hardware) for each in mapping if is_local(each) and not each.get("no_device")]
    ephemerals = [d for d in asked if d["kind"] != SWAP]
    swaps = [d for d in asked if d["kind"] == SWAP]
    if sum(d["size_mb"] for d in ephemerals) > flavor["ephemeral"] * 1024:
        raise errors.BadRequest("Ephemeral disks requested are larger than the instance type allows.")
    if len(swaps) > 1:
        raise errors.BadRequest(f"{_INVALID}More than one swap drive requested.")
    if swaps and swaps[0]["size_mb"] > flavor["swap"]:
        raise errors.BadRequest("Swap drive requested is larger than instance type allows.")
    disks = [d for d in (*(ephemerals or _ephemeral(flavor)), *(swaps or _swap(flavor))) if d["size_mb"]]
    if 0 <= most < root + len(disks):
        raise errors.BadRequest(f"{_INVALID}You specified more local devices than the limit allows")
    return _named(disks, set(), prefix)


def _parsed(device: dict, flavor: dict, hardware: Hardware) -> dict:
    wanted, kind = device.get("guest_format") or None, "ephemeral"
    if wanted == SWAP:
        kind, wanted = SWAP, None
    if wanted not in (None, *FORMATS):
        raise errors.BadRequest(f"{_INVALID}the file system {wanted} is not one of {', '.join(FORMATS)}.")
    if device.get("uuid"):
        raise errors.BadRequest(f"{_INVALID}Invalid device UUID.")
    if device.get("volume_type"):
        raise errors.BadRequest(f"{_INVALID}Specifying a volume_type with destination_type=local is not supported.")
    if device.get("boot_index") not in (None, "") and int(device["boot_index"]) >= 0:
        raise errors.BadRequest(f"{_INVALID}Boot sequence for the instance and image/block device mapping combination is not "
                                "valid.")
    size = device.get("volume_size")
    whole = flavor["swap"] if kind == SWAP else flavor["ephemeral"]
    size = values.integer(size, "volume_size") if size not in (None, "") else whole
    if kind != SWAP:
        size = (size or whole) * 1024
    bus = disk_names.bus_of(device)
    return {"kind": kind, "size_mb": size, "format": wanted, **({"prefix": disk_names.prefix_of(bus, hardware)} if bus else {})}


def _ephemeral(flavor: dict) -> list[dict]:
    return [{"kind": "ephemeral", "size_mb": flavor["ephemeral"] * 1024, "format": None}] if flavor["ephemeral"] else []


def _swap(flavor: dict) -> list[dict]:
    return [{"kind": SWAP, "size_mb": flavor["swap"], "format": None}] if flavor["swap"] else []


def _named(disks: list[dict], taken: set[str], prefix: str) -> list[dict]:
    """The disks with device names; existing names are kept, and a disk on another bus has the ``prefix`` of that.

    :raises BadRequest: there are not enough names
    """
    taken = taken | {d["device_name"] for d in disks if "device_name" in d}
    found = []
    for disk in disks:
        own = {name: value for name, value in disk.items() if name != "prefix"}
        if "device_name" not in own:
            own = {"device_name": disk_names.take(disk_names.free(disk.get("prefix", prefix), prefix, taken)), **own}
            taken.add(own["device_name"])
        found.append(own)
    return found


def resized(old: dict, new: dict, taken: set[str], prefix: str = "/dev/vd") -> list[dict]:
    """The disks of a server whose flavor changes. The additional space of the larger flavor goes to the last ephemeral disk; the
    content of a swap disk is not kept.

    :param old: the server's flavor, as in its row
    :param taken: the device names of its volumes
    """
    kept = [dict(d) for d in old.get("local_disks", []) if d["kind"] != SWAP]
    more = (new["ephemeral"] - old["ephemeral"]) * 1024
    if kept:
        kept[-1]["size_mb"] += more
    swap = _swap(new)
    had = next((d for d in old.get("local_disks", []) if d["kind"] == SWAP), None)
    if swap and had:
        swap[0]["device_name"] = had["device_name"]
    return _named([*(kept or _ephemeral({"ephemeral": more // 1024})), *swap], taken, prefix)


def host_disk_gb(flavor: dict, *, root: bool) -> int:
    """The GiB that a server of a flavor uses of a host's disk: root disk, ephemeral disks and swap, rounded up."""
    return (flavor["disk"] if root else 0) + flavor["ephemeral"] + math.ceil(flavor["swap"] / 1024)


def names(flavor: dict) -> set[str]:
    """Device names of a server's ephemeral and swap disks. :param flavor: as in the server's row"""
    return {d["device_name"] for d in flavor.get("local_disks", [])}
