"""Addresses of a server, added and taken away as the compute API did until microversion 2.43."""

from common import errors
from common.rest import path
from compute_api import access, networks
from compute_api.services import network_info
from conductor.db import actions


def _begin(req, id, rule: str, name: str) -> dict:
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, rule)
        access.check_lock(req, row)
        actions.start(connection, req.ctx, id, name)
    return row


def _set(req, id, port: dict, fixed_ips: list[dict]) -> None:
    """The network service will tell us too; who asked sees it in the next answer."""
    req.svc.rest.request("PUT", "network", path("/v2.0/ports/{id}", port["id"]), body={"port": {"fixed_ips": fixed_ips}},
                         ctx=req.ctx)
    network_info.store(req.svc, id)


def add(req, id, arguments):
    """One more address, on the port that the server has in that network."""
    row = _begin(req, id, "os_compute_api:os-multinic:add", "addFixedIp")
    network = arguments["networkId"]
    ports = [port for port in networks.ports_of(req, row) if port["network_id"] == network]
    if not ports:
        raise errors.NotFound(f"Instance {id} has no port in network {network}.")
    subnets = req.svc.rest.request("GET", "network", path("/v2.0/subnets", query={"network_id": network, "ip_version": 4}),
                                   ctx=req.ctx)["subnets"]
    if not subnets:
        raise errors.BadRequest(f"Network {network} has no subnet.")
    _set(req, id, ports[0], ports[0]["fixed_ips"] + [{"subnet_id": subnets[0]["id"]}])


def remove(req, id, arguments):
    row = _begin(req, id, "os_compute_api:os-multinic:remove", "removeFixedIp")
    address = arguments["address"]
    for port in networks.ports_of(req, row):
        left = [ip for ip in port["fixed_ips"] if ip["ip_address"] != address]
        if len(left) < len(port["fixed_ips"]):
            _set(req, id, port, left)
            return
    raise errors.BadRequest(f"Fixed IP {address} is not associated with instance {id}.")
