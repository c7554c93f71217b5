"""The content of notifications to hosts: the current state of changed resources, read after the commit.

It may be newer than the change. Then the delta of the newer change follows, with the same or a newer state, so a host
that applies deltas in order ends with the newest state.
"""

import sqlalchemy as sa

from common.db import many
from network import roles
from network.db import bindings, hosting, models, state
from network.db.changes import Change


def of(connection, by_host: dict[str, Change], known: list[dict] | None = None, parts: dict | None = None) -> dict[str, dict]:
    """{host: delta}. The number of statements does not depend on the number of hosts, except for those with routers.

    :param known: the changed ports, if the caller has just read them
    :param parts: likewise, the hosts' parts of the networks

    A delta is {"sequences": [number], "networks", "ports", "routers": {id: in the agent's format; None or [] if the
    host no longer has it}, "groups": {id: {"rules", "members"}}, "whole": ids of networks whose ports are all
    included}.
    """
    ports = _ports(connection, by_host, known)
    networks = _networks(connection, by_host, parts)
    groups = _groups(connection, by_host, ports)
    found = {}
    for host, change in by_host.items():
        mine = {i: ports.get(i) for i in change.ports} | {i: p for i, p in ports.items() if p["network_id"] in change.whole}
        wanted = change.groups | {g for p in mine.values() if p and host in bindings.hosts_of(p) for g in p["security_groups"]}
        wanted = _with_remote(groups, wanted)
        routers = state.router_details(connection, host, sorted(change.routers)) if change.routers else []
        found[host] = {
            "sequences": change.sequences, "whole": sorted(change.whole),
            "networks": {i: networks(i, host) for i in sorted(change.networks | change.whole)},
            "ports": {i: state.port_details([p], host)[0] if p else None for i, p in sorted(mine.items())},
            "routers": {i: [part for part in routers if part["id"] == i] for i in sorted(change.routers)},
            "groups": {i: group for i, group in groups.items() if i in wanted}}
    return found


def as_plug(delta: dict) -> dict:
    """A delta in the format of a plug's state, which agents of the previous release accept too."""
    found = {kind: [thing for thing in delta[kind].values() if thing] for kind in ("networks", "ports")}
    return {**found, **{kind: delta[kind] for kind in ("groups", "routers", "whole", "sequences")}}


def _ports(connection, by_host: dict[str, Change], known: list[dict] | None) -> dict[str, dict]:
    """The ports that are plugged on any host, by id."""
    p = models.ports
    ids = {i for change in by_host.values() for i in change.ports}
    whole = {i for change in by_host.values() for i in change.whole}
    if known is not None and not whole and ids <= {port["id"] for port in known}:
        return {port["id"]: port for port in known}
    if not ids and not whole:
        return {}
    return {port["id"]: port for port in state.with_parts(connection, many(connection, sa.select(p).where(
        p.c.relation == roles.SERVER, p.c.binding_host_id != "",
        sa.or_(p.c.id.in_(sorted(ids)), p.c.network_id.in_(sorted(whole))))))}


def _networks(connection, by_host: dict[str, Change], parts: dict | None):
    """A function (network id, host) that returns the network in the agent's format, or None if it has been deleted."""
    ids = sorted({i for change in by_host.values() for i in change.networks | change.whole})
    rows = {row["id"]: row for row in state.whole_networks(connection, ids)} if ids else {}
    if ids and (parts is None or not set(ids) <= set(parts)):
        parts = hosting.parts(connection, ids)
    return lambda i, host: state.network_of(rows[i], host, parts[i]) if i in rows and parts else None


def _groups(connection, by_host: dict[str, Change], ports: dict[str, dict]) -> dict[str, dict]:
    changed = {g for change in by_host.values() for g in change.groups}
    ids = changed | {g for port in ports.values() for g in port["security_groups"]}
    return state.group_details(connection, sorted(ids), changed) if ids else {}


def _with_remote(groups: dict[str, dict], ids: set[str]) -> set[str]:
    return ids | {r["remote_group_id"] for i in ids if i in groups for r in groups[i]["rules"] if r["remote_group_id"]}
