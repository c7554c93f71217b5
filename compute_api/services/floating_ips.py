"""Floating IPs, through the network service: for the floating IP proxies, and the actions that associate them with servers."""

from common import errors
from common.calls import Call
from common.rest import path
from compute_api import access, networks
from conductor.db import actions


def _pools(call: Call) -> list[dict]:
    query = {"router:external": True, "fields": ["id", "name"]}
    return networks.request(call, "GET", path("/v2.0/networks", query=query))["networks"]


def pools(call: Call) -> list[dict]:
    """[{"id", "name"}] of the external networks."""
    call.svc.policy.check(call.ctx, "os_compute_api:os-floating-ip-pools", {})
    return _pools(call)


def _completed(call: Call, found: list[dict]) -> list[dict]:
    """Floating IPs with "pool", the network's name, and "instance_id". Two requests, for any number of floating IPs."""
    names = {n["id"]: n["name"] for n in _pools(call)} if found else {}
    ids = [f["port_id"] for f in found if f["port_id"]]
    ports = networks.request(call, "GET", path("/v2.0/ports", query={"id": ids}))["ports"] if ids else []
    servers = {p["id"]: p["device_id"] for p in ports}
    return [{**f, "pool": names.get(f["floating_network_id"], f["floating_network_id"]),
             "instance_id": servers.get(f["port_id"]) or None} for f in found]


def index(call: Call) -> list[dict]:
    access.check(call, "os_compute_api:os-floating-ips:list")
    found = networks.request(call, "GET", path("/v2.0/floatingips", query={"project_id": call.ctx.project_id}))["floatingips"]
    return _completed(call, found)


def _get(call: Call, id: str) -> dict:
    try:
        return networks.request(call, "GET", path("/v2.0/floatingips/{id}", id))["floatingip"]
    except errors.NotFound:
        raise errors.NotFound(f"Floating IP not found for ID {id}") from None


def show(call: Call, id: str) -> dict:
    access.check(call, "os_compute_api:os-floating-ips:show")
    return _completed(call, [_get(call, id)])[0]


def create(call: Call, pool: str | None) -> dict:
    """:param pool: name or id; None: the first one"""
    access.check(call, "os_compute_api:os-floating-ips:create")
    network = next((n["id"] for n in _pools(call) if pool in (None, n["id"], n["name"])), None)
    if network is None:
        raise errors.NotFound("Floating IP pool not found.")
    try:
        made = networks.request(call, "POST", path("/v2.0/floatingips"), {"floatingip": {"floating_network_id": network}})
    except errors.Conflict as error:
        raise errors.NotFound(f"No more floating IPs in pool {pool or network}: {error}") from None
    return _completed(call, [made["floatingip"]])[0]


def delete(call: Call, id: str) -> None:
    access.check(call, "os_compute_api:os-floating-ips:delete")
    _get(call, id)
    networks.request(call, "DELETE", path("/v2.0/floatingips/{id}", id))


def _by_address(call: Call, address: str) -> dict:
    found = networks.request(call, "GET", path("/v2.0/floatingips", query={"floating_ip_address": address}))["floatingips"]
    if not found:
        raise errors.NotFound(f"Floating IP {address} could not be found.")
    return found[0]


def _begin(call: Call, id: str, rule: str, name: str) -> list[dict]:
    """Check the rule and record the action; returns the server's ports."""
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        actions.start(connection, call.ctx, id, name)
    return networks.ports_of(call, row)


def add(call: Call, id: str, address: str, fixed: str | None) -> None:
    """Associate a floating IP with a fixed address of the server, by default its first IPv4 address."""
    ports = _begin(call, id, "os_compute_api:os-floating-ips:add", "addFloatingIp")
    floating = _by_address(call, address)
    for port in ports:
        for ip in port["fixed_ips"]:
            if ip["ip_address"] == fixed or (fixed is None and ":" not in ip["ip_address"]):
                try:
                    networks.request(call, "PUT", path("/v2.0/floatingips/{id}", floating["id"]), {"floatingip": {
                        "port_id": port["id"], "fixed_ip_address": ip["ip_address"]}})
                except errors.Conflict as error:  # the fixed address has another one
                    raise errors.BadRequest(f"Unable to associate floating IP {address} to instance {id}: {error}") from None
                return
    raise errors.BadRequest(f"Specified fixed address not assigned to instance {id}" if fixed else
                            f"No fixed IPs associated to instance {id}")


def remove(call: Call, id: str, address: str) -> None:
    ports = _begin(call, id, "os_compute_api:os-floating-ips:remove", "removeFloatingIp")
    floating = _by_address(call, address)
    if floating["port_id"] not in {p["id"] for p in ports}:
        raise errors.Conflict(f"Floating IP {address} is not associated with instance {id}.")
    networks.request(call, "PUT", path("/v2.0/floatingips/{id}", floating["id"]), {"floatingip": {"port_id": None}})
