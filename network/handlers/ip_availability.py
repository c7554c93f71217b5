"""How many addresses of each network are in use."""

import ipaddress

import sqlalchemy as sa

from common import errors, rows
from network import parsing
from network.db import models
from network.handlers import listing

_FILTERS = {"network_id": str, "network_name": str, "project_id": str, "tenant_id": str,
            "ip_version": lambda raw: parsing.between(4, 6)(raw, "ip_version")}
NETWORKS, SUBNETS, ALLOCATIONS = models.networks, models.subnets, models.ip_allocations


def index(req):
    found = _of_networks(req, sa.true())
    if "ip_version" in req.GET:  # of a list, not of one value, in each row
        version = _FILTERS["ip_version"](req.GET["ip_version"])
        found = [{**row, "subnet_ip_availability": [s for s in row["subnet_ip_availability"] if s["ip_version"] == version]}
                 for row in found]
    found = [{**row, "ip_version": req.GET.get("ip_version") and _FILTERS["ip_version"](req.GET["ip_version"])} for row in found]
    found = listing.in_memory(req, found, _FILTERS, ("network_id",), key="network_id")
    return {"network_ip_availabilities": [{k: v for k, v in row.items() if k != "ip_version"} for row in found]}


def show(req, id):
    found = _of_networks(req, NETWORKS.c.id == id)
    if not found:
        raise errors.NotFound(f"Network {id} could not be found.", kind="NetworkNotFound")
    return {"network_ip_availability": found[0]}


def _of_networks(req, which) -> list[dict]:
    """A caller who may not see this of a network gets none of it."""
    with req.svc.db.reader() as connection:
        networks = rows.many(connection, sa.select(NETWORKS.c.id, NETWORKS.c.name, NETWORKS.c.project_id).where(which))
        networks = [n for n in networks if req.svc.policy.allows(req.ctx, "get_network_ip_availability",
                                                                 {"project_id": n["project_id"]})]
        subnets = rows.many(connection, sa.select(SUBNETS, sa.func.count(ALLOCATIONS.c.ip_address).label("used")).outerjoin(
            ALLOCATIONS, ALLOCATIONS.c.subnet_id == SUBNETS.c.id).group_by(SUBNETS.c.id)) if networks else []
    found = []
    for network in networks:
        own = [{"subnet_id": x["id"], "subnet_name": x["name"], "cidr": x["cidr"], "ip_version": x["ip_version"],
                "used_ips": x["used"], "total_ips": _total(x)} for x in subnets if x["network_id"] == network["id"]]
        found.append({"network_id": network["id"], "network_name": network["name"],
                      "project_id": network["project_id"], "tenant_id": network["project_id"],
                      "used_ips": sum(x["used_ips"] for x in own), "total_ips": sum(x["total_ips"] for x in own),
                      "subnet_ip_availability": own})
    return found


def _total(subnet: dict) -> int:
    return sum(int(ipaddress.ip_address(p["end"])) - int(ipaddress.ip_address(p["start"])) + 1
               for p in subnet["allocation_pools"])
