"""Floating IPs of servers, as the compute API once associated them."""

from common import errors
from common.calls import Call
from common.rest import Path, path
from compute_api import access, networks
from conductor.db import actions


def ask(call: Call, method: str, where: Path, body=None):
    return call.svc.rest.request(method, "network", where, body=body, ctx=call.ctx)


def _of(call: Call, address: str) -> dict:
    found = ask(call, "GET", path("/v2.0/floatingips", query={"floating_ip_address": address}))["floatingips"]
    if not found:
        raise errors.NotFound(f"Floating IP {address} could not be found.")
    return found[0]


def _begin(call: Call, id: str, rule: str, name: str) -> list[dict]:
    """The server's ports, once its owner is known to ask."""
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        actions.start(connection, call.ctx, id, name)
    return networks.ports_of(call, row)


def add(call: Call, id: str, address: str, fixed: str | None) -> None:
    """Associate a floating IP: with the fixed address named, or with the server's first that is IPv4."""
    ports = _begin(call, id, "os_compute_api:os-floating-ips:add", "addFloatingIp")
    floating = _of(call, address)
    for port in ports:
        for ip in port["fixed_ips"]:
            if ip["ip_address"] == fixed or (fixed is None and ":" not in ip["ip_address"]):
                ask(call, "PUT", path("/v2.0/floatingips/{id}", floating["id"]), {"floatingip": {
                    "port_id": port["id"], "fixed_ip_address": ip["ip_address"]}})
                return
    raise errors.BadRequest(f"Specified fixed address not assigned to instance {id}" if fixed else
                            f"No fixed IPs associated to instance {id}")


def remove(call: Call, id: str, address: str) -> None:
    ports = _begin(call, id, "os_compute_api:os-floating-ips:remove", "removeFloatingIp")
    floating = _of(call, address)
    if floating["port_id"] not in {p["id"] for p in ports}:
        raise errors.Conflict(f"Floating IP {address} is not associated with instance {id}.")
    ask(call, "PUT", path("/v2.0/floatingips/{id}", floating["id"]), {"floatingip": {"port_id": None}})
