"""Agents: who builds networks on which host, and which DHCP and routers each has been given.

A network's DHCP and a router are on one host each. Taking one from its agent stops it there until it is given to
another agent, or, for a router, until it gets its next interface or gateway.
"""

import functools

from common import db, errors, rows, schema, values, wsgi
from network import roles
from network.db import hosting, models
from network.handlers import listing
from network.handlers.networks import NETWORKS
from network.handlers.routers import ROUTERS


def _view(req, row: dict) -> dict:
    age = (db.now() - row["heartbeat_at"]).total_seconds()
    return {"id": row["id"], "agent_type": row["agent_type"], "binary": roles.BINARIES[row["agent_type"]],
            "host": row["host"], "topic": "network-agent", "alive": age < req.svc.conf.service_down_time,
            "admin_state_up": row["admin_state_up"], "created_at": db.iso(row["started_at"], zulu=False),
            "started_at": db.iso(row["started_at"], zulu=False), "availability_zone": "nova",
            "heartbeat_timestamp": db.iso(row["heartbeat_at"], zulu=False), "description": row["description"],
            "configurations": row["configurations"], "resource_versions": {}, "resources_synced": None}


def _select(req, connection, **where) -> list[dict]:
    found = rows.select(connection, models.agents, **where)
    return [_view(req, r) for r in sorted(found, key=lambda r: (r["host"], r["agent_type"]))]


_FLAG = functools.partial(values.boolean, what="filter")
_FILTERS = {**dict.fromkeys(("id", "host", "agent_type", "binary", "description", "topic", "availability_zone"), str),
            "alive": _FLAG, "admin_state_up": _FLAG}
_SORTS = (*_FILTERS, "created_at", "started_at", "heartbeat_timestamp")


def _visible(req) -> bool:
    return req.svc.policy.allows(req.ctx, "get_agent", {})


def _check(req, rule: str, agent_id: str) -> None:
    """:raises NotFound: the caller may not know of agents; :raises Forbidden: he may"""
    if not _visible(req):
        raise errors.NotFound(f"Agent {agent_id} could not be found.", kind="AgentNotFound")
    req.svc.policy.check(req.ctx, rule, {})


def index(req):
    """Who may not see agents sees a list without any."""
    found: list[dict] = []
    if _visible(req):
        with req.svc.db.reader() as connection:
            found = _select(req, connection)
    return {"agents": listing.in_memory(req, found, _FILTERS, _SORTS)}


def show(req, id):
    _check(req, "get_agent", id)
    with req.svc.db.reader() as connection:
        return {"agent": _view(req, hosting.agent(connection, id))}


@wsgi.body(schema.wrapped("agent", {"admin_state_up": {"type": "boolean"}, "description": schema.TEXT}))
def update(req, id, body):
    _check(req, "update_agent", id)
    with req.svc.db.writer() as connection:
        rows.update(connection, models.agents, id, body["agent"], resource="Agent")
        return {"agent": _view(req, hosting.agent(connection, id))}


def delete(req, id):
    _check(req, "delete_agent", id)
    with req.svc.db.writer() as connection:
        rows.delete(connection, models.agents, id, resource="Agent")


def zones(req):
    found = [{"name": "nova", "resource": r, "state": "available"} for r in ("network", "router")
             if req.svc.policy.allows(req.ctx, "get_availability_zone", {})]
    return {"availability_zones": listing.in_memory(req, found, dict.fromkeys(("name", "resource", "state"), str), key="name")}


_HOSTED = {roles.DHCP: (NETWORKS, "dhcp_host"), roles.L3: (ROUTERS, "host")}


def dhcp_networks(req, id):
    return _hosted_by(req, id, roles.DHCP, "get_dhcp-networks")


def l3_routers(req, id):
    return _hosted_by(req, id, roles.L3, "get_l3-routers")


def _hosted_by(req, agent_id, role, rule):
    req.svc.policy.check(req.ctx, rule, {})
    resource, column = _HOSTED[role]
    with req.svc.db.reader() as connection:
        agent = hosting.agent(connection, agent_id)
        found = rows.select(connection, resource.table, **{column: agent["host"]}) if agent["agent_type"] == role else []
        return {resource.plural: [resource.shown(req, r) for r in resource.complete(connection, found)]}


def agents_of_network(req, id):
    return _agents_of(req, id, roles.DHCP, "get_dhcp-agents")


def agents_of_router(req, id):
    return _agents_of(req, id, roles.L3, "get_l3-agents")


def _agents_of(req, resource_id, role, rule):
    req.svc.policy.check(req.ctx, rule, {})
    resource, column = _HOSTED[role]
    with req.svc.db.reader() as connection:
        host = resource.get(connection, req, resource_id)[column]
        return {"agents": _select(req, connection, host=host, agent_type=role) if host else []}


@wsgi.body(schema.obj({"network_id": schema.UUID}, ["network_id"]))
def add_network(req, id, body):
    def give(agent, row):
        if row["dhcp_host"]:
            raise errors.Conflict(f"The network {row['id']} has been already hosted by the DHCP Agent of host "
                                  f"{row['dhcp_host']}.", kind="NetworkHostedByDHCPAgent")
        return agent["host"]
    _move(req, id, roles.DHCP, body["network_id"], give, "create_dhcp-network")


@wsgi.body(schema.obj({"router_id": schema.UUID}, ["router_id"]))
def add_router(req, id, body):
    def give(agent, row):
        if row["host"] not in ("", agent["host"]):
            raise errors.Conflict(f"The router {row['id']} has been already hosted by the L3 Agent of host "
                                  f"{row['host']}.", kind="RouterHostedByL3Agent")
        return agent["host"]
    _move(req, id, roles.L3, body["router_id"], give, "create_l3-router")


def remove_network(req, id, network_id):
    def take(agent, row):
        if row["dhcp_host"] != agent["host"]:
            raise errors.Conflict(f"The network {network_id} is not hosted by the DHCP agent {id}.",
                                  kind="NetworkNotHostedByDhcpAgent")
        return ""
    _move(req, id, roles.DHCP, network_id, take, "delete_dhcp-network")


def remove_router(req, id, router_id):
    def take(agent, row):
        if row["host"] != agent["host"]:
            raise errors.Conflict(f"The router {router_id} is not hosted by L3 agent {id}.", kind="RouterNotHostedByL3Agent")
        return ""
    _move(req, id, roles.L3, router_id, take, "delete_l3-router")


def _move(req, agent_id, role, resource_id, host_of, rule) -> None:
    """``host_of``: (agent, row) -> the host that serves the row from now on, or an error."""
    req.svc.policy.check(req.ctx, rule, {})
    resource, column = _HOSTED[role]
    with req.svc.db.writer() as connection:
        agent = hosting.agent(connection, agent_id, role)
        row = resource.get(connection, req, resource_id)
        rows.update(connection, resource.table, resource_id, {column: host_of(agent, row)}, resource=resource.kind)
    req.svc.refresh_agents(req.ctx)
