"""Hardware of guests, as extra specs of flavors and properties of images ask for it.

``PROPERTIES`` is the table of their names and values. ``of`` parses both, once for each purpose: the API refuses what is wrong,
the scheduler looks for a host that has what ``needs`` names, and drivers build guests from the result.

Source: Nova's documentation, "Extra Specs" and "Useful image properties".
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from common import errors, values
from common.guest_cpus import NumaNode, cpu_set, numa_nodes, real_time_cpus, topology

BUSES = ("virtio", "scsi", "ide", "sata", "usb")
VIDEO_MODELS = ("vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "none")
MOST_QUEUES = 256  # of an interface: what the kernel has for a tap
UNSUPPORTED = ("mem_encryption", "pmem", "ephemeral_encryption", "viommu_model")
_TRAIT = "trait:"
_PAGE_UNITS = {"": 1, "k": 1, "kb": 1, "kib": 1, "m": 1 << 10, "mb": 1 << 10, "mib": 1 << 10, "g": 1 << 20, "gb": 1 << 20,
               "gib": 1 << 20}  # in KiB


def _integer(low: int, high: int = values.INT32) -> Callable[[Any, str], int]:
    return lambda raw, name: values.integer(raw, name, low, high)


def _choice(*allowed: str) -> Callable[[Any, str], str]:
    def read(raw, name: str) -> str:
        word = str(raw).lower()
        if word not in allowed:
            raise errors.BadRequest(f"Invalid value '{raw}' of {name}: it is not one of {', '.join(allowed)}.")
        return word
    return read


def _pattern(pattern: str) -> Callable[[Any, str], str]:
    def read(raw, name: str) -> str:
        if not re.fullmatch(pattern, str(raw)):
            raise errors.BadRequest(f"Invalid value '{raw}' of {name}.")
        return str(raw)
    return read


def _page_size(raw, name: str) -> str | int:
    """"small", "large", "any", or KiB"""
    word = str(raw).lower()
    if word in ("small", "large", "any"):
        return word
    found = re.fullmatch(r"([1-9][0-9]{0,8})([a-z]{0,3})", word)
    if not found or found[2] not in _PAGE_UNITS:
        raise errors.BadRequest(f"Invalid memory page size '{raw}'")
    return int(found[1]) * _PAGE_UNITS[found[2]]


_LIMIT = _integer(0, (1 << 63) - 1)


@dataclasses.dataclass(frozen=True)
class Property:
    """``read``: (value, name) -> the value, or BadRequest. ``spec`` and ``image`` are its names; None: it has none there."""

    read: Callable[[Any, str], Any]
    spec: str | None
    image: str | None


def _hw(name: str, read, *, spec: bool = True, image: bool = True) -> dict[str, Property]:
    return {name: Property(read, f"hw:{name}" if spec else None, f"hw_{name}" if image else None)}


PROPERTIES: dict[str, Property] = {
    **_hw("cpu_sockets", _integer(1)), **_hw("cpu_cores", _integer(1)), **_hw("cpu_threads", _integer(1)),
    **_hw("cpu_max_sockets", _integer(1)), **_hw("cpu_max_cores", _integer(1)), **_hw("cpu_max_threads", _integer(1)),
    **_hw("cpu_policy", _choice("shared", "dedicated", "mixed")),
    **_hw("cpu_thread_policy", _choice("prefer", "isolate", "require")),
    **_hw("emulator_threads_policy", _choice("share", "isolate"), image=False),
    **_hw("cpu_realtime", values.boolean, image=False), **_hw("cpu_realtime_mask", cpu_set),
    **_hw("numa_nodes", _integer(1, 64)), **_hw("mem_page_size", _page_size), **_hw("locked_memory", values.boolean),
    **_hw("hide_hypervisor_id", values.boolean, image=False),
    "img_hide_hypervisor_id": Property(values.boolean, None, "img_hide_hypervisor_id"),
    **{f"cpu_{name}": Property(_integer(low, high), f"quota:cpu_{name}", None) for name, low, high in (
        ("shares", 0, 262144), ("period", 0, 1000000), ("quota", -1, (1 << 53)))},
    **{f"disk_{way}_{unit}_sec": Property(_LIMIT, f"quota:disk_{way}_{unit}_sec", None)
       for way in ("read", "write", "total") for unit in ("bytes", "iops")},
    **{f"vif_{way}_{unit}": Property(_integer(0), f"quota:vif_{way}_{unit}", None)
       for way in ("inbound", "outbound") for unit in ("average", "peak", "burst")},
    **_hw("disk_bus", _choice(*BUSES), spec=False), **_hw("cdrom_bus", _choice(*BUSES), spec=False),
    **_hw("scsi_model", _choice("virtio-scsi", "lsilogic", "lsisas1068", "lsisas1078"), spec=False),
    **_hw("vif_model", _choice("virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet", "vmxnet3", "igb"), spec=False),
    **_hw("vif_multiqueue_enabled", values.boolean),
    **_hw("rng_model", _choice("virtio"), spec=False),
    "rng_allowed": Property(values.boolean, "hw_rng:allowed", None),
    "rng_rate_bytes": Property(_integer(0), "hw_rng:rate_bytes", None),
    "rng_rate_period": Property(_integer(1), "hw_rng:rate_period", None),
    **_hw("watchdog_action", _choice("none", "pause", "poweroff", "reset", "disabled")),
    **_hw("video_model", _choice(*VIDEO_MODELS), spec=False),
    **_hw("video_ram", _integer(1, 1024), spec=False), "video_ram_max": Property(_integer(0, 1024), "hw_video:ram_max_mb", None),
    **_hw("input_bus", _choice("usb", "virtio"), spec=False), **_hw("pointer_model", _choice("usbtablet"), spec=False),
    **_hw("firmware_type", _choice("bios", "uefi"), spec=False),
    "secure_boot": Property(_choice("required", "optional", "disabled"), "os:secure_boot", "os_secure_boot"),
    **_hw("machine_type", _pattern(r"[a-z][a-z0-9]*(-[a-z0-9.]+){0,3}"), spec=False),
    **_hw("tpm_version", _choice("1.2", "2.0")), **_hw("tpm_model", _choice("tpm-tis", "tpm-crb")),
    **_hw("tpm_secret_security", _choice("user", "host", "deployment"), image=False),
    **_hw("serial_port_count", _integer(1, 4)), **_hw("boot_menu", values.boolean), **_hw("pmu", values.boolean),
    "time_hpet": Property(values.boolean, None, "hw_time_hpet"),
    "qemu_guest_agent": Property(values.boolean, None, "hw_qemu_guest_agent"),
    "require_quiesce": Property(values.boolean, None, "os_require_quiesce"),
    "os_type": Property(_choice("linux", "windows"), None, "os_type")}


@dataclasses.dataclass(frozen=True)
class Hardware:
    """``topology`` is (sockets, cores, threads), or None for any; sizes of pages are in KiB; ``tuning`` are the shares, the quota
    and the period of CPUs (microseconds); ``disk_limits`` have libvirt's names; ``vif_limits`` are {"inbound" or "outbound":
    {"average", "peak", "burst"}} in KiB/s and KiB."""

    vcpus: int
    memory_mb: int
    topology: tuple[int, int, int] | None = None
    dedicated: bool = False
    thread_policy: str | None = None
    emulator_threads: str | None = None
    real_time: frozenset[int] = frozenset()
    numa: tuple[NumaNode, ...] = ()
    page_size: str | int | None = None
    locked_memory: bool = False
    tuning: dict[str, int] = dataclasses.field(default_factory=dict)
    disk_limits: dict[str, int] = dataclasses.field(default_factory=dict)
    vif_limits: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    disk_bus: str = "virtio"
    cdrom_bus: str = "ide"
    scsi_model: str | None = None
    vif_model: str = "virtio"
    vif_queues: int = 1
    rng: bool = True
    rng_rate: tuple[int, int] | None = None  # bytes, milliseconds
    watchdog: str | None = None
    video_model: str = "vga"
    video_ram_mb: int | None = None
    input_bus: str | None = "usb"
    uefi: bool = False
    secure_boot: bool = False
    machine_type: str = "pc"
    tpm: tuple[str, str] | None = None  # version, model
    serial_ports: int = 1
    boot_menu: bool = False
    hide_hypervisor: bool = False
    pmu: bool | None = None
    hpet: bool = False
    guest_agent: bool = False
    require_quiesce: bool = False  # images of the running guest need its file systems frozen
    os_type: str | None = None

    @property
    def is_q35(self) -> bool:
        return "q35" in self.machine_type

    @property
    def large_pages(self) -> bool:
        return self.page_size == "large" or isinstance(self.page_size, int) and self.page_size != 4

    @property
    def disk_prefix(self) -> str:
        """How the names of disks begin, as in /dev/vda."""
        return {"virtio": "/dev/vd", "ide": "/dev/hd"}.get(self.disk_bus, "/dev/sd")

    def bus_of(self, name: str) -> str:
        """The bus of a disk, by its name, with or without "/dev/": names tell what the server was created with."""
        kind = name.removeprefix("/dev/")[:2]
        return {"vd": "virtio", "hd": "ide"}.get(kind) or (self.disk_bus if self.disk_bus in ("scsi", "sata", "usb") else "scsi")


class _Asked:
    """What a flavor and an image ask for, parsed."""

    def __init__(self, specs: dict, properties: dict):
        self.flavor = {name: p.read(specs[p.spec], p.spec) for name, p in PROPERTIES.items() if p.spec and p.spec in specs}
        self.image = {name: p.read(properties[p.image], p.image) for name, p in PROPERTIES.items()
                      if p.image and properties.get(p.image) not in (None, "")}

    def image_first(self, name: str, default=None):
        return self.image.get(name, self.flavor.get(name, default))

    def same(self, name: str, default=None):
        """:raises BadRequest: flavor and image ask for different things"""
        if name in self.flavor and name in self.image and self.flavor[name] != self.image[name]:
            raise errors.BadRequest(f"Conflicting values for {PROPERTIES[name].spec} found in the flavor ({self.flavor[name]}) "
                                    f"and the image ({self.image[name]}).")
        return self.image_first(name, default)

    def limits(self, prefix: str, names: tuple[str, ...]) -> dict[str, int]:
        """Quotas of the flavor; 0 means none."""
        return {n: self.flavor[f"{prefix}{n}"] for n in names if self.flavor.get(f"{prefix}{n}")}


def of(vcpus: int, memory_mb: int, specs: dict, properties: dict) -> Hardware:
    """The hardware of a guest.

    :param specs: the flavor's extra specs
    :param properties: the image's
    :raises BadRequest: a value is invalid, or the values contradict each other
    """
    asked = _Asked(specs, properties)
    traits(specs, properties)
    _check_supported(specs, properties)
    dedicated, thread_policy = _policies(asked)
    page_size = _pages(asked)
    locked = bool(asked.same("locked_memory", False))
    if locked and page_size is None:
        raise errors.BadRequest("locked_memory value in image or flavor is forbidden when mem_page_size is not set.")
    real_time = _real_time(asked, vcpus, dedicated)
    return Hardware(
        vcpus, memory_mb, topology(vcpus, asked.flavor, asked.image), dedicated, thread_policy, _emulator(asked, dedicated),
        real_time, numa_nodes(vcpus, memory_mb, specs, properties, asked.flavor, asked.image), page_size,
        locked or bool(real_time), asked.limits("cpu_", ("shares", "quota", "period")),
        asked.limits("disk_", tuple(f"{way}_{unit}_sec" for way in ("read", "write", "total") for unit in ("bytes", "iops"))),
        _vif_limits(asked), boot_menu=bool(asked.image_first("boot_menu", False)), pmu=asked.same("pmu"),
        hide_hypervisor=bool(asked.flavor.get("hide_hypervisor_id") or asked.image.get("img_hide_hypervisor_id")),
        serial_ports=_serial_ports(asked), watchdog=_watchdog(asked), hpet=asked.image.get("time_hpet", False),
        os_type=asked.image.get("os_type"), guest_agent=asked.image.get("qemu_guest_agent", False),
        require_quiesce=asked.image.get("require_quiesce", False), **_machine(asked), **_devices(asked, vcpus))


def traits(specs: dict, properties: dict) -> dict[str, bool]:
    """{trait of a host: whether it is forbidden, not required}, of ``trait:NAME`` in flavors and images.

    Other values are ignored, as in Nova: before microversion 2.86, flavors take any.

    :raises BadRequest: the flavor forbids what the image requires
    """
    found: dict[str, bool] = {}
    for source, allowed in ((specs, ("required", "forbidden")), (properties, ("required",))):
        for key, value in source.items():
            name = str(key).removeprefix(_TRAIT)
            if name == key or value not in allowed:
                continue
            if found.setdefault(name, value == "forbidden") != (value == "forbidden"):
                raise errors.BadRequest(f"The image requires the trait {name}, which the flavor forbids.")
    return found


def _check_supported(specs: dict, properties: dict) -> None:
    for name in UNSUPPORTED:
        for source, key in ((specs, f"hw:{name}"), (properties, f"hw_{name}")):
            if source.get(key) not in (None, "") and str(source[key]).lower() not in ("false", "0", "no", "off"):
                raise errors.BadRequest(f"{key} is not supported by this cloud.")


def _policies(asked: _Asked) -> tuple[bool, str | None]:
    """Whether the guest has CPUs of its host for itself, and what of their sibling threads."""
    flavor, image = asked.flavor.get("cpu_policy"), asked.image.get("cpu_policy")
    if flavor and image and flavor != image:
        raise errors.BadRequest("Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against the "
                                "flavor")
    if "mixed" in (flavor, image):
        raise errors.BadRequest("The CPU policy mixed is not supported by this cloud.")
    dedicated = "dedicated" in (flavor, image)
    flavor, image = asked.flavor.get("cpu_thread_policy"), asked.image.get("cpu_thread_policy")
    if flavor and image and flavor != image:
        raise errors.BadRequest("Image property 'hw_cpu_thread_policy' is not permitted to override CPU thread pinning policy "
                                "set against the flavor")
    if (flavor or image) and not dedicated:
        raise errors.BadRequest("Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy")
    return dedicated, flavor or image


def _emulator(asked: _Asked, dedicated: bool) -> str | None:
    policy = asked.flavor.get("emulator_threads_policy")
    if policy == "isolate" and not dedicated:
        raise errors.BadRequest("An isolated CPU emulator threads option requires a dedicated CPU policy option.")
    return policy


def _real_time(asked: _Asked, vcpus: int, dedicated: bool) -> frozenset[int]:
    if not asked.flavor.get("cpu_realtime"):
        return frozenset()
    if not dedicated:
        raise errors.BadRequest("Cannot set realtime policy in a non dedicated cpu pinning policy")
    return real_time_cpus(vcpus, asked.image_first("cpu_realtime_mask"), bool(asked.flavor.get("emulator_threads_policy")))


def _pages(asked: _Asked) -> str | int | None:
    flavor, image = asked.flavor.get("mem_page_size"), asked.image.get("mem_page_size")
    if image is None:
        return flavor
    if flavor not in ("any", "large") or flavor == "large" and image == "small":
        raise errors.BadRequest(f"Page size {image} forbidden against '{flavor}'")
    return image


def _serial_ports(asked: _Asked) -> int:
    flavor, image = asked.flavor.get("serial_port_count"), asked.image.get("serial_port_count")
    if flavor and image and image > flavor:
        raise errors.BadRequest("Forbidden to exceed flavor value of number of serial ports passed in image meta.")
    return image or flavor or 1


def _watchdog(asked: _Asked) -> str | None:
    action = asked.image_first("watchdog_action")
    return None if action == "disabled" else action


def _vif_limits(asked: _Asked) -> dict[str, dict[str, int]]:
    """libvirt needs an average; a direction without one is not limited."""
    found = {way: asked.limits(f"vif_{way}_", ("average", "peak", "burst")) for way in ("inbound", "outbound")}
    return {way: limits for way, limits in found.items() if "average" in limits}


def _machine(asked: _Asked) -> dict:
    machine, uefi = asked.image.get("machine_type", "pc"), asked.image.get("firmware_type") == "uefi"
    flavor, image = asked.flavor.get("secure_boot"), asked.image.get("secure_boot")
    if flavor and image and {flavor, image} == {"required", "disabled"}:
        raise errors.BadRequest(f"Conflicting values for os:secure_boot found in the flavor ({flavor}) and the image ({image}).")
    secure = "required" in (flavor, image)
    if secure and not uefi:
        raise errors.BadRequest("Secure Boot requires an image with the property hw_firmware_type=uefi.")
    if secure and "machine_type" not in asked.image:
        machine = "q35"
    if secure and "q35" not in machine:
        raise errors.BadRequest("Secure Boot requires the machine type q35.")
    if "q35" in machine and "ide" in (asked.image.get("disk_bus"), asked.image.get("cdrom_bus")):
        raise errors.BadRequest("The machine type q35 has no IDE bus.")
    version, model = asked.same("tpm_version"), asked.same("tpm_model")
    if model and not version:
        raise errors.BadRequest("A TPM model needs a TPM version: set hw:tpm_version or hw_tpm_version.")
    if model == "tpm-crb" and version == "1.2":
        raise errors.BadRequest("The TPM model tpm-crb needs the TPM version 2.0.")
    if asked.flavor.get("tpm_secret_security") == "user":
        raise errors.BadRequest("hw:tpm_secret_security=user is not supported by this cloud: it has no key manager for users.")
    return {"machine_type": machine, "uefi": uefi, "secure_boot": secure,
            "tpm": (version, model or "tpm-tis") if version else None,
            "cdrom_bus": asked.image.get("cdrom_bus", "sata" if "q35" in machine else "ide")}


def _devices(asked: _Asked, vcpus: int) -> dict:
    image = asked.image
    ram_mb, most = image.get("video_ram"), asked.flavor.get("video_ram_max", 0)
    if ram_mb and ram_mb > most:
        raise errors.BadRequest(f"The requested amount of video memory {ram_mb} is higher than the maximum allowed by flavor "
                                f"{most}.")
    vif_model = image.get("vif_model", "virtio")
    many_queues = asked.same("vif_multiqueue_enabled", False) and vif_model == "virtio"
    rate = asked.flavor.get("rng_rate_bytes")
    return {"disk_bus": image.get("disk_bus", "virtio"), "vif_model": vif_model,
            "vif_queues": min(vcpus, MOST_QUEUES) if many_queues else 1, "scsi_model": image.get("scsi_model"),
            "rng": asked.flavor.get("rng_allowed", True),
            "rng_rate": (rate, asked.flavor.get("rng_rate_period", 1000)) if rate else None,
            "video_model": image.get("video_model", "vga"), "video_ram_mb": ram_mb,
            "input_bus": image.get("input_bus", "usb")}


def of_server(row: dict) -> Hardware:
    """The hardware of a server. :param row: it, or a message about it. :raises BadRequest: as ``of``"""
    return of(row["vcpus"], row["memory_mb"], row["flavor"].get("extra_specs") or {}, row["image_meta"].get("properties") or {})
