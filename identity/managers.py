"""What a domain's manager may touch: users and groups that hold no role beyond those that managers give.

Whoever sets a user's password, or joins a group, has what that user or group has. So a manager of a domain, who may
otherwise change all that is in it, leaves those alone that hold the role admin or service, or any other that the rule
``domain_managed_target_role`` does not name, on whatever target.
"""

from common import errors
from common.calls import Call
from identity.db import grants


def gives(call: Call, connection, role: dict) -> bool:
    """Whether a role is one that managers of domains give. One of a domain is what it implies.

    :param role: {"id", "name", "domain_id"}
    """
    named = grants.implied(connection, [role]) if role["domain_id"] else [role]
    return all(call.svc.policy.allows(call.ctx, "domain_managed_target_role", {"target.role.name": r["name"]}) for r in named)


def protect(call: Call, connection, *, user_id: str | None = None, group_id: str | None = None) -> None:
    """:raises Forbidden: the caller is not an administrator, and the user or group holds a role that managers may not grant"""
    if call.svc.policy.allows(call.ctx, "admin_required", {}):
        return
    if not all(gives(call, connection, role) for role in grants.assigned(connection, user_id=user_id, group_id=group_id)):
        raise errors.Forbidden("Only administrators may change a user or a group with a role that domain managers cannot grant.")
