"""Which rows a caller sees, and what policy rules about servers are checked against."""

from common import errors
from common.calls import Call
from conductor.db import instances
from conductor.db.scope import Scope


def own(call: Call) -> dict:
    """What a rule is checked against where there is no object: the caller's project and user."""
    return {"project_id": call.ctx.project_id, "user_id": call.ctx.user_id}


def check(call: Call, rule: str) -> None:
    """:raises Forbidden: the rule refuses the caller something that has no object"""
    call.svc.policy.check(call.ctx, rule, own(call))


def target(row: dict) -> dict:
    """What a rule about a server, a server group or an action is checked against."""
    return {"project_id": row["project_id"], "user_id": row["user_id"]}


def knows_all(call: Call) -> bool:
    """Whether the caller sees the objects of every project. OpenStack checks ``context_is_admin``, and no other rule, here."""
    return call.svc.policy.is_admin(call.ctx)


def scope(call: Call) -> Scope:
    """The rows that the caller sees. Others are 404; what a rule refuses for one of these is 403."""
    return Scope(call.ctx.project_id, knows_all(call))


def server(call: Call, connection, id: str, rule: str) -> dict:
    """The instance, if the caller sees it and the rule allows it.

    :raises NotFound: the caller sees no such instance
    :raises Forbidden: the rule refuses
    """
    row = instances.get(connection, id, scope(call))
    call.svc.policy.check(call.ctx, rule, target(row))
    return row


def check_lock(call: Call, row: dict) -> None:
    """:raises Conflict: the server is locked, and the caller is not an administrator"""
    if row["locked"] and not knows_all(call):
        raise errors.Conflict(f"Instance {row['uuid']} is locked")
