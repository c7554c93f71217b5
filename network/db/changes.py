"""The hosts that a transaction affects, and the resources that change for them. The hosts are notified after the
commit.

In the same transaction, each affected host gets the next number of its own sequence. The notification may be lost,
for example if the process dies: the host's agent notices the gap at the next change or heartbeat, and pulls.

Two concurrent transactions do not see each other, so neither finds the hosts that only both together affect.
Therefore the hosts are determined again after the commit: the transaction that commits later finds those that the
earlier one missed.
"""

import collections
import dataclasses
import functools
import logging
import typing

import sqlalchemy as sa

from common import db, errors, rows
from network import roles
from network.db import bindings, hosting, models, state

LOG = logging.getLogger(__name__)
TABLE, PORTS = models.host_sequences, models.ports


@dataclasses.dataclass
class Change:
    """Ids of the resources that changed for one host. ``whole``: networks of which it needs all its ports."""

    networks: set[str] = dataclasses.field(default_factory=set)
    ports: set[str] = dataclasses.field(default_factory=set)
    groups: set[str] = dataclasses.field(default_factory=set)
    routers: set[str] = dataclasses.field(default_factory=set)
    whole: set[str] = dataclasses.field(default_factory=set)
    sequences: list[int] = dataclasses.field(default_factory=list)

    def followed_by(self, later: "Change") -> "Change":
        """One change for both, with the numbers of both."""
        return Change(self.networks | later.networks, self.ports | later.ports, self.groups | later.groups,
                      self.routers | later.routers, self.whole | later.whole, self.sequences + later.sequences)


def _rechecked(find: typing.Callable) -> typing.Callable:
    """Decorate a method of ``Changes`` that finds hosts: calls from outside are recorded, and ``recheck`` repeats them."""
    @functools.wraps(find)
    def inner(self, connection, *args, **more) -> None:
        outermost, self._within = not self._within, True
        if outermost:
            self._queries.append((find, args, more))
        try:
            find(self, connection, *args, **more)
        finally:
            self._within = not outermost
    return inner


class Changes:
    """The changes of one transaction, by host."""

    def __init__(self) -> None:
        self.by_host: dict[str, Change] = {}
        self.parts: dict[str, dict[str, hosting.Part]] = {}  # of the networks of ports that changed
        self._queries: list[tuple[typing.Callable, tuple, dict]] = []
        self._within = False

    def at(self, host: str) -> Change:
        return self.by_host.setdefault(host, Change())

    def _spread(self, connection, network_ids: set[str], group_ids=()) -> dict[str, dict[str, hosting.Part]]:
        if not network_ids and not group_ids:
            return {"": {}}
        found = hosting.parts(connection, sorted(network_ids), sorted(group_ids))
        self.parts.update(found)
        return found

    @_rechecked
    def ports(self, connection, before: list[dict], after: list[dict]) -> None:
        """Ports are created, deleted or changed; one statement.

        Affected are their hosts; the hosts that serve DHCP or routers of their networks; if members or addresses of
        groups changed, the hosts whose filters refer to these groups; and if a host got its first guest of a network
        or lost its last, the other hosts that are part of the network.
        """
        old, new = ({p["id"]: p for p in ports} for ports in (before, after))
        groups: set[str] = set()
        for i in old.keys() | new.keys():
            addressed = [_member(p) for p in (old.get(i), new.get(i))]
            if addressed[0] != addressed[1]:
                groups |= {g for p in (old.get(i), new.get(i)) if p for g in p["security_groups"]}
        on_hosts = [(p, host) for p in [*before, *after] if p["relation"] == roles.SERVER for host in bindings.hosts_of(p)]
        found = self._spread(connection, {p["network_id"] for p, _ in on_hosts}, groups)
        for host in found[""]:
            self.at(host).groups |= groups
        came = collections.Counter((p["network_id"], host) for p, host in on_hosts if not _is_on(old.get(p["id"]), host))
        for port, host in on_hosts:
            network_id = port["network_id"]
            went = not _is_on(new.get(port["id"]), host)
            self._port(connection, port, host, found[network_id], came=came[network_id, host], went=went)

    def _port(self, connection, port: dict, host: str, parts: dict[str, hosting.Part], *, came: int, went: bool) -> None:
        """A port changes on one of its hosts.

        :param came: number of guests of its network that the change added to the host
        :param went: whether the port has left the host
        """
        network_id = port["network_id"]
        own = parts.get(host, hosting.Part())
        first_or_last = came and own.guests == came or went and own.guests == 0
        self.at(host).ports.add(port["id"])
        if first_or_last:
            self.at(host).networks.add(network_id)
        for other, part in parts.items():
            if other != host and part.kinds:
                self.at(other).ports.add(port["id"])
                self.at(other).networks.add(network_id)
            if other != host and first_or_last and not own.kinds:
                self.at(other).networks.add(network_id)
        # If any host has guests of the network, those that have know of its distributed routers.
        known = any(part.guests for part in parts.values())
        may_be = not known or any(hosting.LOCAL_KIND in part.kinds for part in parts.values())
        if first_or_last and may_be and (went or hosting.LOCAL_KIND in own.kinds):
            # The host's part of a distributed router exists only while it has guests of the router's networks.
            distributed = routers_on(connection, [network_id], (roles.DISTRIBUTED,))
            if distributed:
                self._distributed(connection, host, distributed)

    def _distributed(self, connection, host: str, router_ids: set[str]) -> None:
        """A host got or lost its part of distributed routers, and so its part of all networks that they connect."""
        joined = set(connection.execute(sa.select(PORTS.c.network_id).where(
            PORTS.c.device_id.in_(sorted(router_ids)), PORTS.c.relation == roles.DISTRIBUTED)).scalars())
        self.at(host).routers |= router_ids
        self.at(host).whole |= joined
        found = self._spread(connection, joined)
        for network_id in joined:
            for other in found[network_id]:
                self.at(other).networks.add(network_id)

    @_rechecked
    def readdressed(self, connection, port_ids: set[str]) -> None:
        """The addresses of ports have changed."""
        if port_ids:
            found = state.with_parts(connection, rows.many(connection, sa.select(PORTS).where(PORTS.c.id.in_(sorted(port_ids)))))
            self.ports(connection, [{**p, "fixed_ips": []} for p in found], found)

    @_rechecked
    def network(self, connection, network_id: str) -> None:
        """A network or its subnets have changed."""
        for host, part in self._spread(connection, {network_id})[network_id].items():
            self.at(host).networks.add(network_id)
            if part.kinds & {hosting.ROUTER_KIND, hosting.LOCAL_KIND}:
                self.at(host).routers |= routers_on(connection, [network_id])

    @_rechecked
    def moved(self, connection, role: str, row: dict, *hosts: str) -> None:
        """A network or a router (``row``) is served by another host, or by none.

        :param hosts: the former and the new one
        """
        if role == roles.L3:
            for host in set(hosts):
                self.router(connection, {**row, "host": host})
            return
        self.network(connection, row["id"])
        for host in filter(None, hosts):
            self.at(host).whole.add(row["id"])
            self.at(host).networks.add(row["id"])

    @_rechecked
    def router(self, connection, router: dict, *, legs: bool = True, network_ids=()) -> None:
        """A router has changed; with ``legs`` also the set of its networks.

        :param network_ids: networks that it was connected to before
        """
        hosts = {router["host"]} - {""}
        if legs or router["distributed"]:
            joined = set(network_ids) | set(connection.execute(sa.select(PORTS.c.network_id).where(
                PORTS.c.device_id == router["id"], PORTS.c.relation.in_(roles.ROUTER_PORTS))).scalars())
            found = self._spread(connection, joined)
            for network_id in joined:
                if legs:
                    for host in found[network_id]:
                        self.at(host).networks.add(network_id)
                if router["distributed"] and network_id in found:
                    hosts |= {host for host, part in found[network_id].items() if part.guests or part.kinds}
        for host in hosts:
            self.at(host).routers.add(router["id"])
            if legs:
                self.at(host).networks |= joined
                self.at(host).whole |= joined

    @_rechecked
    def routers(self, connection, router_ids: sa.Select | set[str]) -> None:
        """Address translation or metering of routers has changed."""
        r = models.routers
        if router_ids == set():
            return
        ids = sorted(router_ids) if isinstance(router_ids, set) else router_ids
        for row in rows.many(connection, sa.select(r.c.id, r.c.host, r.c.distributed).where(r.c.id.in_(ids))):
            self.router(connection, row, legs=False)

    @_rechecked
    def groups(self, connection, group_ids: list[str]) -> None:
        """Rules of security groups have changed: only hosts of their members are affected."""
        m = models.port_security_groups
        found = [sa.select(column, m.c.security_group_id).join(m, m.c.port_id == PORTS.c.id).where(
            m.c.security_group_id.in_(group_ids), PORTS.c.relation == roles.SERVER, column != "")
            for column in bindings.COLUMNS]
        for host, group_id in connection.execute(sa.union(*found)) if group_ids else ():
            self.at(host).groups.add(group_id)

    def number(self, connection) -> None:
        """Give each affected host its next number. This comes last, because concurrent changes of the host wait from
        here to the end of the transaction. One statement, or none if no host is affected."""
        if self.by_host:
            first = [{"host": host, "sequence": 1} for host in sorted(self.by_host)]
            for row in db.upsert(connection, TABLE, first, {"sequence": TABLE.c.sequence + 1}, TABLE.c.host, TABLE.c.sequence):
                self.by_host[row["host"]].sequences = [row["sequence"]]

    def recheck(self, database: db.Database) -> None:
        """After the commit: find hosts that concurrent transactions made affected, and number the change for them
        too.

        Hosts that have a number already keep it, since nothing has been sent yet. If the database fails, the hosts
        that would be found learn of the change at their next pull: the committed request has succeeded.
        """
        try:
            later = self._found_again(database)
            if later.by_host:
                database.transact(later.number)
        except (sa.exc.SQLAlchemyError, errors.Error) as error:
            LOG.warning("the hosts affected by a change could not be checked again: %s", error)
        else:
            self.by_host.update(later.by_host)

    def _found_again(self, database: db.Database) -> "Changes":
        """The hosts that were not found before. Additional resources for the others are added to their changes."""
        later = Changes()
        with database.reader() as connection:
            for find, args, more in self._queries:
                find(later, connection, *args, **more)
        self.parts.update(later.parts)
        for host in later.by_host.keys() & self.by_host.keys():
            self.by_host[host] = self.by_host[host].followed_by(later.by_host.pop(host))
        return later


def routers_on(connection, network_ids: list[str], relations=roles.ROUTER_PORTS) -> set[str]:
    """The ids of the routers with a port on one of these networks."""
    return set(connection.execute(sa.select(PORTS.c.device_id).where(
        PORTS.c.network_id.in_(network_ids), PORTS.c.relation.in_(relations))).scalars())


def _is_on(port: dict | None, host: str) -> bool:
    return port is not None and port["relation"] == roles.SERVER and host in bindings.hosts_of(port)


def _member(port: dict | None) -> tuple | None:
    """The attributes of a port that matter to filters with its groups as remote groups."""
    return None if port is None else (sorted(port["security_groups"]), sorted(i["ip_address"] for i in port["fixed_ips"]))
