"""Agents: who builds networks on which host."""

import sqlalchemy as sa

from common import db, rows, schema, wsgi
from network.db import models


def _view(req, row: dict) -> dict:
    age = (db.now() - row["heartbeat_at"]).total_seconds()
    return {"id": row["id"], "agent_type": "Pileus network agent", "binary": "pileus-network-agent",
            "host": row["host"], "topic": "network-agent", "alive": age < req.svc.conf.service_down_time,
            "admin_state_up": row["admin_state_up"], "created_at": db.iso(row["started_at"], zulu=False),
            "started_at": db.iso(row["started_at"], zulu=False), "availability_zone": "nova",
            "heartbeat_timestamp": db.iso(row["heartbeat_at"], zulu=False), "description": row["description"],
            "configurations": row["configurations"], "resource_versions": {}, "resources_synced": None}


def index(req):
    req.svc.policy.check(req.ctx, "get_agent", {})
    table = models.agents
    query = rows.where_equal(sa.select(table).order_by(table.c.host), table, {
        k: v for k, v in req.GET.items() if k in ("id", "host")})
    with req.svc.db.reader() as connection:
        found = [_view(req, r) for r in rows.many(connection, query)]
    for name in ("agent_type", "binary"):
        if name in req.GET:
            found = [a for a in found if a[name] == req.GET[name]]
    return {"agents": found}


def show(req, id):
    req.svc.policy.check(req.ctx, "get_agent", {})
    with req.svc.db.reader() as connection:
        return {"agent": _view(req, rows.get(connection, models.agents, id, resource="Agent"))}


@wsgi.body(schema.wrapped("agent", {"admin_state_up": {"type": "boolean"}, "description": schema.TEXT}))
def update(req, id, body):
    req.svc.policy.check(req.ctx, "update_agent", {})
    with req.svc.db.writer() as connection:
        rows.update(connection, models.agents, id, body["agent"], resource="Agent")
    return show(req, id)


def delete(req, id):
    req.svc.policy.check(req.ctx, "delete_agent", {})
    with req.svc.db.writer() as connection:
        rows.delete(connection, models.agents, id, resource="Agent")


def zones(req):
    return {"availability_zones": [{"name": "nova", "resource": r, "state": "available"}
                                   for r in ("network", "router")]}
