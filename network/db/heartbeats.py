"""Heartbeats of network agents: written for many agents at once, with a constant number of statements."""

import dataclasses

import sqlalchemy as sa

from common import context, db, rows
from network.db import models, ports
from network.roles import BRIDGE

TABLE, SEQUENCES = models.agents, models.host_sequences


@dataclasses.dataclass
class Found:
    """Findings in heartbeats: {host: current sequence number} of hosts that lack changes, and addresses of new tunnels."""

    behind: dict[str, int]
    new_tunnels: list[str]


def write(connection, reports: dict[str, dict]) -> Found:
    """Record the heartbeats of many hosts. Each agent has a row for each of its roles.

    Two statements for all hosts, and some for each new or changed one.

    :param reports: {host: the agent's configurations}; ``sequence`` is the number of the last change that it has, missing if it
        does not
        count them; ``rpc_version`` is that of the interface that it implements
    """
    at = db.now()
    known: dict[tuple[str, str], tuple] = {}
    due: dict[str, int] = {}
    for row in rows.many(connection, sa.select(TABLE.c.host, TABLE.c.agent_type, TABLE.c.configurations, TABLE.c.rpc_version,
                                                 SEQUENCES.c.sequence)
                         .select_from(TABLE.outerjoin(SEQUENCES, SEQUENCES.c.host == TABLE.c.host))
                         .where(TABLE.c.host.in_(sorted(reports)))):
        known[row["host"], row["agent_type"]] = row["configurations"], row["rpc_version"]
        due[row["host"]] = row["sequence"] or 0
    connection.execute(sa.update(TABLE).where(TABLE.c.host.in_(sorted(reports))).values(heartbeat_at=at))
    found = Found({}, [])
    for host, report in sorted(reports.items()):
        _write_facts(connection, host, report, known, at, found)
        if report.get("sequence") not in (None, due.get(host, 0)):
            found.behind[host] = due.get(host, 0)
    return found


def _write_facts(connection, host: str, report: dict, known: dict, at, found: Found) -> None:
    """Write the agent's configurations, if they have changed."""
    roles, before = report.get("roles", [BRIDGE]), known.get((host, BRIDGE), ({}, None))[0]
    # A new agent does not know yet which ports it cannot build.
    facts = {"closed_ports": sorted(before.get("closed_ports", ())),
             **{k: v for k, v in report.items() if k not in ("roles", "sequence", "rpc_version")}}
    said = facts, report.get("rpc_version")
    own = sa.and_(TABLE.c.host == host, TABLE.c.agent_type.in_(roles))
    if any(known.get((host, role), said) != said for role in roles):
        connection.execute(sa.update(TABLE).where(own).values(configurations=facts, rpc_version=said[1]))
    new = [role for role in roles if (host, role) not in known]
    if new:
        connection.execute(sa.insert(TABLE), [
            {"id": context.new_uuid(), "host": host, "agent_type": role, "admin_state_up": True, "started_at": at,
             "heartbeat_at": at, "description": "", "configurations": facts, "rpc_version": said[1]} for role in new])
    if facts.get("tunneling_ip") not in (None, before.get("tunneling_ip")):
        found.new_tunnels.append(facts["tunneling_ip"])
    was, closed = set(before.get("closed_ports", ())), set(facts["closed_ports"])
    # The filters of a closed port could not be rendered, so it is blocked. Its owner sees that, and may correct the port.
    ports.change_status_on_host(connection, host, closed, old="ACTIVE", new="DOWN")
    ports.change_status_on_host(connection, host, was - closed, old="DOWN", new="ACTIVE")
