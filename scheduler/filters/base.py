"""Base class of filters, and how they read hosts and their aggregates.

A custom filter is a class with ``passes(host, spec)``. A host is a row of ``conductor.db.hosts.all_nodes`` with ``up``
(bool), ``zone``, ``aggregates`` (as ``conductor.db.aggregates.of_hosts`` returns them) and ``io_ops`` (number of its servers
with I/O operations in progress; None unless a filter or weigher needs it) added. ``spec`` is ``scheduler.rpcapi.request_spec``
with ``group`` added: None or {"policy", "most": number of members of an anti-affine group that may share a host, "hosts":
[host of each member]}.

Filters are called for every host of each server, so they read options, which are slow to access, only once.
"""

from conductor.db import aggregates


class Filter:
    """``why`` describes the hosts that this filter removed, in the server's fault."""

    why = ""
    wants_io_ops = False

    def __init__(self, conf):
        self.conf = conf

    def passes(self, host: dict, spec: dict) -> bool:
        raise AssertionError("a filter must implement passes")

    def reason(self, spec: dict) -> str:
        """``why``, for this server."""
        return self.why

    def limits(self, host: dict) -> dict:
        """{column of the host's usage: its maximum}. Claims do not exceed it, whatever is claimed concurrently."""
        return {}


def metadata(host: dict) -> dict[str, set[str]]:
    """{name: values} of all aggregates of a host; a value with commas is a list."""
    found: dict[str, set[str]] = {}
    for aggregate in host["aggregates"]:
        for name, text in aggregate["metadata"].items():
            found.setdefault(name, set()).update(value.strip() for value in text.split(","))
    return found


def number(host: dict, name: str, default: float) -> float:
    """The lowest number that the host's aggregates have for this name, or the default."""
    return aggregates.number(host["aggregates"], name, default)


def extra_specs(spec: dict) -> dict[str, str]:
    """The flavor's extra specs. The previous release does not send them."""
    return spec.get("extra_specs") or {}


def facts(host: dict) -> dict:
    """A host's attributes by their names in OpenStack's filters: ``capabilities:...`` of flavors, and ``$...`` of queries."""
    known = host["facts"]
    return {
        "host": host["host"], "nodename": host["hypervisor_hostname"], "hypervisor_hostname": host["hypervisor_hostname"],
        "host_ip": known.get("host_ip"), "hypervisor_type": known.get("hypervisor_type"),
        "hypervisor_version": known.get("hypervisor_version"), "cpu_info": known.get("cpu_info", {}),
        "total_usable_ram_mb": host["memory_mb"], "free_ram_mb": host["memory_mb"] - host["memory_mb_used"],
        "total_usable_disk_gb": host["local_gb"], "disk_mb_used": host["local_gb_used"] * 1024,
        "free_disk_mb": (host["local_gb"] - host["local_gb_used"]) * 1024,
        "vcpus_total": host["vcpus"], "vcpus_used": host["vcpus_used"], "num_instances": host["running_vms"],
        "num_io_ops": host.get("io_ops")}
