"""Who may reach what: the rows of the token's project or of all, and then the rules about each.

As in Cinder the rows come first: what another project has does not exist for a caller (404), whatever the rules say. Then
the rules are asked about the row's own project, and who is refused by one is told its name (403).
"""

from common import errors
from volume.db import attachments, snapshots, volumes


def owner(req, *rules: str) -> str | None:
    """The project whose rows the caller sees; None: every project's.

    :param rules: what is to be asked of the rows, of which the first is named to a caller without a project
    :raises Forbidden: the token is of no project
    """
    if req.svc.policy.sees_all_projects(req.ctx):
        return None
    if req.ctx.project_id is None:
        check(req, {"project_id": None}, *rules)
        raise errors.Forbidden("Not authorized.")
    return req.ctx.project_id


def check(req, row: dict, *rules: str) -> None:
    """:raises Forbidden: one of the rules does not let the caller do this with a row of its project"""
    for rule in rules:
        req.svc.policy.check(req.ctx, rule, {"project_id": row["project_id"], "user_id": row.get("user_id")})


def volume(req, connection, volume_id: str, *rules: str, shown: bool = True) -> dict:
    """A volume that the caller may see, and do with what the rules are about.

    :param shown: whether it has to be one that ``volume:get`` shows, as most requests begin with in Cinder
    :raises NotFound: there is none for this caller
    :raises Forbidden: one of the other rules says no
    """
    row = volumes.get(connection, owner(req, *(("volume:get",) if shown else ()), *rules), volume_id)
    if shown and not req.svc.policy.allows(req.ctx, "volume:get", {"project_id": row["project_id"], "user_id": row["user_id"]}):
        raise errors.NotFound(volumes.absent(volume_id))
    check(req, row, *rules)
    return row


def snapshot(req, connection, snapshot_id: str, *rules: str) -> dict:
    """A snapshot; as ``volume``, but who sees that it is there and may not look at it is told so."""
    row = snapshots.get(connection, owner(req, *rules), snapshot_id)
    check(req, row, *rules)
    return row


def attachment(req, connection, attachment_id: str, *rules: str) -> dict:
    row = attachments.get(connection, owner(req, *rules), attachment_id)
    check(req, row, *rules)
    return row
