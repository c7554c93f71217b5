"""Deletion of servers, for every request that asks for one."""

from compute_api import access
from conductor.db import deletion, instances


def delete(req, id: str, rule: str) -> None:
    """Have a server deleted. One whose host is down is left to the conductor, which deletes what it can reach.

    :raises NotFound: there is none that the caller knows of
    :raises Forbidden: the rule does not allow it
    :raises Conflict: the server is locked
    """
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, rule)
        access.check_lock(req, row)
        by, now = deletion.begin(connection, req.ctx, row, req.svc.conf.service_down_time)
    req.svc.notifier.tell(req.ctx, "compute.instance.delete.start", instances.told(row))
    if by == deletion.HOST:
        req.svc.send(req.svc.agents.delete, req.ctx, row["host"], id)
    elif by == deletion.NOBODY:
        req.svc.notifier.tell(req.ctx, "compute.instance.delete.end", instances.told(now))
