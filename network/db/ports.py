"""Rows of ports: new ones, those of our own devices, and what belongs to a port.

``relation`` says what a port is to this service: a kind of our own device (``roles.DHCP_PORT``, ``roles.ROUTER_PORTS``,
``roles.FLOATING``), a server's interface (``roles.SERVER``, set by the compute service), or "" for a port that is only
somebody's. While it is set, ``device_id`` names that device, and only we change it. ``device_owner`` and ``device_id``
of other ports are texts of their owners, and nothing is read from them.

``created_for_server``: whether the compute service created the port for the server that has it, and so deletes it with that
server. Ports that it has only bound stay.
"""

import random

import sqlalchemy as sa

from common import db
from network import roles
from network.db import addresses, groups, models

PORTS = models.ports


def unbound() -> dict:
    """The columns of a port that no device has."""
    return {"device_id": "", "device_owner": "", "relation": "", "created_for_server": False, "binding_host_id": "",
            "binding_vif_type": "unbound", "binding_profile": {}, "binding_migrating_to": "", "status": "DOWN"}


def new_port(values: dict) -> dict:
    """Every column of a port, from those given."""
    octets = [0xFA, 0x16, 0x3E, *(random.randrange(256) for _ in range(3))]
    return {"mac_address": ":".join(f"{o:02x}" for o in octets), "admin_state_up": True,
            **unbound(), "binding_vnic_type": "normal", "port_security_enabled": True,
            "allowed_address_pairs": [], "extra_dhcp_opts": [], "dns_name": "",
            **{k: v for k, v in values.items() if v is not None}}


def device_port(network_id: str, relation: str, device_id: str, project_id: str = "", status: str = "ACTIVE") -> dict:
    """The port of one of our own devices. Without a project, only administrators see it."""
    return new_port({**groups.base(project_id), "network_id": network_id, "device_id": device_id, "device_owner": relation,
                     "relation": relation, "status": status, "port_security_enabled": False})


def of_device(relation, device_id: str):
    """The WHERE of the ports of one device. ``relation``: one, or several."""
    kinds = [relation] if isinstance(relation, str) else relation
    return sa.and_(PORTS.c.relation.in_(kinds), PORTS.c.device_id == device_id)


def release(connection, port_id: str) -> None:
    """Release the addresses, security groups and floating IP of a port. The caller deletes the row afterwards."""
    f = models.floatingips
    connection.execute(sa.update(f).where(f.c.port_id == port_id).values(
        port_id=None, fixed_ip_address=None, router_id=None, status="DOWN", updated_at=db.now(),
        revision_number=f.c.revision_number + 1))
    addresses.release(connection, port_id)
    groups.set_members(connection, port_id, [])


def is_users(relation: str) -> bool:
    """Whether a port is a user's or a server's interface, and not one of this service's own devices."""
    return relation in ("", roles.SERVER)


def network_ids(connection, port_ids: list[str]) -> dict[str, str]:
    """{port id: network id}"""
    if not port_ids:
        return {}
    return dict(connection.execute(sa.select(PORTS.c.id, PORTS.c.network_id).where(PORTS.c.id.in_(port_ids))).all())


def of_servers(connection, port_ids: set[str]) -> dict[str, list[dict]]:
    """{server id: all its ports} of the servers whose interfaces these ports are, as compute's network_info has them."""
    if not port_ids:
        return {}
    n, f, other = models.networks, models.floatingips, PORTS.alias()
    servers = sa.select(other.c.device_id).where(other.c.id.in_(port_ids), other.c.relation == roles.SERVER)
    ports = db.many(connection, sa.select(PORTS, n.c.name.label("network_name")).join(n, n.c.id == PORTS.c.network_id).where(
        PORTS.c.relation == roles.SERVER, PORTS.c.device_id.in_(servers)).order_by(PORTS.c.id))
    ids = [p["id"] for p in ports]
    ips = addresses.of_ports(connection, ids)
    floating = db.many(connection, sa.select(f).where(f.c.port_id.in_(ids)).order_by(f.c.id)) if ids else []
    members = groups.named(connection, ids)
    found: dict[str, list[dict]] = {}
    for port in ports:
        found.setdefault(port["device_id"], []).append({
            **{k: port[k] for k in ("id", "network_id", "network_name", "mac_address")}, "fixed_ips": ips[port["id"]],
            "floating_ips": [{"floating": x["floating_ip_address"], "fixed": x["fixed_ip_address"]} for x in floating
                             if x["port_id"] == port["id"]],
            "security_groups": members.get(port["id"], [])})
    return found


def change_status(connection, *conditions, **values) -> None:
    """Write columns of ports that only this service sets, such as ``status``; their revision grows. A port that is gone is no
    error."""
    connection.execute(sa.update(PORTS).where(*conditions).values(
        **values, revision_number=PORTS.c.revision_number + 1, updated_at=db.now()))


def change_status_on_host(connection, host: str, port_ids: set[str], *, old: str, new: str) -> None:
    """Change the status of those of these ports that are plugged on a host."""
    if port_ids:
        change_status(connection, PORTS.c.id.in_(port_ids), PORTS.c.binding_host_id == host,
                      PORTS.c.binding_vif_type == "bridge", PORTS.c.status == old, status=new)


def having_addresses(*, ip_address_substr: list[str] | None = None, **values: list[str]):
    """The WHERE of the ports with an address that has one of the values of each kind.

    :param ip_address_substr: parts of an address
    :param values: ``ip_address`` and ``subnet_id``
    """
    table = models.ip_allocations
    where: list = [table.c[name].in_(wanted) for name, wanted in values.items()]
    if ip_address_substr:
        where.append(sa.or_(*(table.c.ip_address.contains(text, autoescape=True) for text in ip_address_substr)))
    return PORTS.c.id.in_(sa.select(table.c.port_id).where(*where))


def in_groups(group_ids: list[str]):
    """The WHERE of the ports in one of these security groups."""
    table = models.port_security_groups
    return PORTS.c.id.in_(sa.select(table.c.port_id).where(table.c.security_group_id.in_(group_ids)))
