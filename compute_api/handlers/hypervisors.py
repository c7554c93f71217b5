"""Hypervisors: the compute hosts, for operators."""

import json

from common import errors, wsgi
from compute_api import microversions
from compute_api.handlers import paging
from compute_api.services import hypervisors
from conductor.db import hosts


def _id(req, row: dict):
    return row["id"] if req.version >= (2, 53) else int(row["id"][:7], 16)


def _brief(req, row: dict) -> dict:
    shown = {"id": _id(req, row), "hypervisor_hostname": row["hypervisor_hostname"],
             "state": "up" if hosts.is_up(row, req.svc.conf.service_down_time) else "down",
             "status": "disabled" if row["disabled"] else "enabled"}
    if "servers" in row and (row["servers"] or req.version >= (2, 75)):
        shown["servers"] = row["servers"]
    return shown


def _views(req, found: list[dict]) -> list[dict]:
    """All details. Since 2.88 these include the uptime, and not the resources, which the placement API shows."""
    uptimes = hypervisors.uptimes(req.call, found) if req.version >= (2, 88) else {}
    return [{**_view(req, node), **({"uptime": uptimes[node["host"]]} if uptimes else _resources(req, node))}
            for node in found]


def _view(req, row: dict) -> dict:
    facts = row["facts"]
    return {**_brief(req, row), "host_ip": facts.get("host_ip"), "hypervisor_type": facts.get("hypervisor_type"),
            "hypervisor_version": facts.get("hypervisor_version", 0),
            "service": {"id": row["service_id"] if req.version >= (2, 53) else int(row["service_id"][:7], 16),
                        "host": row["host"], "disabled_reason": row["disabled_reason"]}}


def _resources(req, row: dict) -> dict:
    facts = row["facts"]
    cpu = facts.get("cpu_info", {})
    return {"running_vms": row["running_vms"], "vcpus": row["vcpus"], "vcpus_used": row["vcpus_used"],
            "memory_mb": row["memory_mb"], "memory_mb_used": row["memory_mb_used"],
            "free_ram_mb": row["memory_mb"] - row["memory_mb_used"],
            "local_gb": row["local_gb"], "local_gb_used": row["local_gb_used"],
            "free_disk_gb": row["local_gb"] - row["local_gb_used"], "disk_available_least": facts.get("disk_free_gb"),
            "current_workload": 0, "cpu_info": cpu if req.version >= (2, 28) else json.dumps(cpu)}


def _nodes(req, rule: str) -> list[dict]:
    """The hosts that a request selects, with their servers if requested (2.53)."""
    req.svc.policy.check(req.ctx, rule, {})
    with_servers = req.version >= (2, 53) and wsgi.bool_value(req.GET.get("with_servers", False))
    found = hypervisors.nodes(req.call, with_servers)
    pattern = req.GET.get("hypervisor_hostname_pattern", "")
    return [n for n in found if pattern in n["hypervisor_hostname"]]


def _list(req, found: list[dict], views) -> dict:
    """A page of the hosts, with the link to the next page; before 2.33 all hosts."""
    if req.version < (2, 33):
        return {"hypervisors": views(req, found)}
    marker = req.GET.get("marker")
    if marker:
        after = [i for i, n in enumerate(found, 1) if str(_id(req, n)) == marker]
        if not after:
            raise errors.BadRequest(f"marker [{marker}] not found")
        found = found[after[0]:]
    shown = views(req, found[:paging.limit(req)])
    links = paging.next_links(req, shown, "id")
    return {"hypervisors": shown, **({"hypervisors_links": links} if links else {})}


_QUERY = ("limit", "marker", "hypervisor_hostname_pattern", "with_servers")


def index(req):
    microversions.check_query(req.call, req.GET, _QUERY, since=(2, 53))
    return _list(req, _nodes(req, "os_compute_api:os-hypervisors:list"), lambda req, found: [_brief(req, n) for n in found])


def detail(req):
    microversions.check_query(req.call, req.GET, _QUERY, since=(2, 53))
    return _list(req, _nodes(req, "os_compute_api:os-hypervisors:list-detail"), _views)


def show(req, id):
    microversions.check_query(req.call, req.GET, ("with_servers",), since=(2, 53))
    found = [n for n in _nodes(req, "os_compute_api:os-hypervisors:show") if str(_id(req, n)) == id]
    if not found:
        raise errors.NotFound(f"Compute host {id} could not be found.")
    return {"hypervisor": _views(req, found[:1])[0]}


def uptime(req, id):
    found = [n for n in _nodes(req, "os_compute_api:os-hypervisors:uptime") if str(_id(req, n)) == id]
    if not found:
        raise errors.NotFound(f"Compute host {id} could not be found.")
    if not hosts.is_up(found[0], req.svc.conf.service_down_time):
        raise errors.BadRequest(f"Compute service of {found[0]['host']} is unavailable at this time.")
    return {"hypervisor": {**_brief(req, found[0]), "uptime": req.svc.agents.uptime(req.ctx, found[0]["host"])}}


def _matching(req, pattern: str, rule: str) -> list[dict]:
    found = [n for n in _nodes(req, rule) if pattern in n["hypervisor_hostname"]]
    if not found:
        raise errors.NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return found


def search(req, id):
    return {"hypervisors": [_brief(req, n) for n in _matching(req, id, "os_compute_api:os-hypervisors:search")]}


def servers(req, id):
    found = _matching(req, id, "os_compute_api:os-hypervisors:servers")
    hypervisors.servers(req.call, found)
    return {"hypervisors": [_brief(req, n) for n in found]}


def statistics(req):
    found = _nodes(req, "os_compute_api:os-hypervisors:statistics")
    sums = {k: sum(n[k] for n in found) for k in ("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "local_gb",
                                                  "local_gb_used", "running_vms")}
    return {"hypervisor_statistics": {
        "count": len(found), **sums, "free_ram_mb": sums["memory_mb"] - sums["memory_mb_used"],
        "free_disk_gb": sums["local_gb"] - sums["local_gb_used"], "current_workload": 0,
        "disk_available_least": sum(n["facts"].get("disk_free_gb") or 0 for n in found)}}
