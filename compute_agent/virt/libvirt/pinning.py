"""Which CPUs of the host single guests have for themselves, and on which of its NUMA nodes their memory is."""

import collections
import sys
import threading
import xml.etree.ElementTree as ET

from common import errors
from common.guest_cpus import NumaNode, cpu_set
from common.guest_hardware import Hardware
from compute_agent.virt.libvirt.capabilities import Capabilities, Cell


class Pinning:
    """In memory; a restarted agent learns it from the definitions of guests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, frozenset[int]] = {}
        self._memory: dict[str, dict[int, int]] = {}  # {guest: {NUMA node: MiB}}, but for those with large pages

    def learn(self, uuid: str, metadata: str) -> None:
        """:param metadata: of the guest's definition, as ``xml.domain`` wrote it"""
        known = ET.fromstring(metadata)
        reserved, memory = known.get("reserved"), known.get("memory")
        with self._lock:
            if reserved and uuid not in self._taken:
                self._taken[uuid] = cpu_set(reserved, "reserved")[0]
            if memory and uuid not in self._memory:
                self._memory[uuid] = {int(cell): int(mb) for cell, _, mb in (each.partition(":") for each in memory.split(","))}

    def memory_of(self, uuid: str) -> dict[int, int]:
        """{NUMA node of the host: MiB} of a guest that is bound to some, and has no large pages."""
        with self._lock:
            return self._memory.get(uuid, {})

    def of(self, uuid: str) -> frozenset[int]:
        """The CPUs that a guest has for itself, with those that are left idle beside them."""
        with self._lock:
            return self._taken.get(uuid, frozenset())

    def bound(self) -> collections.Counter[int]:
        """{NUMA node: MiB that guests without large pages are bound to}"""
        with self._lock:
            return self._bound()

    def _bound(self) -> collections.Counter[int]:
        found: collections.Counter[int] = collections.Counter()
        for of_guest in self._memory.values():
            found.update(of_guest)
        return found

    def release(self, uuid: str) -> None:
        with self._lock:
            self._taken.pop(uuid, None)
            self._memory.pop(uuid, None)

    def free(self, dedicated: frozenset[int]) -> frozenset[int]:
        with self._lock:
            return dedicated.difference(*self._taken.values())

    def assign(self, uuid: str, hardware: Hardware, host: Capabilities) -> dict:
        """CPUs and NUMA nodes of the host for a guest; those that it had before are forgotten.

        :returns: {"cpus": {vCPU: CPU}, "emulator": CPU or None, "cells": [id of the host's node of each node of the guest]}
        :raises StepFailed: there are not enough; it keeps what it had
        """
        if not (hardware.dedicated or hardware.numa):
            return {"cpus": {}, "emulator": None, "cells": []}
        with self._lock:
            before = dict(self._taken), dict(self._memory)
            try:
                return self._assign(uuid, hardware, host)
            except errors.StepFailed:
                self._taken, self._memory = before
                raise

    def check(self, uuid: str, hardware: Hardware, host: Capabilities) -> None:
        """Whether ``assign`` would succeed. The guest keeps what it has, as it may run.

        :raises StepFailed: as ``assign``
        """
        if not (hardware.dedicated or hardware.numa):
            return
        with self._lock:
            before = dict(self._taken), dict(self._memory)
            try:
                self._assign(uuid, hardware, host)
            finally:
                self._taken, self._memory = before

    def _assign(self, uuid: str, hardware: Hardware, host: Capabilities) -> dict:
        self._taken.pop(uuid, None)
        self._memory.pop(uuid, None)
        free = host.dedicated.difference(*self._taken.values())
        nodes = hardware.numa or (NumaNode(frozenset(range(hardware.vcpus)), hardware.memory_mb),)
        cells, cpus = _place(hardware, nodes, self._with_room(hardware, host.cells), free)
        emulator = None
        if hardware.emulator_threads == "isolate":
            left = sorted(free - set(cpus.values()))
            if not left:
                raise errors.StepFailed(reason="The host has no free CPU for the emulator's threads.")
            emulator = left[0]
        if cpus:
            taken = {*cpus.values(), *([] if emulator is None else [emulator])}
            if hardware.thread_policy == "isolate":
                taken |= {s for cell in host.cells for cpu, all_of_core in cell.siblings.items() if cpu in taken
                          for s in all_of_core}
            self._taken[uuid] = frozenset(taken)
        if hardware.numa and not hardware.large_pages:
            self._memory[uuid] = {cell: node.memory_mb for cell, node in zip(cells, nodes)}
        return {"cpus": cpus, "emulator": emulator, "cells": cells if hardware.numa else []}

    def _with_room(self, hardware: Hardware, cells: tuple[Cell, ...]) -> tuple[tuple[Cell, int], ...]:
        """The nodes with the MiB that no guest is bound to. One with NUMA nodes gets those with most first, because the kernel
        kills processes when a node is full that they are bound to; large pages are taken when a guest starts, or it does not."""
        used = self._bound()
        if hardware.large_pages:
            return tuple((cell, cell.memory_mb(large=True)) for cell in cells)
        unknown = sys.maxsize  # of a libvirtd that does not say
        found = tuple((cell, (cell.memory_mb(large=False) or unknown) - used[cell.id]) for cell in cells)
        return tuple(sorted(found, key=lambda each: -each[1])) if hardware.numa else found


def _place(hardware: Hardware, nodes: tuple[NumaNode, ...], cells: tuple[tuple[Cell, int], ...],
           free: frozenset[int]) -> tuple[list[int], dict[int, int]]:
    """Each of the guest's nodes on a node of the host of its own, the largest first; without nodes, on the first that has room,
    else on any CPUs.

    :param cells: with the MiB that each has left
    """
    chosen: dict[int, int] = {}
    cpus: dict[int, int] = {}
    for number, node in sorted(enumerate(nodes), key=lambda each: -each[1].memory_mb):
        for cell, left_mb in cells:
            if cell.id in chosen.values() or hardware.numa and left_mb < node.memory_mb:
                continue
            own = _cpus(hardware, len(node.cpus), cell.siblings, free - set(cpus.values())) if hardware.dedicated else []
            if own is not None:
                chosen[number] = cell.id
                cpus.update(zip(sorted(node.cpus), own))
                break
        else:
            if hardware.numa:
                raise errors.StepFailed(reason="The host's NUMA nodes have no room for the server's.")
            every = {cpu: siblings for cell, _ in cells for cpu, siblings in cell.siblings.items()}
            own = _cpus(hardware, len(node.cpus), every, free)
            if own is None:
                raise errors.StepFailed(reason="The host has not enough free dedicated CPUs.")
            cpus.update(zip(sorted(node.cpus), own))
    return [cell for _, cell in sorted(chosen.items())], cpus


def _cpus(hardware: Hardware, count: int, siblings: dict[int, frozenset[int]], free: frozenset[int]) -> list[int] | None:
    """``count`` free CPUs of a node, by the policy for siblings; None if there are not so many.

    isolate: the siblings of each are left alone; require: only cores of which all threads are taken, on hosts that have
    siblings; prefer: whole cores first.
    """
    usable = sorted(cpu for cpu in siblings if cpu in free)
    cores: dict[frozenset[int], list[int]] = {}
    for cpu in usable:
        cores.setdefault(siblings[cpu], []).append(cpu)
    if hardware.thread_policy == "isolate":
        found = [free_ones[0] for core, free_ones in cores.items() if len(free_ones) == len(core)]
    elif hardware.thread_policy == "require":
        found = [cpu for core, free_ones in cores.items() if len(core) > 1 for cpu in free_ones]
    else:
        found = [cpu for _, free_ones in sorted(cores.items(), key=lambda c: -len(c[1])) for cpu in free_ones]
    return found[:count] if len(found) >= count else None


def placement(definition: str) -> dict:
    """As ``compute_agent.messages.Placement``, from the XML of a guest."""
    top = ET.fromstring(definition)
    cells = {int(node.get("cellid", "")): int(node.get("nodeset", "")) for node in top.iterfind("./numatune/memnode")}
    return {"cells": [cells[number] for number in sorted(cells)],
            "cpus": [{"vcpu": int(pin.get("vcpu", "")), "cpu": int(pin.get("cpuset", ""))}
                     for pin in top.iterfind("./cputune/vcpupin")]}
