"""Agents: their state, and the DHCP networks and routers that are assigned to each.

A network's DHCP and a router are on one host each. Unassigned, they stop until they are assigned again; a router is
assigned automatically when it gets its next interface or gateway.
"""

from common import errors, rows
from common.calls import Call
from network import roles
from network.db import hosting, models, routers
from network.services.networks import NETWORKS
from network.services.routers import ROUTERS
from network.services.work import Work, commit

_HOSTED = {roles.DHCP: (NETWORKS, "dhcp_host"), roles.L3: (ROUTERS, "host")}


def _visible(call: Call) -> bool:
    return call.svc.policy.allows(call.ctx, "get_agent", {})


def _check(call: Call, rule: str, agent_id: str) -> None:
    """:raises NotFound: the caller may not see agents
    :raises Forbidden: otherwise
    """
    if not _visible(call):
        raise errors.NotFound(f"Agent {agent_id} could not be found.", kind="AgentNotFound")
    call.svc.policy.check(call.ctx, rule, {})


def _select(connection, **where) -> list[dict]:
    return sorted(rows.select(connection, models.agents, **where), key=lambda r: (r["host"], r["agent_type"]))


def index(call: Call) -> list[dict]:
    """All agents; the list is empty for callers who may not see them."""
    if not _visible(call):
        return []
    with call.svc.db.reader() as connection:
        return _select(connection)


def show(call: Call, agent_id: str) -> dict:
    _check(call, "get_agent", agent_id)
    with call.svc.db.reader() as connection:
        return hosting.agent(connection, agent_id)


def update(call: Call, agent_id: str, values: dict) -> dict:
    """:param values: ``admin_state_up`` and ``description``, each only if it changes"""
    _check(call, "update_agent", agent_id)
    with call.svc.db.writer() as connection:
        rows.update(connection, models.agents, agent_id, values, resource="Agent")
        return hosting.agent(connection, agent_id)


def delete(call: Call, agent_id: str) -> None:
    _check(call, "delete_agent", agent_id)
    with call.svc.db.writer() as connection:
        rows.delete(connection, models.agents, agent_id, resource="Agent")


def hosted_by(call: Call, agent_id: str, role: str, rule: str) -> list[dict]:
    """The networks or routers that are assigned to an agent, as the caller may see them."""
    call.svc.policy.check(call.ctx, rule, {})
    resource, column = _HOSTED[role]
    with call.svc.db.reader() as connection:
        agent = hosting.agent(connection, agent_id)
        found = rows.select(connection, resource.table, **{column: agent["host"]}) if agent["agent_type"] == role else []
        found = resource.complete(connection, found)
    return [resource.shown(call, r) for r in found]


def hosting_agents(call: Call, resource_id: str, role: str, rule: str) -> list[dict]:
    """The agent that a network or router is assigned to, in a list, which may be empty."""
    call.svc.policy.check(call.ctx, rule, {})
    resource, column = _HOSTED[role]
    with call.svc.db.reader() as connection:
        host = resource.get(Work.of(call, connection), resource_id)[column]
        return _select(connection, host=host, agent_type=role) if host else []


def add_network(call: Call, agent_id: str, network_id: str) -> None:
    def give(agent: dict, row: dict) -> str:
        if row["dhcp_host"]:
            raise errors.Conflict(f"The network {row['id']} has been already hosted by the DHCP Agent of host "
                                  f"{row['dhcp_host']}.", kind="NetworkHostedByDHCPAgent")
        return agent["host"]
    _move(call, agent_id, roles.DHCP, network_id, give, "create_dhcp-network")


def add_router(call: Call, agent_id: str, router_id: str) -> None:
    def give(agent: dict, row: dict) -> str:
        if row["host"] not in ("", agent["host"]):
            raise errors.Conflict(f"The router {row['id']} has been already hosted by the L3 Agent of host "
                                  f"{row['host']}.", kind="RouterHostedByL3Agent")
        return agent["host"]
    _move(call, agent_id, roles.L3, router_id, give, "create_l3-router")


def remove_network(call: Call, agent_id: str, network_id: str) -> None:
    def take(agent: dict, row: dict) -> str:
        if row["dhcp_host"] != agent["host"]:
            raise errors.Conflict(f"The network {network_id} is not hosted by the DHCP agent {agent_id}.",
                                  kind="NetworkNotHostedByDhcpAgent")
        return ""
    _move(call, agent_id, roles.DHCP, network_id, take, "delete_dhcp-network")


def remove_router(call: Call, agent_id: str, router_id: str) -> None:
    def take(agent: dict, row: dict) -> str:
        if row["host"] != agent["host"]:
            raise errors.Conflict(f"The router {router_id} is not hosted by L3 agent {agent_id}.",
                                  kind="RouterNotHostedByL3Agent")
        return ""
    _move(call, agent_id, roles.L3, router_id, take, "delete_l3-router")


def _move(call: Call, agent_id: str, role: str, resource_id: str, host_of, rule: str) -> None:
    """:param host_of: (agent, row) -> the host that serves the row from now on, or an error"""
    call.svc.policy.check(call.ctx, rule, {})
    commit(call, _write_host, agent_id, role, resource_id, host_of)


def _write_host(work: Work, agent_id: str, role: str, resource_id: str, host_of) -> None:
    resource, column = _HOSTED[role]
    agent = hosting.agent(work.connection, agent_id, role)
    row = resource.get(work, resource_id)
    host = host_of(agent, row)
    rows.update(work.connection, resource.table, resource_id, {column: host}, resource=resource.kind)
    if role == roles.L3:
        routers.settle_floating_ips(work.connection, resource_id)
    work.changes.moved(work.connection, role, row, row[column], host)
