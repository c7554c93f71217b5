"""Network interfaces of a server."""

from common import errors, rows
from common.calls import Call
from compute_api import access, networks
from compute_api.services import security_groups
from compute_api.services.attachments import steady
from conductor.db import actions, models


def one(call: Call, row: dict, port_id: str) -> dict:
    found = [port for port in networks.ports_of(call, row) if port["id"] == port_id]
    if not found:
        raise _unknown(port_id)
    return found[0]


def _unknown(port_id: str) -> errors.NotFound:
    return errors.NotFound(f"Port id {port_id} could not be found.")


def create(call: Call, id: str, given: dict) -> tuple[dict, dict]:
    """Attach a port, or a new port in a network; returns the server and the port.

    :param given: the body, as the client sent it
    """
    with call.svc.db.reader() as connection:
        row = _attachable(call, connection, id)
    request = {**_request(call, row, given), "tag": given.get("tag")}
    with call.svc.db.writer() as connection:
        row = _attachable(call, connection, id)
        actions.start(connection, call.ctx, id, "attach_interface")
    port = call.svc.agents.attach_interface(call.ctx, row["host"], id, request)
    security_groups.refresh(call, id)
    return row, port


def _attachable(call: Call, connection, id: str) -> dict:
    row = access.server(call, connection, id, "os_compute_api:os-attach-interfaces:create")
    access.check_lock(call, row)
    steady(row, "attach_interface")
    return row


def _request(call: Call, row: dict, given: dict) -> dict:
    """The request to the agent. It is checked here with the user's token, because the agent uses its own."""
    if given.get("port_id"):
        port = networks.port_of(call, given["port_id"], row["project_id"])
        if port["device_id"]:
            raise errors.BadRequest(f"Port {port['id']} is still in use.")
        return {"port": port["id"], "uuid": port["network_id"]}
    network = networks.network_of(call, given["net_id"]) if given.get("net_id") else networks.only_one(call)
    ip = given["fixed_ips"][0]["ip_address"] if given.get("fixed_ips") else None
    if ip:
        networks.check_address_choice(call, network["id"], ip)
    return {"uuid": network["id"], "fixed_ip": ip}


def delete(call: Call, id: str, port_id: str) -> None:
    """Detach an interface, also if its port is gone: nobody may have said so, or the server was being built."""
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-attach-interfaces:delete")
        if all(port["id"] != port_id for port in row["network_info"]):
            raise _unknown(port_id)
        access.check_lock(call, row)
        attach_id = _begin_detaching(call, connection, row, port_id)
    call.svc.agents.detach_interface(call.ctx, row["host"], id, port_id, attach_id)


def _begin_detaching(call: Call, connection, row: dict, port_id: str) -> str:
    """Record that an interface is being detached; the id of its attachment. :raises InvalidState: it cannot be now"""
    steady(row, "detach_interface")
    actions.start(connection, call.ctx, row["uuid"], "detach_interface")
    return next((p.get("attach_id", "") for p in row["network_info"] if p["id"] == port_id), "")


def drop(call: Call, id: str, port_id: str) -> bool:
    """Detach an interface whose port was deleted; False if there is no such server.

    :raises InvalidState: something else is being done with the server
    """
    with call.svc.db.writer() as connection:
        row = rows.find(connection, models.instances, id, key="uuid")
        if row is None or all(port["id"] != port_id for port in row["network_info"]):
            return row is not None
        attach_id = _begin_detaching(call, connection, row, port_id)
    call.svc.agents.detach_interface(call.ctx, row["host"], id, port_id, attach_id)
    return True
