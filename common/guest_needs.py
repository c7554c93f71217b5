"""What a host must have for a server's hardware, and names for it: hosts report what they have in their ``facts``.

``facts["features"]`` is a list of names; ``facts["amounts"]`` is {name: number}, of which a server may need at most so many.
"""

from collections.abc import Callable, Iterable
from typing import TypedDict

from common import guest_hardware
from common.messages import Count

CPU_TUNING, UEFI, SECURE_BOOT, BANDWIDTH = "cpu-tuning", "uefi", "secure-boot", "interface bandwidth limits"
DEDICATED_CPUS, NUMA_NODES = "dedicated CPUs", "NUMA nodes"
_TRAIT, _NO_TRAIT = "trait ", "no trait "
# What not every hypervisor can do with its guests. A host reports those of its own in ``facts["unsupported"]``; the scheduler
# places no server there that needs them, and the API refuses requests for them.
VOLUMES, LOCAL_DISKS, SUSPEND, RESCUE, RESIZE = "volumes", "local disks", "suspend", "rescue", "resize"
LIVE_MIGRATION, CRASH_DUMP, CONSOLES = "live migration", "crash dump", "consoles"
_USUAL_VIDEO = ("vga", "none")


class Needs(TypedDict):
    """What a host must have."""

    features: list[str]
    amounts: dict[str, Count]


def machine(name: str) -> str:
    return f"machine type {name}"


def bus(name: str) -> str:
    return f"disk bus {name}"


def video(name: str) -> str:
    return f"video model {name}"


def tpm(version: str) -> str:
    return f"TPM {version}"


def file_system(name: str) -> str:
    return f"file system {name}"


def pages(size_kb: int) -> str:
    """The amount of memory in pages of that size, MiB."""
    return f"MiB of memory in pages of {size_kb} KiB"


def trait(name: str, *, forbidden: bool = False) -> str:
    return (_NO_TRAIT if forbidden else _TRAIT) + name


LARGE_PAGES = "MiB of memory in large pages"
_NODE_MEMORY = "MiB of memory that no guest is bound to"


def node_memory(count: int) -> str:
    """The amount of memory on each of that many NUMA nodes, those with most, that no guest is bound to, MiB."""
    return f"{_NODE_MEMORY}, on each of {count} NUMA nodes" if count > 1 else f"{_NODE_MEMORY}, on a NUMA node"


def every() -> list[str]:
    """All features, of which a simulated host lacks none."""
    return [CPU_TUNING, UEFI, SECURE_BOOT, BANDWIDTH, machine("q35"), *map(bus, guest_hardware.BUSES), *map(tpm, ("1.2", "2.0")),
            *map(video, guest_hardware.VIDEO_MODELS), *map(file_system, ("ext2", "ext3", "ext4", "vfat", "xfs", "ntfs"))]


def of(row: dict) -> Needs:
    """What a server needs: nothing, usually.

    :raises BadRequest: as ``guest_hardware.of``
    """
    hardware = guest_hardware.of_server(row)
    features = {file_system(d["format"]) for d in row["flavor"].get("local_disks", []) if d["format"]}
    if hardware.tuning:
        features.add(CPU_TUNING)
    if hardware.vif_limits:
        features.add(BANDWIDTH)
    if hardware.uefi:
        features.add(UEFI)
    if hardware.secure_boot:
        features.add(SECURE_BOOT)
    if hardware.machine_type != "pc":
        features.add(machine(hardware.machine_type))
    buses = {hardware.disk_bus, hardware.cdrom_bus, *(hardware.bus_of(name) for name in _disks(row))}
    features |= {bus(name) for name in buses if name not in ("virtio", "ide")}
    if hardware.video_model not in _USUAL_VIDEO:
        features.add(video(hardware.video_model))
    if hardware.tpm:
        features.add(tpm(hardware.tpm[0]))
    specs, properties = row["flavor"].get("extra_specs") or {}, row["image_meta"].get("properties") or {}
    features |= {trait(name, forbidden=forbidden) for name, forbidden in guest_hardware.traits(specs, properties).items()}
    return {"features": sorted(features), "amounts": _amounts(hardware)}


def _disks(row: dict) -> list[str]:
    """The names of a server's disks."""
    devices = [*row["flavor"].get("local_disks", []), *row.get("block_devices", [])]
    return [row.get("root_device_name") or "/dev/vda", *(each["device_name"] for each in devices)]


def of_hypervisor(row: dict) -> list[str]:
    """What a server needs that not every hypervisor supports."""
    found = [VOLUMES] if row.get("block_devices") or not row["image_meta"] else []
    return found + ([LOCAL_DISKS] if row["flavor"].get("local_disks") else [])


def _amounts(hardware: guest_hardware.Hardware) -> dict[str, int]:
    found = {}
    if hardware.dedicated:
        found[DEDICATED_CPUS] = hardware.vcpus + (hardware.emulator_threads == "isolate")
    if hardware.numa:
        found[NUMA_NODES] = len(hardware.numa)
    if hardware.numa and not hardware.large_pages:
        found.update(of_nodes(node.memory_mb for node in hardware.numa))
    if isinstance(hardware.page_size, int) and hardware.page_size != 4:
        found[pages(hardware.page_size)] = hardware.memory_mb
    elif hardware.page_size == "large":
        found[LARGE_PAGES] = hardware.memory_mb
    return found


def amounts(needs: Needs) -> list[str]:
    """As texts; the memory of NUMA nodes is that of the largest."""
    largest = needs["amounts"].get(node_memory(1))
    return [f"{number} {name}{f' of {largest} MiB' if name == NUMA_NODES and largest else ''}"
            for name, number in needs["amounts"].items() if not name.startswith(_NODE_MEMORY)]


def _is_there(need: str, features: list[str], traits: frozenset[str]) -> bool:
    for prefix, wanted in ((_TRAIT, True), (_NO_TRAIT, False)):
        if need.startswith(prefix):
            return (need.removeprefix(prefix) in traits) == wanted
    return need in features


def of_nodes(memory_mb: Iterable[int]) -> dict[str, int]:
    """{``node_memory``: MiB} of NUMA nodes, of a guest or of a host. The nodes of a guest have room on different nodes of a host
    if its largest one is not larger than the host's, nor its second one than the host's second, and so on."""
    return {node_memory(number): mb for number, mb in enumerate(sorted(memory_mb, reverse=True), 1)}


def missing(facts: dict, needs: Needs, traits_of: Callable[[dict], frozenset[str]]) -> list[str]:
    """What a host lacks of a server's needs.

    :param facts: the host's; the release before says nothing of the memory of nodes
    :param traits_of: ``host_traits.of``, called only if the server needs a trait, or needs it not to be there
    """
    features, amounts = facts.get("features", []), facts.get("amounts", {})
    traits = traits_of(facts) if any(name.startswith((_TRAIT, _NO_TRAIT)) for name in needs["features"]) else frozenset()
    return [n for n in needs["features"] if not _is_there(n, features, traits)] + [
        f"{number} {name}" for name, number in needs["amounts"].items()
        if amounts.get(name, number if name.startswith(_NODE_MEMORY) else 0) < number]
