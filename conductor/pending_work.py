"""Resends work whose message was lost, and completes the deletion of servers on hosts that are down."""

import datetime
import logging
import time

import sqlalchemy as sa

from common import db, periodic, rows, server_resources
from common.server_states import BUILDING, DELETING, IMAGE_TASKS, OPERATION_TASKS, POWER, SPAWNING, TAKEN_OVER_TASKS
from conductor.db import deletion, hosts, instances, models

LOG = logging.getLogger(__name__)
TABLE, DEVICES, OPERATIONS = models.instances, models.block_devices, models.operations
# task_state: the action that the agent is asked for again
_POWER_ACTIONS = {task_state: name for name, task_state in POWER.items()}


class PendingWorkReconciler(periodic.Periodic):
    """Two SELECTs a pass while nothing is stuck.

    Every conductor runs one. A stuck row is claimed by a compare-and-swap on its timestamp, so only one conductor handles it.
    """

    interval_s, jitter_s = 3.0, 1.0

    def __init__(self, service):
        self.service = service
        self._unknown: set[str] = set()  # task states that were logged already

    def run_once(self) -> None:
        before = db.now() - datetime.timedelta(seconds=self.service.conf.compute.build_resend_s)
        with self.service.db.reader() as connection:
            stuck = rows.many(connection, sa.select(TABLE).where(
                TABLE.c.task_state.is_not(None), TABLE.c.task_state.not_in(OPERATION_TASKS),
                sa.or_(TABLE.c.task_state != SPAWNING, TABLE.c.vm_state == BUILDING),  # that of an unshelving is an operation's
                ~sa.exists().where(OPERATIONS.c.instance_uuid == TABLE.c.uuid, OPERATIONS.c.attempt == TABLE.c.attempt),
                TABLE.c.updated_at < before).order_by(TABLE.c.updated_at).limit(100))
            devices = rows.many(connection, sa.select(
                DEVICES, TABLE.c.host, TABLE.c.project_id).join(TABLE, TABLE.c.uuid == DEVICES.c.instance_uuid).where(
                DEVICES.c.requested_at < before, TABLE.c.host.is_not(None),
                sa.or_(TABLE.c.task_state.is_(None), TABLE.c.task_state.not_in(TAKEN_OVER_TASKS))).order_by(
                DEVICES.c.requested_at).limit(100))
        for device in devices:
            periodic.handle_row(device, f"volume {device['volume_id']}", self._resend_device)
        for row in stuck:
            periodic.handle_row(row, f"instance {row['uuid']}", self._resend)

    def _resend_device(self, ctx, device: dict) -> None:
        """Ask the agent again for an attach or detach. It answers nothing while it still works on the first."""
        with self.service.db.writer() as connection:
            if not connection.execute(sa.update(DEVICES).where(
                    DEVICES.c.id == device["id"], DEVICES.c.requested_action == device["requested_action"],
                    DEVICES.c.requested_at == device["requested_at"]).values(requested_at=db.now())).rowcount:
                return
        agents = self.service.agents
        request = {"attach": agents.attach_volume, "detach": agents.detach_volume}[device["requested_action"]]
        request(ctx, device["host"], device["instance_uuid"], device["volume_id"], device["id"])

    def _resend(self, ctx, row: dict) -> None:
        uuid, host, task = row["uuid"], row["host"], row["task_state"]
        with self.service.db.writer() as connection:
            if not connection.execute(sa.update(TABLE).where(
                    TABLE.c.uuid == uuid, TABLE.c.task_state == task, TABLE.c.updated_at == row["updated_at"]).values(
                    updated_at=db.now())).rowcount:
                return
            up = host is not None and hosts.service_up(connection, host, self.service.conf.service_down_time)
        LOG.info("instance %s has been %s/%s for too long (host %s is %s): resending", uuid, row["vm_state"], task, host,
                 "up" if up else "down")
        if task == DELETING and not up:
            self.service.local_delete(ctx, uuid)
        elif task == DELETING:
            self.service.agents.delete(ctx, host, uuid)
        elif row["vm_state"] == BUILDING and host is None:
            self.service.schedule(ctx, row)
        elif row["vm_state"] == BUILDING and up:
            self.service.agents.build(ctx, host, uuid)
        elif row["vm_state"] == BUILDING:
            self.service.endpoint().fail(ctx, uuid, host, "build", f"Host {host} stopped answering during the build.",
                                         [], True)
        elif task in IMAGE_TASKS:
            self._snapshot(ctx, row, up)
        elif task not in _POWER_ACTIONS:
            self._warn_unknown(task)
        elif up:
            self.service.agents.power(ctx, host, uuid, _POWER_ACTIONS[task])

    def _warn_unknown(self, task: str) -> None:
        """Once for each: it may be of a newer release, and a server that is in it is met at each pass."""
        if task not in self._unknown:
            self._unknown.add(task)
            LOG.warning("servers have been in the unknown task state %s for too long", task)

    def _snapshot(self, ctx, row: dict, up: bool) -> None:
        """Send the snapshot again if its image is still queued, or fail it if the image is gone."""
        found = server_resources.waiting_images(self.service.rest, row["uuid"], row["project_id"])
        waiting = [i for i in found if i["status"] == "queued"]
        if waiting and up:
            self.service.agents.snapshot(ctx, row["host"], row["uuid"], waiting[0]["id"])
        elif not found:
            self.service.endpoint().fail(ctx, row["uuid"], row["host"], row["task_state"], "The image was deleted.", [], False)


def local_delete(service, ctx, uuid: str) -> None:
    """Delete a server whose host is down: release its ports, volumes and allocations, then its row.

    When the host returns, its agent destroys the orphaned guest.
    """
    with service.db.reader() as connection:
        row = rows.one(connection, sa.select(TABLE).where(TABLE.c.uuid == uuid, TABLE.c.task_state == DELETING))
        if row is None:
            return
        row = instances.add_block_devices(connection, [row])[0]
    events = []
    for name, release in server_resources.STEPS.items():
        began = time.time()
        release(service.rest, row)
        events.append({"event": f"terminate_{name}", "start": began, "finish": time.time(), "result": "Success"})
    gone = service.db.transact(deletion.finish, ctx, uuid, row["host"], events)
    if gone is not None:
        service.notifier.notify(ctx, "compute.instance.delete.end", instances.notification_payload(gone))
