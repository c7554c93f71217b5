"""The rows that a caller may see, and the targets of policy checks."""

from common import errors
from common.calls import Call
from conductor.db import hosts, instances
from conductor.db.scope import Scope


def own(call: Call) -> dict:
    """The target of a policy check without an object: the caller's project and user."""
    return {"project_id": call.ctx.project_id, "user_id": call.ctx.user_id}


def check(call: Call, rule: str) -> None:
    """Check a rule that concerns no object. :raises Forbidden: it refuses the caller"""
    call.svc.policy.check(call.ctx, rule, own(call))


def target(row: dict) -> dict:
    """The target of a policy check of a server, a server group or an action."""
    return {"project_id": row["project_id"], "user_id": row["user_id"]}


def knows_all(call: Call) -> bool:
    """Whether the caller may see the objects of all projects. As in OpenStack, only ``context_is_admin`` decides."""
    return call.svc.policy.is_admin(call.ctx)


def scope(call: Call) -> Scope:
    """The rows that the caller may see: others are 404, and one of these is 403 if a rule refuses the request."""
    return Scope(call.ctx.project_id, knows_all(call))


def server(call: Call, connection, id: str, rule: str) -> dict:
    """The instance, if the caller may see it and the rule allows the request.

    :raises NotFound: the caller may see no such instance
    :raises Forbidden: the rule refuses
    """
    row = instances.get(connection, id, scope(call))
    call.svc.policy.check(call.ctx, rule, target(row))
    return row


def check_lock(call: Call, row: dict) -> None:
    """:raises Conflict: the server is locked, and the caller is not an administrator"""
    if row["locked"] and not knows_all(call):
        raise errors.Conflict(f"Instance {row['uuid']} is locked")


def check_hypervisor(connection, row: dict, what: str) -> None:
    """:param what: one of the names of ``common.guest_needs`` that not every hypervisor supports
    :raises Conflict: that of the server's host does not
    """
    if row["host"] is not None and what in hosts.unsupported(connection, row["host"]):
        raise errors.Conflict(f"The hypervisor of instance {row['uuid']} does not support {what}.")
