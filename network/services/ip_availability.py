"""Address usage of networks."""

import ipaddress

from common import errors, rows
from common.calls import Call
from network.db import models, subnets


def index(call: Call, **where) -> list[dict]:
    """The usage of those of these networks whose usage the caller may see."""
    with call.svc.db.reader() as connection:
        networks = rows.select(connection, models.networks, **where)
        networks = [n for n in networks if call.svc.policy.allows(call.ctx, "get_network_ip_availability",
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


def show(call: Call, network_id: str) -> dict:
    found = index(call, id=network_id)
    if not found:
        raise errors.NotFound(f"Network {network_id} could not be found.", kind="NetworkNotFound")
    return found[0]


def _total(subnet: dict) -> int:
    return sum(int(ipaddress.ip_address(p["end"])) - int(ipaddress.ip_address(p["start"])) + 1
               for p in subnet["allocation_pools"])
