"""The users and groups that a domain manager may change: those without roles beyond the ones that managers can grant.

Setting a user's password, or joining a group, gives access to the rights of the user or group. Therefore a manager,
who may otherwise change everything in the domain, cannot change those that have the role admin or service, or another
role that the rule ``domain_managed_target_role`` does not include, on any target.
"""

from common import errors
from common.calls import Call
from identity.db import grants


def gives(call: Call, connection, role: dict) -> bool:
    """Whether domain managers can grant a role. For a domain-specific role, the roles that it implies are checked.

    :param role: {"id", "name", "domain_id"}
    """
    named = grants.implied(connection, [role]) if role["domain_id"] else [role]
    return all(call.svc.policy.allows(call.ctx, "domain_managed_target_role", {"target.role.name": r["name"]}) for r in named)


def protect(call: Call, connection, *, user_id: str | None = None, group_id: str | None = None) -> None:
    """:raises Forbidden: the caller is not an administrator, and the user or group has a role that managers cannot grant"""
    if call.svc.policy.allows(call.ctx, "admin_required", {}):
        return
    if not all(gives(call, connection, role) for role in grants.assigned(connection, user_id=user_id, group_id=group_id)):
        raise errors.Forbidden("Only administrators may change a user or a group with a role that domain managers cannot grant.")
