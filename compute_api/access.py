"""What a caller may know of, and the rules that are asked about servers."""

from common import errors
from conductor.db import instances
from conductor.db.scope import Scope


def own(req) -> dict:
    """What a rule is asked about where there is no object: the caller's project and user."""
    return {"project_id": req.ctx.project_id, "user_id": req.ctx.user_id}


def target(row: dict) -> dict:
    """What a rule about a server, a group or an action is asked about."""
    return {"project_id": row["project_id"], "user_id": row["user_id"]}


def knows_all(req) -> bool:
    """Whether the caller knows of every project's objects; OpenStack asks this rule, and no other, in these places."""
    return req.svc.policy.is_admin(req.ctx)


def scope(req) -> Scope:
    """Whose rows a request may know of. What is not among them is 404; what is, and may not be done, 403."""
    return Scope(req.ctx.project_id, knows_all(req))


def server(req, connection, id: str, rule: str) -> dict:
    """The instance, if the caller knows of it and may do what the rule is about.

    :raises NotFound: there is none that he knows of
    :raises Forbidden: naming the rule
    """
    row = instances.get(connection, id, scope(req))
    req.svc.policy.check(req.ctx, rule, target(row))
    return row


def check_lock(req, row: dict) -> None:
    """:raises Conflict: the server is locked, which only administrators overrule"""
    if row["locked"] and not knows_all(req):
        raise errors.Conflict(f"Instance {row['uuid']} is locked")
