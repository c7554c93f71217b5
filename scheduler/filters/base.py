"""What filters have in common, and how they read hosts and their aggregates.

A filter of your own is a class with ``passes(host, spec)``. A host is a row of ``conductor.db.hosts.all_nodes`` with ``up``
(bool), ``zone``, ``aggregates`` (as ``conductor.db.aggregates.of_hosts`` says) and ``io_ops`` (number of its servers that strain
its disks; None unless a filter or weigher wants it) added. ``spec`` is ``scheduler.rpcapi.request_spec`` with ``group`` added:
None or {"policy", "most": how many members of an anti-affine group may share a host, "hosts": [host of each member]}.

Filters see every host for each server: options, whose look-up takes long, are read once.
"""

from conductor.db import aggregates


class Filter:
    """``why`` is how the fault names the hosts that this filter removed."""

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
        """{column of what is used of the host: most that may be}. A claim keeps to it, whatever others claim meanwhile."""
        return {}


def metadata(host: dict) -> dict[str, set[str]]:
    """{name: values} of all aggregates of a host; a value with commas is several."""
    found: dict[str, set[str]] = {}
    for aggregate in host["aggregates"]:
        for name, text in aggregate["metadata"].items():
            found.setdefault(name, set()).update(value.strip() for value in text.split(","))
    return found


def number(host: dict, name: str, default: float) -> float:
    """The least number that the host's aggregates have under this name, or the default."""
    return aggregates.number(host["aggregates"], name, default)


def extra_specs(spec: dict) -> dict[str, str]:
    """Those of the flavor. A release before does not send them."""
    return spec.get("extra_specs") or {}


def facts(host: dict) -> dict:
    """A host as the names of OpenStack's filters have it: ``capabilities:...`` of flavors, and ``$...`` of queries."""
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
