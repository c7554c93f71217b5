"""Domain XML, built with ElementTree, which escapes all text from users."""

import xml.etree.ElementTree as ET

METADATA_URI = "https://pileus.cloud/xmlns/instance/1.0"


def element(parent, name: str, text: str | None = None, /, **attributes):
    """A child element; trailing underscores of attribute names are dropped (``type_``)."""
    attributes = {k.rstrip("_"): str(v) for k, v in attributes.items() if v is not None}
    made = ET.Element(name, attributes) if parent is None else ET.SubElement(parent, name, attributes)
    made.text = text
    return made


def text_of(made) -> str:
    return ET.tostring(made, encoding="unicode")


def file_disk(parent, path: str, fmt: str, target: str, *, cdrom: bool = False):
    """A file-backed disk. The format is always stated, so that QEMU never probes what a guest wrote."""
    disk = element(parent, "disk", type_="file", device="cdrom" if cdrom else "disk")
    element(disk, "driver", name="qemu", type_=fmt, cache=None if cdrom else "none" if fmt == "raw" else "writeback",
            discard=None if cdrom else "unmap")
    element(disk, "source", file=path)
    element(disk, "target", dev=target, bus="ide" if cdrom else "virtio")
    if cdrom:
        element(disk, "readonly")
    return disk


def volume_disk(parent, volume: dict, initiator: str):
    """An iSCSI volume, attached by QEMU's own initiator; its CHAP secret is a libvirt secret with the volume's id."""
    data = volume["info"]
    disk = element(parent, "disk", type_="network", device="disk")
    element(disk, "driver", name="qemu", type_="raw", cache="none")
    source = element(disk, "source", protocol="iscsi", name=f"{data['target_iqn']}/{data['target_lun']}")
    host, _, port = data["target_portal"].rpartition(":")
    element(source, "host", name=host, port=port)
    auth = element(source, "auth", username=data["auth_username"])
    element(auth, "secret", type_="iscsi", usage=secret_usage(volume["volume_id"]))
    element(element(source, "initiator"), "iqn", name=initiator)
    element(disk, "target", dev=volume["device_name"].rsplit("/", 1)[-1], bus="virtio")
    element(disk, "serial", volume["volume_id"])
    if data.get("access_mode") == "ro":
        element(disk, "readonly")
    return disk


def owner_of(description: str) -> tuple[str, str]:
    """(cloud id, host) from the metadata that ``domain`` wrote; ("", "") if there is none."""
    made = ET.fromstring(description)
    return made.get("cloud", ""), made.get("host", "")


def secret_usage(volume_id: str) -> str:
    return f"pileus-volume-{volume_id}"


def secret(volume_id: str):
    made = element(None, "secret", ephemeral="yes", private="yes")
    element(made, "description", f"CHAP secret of volume {volume_id}")
    element(element(made, "usage", type_="iscsi"), "target", secret_usage(volume_id))
    return made


def interface(parent, port: dict):
    """The guest's end of a tap that the network agent created, bridged and filtered."""
    made = element(parent, "interface", type_="ethernet")
    element(made, "mac", address=port["mac_address"])
    element(made, "target", dev=f"tap{port['id'][:11]}", managed="no")
    element(made, "model", type_="virtio")
    element(made, "mtu", size=port.get("mtu"))
    return made


def domain(instance: dict, *, virt_type: str, directory: str, ports: list, volumes: list, config_drive: str | None,
           root: dict | None, second: dict | None, local: list[dict], kernel: dict, initiator: str,
           owner: tuple[str, str], user: tuple[int, int] | None = None) -> str:
    """The XML of a guest.

    :param root: {"path", "format", "cdrom"} of the root disk; None to boot from a volume
    :param second: the same for the guest's own disk during a rescue
    :param local: [{"path", "format", "target"}] of its ephemeral and swap disks
    :param owner: (cloud id, host), by which a host recognises its guests
    :param kernel: {} or {"kernel", "ramdisk", "cmdline"} for a direct boot
    :param user: (user, group) ids for QEMU, which own the guest's files; None: libvirt chooses
    """
    top = element(None, "domain", type_=virt_type)
    element(top, "name", f"instance-{instance['uuid']}")
    element(top, "uuid", instance["uuid"])
    element(element(top, "metadata"), "pileus:instance", **{"xmlns:pileus": METADATA_URI,
                                                            "project": instance["project_id"],
                                                            "cloud": owner[0], "host": owner[1]})
    element(top, "memory", str(instance["memory_mb"]), unit="MiB")
    element(top, "vcpu", str(instance["vcpus"]))
    _os(top, instance, kernel)
    features = element(top, "features")
    element(features, "acpi")
    element(features, "apic")
    element(top, "cpu", mode="host-model" if virt_type == "kvm" else "maximum")
    clock = element(top, "clock", offset="utc")
    element(clock, "timer", name="hpet", present="no")
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        element(top, f"on_{event}", action)
    devices = element(top, "devices")
    if root:
        file_disk(devices, root["path"], root["format"], "hda" if root["cdrom"] else "vda", cdrom=root["cdrom"])
    if second:
        file_disk(devices, second["path"], second["format"], "hdb" if second["cdrom"] else "vdb", cdrom=second["cdrom"])
    for disk in local:
        file_disk(devices, disk["path"], disk["format"], disk["target"])
    for volume in sorted(volumes, key=lambda v: v["device_name"]):
        volume_disk(devices, volume, initiator)
    if config_drive:
        file_disk(devices, config_drive, "raw", "hdd", cdrom=True)
    for port in ports:
        interface(devices, port)
    _consoles(devices, directory)
    if user:
        # No relabelling: libvirt would also give the guest access to its base image.
        element(element(top, "seclabel", type_="static", model="dac", relabel="no"), "label", f"+{user[0]}:+{user[1]}")
    return text_of(top)


def _os(top, instance, kernel: dict) -> None:
    os = element(top, "os")
    element(os, "type", "hvm", arch="x86_64", machine="pc")
    if kernel:
        element(os, "kernel", kernel["kernel"])
        if kernel.get("ramdisk"):
            element(os, "initrd", kernel["ramdisk"])
        element(os, "cmdline", kernel["cmdline"])
    else:
        element(os, "boot", dev="hd")
        element(os, "boot", dev="cdrom")
    element(os, "smbios", mode="sysinfo")
    system = element(element(top, "sysinfo", type_="smbios"), "system")
    for name, value in (("manufacturer", "Pileus"), ("product", "OpenStack Nova"), ("serial", instance["uuid"]),
                        ("uuid", instance["uuid"]), ("family", "Virtual Machine")):
        element(system, "entry", value, name=name)


def _consoles(devices, directory: str) -> None:
    serial = element(devices, "serial", type_="pty")
    element(serial, "log", file=f"{directory}/console.log", append="off")
    element(serial, "target", port="0")
    element(devices, "input", type_="tablet", bus="usb")
    # No port: everybody who reached it would see the screen. The agent passes sockets to QEMU instead.
    element(element(devices, "graphics", type_="vnc"), "listen", type_="none")
    element(element(devices, "video"), "model", type_="vga")
    rng = element(devices, "rng", model="virtio")
    element(rng, "backend", "/dev/urandom", model="random")
    element(element(devices, "memballoon", model="virtio"), "stats", period="10")
