"""The NUMA topology of servers."""

import logging

from common import errors, guest_hardware
from common.calls import Call
from common.guest_cpus import NumaNode
from common.guest_hardware import Hardware
from compute_api import access
from compute_api.services import servers
from conductor.db import hosts

LOG = logging.getLogger(__name__)
_LARGE_PAGE_KB = 2048  # "large" is the default size of the host's kernel


def show(call: Call, id: str) -> dict:
    """As the API shows it. Where on the host the nodes are is asked of the host, for callers who may see it; it is left out while
    the host does not answer."""
    row = servers.get(call, id, "compute:server:topology:index")
    hardware = guest_hardware.of_server(row)
    if not (hardware.numa or hardware.dedicated or hardware.page_size):
        return {"nodes": [], "pagesize_kb": None}
    nodes = hardware.numa or (NumaNode(frozenset(range(hardware.vcpus)), hardware.memory_mb),)
    shown: list[dict] = [{"vcpu_set": sorted(node.cpus), "siblings": _siblings(hardware, node), "memory_mb": node.memory_mb}
                         for node in nodes]
    if call.svc.policy.allows(call.ctx, "compute:server:topology:host:index", access.target(row)):
        _add_placement(shown, nodes, _placement(call, row))
    return {"nodes": shown, "pagesize_kb": _page_size_kb(hardware)}


def _placement(call: Call, row: dict) -> dict | None:
    """Where on its host a server's guest is, as the host says; None: it has none, or the host does not answer."""
    if not row["host"]:
        return None
    with call.svc.db.reader() as connection:
        if not hosts.service_up(connection, row["host"], call.svc.conf.service_down_time):
            return None
    try:
        return call.svc.agents.placement(call.ctx, row["host"], row["uuid"])
    except errors.ServiceUnavailable as error:
        LOG.info("where instance %s is on its host is not known now: %s", row["uuid"], error)
        return None


def _add_placement(shown: list[dict], nodes: tuple[NumaNode, ...], placement: dict | None) -> None:
    if placement is None:
        return
    pinned = {each["vcpu"]: each["cpu"] for each in placement["cpus"]}
    for number, (node, view) in enumerate(zip(nodes, shown)):
        if number < len(placement["cells"]):
            view["host_node"] = placement["cells"][number]
        view["cpu_pinning"] = {str(vcpu): pinned[vcpu] for vcpu in sorted(node.cpus) if vcpu in pinned}


def _siblings(hardware: Hardware, node: NumaNode) -> list[list[int]]:
    """The node's CPUs that are threads of one core, by core; [] where cores have one thread."""
    threads = hardware.topology[2] if hardware.topology else 1
    cpus = sorted(node.cpus)
    return [cpus[n:n + threads] for n in range(0, len(cpus), threads)] if threads > 1 else []


def _page_size_kb(hardware: Hardware) -> int | None:
    if hardware.page_size is None or isinstance(hardware.page_size, int):
        return hardware.page_size
    return _LARGE_PAGE_KB if hardware.large_pages else 4
