"""Metadata and tags of a server."""

import typing

from common import errors
from common.calls import Call
from compute_api import access
from conductor.db import instances, quotas


def edit(call: Call, id: str, rule: str, edit: typing.Callable[[dict], dict]) -> dict:
    """Replace the metadata of a server by what ``edit`` returns for it.

    :raises QuotaExceeded: over the quota
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        changed = edit(dict(row["metadata"]))
        limit = quotas.limits(connection, row["project_id"], call.svc.quota_defaults, user_id=call.ctx.user_id)["metadata_items"]
        if 0 <= limit < len(changed):
            raise errors.QuotaExceeded(resource="metadata_items", requested=len(changed), used=len(row["metadata"]),
                                       limit=limit)
        instances.change(connection, row, metadata=changed)
        return changed


def edit_tags(call: Call, id: str, rule: str, edit: typing.Callable[[list[str]], list[str]]) -> list[str]:
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        changed = edit(list(row["tags"]))
        if len(changed) > 50:
            raise errors.BadRequest("The number of tags exceeded the per-server limit 50")
        instances.change(connection, row, tags=changed)
        return changed
