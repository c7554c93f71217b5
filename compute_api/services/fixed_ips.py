"""Add and remove fixed addresses of a server, as in the compute API until microversion 2.43."""

from common import errors
from common.calls import Call
from common.rest import path
from compute_api import access, networks
from compute_api.services import network_info
from conductor.db import actions


def _begin(call: Call, id: str, rule: str, name: str) -> dict:
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        actions.start(connection, call.ctx, id, name)
    return row


def _set(call: Call, id: str, port: dict, fixed_ips: list[dict]) -> None:
    """Update the network_info at once, so that the caller's next request shows the change; the network service
    reports it later."""
    call.svc.rest.request("PUT", "network", path("/v2.0/ports/{id}", port["id"]), body={"port": {"fixed_ips": fixed_ips}},
                         ctx=call.ctx)
    network_info.store(call.svc, id)


def add(call: Call, id: str, network: str) -> None:
    """Add an address to the port that the server has in that network."""
    row = _begin(call, id, "os_compute_api:os-multinic:add", "addFixedIp")
    ports = [port for port in networks.ports_of(call, row) if port["network_id"] == network]
    if not ports:
        raise errors.NotFound(f"Instance {id} has no port in network {network}.")
    subnets = call.svc.rest.request("GET", "network", path("/v2.0/subnets", query={"network_id": network, "ip_version": 4}),
                                   ctx=call.ctx)["subnets"]
    if not subnets:
        raise errors.BadRequest(f"Network {network} has no subnet.")
    _set(call, id, ports[0], ports[0]["fixed_ips"] + [{"subnet_id": subnets[0]["id"]}])


def remove(call: Call, id: str, address: str) -> None:
    row = _begin(call, id, "os_compute_api:os-multinic:remove", "removeFixedIp")
    for port in networks.ports_of(call, row):
        left = [ip for ip in port["fixed_ips"] if ip["ip_address"] != address]
        if len(left) < len(port["fixed_ips"]):
            _set(call, id, port, left)
            return
    raise errors.BadRequest(f"Fixed IP {address} is not associated with instance {id}.")
