"""Which host does what: agents by role, DHCP of networks, routers, and hosts with guests of a network."""

import dataclasses
import datetime
import functools

import sqlalchemy as sa

from common import db, errors, rows, upgrade
from network.db import bindings, models
from network.roles import BRIDGE, DHCP, DISTRIBUTED, L3, ROUTER_PORTS, SERVER

_LOAD = {DHCP: models.networks.c.dhcp_host, L3: models.routers.c.host}
DISABLED_COUNTS_S = 300  # for which a disabled agent that is silent holds back newer messages


def rpc_versions(database: db.Database) -> list[str | None]:
    """The RPC versions of the agents that may still be running; a disabled one counts only while it sends heartbeats."""
    a, now = models.agents, db.now()
    since, heard = (now - datetime.timedelta(seconds=s) for s in (upgrade.VERSION_EXPIRES_S, DISABLED_COUNTS_S))
    with database.reader() as connection:
        return list(connection.execute(sa.select(a.c.rpc_version).distinct().where(
            a.c.heartbeat_at > since, sa.or_(a.c.admin_state_up, a.c.heartbeat_at > heard))).scalars())


def sequence_of(connection, host: str) -> int:
    """The number of the last change that was sent to a host."""
    table = models.host_sequences
    return connection.execute(sa.select(table.c.sequence).where(table.c.host == host)).scalar() or 0


def other_tunnels(connection, host: str) -> list[str]:
    """The tunnel addresses of all other hosts, whether up or not."""
    a = models.agents
    found = connection.execute(sa.select(a.c.configurations).where(a.c.agent_type == BRIDGE, a.c.host != host)).scalars()
    return sorted({facts["tunneling_ip"] for facts in found if facts.get("tunneling_ip")})


def choose_host(connection, conf, role: str) -> str:
    """The host for a new network or router: the least loaded that is up; this host if none is up yet."""
    a, column = models.agents, _LOAD[role]
    load = sa.select(sa.func.count()).where(column == a.c.host).scalar_subquery()
    alive = db.now() - datetime.timedelta(seconds=conf.service_down_time)
    return connection.execute(sa.select(a.c.host).where(
        a.c.admin_state_up, a.c.agent_type == role, a.c.heartbeat_at > alive).order_by(load, a.c.host)).scalar() or conf.host


def silent(connection, down_time_s: int) -> list[tuple[str, str]]:
    """(role, host) of the silent agents that serve something, while others of their role are heard."""
    a = models.agents
    alive = db.now() - datetime.timedelta(seconds=down_time_s)
    other = a.alias()
    heard = sa.exists().where(other.c.agent_type == a.c.agent_type, other.c.heartbeat_at > alive, other.c.admin_state_up)
    serves = sa.or_(*(sa.and_(a.c.agent_type == role, sa.exists().where(column == a.c.host)) for role, column in _LOAD.items()))
    return [(role, host) for role, host in connection.execute(sa.select(a.c.agent_type, a.c.host).where(
        a.c.heartbeat_at <= alive, heard, serves).order_by(a.c.host))]


def served_by(connection, role: str, host: str, most: int) -> list[str]:
    """The ids of networks or routers that a host serves, up to ``most``."""
    column = _LOAD[role]
    return list(connection.execute(sa.select(column.table.c.id).where(column == host).order_by(
        column.table.c.id).limit(most)).scalars())


def reassign(connection, role: str, row_id: str, host: str, to: str) -> bool:
    """Move a network or router to another host; False: ``host`` does not serve it any more."""
    column = _LOAD[role]
    return connection.execute(sa.update(column.table).where(column.table.c.id == row_id, column == host).values(
        {column.name: to})).rowcount > 0


def agent(connection, agent_id: str, role: str | None = None) -> dict:
    """:raises NotFound, Conflict: no such agent, or one of another role"""
    row = rows.get(connection, models.agents, agent_id, resource="Agent")
    if role and row["agent_type"] != role:
        kind = "InvalidDHCPAgent" if role == DHCP else "InvalidL3Agent"
        raise errors.Conflict(f"Agent {agent_id} is not a valid {role} or has been disabled.", kind=kind)
    return row


@dataclasses.dataclass
class Part:
    """What a host has of a network: guests, or other reasons to be part of it (``DHCP_KIND``, ``ROUTER_KIND``, ``LOCAL_KIND``).
    """

    tunnel: str | None = None  # the tunnel address of the host
    guests: int = 0
    kinds: set[str] = dataclasses.field(default_factory=set)
    heard_at: datetime.datetime | None = None  # None: there is no known agent

    def is_silent(self, down_time_s: int) -> bool:
        """Whether the host's agent has been silent for so long."""
        return self.heard_at is not None and (db.now() - self.heard_at).total_seconds() >= down_time_s


DHCP_KIND, ROUTER_KIND, LOCAL_KIND, _GUESTS = "dhcp", "router", "local", "guests"


@functools.cache
def _parts_query(*, with_groups: bool) -> sa.Select:
    """The statement of ``parts``, with the parameters "networks" and, with groups, "groups". It is built once, which takes longer
    than to run it."""
    n, p, r, a = models.networks, models.ports, models.routers, models.agents
    kind, none = sa.literal, sa.literal(0)
    columns = [c.name for c in bindings.COLUMNS]
    network_ids: sa.BindParameter = sa.bindparam("networks", expanding=True)
    # Guests by each column apart, since UNION drops equal rows.
    guests = [sa.select(p.c.network_id, p.c[name].label("host"), kind(_GUESTS + name).label("kind"),
                        sa.func.count().label("guests")).where(
        p.c.network_id.in_(network_ids), p.c.relation == SERVER, p.c[name] != "").group_by(p.c.network_id, p.c[name])
        for name in columns]
    legs = sa.select(p.c.network_id, r.c.host, kind(ROUTER_KIND), none).join(r, r.c.id == p.c.device_id).where(
        p.c.relation.in_(ROUTER_PORTS), p.c.network_id.in_(network_ids), r.c.host != "")
    # A distributed router, with all its networks, is on the hosts with guests of any of them.
    other, guest = p.alias(), p.alias()
    everywhere = [sa.select(p.c.network_id, guest.c[name], kind(LOCAL_KIND), none).join(
        other, sa.and_(other.c.device_id == p.c.device_id, other.c.relation == DISTRIBUTED)).join(
        guest, guest.c.network_id == other.c.network_id).where(
        p.c.network_id.in_(network_ids), p.c.relation == DISTRIBUTED, guest.c.relation == SERVER,
        guest.c[name] != "") for name in columns]
    servers = sa.select(n.c.id, n.c.dhcp_host, kind(DHCP_KIND), none).where(n.c.id.in_(network_ids), n.c.dhcp_host != "")
    selects = [*guests, legs, *everywhere, servers]
    if with_groups:
        m, rule = models.port_security_groups, models.security_group_rules
        selects += [sa.select(kind(""), p.c[name], kind("group"), none).join(m, m.c.port_id == p.c.id).join(
            rule, rule.c.security_group_id == m.c.security_group_id).where(
            rule.c.remote_group_id.in_(sa.bindparam("groups", expanding=True)), p.c.relation == SERVER,
            p.c[name] != "") for name in columns]
    every = sa.union(*selects).subquery()
    return sa.select(*every.c, a.c.configurations, a.c.heartbeat_at).join(
        a, sa.and_(a.c.host == every.c.host, a.c.agent_type == BRIDGE), isouter=True)


def parts(connection, network_ids: list[str], group_ids=()) -> dict[str, dict[str, Part]]:
    """{network id: {host: Part}} of the hosts that are part of a network. One statement.

    Under the key "": the hosts whose filters refer to these security groups.
    """
    found: dict[str, dict[str, Part]] = {i: {} for i in [*network_ids, ""]}
    values = {"networks": list(network_ids), **({"groups": list(group_ids)} if group_ids else {})}
    for network_id, host, why, count, facts, heard_at in connection.execute(_parts_query(with_groups=bool(group_ids)), values):
        part = found[network_id].setdefault(host, Part((facts or {}).get("tunneling_ip"), heard_at=heard_at))
        if why.startswith(_GUESTS):
            part.guests += count
        else:
            part.kinds.add(why)
    return found
