"""What a guest has used, from libvirt's statistics of a domain."""

import collections.abc
import xml.etree.ElementTree as ET

import libvirt

FLAGS = (libvirt.VIR_DOMAIN_STATS_BALLOON | libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_INTERFACE
         | libvirt.VIR_DOMAIN_STATS_BLOCK)
UNKNOWN = -1  # libvirt's number for what QEMU does not count
_NIC = {"octets": "bytes", "packets": "pkts", "errors": "errs", "drop": "drop"}
_DISK = {"read_bytes": "rd.bytes", "read_requests": "rd.reqs", "write_bytes": "wr.bytes", "write_requests": "wr.reqs"}


def of(stats: dict, description: str, hypervisor: str) -> dict:
    """As ``compute_agent.messages.Diagnostics``.

    :param stats: as libvirt returns them with FLAGS: {"vcpu.0.time": nanoseconds, ...}
    :param description: the running domain's XML
    """
    top = ET.fromstring(description)
    macs = {i.find("target").get("dev"): i.find("mac").get("address")  # type: ignore[union-attr]
            for i in top.iterfind("./devices/interface") if i.find("target") is not None and i.find("mac") is not None}
    return {
        "driver": "libvirt", "hypervisor": hypervisor, "hypervisor_os": "linux",
        "memory_kb": {"maximum": stats.get("balloon.maximum", 0), "used": stats.get("balloon.current", 0)},
        "memory_stats": {_name(key): value for key, value in stats.items()
                         if key.startswith("balloon.") and key not in ("balloon.maximum",)},
        "cpus": [{"id": n, "time": stats[f"vcpu.{n}.time"]} for n in _indexes(stats, "vcpu", "time")],
        "disks": [{"device": stats[f"block.{n}.name"], "errors_count": stats.get(f"block.{n}.errors", UNKNOWN),
                   **{name: stats.get(f"block.{n}.{key}", UNKNOWN) for name, key in _DISK.items()}}
                  for n in _indexes(stats, "block", "name")],
        "nics": [{"device": stats[f"net.{n}.name"], "mac_address": macs.get(stats[f"net.{n}.name"]),
                  **{f"{way}_{name}": stats.get(f"net.{n}.{way}.{key}", UNKNOWN) for way in ("rx", "tx")
                     for name, key in _NIC.items()}}
                 for n in _indexes(stats, "net", "name")]}


def _indexes(stats: dict, group: str, member: str) -> collections.abc.Iterator[int]:
    count = stats.get(f"{group}.maximum", stats.get(f"{group}.count", 0))
    yield from (n for n in range(count) if f"{group}.{n}.{member}" in stats)


def _name(key: str) -> str:
    """The name that ``virDomainMemoryStats`` has for it, which OpenStack shows."""
    name = key.removeprefix("balloon.").replace("-", "_")
    return "actual" if name == "current" else name
