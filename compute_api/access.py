"""Which rows a caller sees, and what policy rules about servers are checked against."""

from common import errors
from conductor.db import instances
from conductor.db.scope import Scope


def own(req) -> dict:
    """What a rule is checked against where there is no object: the caller's project and user."""
    return {"project_id": req.ctx.project_id, "user_id": req.ctx.user_id}


def target(row: dict) -> dict:
    """What a rule about a server, a server group or an action is checked against."""
    return {"project_id": row["project_id"], "user_id": row["user_id"]}


def knows_all(req) -> bool:
    """Whether the caller sees the objects of every project. OpenStack checks ``context_is_admin``, and no other rule, here."""
    return req.svc.policy.is_admin(req.ctx)


def scope(req) -> Scope:
    """The rows that the caller sees. Others are 404; what a rule refuses for one of these is 403."""
    return Scope(req.ctx.project_id, knows_all(req))


def server(req, connection, id: str, rule: str) -> dict:
    """The instance, if the caller sees it and the rule allows it.

    :raises NotFound: the caller sees no such instance
    :raises Forbidden: the rule refuses
    """
    row = instances.get(connection, id, scope(req))
    req.svc.policy.check(req.ctx, rule, target(row))
    return row


def check_lock(req, row: dict) -> None:
    """:raises Conflict: the server is locked, and the caller is not an administrator"""
    if row["locked"] and not knows_all(req):
        raise errors.Conflict(f"Instance {row['uuid']} is locked")
