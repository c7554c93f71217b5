"""Deletion of servers, for all requests that delete one."""

from common.calls import Call
from common.server_states import IMAGE_TASKS
from compute_api import access
from compute_api.services import server_images
from conductor.db import deletion, instances


def delete(call: Call, id: str, rule: str) -> None:
    """Begin to delete a server. If its host is down, the conductor deletes everything outside that host.

    :raises NotFound: the caller may see no such server
    :raises Forbidden: the rule does not allow it
    :raises Conflict: the server is locked
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        by, now = deletion.begin(connection, call.ctx, row, call.svc.conf.service_down_time)
        operation_id = now.get("operation_id")
    call.svc.notifier.notify(call.ctx, "compute.instance.delete.start", instances.notification_payload(row))
    if by == deletion.HOST:
        call.svc.send(call.svc.agents.delete, call.ctx, row["host"], id)
    elif operation_id:
        call.svc.send(call.svc.conductor.drive_operation, call.ctx, operation_id)
    elif by == deletion.NOBODY:
        call.svc.notifier.notify(call.ctx, "compute.instance.delete.end", instances.notification_payload(now))
    if row["task_state"] in IMAGE_TASKS:
        server_images.drop_queued(call, row)
