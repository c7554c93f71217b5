"""Agents, and the DHCP networks and routers that are assigned to each."""

import functools

from common import db, values, wsgi
from network import roles
from network.handlers import listing
from network.schemas import agents as schemas
from network.services import agents
from network.services.listing import in_memory


def _view(req, row: dict) -> dict:
    age = (db.now() - row["heartbeat_at"]).total_seconds()
    return {"id": row["id"], "agent_type": row["agent_type"], "binary": roles.BINARIES[row["agent_type"]],
            "host": row["host"], "topic": "network-agent", "alive": age < req.svc.conf.service_down_time,
            "admin_state_up": row["admin_state_up"], "created_at": db.iso(row["started_at"], zulu=False),
            "started_at": db.iso(row["started_at"], zulu=False), "availability_zone": "nova",
            "heartbeat_timestamp": db.iso(row["heartbeat_at"], zulu=False), "description": row["description"],
            "configurations": row["configurations"], "resource_versions": {}, "resources_synced": None}


_FLAG = functools.partial(values.boolean, what="filter")
_TYPES = {role.casefold(): role for role in roles.BINARIES}
# Neutron's database compares types case-insensitively, so clients may ask for a "DHCP Agent" and get the "DHCP
# agent".
_FILTERS = {**dict.fromkeys(("id", "host", "binary", "description", "topic", "availability_zone"), str),
            "agent_type": lambda value: _TYPES.get(value.casefold(), value), "alive": _FLAG, "admin_state_up": _FLAG}
_SORTS = (*_FILTERS, "created_at", "started_at", "heartbeat_timestamp")


def index(req):
    found = [_view(req, row) for row in agents.index(req.call)]
    return {"agents": in_memory(listing.query(req), found, _FILTERS, _SORTS)}


def show(req, id):
    return {"agent": _view(req, agents.show(req.call, id))}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    return {"agent": _view(req, agents.update(req.call, id, body["agent"]))}


def delete(req, id):
    agents.delete(req.call, id)


def zones(req):
    found = [{"name": "nova", "resource": r, "state": "available"} for r in ("network", "router")
             if req.svc.policy.allows(req.ctx, "get_availability_zone", {})]
    return {"availability_zones": in_memory(listing.query(req), found, dict.fromkeys(("name", "resource", "state"), str),
                                            key="name")}


def dhcp_networks(req, id):
    found = agents.hosted_by(req.call, id, roles.DHCP, "get_dhcp-networks")
    return {"networks": [listing.fields(req, r) for r in found]}


def l3_routers(req, id):
    found = agents.hosted_by(req.call, id, roles.L3, "get_l3-routers")
    return {"routers": [listing.fields(req, r) for r in found]}


def agents_of_network(req, id):
    return {"agents": [_view(req, r) for r in agents.hosting_agents(req.call, id, roles.DHCP, "get_dhcp-agents")]}


def agents_of_router(req, id):
    return {"agents": [_view(req, r) for r in agents.hosting_agents(req.call, id, roles.L3, "get_l3-agents")]}


@wsgi.body(schemas.ADD_NETWORK)
def add_network(req, id, body):
    agents.add_network(req.call, id, body["network_id"])


@wsgi.body(schemas.ADD_ROUTER)
def add_router(req, id, body):
    agents.add_router(req.call, id, body["router_id"])


def remove_network(req, id, network_id):
    agents.remove_network(req.call, id, network_id)


def remove_router(req, id, router_id):
    agents.remove_router(req.call, id, router_id)
