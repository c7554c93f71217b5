"""Diagnostics of servers, passwords in them, and crash dumps. Source: the compute API reference, "Servers diagnostics"."""

import datetime

from common import db
from compute_api.services import guests

_DISK = {"read_req": "read_requests", "read": "read_bytes", "write_req": "write_requests", "write": "write_bytes",
         "errors": "errors_count"}
_NIC = {f"{way}{suffix}": f"{way}_{name}" for way in ("rx", "tx")
        for suffix, name in (("", "octets"), ("_packets", "packets"), ("_errors", "errors"), ("_drop", "drop"))}


def diagnostics(req, id):
    """In the format of libvirt until 2.47, and in one of all hypervisors since 2.48."""
    row, found = guests.diagnostics(req.call, id)
    return _standard(row, found) if req.version >= (2, 48) else _free(found)


def _free(found: dict) -> dict:
    shown = {f"cpu{cpu['id']}_time": cpu["time"] for cpu in found["cpus"]}
    for group, names in (("disks", _DISK), ("nics", _NIC)):
        for each in found[group]:
            shown.update({f"{each['device']}_{name}": each[key] for name, key in names.items()})
    return {**shown, "memory": found["memory_kb"]["maximum"],
            **{f"memory-{name}": value for name, value in found["memory_stats"].items()}}


def _standard(row: dict, found: dict) -> dict:
    """Rates and utilisations are not known to libvirt."""
    started: datetime.datetime | None = row["launched_at"]
    return {
        "state": "running", **{name: found[name] for name in ("driver", "hypervisor", "hypervisor_os")},
        "uptime": int((db.now() - started).total_seconds()) if started else None, "config_drive": bool(row["config_drive"]),
        "num_cpus": len(found["cpus"]), "num_nics": len(found["nics"]), "num_disks": len(found["disks"]),
        "memory_details": {name: found["memory_kb"][name] // 1024 for name in ("maximum", "used")},
        "cpu_details": [{**cpu, "utilisation": None} for cpu in found["cpus"]],
        "disk_details": [{k: v for k, v in disk.items() if k != "device"} for disk in found["disks"]],
        "nic_details": [{**{k: v for k, v in nic.items() if k != "device"}, "rx_rate": None, "tx_rate": None}
                        for nic in found["nics"]]}


def change_password(req, id, arguments):
    guests.change_password(req.call, id, arguments["adminPass"])


def trigger_crash_dump(req, id, arguments):
    guests.trigger_crash_dump(req.call, id)
