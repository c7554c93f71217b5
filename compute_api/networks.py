"""The requested networks and ports of servers, and their current ports.

Hosts create and bind ports with the rights of a service, so the objects in a request are checked here with the caller's rights. A
server's ports are those in its row: the owner of a port can write anything into its ``device_id``.
"""

import typing

from common import errors, values
from common.calls import Call
from common.rest import Path, path
from compute_api import access


def request(call: Call, method: str, where: Path, body=None):
    """Ask the network service with the caller's rights."""
    return call.svc.rest.request(method, "network", where, body=body, ctx=call.ctx)


class Chosen(typing.NamedTuple):
    """What a new server's interfaces are made of. Each of ``requested`` is {"uuid", "tag"} and either "port", or "fixed_ip" and
    "network" ({"name", "mtu" (bytes)})."""

    requested: list[dict]
    groups: frozenset[str] = frozenset()  # ids of the security groups of the named ports
    secured: bool = False  # whether a port is created to which security groups apply
    unsecured: bool = False  # whether one is created to which none can apply


def chosen(call: Call, given: dict, count: int) -> Chosen:
    """The networks to create ports on, and the ports to use. They must exist, and the caller must be allowed to use them.

    :param count: the largest number of servers asked for; ports and addresses are refused for several
    """
    wanted = given.get("networks")
    if wanted is None and call.version >= (2, 37):
        raise errors.BadRequest("Invalid input for field/attribute server. 'networks' is a required property")
    if isinstance(wanted, str) and call.version < (2, 37):
        raise errors.BadRequest("Invalid input for field/attribute networks.")
    if wanted == "none":
        return Chosen([])
    if wanted in (None, "auto", []):
        return _default(call)
    _check_for_several(wanted, count)
    found: list[dict] = []
    groups: set[str] = set()
    for item in wanted:
        if item.get("port"):
            port = _port_to_build_with(call, item["port"])
            found.append({"port": port["id"], "uuid": port["network_id"], "tag": item.get("tag")})
            groups.update(port["security_groups"])
        elif item.get("uuid"):
            network_id = values.uuid(item["uuid"], "networks/uuid")
            found.append({"uuid": network_id, "fixed_ip": item.get("fixed_ip"), "tag": item.get("tag")})
        else:
            raise errors.BadRequest("Bad networks format: network uuid is not in proper format (None)")
    if len({n["port"] for n in found if "port" in n}) < len([n for n in found if "port" in n]):
        raise errors.BadRequest("A port is named twice.")
    return Chosen(found, frozenset(groups), *_look_up(call, [item for item in found if "port" not in item]))


def _look_up(call: Call, found: list[dict]) -> tuple[bool, bool]:
    """Check the networks to create ports on, and add the attributes that hosts need; whether one has port security, and whether
    one has none.

    :raises BadRequest, Forbidden: as ``chosen``
    """
    known = _usable(call, {item["uuid"] for item in found})
    for network_id in sorted({item["uuid"] for item in found} - set(known)):
        raise errors.BadRequest(f"Network {network_id} could not be found.")
    for item in found:
        item["network"] = _facts(known[item["uuid"]])
        if item.get("fixed_ip"):
            check_address_choice(call, item["uuid"], item["fixed_ip"])
    return _security(list(known.values()))


def _security(found: list[dict]) -> tuple[bool, bool]:
    enabled = {network["port_security_enabled"] for network in found}
    return True in enabled, False in enabled


def _check_for_several(wanted: list[dict], count: int) -> None:
    """:raises BadRequest: several servers are requested, with a port or an address that only one of them could have"""
    if count > 1 and any(item.get("port") or item.get("fixed_ip") for item in wanted):
        raise errors.BadRequest("Failed to launch multiple instances using a single configured port ID or fixed IP address. "
                                "Please launch your instances one by one with different ports.")


def check_address_choice(call: Call, network_id: str, address: str) -> None:
    """Check that the caller may choose an address on a network. Hosts create ports with the rights of a service, which may
    choose any address, so the network service is asked here about the caller.

    :raises Forbidden: the caller may not
    """
    wanted = {"network_id": network_id, "fixed_ips": [{"ip_address": address}]}
    request(call, "POST", path("/v2.0/ports/check"), body={"port": wanted})


def _port_to_build_with(call: Call, port_id: str) -> dict:
    try:
        port = port_of(call, port_id, call.ctx.project_id)
    except errors.NotFound:
        raise errors.BadRequest(f"Port id {port_id} could not be found.") from None
    if port["device_id"]:
        raise errors.Conflict(f"Port {port['id']} is still in use.")
    if not port["fixed_ips"]:
        raise errors.BadRequest(f"Port {port['id']} requires a FixedIP in order to be used.")
    return port


def port_of(call: Call, port_id: str, project_id: str) -> dict:
    """A port for a server of a project. Owners of networks and administrators also see ports of other projects.

    :raises NotFound: the caller may see no such port
    :raises BadRequest: it belongs to another project
    """
    port = request(call, "GET", path("/v2.0/ports/{id}", port_id))["port"]
    if port["project_id"] != project_id:
        raise errors.BadRequest(f"Port {port['id']} not usable for a server of project {project_id}.")
    return port


def network_of(call: Call, network_id: str) -> dict:
    """:raises BadRequest: the caller may see no such network; :raises Forbidden: it is external"""
    network_id = values.uuid(network_id, "net_id")
    found = _usable(call, {network_id})
    if not found:
        raise errors.BadRequest(f"Network {network_id} could not be found.")
    return found[network_id]


def _usable(call: Call, ids: set[str]) -> dict[str, dict]:
    """{id: network} of those that the caller may see.

    :raises Forbidden: one is external and not shared: only routers may use it
    """
    if not ids:
        return {}
    found = request(call, "GET", path("/v2.0/networks", query={"id": sorted(ids)}))["networks"]
    outside = [n["id"] for n in found if n["router:external"] and not n["shared"]]
    if outside and not call.svc.policy.allows(call.ctx, "network:attach_external_network", access.own(call)):
        raise errors.Forbidden(f"It is not allowed to create an interface on external network {outside[0]}")
    return {n["id"]: n for n in found}


def _inner(call: Call) -> list[dict]:
    """The networks for a server whose request names none: those of the project, or the shared ones if it has none."""
    found = request(call, "GET", path("/v2.0/networks", query={
        "router:external": False, "admin_state_up": True}))["networks"]
    return [n for n in found if n["project_id"] == call.ctx.project_id] or [n for n in found if n["shared"]]


def _default(call: Call) -> Chosen:
    """The network for a request that names none. :raises Conflict: there are several to choose from"""
    usable = _inner(call)
    if len(usable) > 1:
        raise errors.Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    if not usable and call.version >= (2, 37):
        raise errors.BadRequest("This project has no network, and none can be created automatically.")
    return Chosen([{"uuid": n["id"], "fixed_ip": None, "tag": None, "network": _facts(n)} for n in usable], frozenset(),
                  *_security(usable))


def _facts(network: dict) -> dict:
    """The attributes of a network that a server's host needs, so that it need not request them."""
    return {"name": network["name"], "mtu": network["mtu"]}


def group_named(known: list[dict], name: str) -> dict | None:
    """The security group with this id, or the only one with this name. :raises Conflict: several have the name"""
    found = [g for g in known if g["id"] == name] or [g for g in known if g["name"] == name]
    if len(found) > 1:
        raise errors.Conflict(f"Multiple security groups found matching '{name}'. Use an ID to be more specific.")
    return found[0] if found else None


def only_one(call: Call) -> dict:
    """The network for an interface whose request names none. :raises BadRequest: there is none; :raises Conflict: several"""
    usable = _inner(call)
    if not usable:
        raise errors.BadRequest("There is no network to attach an interface to.")
    if len(usable) > 1:
        raise errors.Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    return usable[0]


def ports_of(call: Call, row: dict, **query) -> list[dict]:
    """The ports that a server's host has bound, if the caller may see them."""
    ids = [port["id"] for port in row["network_info"]]
    if not ids:
        return []
    where = path("/v2.0/ports", query={"id": ids, "relation": "compute", **query})
    found = request(call, "GET", where)["ports"]
    return [port for port in found if port["device_id"] == row["uuid"]]
