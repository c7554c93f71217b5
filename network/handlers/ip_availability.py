"""How many addresses of each network are in use."""

import ipaddress

from common import errors, rows
from network import parsing
from network.db import models, subnets
from network.handlers import listing

_FILTERS = {"network_id": str, "network_name": str, "project_id": str, "tenant_id": str,
            "ip_version": lambda raw: parsing.between(4, 6)(raw, "ip_version")}


def index(req):
    found = _of_networks(req)
    if "ip_version" in req.GET:  # of a list, not of one value, in each row
        version = _FILTERS["ip_version"](req.GET["ip_version"])
        found = [{**row, "subnet_ip_availability": [s for s in row["subnet_ip_availability"] if s["ip_version"] == version]}
                 for row in found]
    found = [{**row, "ip_version": req.GET.get("ip_version") and _FILTERS["ip_version"](req.GET["ip_version"])} for row in found]
    found = listing.in_memory(req, found, _FILTERS, ("network_id",), key="network_id")
    return {"network_ip_availabilities": [{k: v for k, v in row.items() if k != "ip_version"} for row in found]}


def show(req, id):
    found = _of_networks(req, id=id)
    if not found:
        raise errors.NotFound(f"Network {id} could not be found.", kind="NetworkNotFound")
    return {"network_ip_availability": found[0]}


def _of_networks(req, **where) -> list[dict]:
    """The availability in those of these networks of which the caller may see it."""
    with req.svc.db.reader() as connection:
        networks = rows.select(connection, models.networks, **where)
        networks = [n for n in networks if req.svc.policy.allows(req.ctx, "get_network_ip_availability",
                                                                 {"project_id": n["project_id"]})]
        used = subnets.with_use(connection) if networks else []
    found = []
    for network in networks:
        own = [{"subnet_id": x["id"], "subnet_name": x["name"], "cidr": x["cidr"], "ip_version": x["ip_version"],
                "used_ips": x["used"], "total_ips": _total(x)} for x in used if x["network_id"] == network["id"]]
        found.append({"network_id": network["id"], "network_name": network["name"],
                      "project_id": network["project_id"], "tenant_id": network["project_id"],
                      "used_ips": sum(x["used_ips"] for x in own), "total_ips": sum(x["total_ips"] for x in own),
                      "subnet_ip_availability": own})
    return found


def _total(subnet: dict) -> int:
    return sum(int(ipaddress.ip_address(p["end"])) - int(ipaddress.ip_address(p["start"])) + 1
               for p in subnet["allocation_pools"])
