"""Domain XML, built with ElementTree, which escapes all text from users."""

import dataclasses
import string
import xml.etree.ElementTree as ET

from common import errors
from common.guest_hardware import Hardware
from compute_agent.virt.libvirt import hardware_xml, tpm
from compute_agent.virt.libvirt.elements import element, text_of
from compute_agent.virt.libvirt.firmware import Firmware

METADATA_URI = "https://pileus.cloud/xmlns/instance/1.0"
_DEFAULT = Hardware(1, 0)


@dataclasses.dataclass(frozen=True)
class Host:
    """What a guest's definition takes from its host.

    :param owner: (cloud id, host), by which a host recognises its guests
    :param user: (user, group) ids for QEMU, which own the guest's files; None: libvirt chooses
    :param placement: the result of ``Pinning.assign``
    :param reserved: the host's CPUs that the guest has for itself
    :param memory: {NUMA node of the host: MiB} that the guest is bound to
    :param firmware: for guests with UEFI; ``variables`` is the path of the guest's copy of its variables
    :param cpu: (mode, models, features): the options ``cpu_mode``, ``cpu_models`` and ``cpu_model_extra_flags``
    """

    virt_type: str
    initiator: str
    owner: tuple[str, str]
    user: tuple[int, int] | None = None
    placement: dict = dataclasses.field(default_factory=lambda: {"cpus": {}, "emulator": None, "cells": []})
    reserved: frozenset[int] = frozenset()
    firmware: Firmware | None = None
    variables: str = ""
    cpu: tuple[str, tuple[str, ...], tuple[str, ...]] = ("", (), ())
    memory: dict[int, int] = dataclasses.field(default_factory=dict)


def _bare(device_name: str) -> str:
    return device_name.rsplit("/", 1)[-1]


def file_disk(parent, path: str, fmt: str, target: str, *, cdrom: bool = False, hardware: Hardware = _DEFAULT):
    """A file-backed disk. The format is always stated, so that QEMU never probes what a guest wrote."""
    disk = element(parent, "disk", type_="file", device="cdrom" if cdrom else "disk")
    element(disk, "driver", name="qemu", type_=fmt, cache=None if cdrom else "none" if fmt == "raw" else "writeback",
            discard=None if cdrom else "unmap")
    element(disk, "source", file=path)
    element(disk, "target", dev=target, bus=hardware.cdrom_bus if cdrom else hardware.bus_of(target))
    if cdrom:
        element(disk, "readonly")
    elif hardware.disk_limits:
        tune = element(disk, "iotune")
        for name, limit in sorted(hardware.disk_limits.items()):
            element(tune, name, str(limit))
    return disk


def volume_disk(parent, volume: dict, initiator: str, hardware: Hardware = _DEFAULT):
    """An iSCSI volume, attached by QEMU's own initiator; its CHAP secret is a libvirt secret with the volume's id."""
    data, target = volume["info"], _bare(volume["device_name"])
    disk = element(parent, "disk", type_="network", device="disk")
    element(disk, "driver", name="qemu", type_="raw", cache="none")
    source = element(disk, "source", protocol="iscsi", name=f"{data['target_iqn']}/{data['target_lun']}")
    host, _, port = data["target_portal"].rpartition(":")
    element(source, "host", name=host, port=port)
    auth = element(source, "auth", username=data["auth_username"])
    element(auth, "secret", type_="iscsi", usage=secret_usage(volume))
    element(element(source, "initiator"), "iqn", name=initiator)
    element(disk, "target", dev=target, bus=hardware.bus_of(target))
    element(disk, "serial", volume["volume_id"])
    if data.get("access_mode") == "ro":
        element(disk, "readonly")
    if data.get("multiattach"):
        element(disk, "shareable")
    return disk


def owner_of(description: str) -> tuple[str, str]:
    """(cloud id, host) from the metadata that ``domain`` wrote; ("", "") if there is none."""
    made = ET.fromstring(description)
    return made.get("cloud", ""), made.get("host", "")


def secret_usage(volume: dict) -> str:
    """The name of a volume's CHAP secret. Each guest has an account of its own on a volume that several use."""
    data = volume["info"]
    return f"pileus-volume-{volume['volume_id']}" + (f"-{data['auth_username']}" if data.get("multiattach") else "")


def secret(volume: dict):
    made = element(None, "secret", ephemeral="yes", private="yes")
    element(made, "description", f"CHAP secret of volume {volume['volume_id']}")
    element(element(made, "usage", type_="iscsi"), "target", secret_usage(volume))
    return made


def secret_of(disk) -> str:
    """The name of the CHAP secret of a volume's <disk>, "" if it has none."""
    found = disk.find("./source/auth/secret")
    return "" if found is None else found.get("usage", "")


def tap_of(port: dict) -> str:
    """The host's end of a port."""
    return f"tap{port['id'][:11]}"


def interface(parent, port: dict, hardware: Hardware = _DEFAULT):
    """The guest's end of a tap that the network agent created, bridged and filtered."""
    made = element(parent, "interface", type_="ethernet")
    element(made, "mac", address=port["mac_address"])
    element(made, "target", dev=tap_of(port), managed="no")
    element(made, "model", type_=hardware.vif_model)
    if hardware.vif_queues > 1:
        element(made, "driver", queues=hardware.vif_queues)
    if hardware.vif_limits:
        bandwidth = element(made, "bandwidth")
        for way, limits in hardware.vif_limits.items():
            element(bandwidth, way, **limits)
    element(made, "mtu", size=port.get("mtu"))
    return made


def begun(virt_type: str, instance: dict, owner: tuple[str, str], **more: str | None):
    """The beginning of a domain: who it is, and how large. ``more``: of its metadata"""
    top = element(None, "domain", type_=virt_type)
    element(top, "name", f"instance-{instance['uuid']}")
    element(top, "uuid", instance["uuid"])
    element(element(top, "metadata"), "pileus:instance", **{
        "xmlns:pileus": METADATA_URI, "project": instance["project_id"], "cloud": owner[0], "host": owner[1], **more})
    element(top, "memory", str(instance["memory_mb"]), unit="MiB")
    element(top, "vcpu", str(instance["vcpus"]))
    return top


def on_events(top) -> None:
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        element(top, f"on_{event}", action)


def domain(instance: dict, hardware: Hardware, host: Host, *, directory: str, ports: list, volumes: list,
           config_drive: str | None, root: dict | None, second: dict | None, local: list[dict], kernel: dict,
           rescue: dict | None = None) -> str:
    """The XML of a guest.

    :param root: {"path", "format", "cdrom"} of the root disk; None to boot from a volume
    :param second: the same for the guest's own disk during a rescue
    :param local: [{"path", "format", "target"}] of its ephemeral and swap disks
    :param kernel: {} or {"kernel", "ramdisk", "cmdline"} for a direct boot
    :param rescue: {"path", "format", "cdrom", "device", "bus"} of a disk beside all others that the guest boots from
    """
    top = begun(host.virt_type, instance, host.owner, reserved=",".join(map(str, sorted(host.reserved))) or None,
                memory=",".join(f"{cell}:{mb}" for cell, mb in sorted(host.memory.items())) or None)
    ordered = rescue is None and not kernel and any((volume.get("boot_index") or 0) > 0 for volume in volumes)
    _os(top, instance, hardware, host, kernel, boot=rescue is None and not ordered)
    hardware_xml.processors(top, hardware, host)
    on_events(top)
    devices = element(top, "devices")
    _disks(devices, instance, hardware, root, second, local, ordered=ordered)
    for volume in sorted(volumes, key=lambda v: v["device_name"]):
        disk = volume_disk(devices, volume, host.initiator, hardware)
        if ordered and volume["boot_index"] is not None and volume["boot_index"] >= 0:
            element(disk, "boot", order=volume["boot_index"] + 1)
    if config_drive:
        file_disk(devices, config_drive, "raw", _config_drive_target(instance, hardware), cdrom=True, hardware=hardware)
    if rescue:
        _rescue_disk(devices, rescue)
    hardware_xml.controllers(devices, hardware, {target.get("bus", "") for target in devices.iterfind("disk/target")})
    for port in ports:
        interface(devices, port, hardware)
    hardware_xml.devices(devices, hardware, directory, tpm.socket_path(instance["uuid"]))
    if host.user:
        # No relabelling: libvirt would also give the guest access to its base image.
        label = element(top, "seclabel", type_="static", model="dac", relabel="no")
        element(label, "label", f"+{host.user[0]}:+{host.user[1]}")
    return text_of(top)


def _disks(devices, instance: dict, hardware: Hardware, root: dict | None, second: dict | None, local: list[dict], *,
           ordered: bool) -> None:
    """:param ordered: further disks are to be booted from if the first one cannot be"""
    prefix = _root_prefix(instance)
    for disk, letter in ((root, "a"), (second, "b")):
        if disk:
            target = f"{_cdrom_prefix(hardware)}{letter}" if disk["cdrom"] else f"{prefix}{letter}"
            made = file_disk(devices, disk["path"], disk["format"], target, cdrom=disk["cdrom"], hardware=hardware)
            if ordered and disk is root:
                element(made, "boot", order=1)
    for disk in local:
        file_disk(devices, disk["path"], disk["format"], disk["target"], hardware=hardware)


# By bus: how names of disks begin, and how many disks it can have.
_NAMES = {"virtio": ("vd", 26), "ide": ("hd", 4)}


def _rescue_disk(devices, rescue: dict) -> None:
    """The last of its bus, so that no other disk changes its place. The guest boots from it."""
    prefix, most = _NAMES.get(rescue["bus"], ("sd", 26))
    used = {target.get("dev") for target in devices.iterfind("disk/target")}
    name = next((name for letter in reversed(string.ascii_lowercase[:most]) if (name := f"{prefix}{letter}") not in used), None)
    if name is None:
        raise errors.StepFailed(reason=f"The server has as many disks on its bus {rescue['bus']} as it can have.")
    disk = element(devices, "disk", type_="file", device=rescue["device"])
    element(disk, "driver", name="qemu", type_=rescue["format"], cache="writeback")
    element(disk, "source", file=rescue["path"])
    element(disk, "target", dev=name, bus=rescue["bus"])
    element(disk, "boot", order=1)
    if rescue["device"] != "disk" or rescue.get("cdrom"):  # the latter is the image itself, which other guests have too
        element(disk, "readonly")


def _cdrom_prefix(hardware: Hardware) -> str:
    return {"ide": "hd", "virtio": "vd"}.get(hardware.cdrom_bus, "sd")


def _root_prefix(instance: dict) -> str:
    return _bare(instance.get("root_device_name") or "/dev/vda")[:-1]


def _config_drive_target(instance: dict, hardware: Hardware) -> str:
    """Beyond the names of disks on the same bus; an IDE bus has four."""
    prefix = _cdrom_prefix(hardware)
    return f"{prefix}z" if _root_prefix(instance) == prefix != "hd" else f"{prefix}d"


def _os(top, instance: dict, hardware: Hardware, host: Host, kernel: dict, *, boot: bool) -> None:
    """:param boot: from the disks in their order; False: disks say of themselves when it is their turn"""
    os = element(top, "os")
    element(os, "type", "hvm", arch="x86_64", machine=hardware.machine_type)
    if host.firmware:
        element(os, "loader", host.firmware.code, readonly="yes", type_="pflash", secure="yes" if hardware.secure_boot else "no")
        element(os, "nvram", host.variables)
    if kernel:
        element(os, "kernel", kernel["kernel"])
        if kernel.get("ramdisk"):
            element(os, "initrd", kernel["ramdisk"])
        element(os, "cmdline", kernel["cmdline"])
    elif boot:
        element(os, "boot", dev="hd")
        element(os, "boot", dev="cdrom")
    if hardware.boot_menu:
        element(os, "bootmenu", enable="yes")
    element(os, "smbios", mode="sysinfo")
    system = element(element(top, "sysinfo", type_="smbios"), "system")
    for name, value in (("manufacturer", "Pileus"), ("product", "OpenStack Nova"), ("serial", instance["uuid"]),
                        ("uuid", instance["uuid"]), ("family", "Virtual Machine")):
        element(system, "entry", value, name=name)
