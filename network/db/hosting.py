"""Which host does what: agents by role, DHCP of networks, routers, and where a network has guests."""

import datetime

import sqlalchemy as sa

from common import context, db, errors, rows
from network.db import models
from network.roles import BRIDGE, DHCP, DISTRIBUTED, L3, ROUTER_PORTS, SERVER

_LOAD = {DHCP: models.networks.c.dhcp_host, L3: models.routers.c.host}


# A host that has been silent for longer no longer keeps the others from newer messages.
VERSION_COUNTS_S = 86400


def heartbeat(connection, host: str, configurations: dict, rpc_version: str | None = None) -> None:
    """Record a heartbeat of a host's agent, which has a row for each role. One statement, except for the first time."""
    table, at, roles = models.agents, db.now(), configurations.get("roles", [BRIDGE])
    own = sa.and_(table.c.host == host, table.c.agent_type.in_(roles))
    values = {"heartbeat_at": at, "rpc_version": rpc_version,
              "configurations": {k: v for k, v in configurations.items() if k != "roles"}}
    done = connection.execute(sa.update(table).where(own).values(values))
    if done.rowcount < len(roles):
        known = set(connection.execute(sa.select(table.c.agent_type).where(own)).scalars())
        connection.execute(sa.insert(table), [
            {"id": context.new_uuid(), "host": host, "agent_type": role, "admin_state_up": True, "started_at": at,
             "description": "", **values} for role in roles if role not in known])


def rpc_versions(database: db.Database) -> list[str | None]:
    """The versions that agents, those that may still be there, said they answer."""
    a, since = models.agents, db.now() - datetime.timedelta(seconds=VERSION_COUNTS_S)
    with database.reader() as connection:
        return list(connection.execute(sa.select(a.c.rpc_version).distinct().where(
            a.c.heartbeat_at > since, a.c.admin_state_up)).scalars())


def closed_ports(connection, host: str) -> set[str]:
    """The ports that pass no traffic, according to the last heartbeat of a host."""
    a = models.agents
    facts = connection.execute(sa.select(a.c.configurations).where(a.c.host == host, a.c.agent_type == BRIDGE)).scalar()
    return set((facts or {}).get("closed_ports", ()))


def other_tunnels(connection, host: str) -> list[str]:
    """The tunnel addresses of all other hosts, whether they are up or not."""
    a = models.agents
    found = connection.execute(sa.select(a.c.configurations).where(a.c.agent_type == BRIDGE, a.c.host != host)).scalars()
    return sorted({facts["tunneling_ip"] for facts in found if facts.get("tunneling_ip")})


def pick(connection, conf, role: str) -> str:
    """The host for a new network or router: of those that are up, the one that serves fewest; this host if none is up yet."""
    a, column = models.agents, _LOAD[role]
    load = sa.select(sa.func.count()).where(column == a.c.host).scalar_subquery()
    alive = db.now() - datetime.timedelta(seconds=conf.service_down_time)
    return connection.execute(sa.select(a.c.host).where(
        a.c.admin_state_up, a.c.agent_type == role, a.c.heartbeat_at > alive).order_by(load, a.c.host)).scalar() or conf.host


def agent(connection, agent_id: str, role: str | None = None) -> dict:
    """:raises NotFound, Conflict: no such agent, or one of another role"""
    row = rows.get(connection, models.agents, agent_id, resource="Agent")
    if role and row["agent_type"] != role:
        kind = "InvalidDHCPAgent" if role == DHCP else "InvalidL3Agent"
        raise errors.Conflict(f"Agent {agent_id} is not a valid {role} or has been disabled.", kind=kind)
    return row


def spread(connection, network_ids: list[str], group_ids=()) -> dict[str, dict[str, str | None]]:
    """{network id: {host: address of its tunnels, or None}} of the hosts that have a part of a network. One statement.

    Under the key "": the hosts whose filters let in members of these security groups.
    """
    n, p, r, a = models.networks, models.ports, models.routers, models.agents
    guests = sa.select(p.c.network_id, p.c.binding_host_id.label("host")).where(
        p.c.network_id.in_(network_ids), p.c.relation == SERVER, p.c.binding_host_id != "")
    legs = sa.select(p.c.network_id, r.c.host).join(r, r.c.id == p.c.device_id).where(
        p.c.relation.in_(ROUTER_PORTS), p.c.network_id.in_(network_ids), r.c.host != "")
    # A distributed router is on the hosts with guests of any of its networks, and with it so are all of these.
    other, guest = p.alias(), p.alias()
    everywhere = sa.select(p.c.network_id, guest.c.binding_host_id).join(
        other, sa.and_(other.c.device_id == p.c.device_id, other.c.relation == DISTRIBUTED)).join(
        guest, guest.c.network_id == other.c.network_id).where(
        p.c.network_id.in_(network_ids), p.c.relation == DISTRIBUTED, guest.c.relation == SERVER,
        guest.c.binding_host_id != "")
    servers = sa.select(n.c.id, n.c.dhcp_host).where(n.c.id.in_(network_ids), n.c.dhcp_host != "")
    selects = [guests, legs, everywhere, servers]
    if group_ids:
        m, rule = models.port_security_groups, models.security_group_rules
        selects.append(sa.select(sa.literal(""), p.c.binding_host_id).join(m, m.c.port_id == p.c.id).join(
            rule, rule.c.security_group_id == m.c.security_group_id).where(
            rule.c.remote_group_id.in_(group_ids), p.c.relation == SERVER, p.c.binding_host_id != ""))
    parts = sa.union(*selects).subquery()
    found: dict[str, dict[str, str | None]] = {i: {} for i in [*network_ids, ""]}
    for network_id, host, facts in connection.execute(sa.select(parts.c.network_id, parts.c.host, a.c.configurations).join(
            a, sa.and_(a.c.host == parts.c.host, a.c.agent_type == BRIDGE), isouter=True)):
        found[network_id][host] = (facts or {}).get("tunneling_ip")
    return found
