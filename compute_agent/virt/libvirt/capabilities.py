"""What hardware a host can give to guests, in the names of ``common.guest_needs``, and what its CPUs and memory are."""

import dataclasses
import pathlib
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import libvirt

from common import guest_needs
from common.guest_cpus import cpu_set
from compute_agent.virt.libvirt import firmware, local_disks, tpm

MACHINES = ("pc", "q35")
SMALL_PAGE_KB = 4
NODES = "/sys/devices/system/node"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A NUMA node of the host. ``siblings``: {CPU: all CPUs of its core}; ``pages``: {size in KiB: number}"""

    id: int
    siblings: dict[int, frozenset[int]]
    pages: dict[int, int]

    def memory_mb(self, *, large: bool) -> int:
        """Its memory in large pages, or in others."""
        return sum(kb * count for kb, count in self.pages.items() if (kb != SMALL_PAGE_KB) == large) // 1024


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """``dedicated``: the CPUs that single guests may have for themselves."""

    features: tuple[str, ...]
    cells: tuple[Cell, ...]
    firmware: tuple[firmware.Firmware, ...]
    dedicated: frozenset[int]

    def amounts(self, free_cpus: int, bound_mb: Mapping[int, int], root: str = NODES) -> dict[str, int]:
        """What is free of what a host has a number of. Memory in pages of the usual size is what guests are not bound to: the
        kernel's own number says nothing, as guests may not have touched yet what they have.

        :param bound_mb: {NUMA node: MiB that guests are bound to}
        """
        found = {guest_needs.DEDICATED_CPUS: free_cpus, guest_needs.NUMA_NODES: len(self.cells)}
        for cell in self.cells:
            for size_kb, count in cell.pages.items():
                if size_kb != SMALL_PAGE_KB and count:
                    size_mb = _free_pages(root, cell.id, size_kb, count) * size_kb // 1024
                    name = guest_needs.pages(size_kb)
                    found[name] = found.get(name, 0) + size_mb
                    found[guest_needs.LARGE_PAGES] = max(found.get(guest_needs.LARGE_PAGES, 0), found[name])
        small = [cell.memory_mb(large=False) for cell in self.cells]
        if all(small):
            found.update(guest_needs.of_nodes(mb - bound_mb.get(cell.id, 0) for cell, mb in zip(self.cells, small)))
        return found


def _free_pages(root: str, cell: int, size_kb: int, count: int) -> int:
    """:param count: of all pages, where the kernel does not say how many are free"""
    try:
        return int((pathlib.Path(root) / f"node{cell}/hugepages/hugepages-{size_kb}kB/free_hugepages").read_text())
    except (OSError, ValueError):
        return count


def read(connection, virt_type: str, dedicated: frozenset[int], *, has_users: bool) -> Capabilities:
    """:param connection: a ``host.Connection``
    :param dedicated: the option ``cpu_dedicated_set``; CPUs that the host has not are left out
    :param has_users: whether each guest has a user of its own
    """
    described = connection.call("getCapabilities")
    cells = _cells(described)
    chosen = dedicated & {cpu for cell in cells for cpu in cell.siblings}
    features = {guest_needs.file_system(name) for name in local_disks.formats()}
    if cpu_controller():
        features.add(guest_needs.CPU_TUNING)
    if _traffic_control():
        features.add(guest_needs.BANDWIDTH)
    machines = [each.text or "" for each in ET.fromstring(described).iterfind("./guest/arch[@name='x86_64']/machine")]
    features |= {guest_needs.machine(name) for name in (*machines, *MACHINES)}
    if has_users:
        features |= {guest_needs.tpm(version) for version in tpm.versions()}
    known = firmware.found()
    for machine in MACHINES:
        try:
            of_domains = connection.call("getDomainCapabilities", None, "x86_64", machine, virt_type, 0)
        except libvirt.libvirtError:  # this machine type is not there
            features.discard(guest_needs.machine(machine))
            continue
        features |= _features(ET.fromstring(of_domains))
        if firmware.choose(known, machine, secure=False):
            features.add(guest_needs.UEFI)
        if firmware.choose(known, machine, secure=True):
            features.add(guest_needs.SECURE_BOOT)
    return Capabilities(tuple(sorted(features)), cells, tuple(known), chosen)


def _values(described: ET.Element, path: str, name: str) -> set[str]:
    return {each.text or "" for each in described.iterfind(f"./devices/{path}[@supported='yes']/enum[@name='{name}']/value")}


def _features(described: ET.Element) -> set[str]:
    """From a document of getDomainCapabilities."""
    found = {guest_needs.bus(name) for name in _values(described, "disk", "bus")}
    found |= {guest_needs.video(name) for name in _values(described, "video", "modelType")}
    return found


def _cells(capabilities: str) -> tuple[Cell, ...]:
    """From a document of getCapabilities."""
    found = []
    for cell in ET.fromstring(capabilities).iterfind("./host/topology/cells/cell"):
        siblings = {int(cpu.get("id", "0")): cpu_set(cpu.get("siblings") or cpu.get("id"), "siblings")[0]
                    for cpu in cell.iterfind("./cpus/cpu")}
        pages = {int(p.get("size", "0")): int(p.text or "0") for p in cell.iterfind("./pages")}
        found.append(Cell(int(cell.get("id", "0")), siblings, pages))
    return tuple(found)


def _traffic_control() -> bool:
    """Whether the kernel has what libvirt limits interfaces with; tried out in a network namespace of its own."""
    tried = "&&".join(("tc qdisc add dev lo root handle 1: htb default 1", "tc qdisc add dev lo ingress",
                       "tc filter add dev lo parent ffff: protocol all u32 match u32 0 0 police rate 100kbps burst 100kb "
                       "mtu 64kb drop flowid :1"))
    try:
        return subprocess.run(["unshare", "-n", "sh", "-c", tried], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def cpu_controller(root: str = "/sys/fs/cgroup") -> bool:
    """Whether libvirt can limit the CPU time of guests: by the cpu controller of control groups, version 2 or 1."""
    unified = pathlib.Path(root) / "cgroup.controllers"
    if unified.exists():
        return "cpu" in unified.read_text().split()
    return (pathlib.Path(root) / "cpu" / "cpu.cfs_quota_us").exists() or (pathlib.Path(root) / "cpu" / "cpu.shares").exists()
