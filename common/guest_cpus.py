"""CPUs and memory of guests: topology, NUMA nodes, real time."""

import dataclasses
import re

from common import errors, values

_ORDER = ("sockets", "cores", "threads")
_MOST_CPUS = 4096  # of a guest whose topology is chosen: every division of them is looked at


@dataclasses.dataclass(frozen=True)
class NumaNode:
    cpus: frozenset[int]
    memory_mb: int


def cpu_set(raw, name: str) -> tuple[frozenset[int], frozenset[int]]:
    """CPUs in the notation "0-3,^2,8": (those included, those excluded)"""
    included: set[int] = set()
    excluded: set[int] = set()
    for part in str(raw).split(","):
        found = re.fullmatch(r"\s*(\^?)([0-9]{1,4})(?:-([0-9]{1,4}))?\s*", part)
        if not found or found[3] and int(found[3]) < int(found[2]):
            raise errors.BadRequest(f"Invalid value '{raw}' of {name}.")
        (excluded if found[1] else included).update(range(int(found[2]), int(found[3] or found[2]) + 1))
    return frozenset(included - excluded), frozenset(excluded)


def real_time_cpus(vcpus: int, mask: tuple[frozenset[int], frozenset[int]] | None, has_emulator_policy: bool) -> frozenset[int]:
    """:param mask: the CPUs with real time, or, where it only excludes some, all but these"""
    every = frozenset(range(vcpus))
    chosen = every if mask is None else (mask[0] or every) - mask[1]
    if not chosen or not chosen <= every or (chosen == every and not has_emulator_policy):
        raise errors.BadRequest("Use of realtime CPUs requires either one or more non-realtime CPU(s) or offloaded emulator "
                                "threads.")
    return chosen


def _spelled(numbers: dict) -> str:
    return ", ".join(f"{name}={number}" for name, number in numbers.items())


def topology(vcpus: int, flavor: dict, image: dict) -> tuple[int, int, int] | None:
    """(sockets, cores, threads): what the image asks for, else the flavor, within the limits of both; None if neither has any.

    :raises BadRequest: the image exceeds the flavor's limits, or nothing within them has so many CPUs
    """
    if not any(f"cpu_{kind}{part}" in source for kind in ("", "max_") for part in _ORDER for source in (flavor, image)):
        return None
    allowed = {part: flavor.get(f"cpu_max_{part}", vcpus) for part in _ORDER}
    limits = {part: image.get(f"cpu_max_{part}", allowed[part]) for part in _ORDER}
    if any(limits[p] > allowed[p] and f"cpu_max_{p}" in flavor for p in _ORDER):
        raise errors.BadRequest(f"Image vCPU topology limits ({_spelled(limits)}) exceeds the limits of the flavor "
                                f"({_spelled(allowed)})")
    wanted = {part: image.get(f"cpu_{part}") for part in _ORDER}
    if any(wanted.values()):
        if any((wanted[p] or 0) > limits[p] for p in _ORDER):
            asked = {p: wanted[p] or -1 for p in _ORDER}
            raise errors.BadRequest(f"Image vCPU topology ({_spelled(asked)}) exceeds the limits of the flavor or image "
                                    f"({_spelled(limits)})")
    else:
        wanted = {part: flavor.get(f"cpu_{part}") for part in _ORDER}
    if vcpus > _MOST_CPUS:
        raise errors.BadRequest(f"A CPU topology can be chosen for at most {_MOST_CPUS} vCPUs.")
    found = [(s, c, vcpus // (s * c)) for s in range(1, vcpus + 1) for c in range(1, vcpus // s + 1) if vcpus % (s * c) == 0]
    found = [each for each in found if all(n <= limits[p] for n, p in zip(each, _ORDER))]
    if not found:
        raise errors.BadRequest(f"Requested vCPU limits {':'.join(str(limits[p]) for p in _ORDER)} are impossible to satisfy for "
                                f"vcpus count {vcpus}")
    # As much as possible of what was asked for; then more sockets rather than cores, and cores rather than threads.
    return max(found, key=lambda each: (sum(n == wanted[p] for n, p in zip(each, _ORDER)), *each))


def numa_nodes(vcpus: int, memory_mb: int, specs: dict, properties: dict, flavor: dict, image: dict) -> tuple[NumaNode, ...]:
    """A guest's NUMA nodes; () if none are asked for.

    :param specs: for ``hw:numa_cpus.N`` and ``hw:numa_mem.N``; :param properties: for ``hw_numa_cpus.N`` and ``hw_numa_mem.N``
    :raises BadRequest: CPUs and memory are not divided completely, or the image overrides the flavor
    """
    count, source, prefix = flavor.get("numa_nodes"), specs, "hw:"
    given_by_image = "numa_nodes" in image or any(str(k).startswith(("hw_numa_cpus.", "hw_numa_mem.")) for k in properties)
    if count is not None and given_by_image:
        raise errors.BadRequest("Image property 'hw_numa_nodes' is not permitted to override NUMA configuration set against the "
                                "flavor")
    if count is None:
        count, source, prefix = image.get("numa_nodes"), properties, "hw_"
    if count is None:
        return ()
    given = [(source.get(f"{prefix}numa_cpus.{n}"), source.get(f"{prefix}numa_mem.{n}")) for n in range(count)]
    if all(cpus is None and memory is None for cpus, memory in given):
        return _even(vcpus, memory_mb, count)
    if any(cpus is None or memory is None for cpus, memory in given):
        raise errors.BadRequest("CPU and memory allocation must be provided for all NUMA nodes")
    nodes = tuple(NumaNode(cpu_set(cpus, f"{prefix}numa_cpus.{n}")[0], values.integer(memory, f"{prefix}numa_mem.{n}", 1))
                  for n, (cpus, memory) in enumerate(given))
    _check(vcpus, memory_mb, nodes)
    return nodes


def _even(vcpus: int, memory_mb: int, count: int) -> tuple[NumaNode, ...]:
    if vcpus % count or memory_mb % count:
        raise errors.BadRequest("Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit "
                                "assignment of CPUs and memory to nodes is required")
    each = vcpus // count
    return tuple(NumaNode(frozenset(range(n * each, (n + 1) * each)), memory_mb // count) for n in range(count))


def _check(vcpus: int, memory_mb: int, nodes: tuple[NumaNode, ...]) -> None:
    seen: set[int] = set()
    for node in nodes:
        if node.cpus and max(node.cpus) >= vcpus:
            raise errors.BadRequest(f"CPU number {max(node.cpus)} is larger than max {vcpus - 1}")
        if seen & node.cpus:
            raise errors.BadRequest(f"CPU number {min(seen & node.cpus)} is assigned to two nodes")
        seen |= node.cpus
    if left := set(range(vcpus)) - seen:
        raise errors.BadRequest(f"CPU number {', '.join(map(str, sorted(left)))} is not assigned to any node")
    total = sum(node.memory_mb for node in nodes)
    if total != memory_mb:
        raise errors.BadRequest(f"{total} MB of memory assigned, but expected {memory_mb} MB")
