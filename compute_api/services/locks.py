"""Locks of servers: by the owner, or by an administrator, which the owner cannot remove."""

from common.calls import Call
from compute_api import access
from conductor.db import actions as history
from conductor.db import instances


def _locker(call: Call, row: dict) -> str:
    """The role in which the caller locks or unlocks a server: owner or admin."""
    return "owner" if row["project_id"] == call.ctx.project_id else "admin"


def _write(call: Call, connection, id: str, action: str, **values) -> None:
    history.start(connection, call.ctx, id, action)
    instances.write(connection, id, **values)


def lock(call: Call, id: str, reason: str | None) -> None:
    """Lock a server. A lock that exists keeps its owner: it may be an administrator's."""
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-lock-server:lock")
        by = _locker(call, row)
        if row["locked"] and by == "owner":
            return
        _write(call, connection, id, "lock", locked=True, locked_by=by, locked_reason=reason)


def unlock(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-lock-server:unlock")
        if row["locked"] and (row["locked_by"] or "owner") != _locker(call, row):
            call.svc.policy.check(call.ctx, "os_compute_api:os-lock-server:unlock:unlock_override", access.target(row))
        _write(call, connection, id, "unlock", locked=False, locked_by=None, locked_reason=None)
