"""Deletion of servers, for all requests that delete one, and their restoration."""

from common import quotas as project_quotas
from common.calls import Call
from common.server_states import IMAGE_TASKS, SOFT_DELETED
from compute_api import access
from compute_api.services import power, server_images
from conductor.db import deletion, instances, quotas, soft_deletion


def delete(call: Call, id: str, rule: str, *, force: bool = False) -> None:
    """Begin to delete a server. If its host is down, the conductor deletes everything outside that host.

    :param force: delete it immediately, even if deleted servers can be restored for a while
    :raises NotFound: the caller may see no such server
    :raises Forbidden: the rule does not allow it
    :raises Conflict: the server is locked
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        keeps = call.svc.conf.compute.reclaim_instance_interval > 0 and not force
        if keeps and soft_deletion.is_deleted(row):
            return
        kept = keeps and soft_deletion.applies(row)
        if kept:
            soft_deletion.begin(connection, call.ctx, row)
        else:
            by, now = deletion.begin(connection, call.ctx, row, call.svc.conf.service_down_time)
            operation_id = now.get("operation_id")
    if kept:
        call.svc.notifier.notify(call.ctx, "compute.instance.soft_delete.start", instances.notification_payload(row))
        return power.send(call, row, soft_deletion.SOFT_DELETE)
    call.svc.notifier.notify(call.ctx, "compute.instance.delete.start", instances.notification_payload(row))
    if by == deletion.HOST:
        call.svc.send(call.svc.agents.delete, call.ctx, row["host"], id)
    elif operation_id:
        call.svc.send(call.svc.conductor.drive_operation, call.ctx, operation_id)
    elif by == deletion.NOBODY:
        call.svc.notifier.notify(call.ctx, "compute.instance.delete.end", instances.notification_payload(now))
    if row["task_state"] in IMAGE_TASKS:
        server_images.drop_queued(call, row)


def restore(call: Call, id: str) -> None:
    """Begin to start a server that was deleted.

    :raises NotFound, Forbidden, Conflict: as ``delete``; or the server was not deleted
    :raises QuotaExceeded: the quota has no room for it any more
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-deferred-delete:restore")
        access.check_lock(call, row)
        if row["vm_state"] == SOFT_DELETED:
            project_quotas.lock_owner(connection, row["project_id"])
            known = quotas.Servers(connection, call.svc.quota_defaults, row["project_id"], row["user_id"])
            known.check(1, {"vcpus": row["vcpus"], "ram": row["memory_mb"]})
        soft_deletion.restore(connection, call.ctx, id)
    power.send(call, row, soft_deletion.RESTORE)
