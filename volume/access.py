"""Access to rows: first which rows the caller sees, then the policy rules about them.

As in Cinder, a row of another project does not exist for the caller (404), whatever the rules say. Then the rules are checked
against the row's project; a refusal names the rule (403).
"""

from common import errors
from common.calls import Call
from volume.db import attachments, snapshots, volumes


def owner(call: Call, *rules: str) -> str | None:
    """The project whose rows the caller sees; None: the rows of all projects.

    :param rules: to be checked for the rows; a caller without a project is refused with the first one
    :raises Forbidden: the token has no project scope
    """
    if call.svc.policy.sees_all_projects(call.ctx):
        return None
    if call.ctx.project_id is None:
        check(call, {"project_id": None}, *rules)
        raise errors.Forbidden("Not authorized.")
    return call.ctx.project_id


def check(call: Call, row: dict, *rules: str) -> None:
    """:raises Forbidden: a rule refuses the caller for this row"""
    for rule in rules:
        call.svc.policy.check(call.ctx, rule, {"project_id": row["project_id"], "user_id": row.get("user_id")})


def volume(call: Call, connection, volume_id: str, *rules: str, shown: bool = True) -> dict:
    """A volume that the caller sees and that the rules allow.

    :param shown: check ``volume:get`` first, as Cinder does for most requests
    :raises NotFound: the caller sees no such volume
    :raises Forbidden: one of the other rules refuses
    """
    row = volumes.get(connection, owner(call, *(("volume:get",) if shown else ()), *rules), volume_id)
    if shown and not call.svc.policy.allows(call.ctx, "volume:get", {"project_id": row["project_id"], "user_id": row["user_id"]}):
        raise errors.NotFound(volumes.absent(volume_id))
    check(call, row, *rules)
    return row


def snapshot(call: Call, connection, snapshot_id: str, *rules: str) -> dict:
    """A snapshot, as ``volume``; but a caller that may not show it gets 403, not 404."""
    row = snapshots.get(connection, owner(call, *rules), snapshot_id)
    check(call, row, *rules)
    return row


def attachment(call: Call, connection, attachment_id: str, *rules: str) -> dict:
    row = attachments.get(connection, owner(call, *rules), attachment_id)
    check(call, row, *rules)
    return row
