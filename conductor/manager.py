"""What the conductor answers. Each method is one transaction and may be called twice."""

import logging

import sqlalchemy as sa

from common import db, errors, rows
from common.server_states import ACTIONS, BUILD_TASKS, BUILDING, SPAWNING
from conductor.db import actions, allocations, deletion, hosts, instances, machine, models

LOG = logging.getLogger(__name__)
# Actions whose event has a name of its own.
_TOLD = {"spawn": "create.end", "start": "power_on.end", "stop": "power_off.end", "reboot-hard": "reboot.end"}
_RENAMED = {"rebuild-stopped": "rebuild"}  # actions that agents of the release before report
TABLE, DEVICES = models.instances, models.block_devices


def plain(row: dict | None) -> dict | None:
    """A row as JSON for the bus: times as text."""
    if row is None:
        return None
    return {k: db.iso(v) if hasattr(v, "isoformat") else [plain(x) for x in v] if k == "block_devices" else v
            for k, v in row.items()}


class Manager:
    VERSION = "1.0"

    def __init__(self, service):
        self.service = service

    def _find(self, connection, uuid: str) -> dict | None:
        row = rows.one(connection, sa.select(TABLE).where(TABLE.c.uuid == uuid))
        return instances.complete(connection, [row])[0] if row else None

    def begin_build(self, ctx, uuid: str, host: str) -> dict | None:
        with self.service.db.writer() as connection:
            try:
                machine.begin(connection, uuid, "build", also=[TABLE.c.host == host])
            except (errors.InvalidState, errors.NotFound):
                row = self._find(connection, uuid)
                # A host that finished, or was interrupted while spawning, asks again: it may go on.
                return plain(row) if row and row["host"] == host and row["task_state"] == SPAWNING else None
            row = self._find(connection, uuid)
        self._tell(ctx, "create.start", row)
        return plain(row)

    def _tell(self, ctx, what: str, row: dict | None, *, error: bool = False) -> None:
        if row is not None:
            self.service.notifier.tell(ctx, f"compute.instance.{what}", instances.told(row), error=error)

    def _tell_now(self, ctx, what: str, uuid: str, *, error: bool = False) -> None:
        """Tell of a server as it is now; the row is read only where somebody listens."""
        if self.service.notifier.on:
            with self.service.db.reader() as connection:
                self._tell(ctx, what, self._find(connection, uuid), error=error)

    def get_instance(self, ctx, uuid: str) -> dict | None:
        with self.service.db.reader() as connection:
            return plain(self._find(connection, uuid))

    def states_of(self, ctx, host: str) -> list:
        c = TABLE.c
        with self.service.db.reader() as connection:
            return rows.many(connection, sa.select(c.uuid, c.vm_state, c.task_state, c.power_state).where(c.host == host))

    def report_power(self, ctx, host: str, powers: dict) -> None:
        with self.service.db.writer() as connection:
            for uuid, power in powers.items():
                machine.see_power(connection, host, uuid, power)

    def progress(self, ctx, uuid: str, action: str, events: list) -> None:
        with self.service.db.writer() as connection:
            if action in ACTIONS:
                try:
                    machine.begin(connection, uuid, action)
                except errors.Error:
                    LOG.info("instance %s is no longer in %s", uuid, action)
            actions.events(connection, ctx.request_id, uuid, events)

    def finish(self, ctx, uuid: str, action: str, events: list, values: dict) -> None:
        action = _RENAMED.get(action, action)
        allowed = {k: values[k] for k in ("power_state", "network_info") if k in values}
        if action == "spawn":
            allowed["launched_at"] = db.now()
        with self.service.db.writer() as connection:
            done = machine.finish(connection, uuid, action, **allowed)
            if not done:
                LOG.info("instance %s: %s ended after another action had begun", uuid, action)
            actions.events(connection, ctx.request_id, uuid, events)
        if done:
            self._tell_now(ctx, _TOLD.get(action, f"{action}.end"), uuid)

    def fail(self, ctx, uuid: str, host: str, action: str, message: str, events: list, reschedule: bool) -> None:
        building = action in ("build", "spawn")
        with self.service.db.writer() as connection:
            actions.events(connection, ctx.request_id, uuid, events)
            row = self._find(connection, uuid)
            if row is None or (building and (row["host"] != host or row["vm_state"] != BUILDING)):
                return
            if building:
                again = self._give_up_host(connection, row, host, message, reschedule)
            else:
                again = None
                machine.fail(connection, uuid, action, fault=machine.fault(message))
                actions.failed(connection, ctx.request_id, uuid, message)
        self._tell_now(ctx, "create.error" if building else f"{action}.error", uuid, error=True)
        if again:
            self.service.schedule(ctx, again)

    def _give_up_host(self, connection, row: dict, host: str, message: str, reschedule: bool) -> dict | None:
        """Give back its part of the host; returns the instance to schedule again, or None after writing ERROR."""
        if row["task_state"] not in BUILD_TASKS:
            return None  # being deleted; the deletion gives it back
        allocations.release(connection, row["uuid"])
        tried = [*row["tried_hosts"], host]
        if reschedule and len(tried) < self.service.conf.compute.max_attempts:
            return machine.build_elsewhere(connection, row, tried, machine.fault(message))
        text = f"The server could not be built after {len(tried)} attempt(s). Last reason ({host}): {message}"
        machine.fail(connection, row["uuid"], "build", fault=machine.fault(text, details=message), host=None, tried_hosts=tried)
        actions.failed(connection, row["request_id"], row["uuid"], text)
        return None

    def deleted(self, ctx, uuid: str, host: str, events: list) -> None:
        with self.service.db.writer() as connection:
            row = deletion.finish(connection, ctx, uuid, host, events)
        self._tell(ctx, "delete.end", row)

    def heartbeat(self, ctx, host: str, resources: dict, powers: dict) -> None:
        with self.service.db.writer() as connection:
            hosts.heartbeat(connection, "nova-compute", host, self.service.conf.compute.default_availability_zone)
            hosts.report(connection, host, resources)
            for uuid, power in powers.items():
                machine.see_power(connection, host, uuid, power)

    def attached(self, ctx, uuid: str, volume_id: str, attachment_id: str, events: list) -> None:
        with self.service.db.writer() as connection:
            connection.execute(sa.update(DEVICES).where(
                DEVICES.c.instance_uuid == uuid, DEVICES.c.volume_id == volume_id).values(
                    attachment_id=attachment_id, wish=None, wished_at=None))
            actions.events(connection, ctx.request_id, uuid, events)

    def kept(self, ctx, uuid: str, volume_id: str, message: str, events: list) -> None:
        with self.service.db.writer() as connection:
            connection.execute(sa.update(DEVICES).where(
                DEVICES.c.instance_uuid == uuid, DEVICES.c.volume_id == volume_id).values(wish=None, wished_at=None))
            actions.events(connection, ctx.request_id, uuid, events)
            actions.failed(connection, ctx.request_id, uuid, message)

    def detached(self, ctx, uuid: str, device: str, message: str | None, events: list) -> None:
        with self.service.db.writer() as connection:
            connection.execute(sa.delete(DEVICES).where(DEVICES.c.id == device, DEVICES.c.instance_uuid == uuid))
            actions.events(connection, ctx.request_id, uuid, events)
            if message:
                actions.failed(connection, ctx.request_id, uuid, message)

    def network_changed(self, ctx, uuid: str, network_info: list, requested: list, events: list) -> None:
        with self.service.db.writer() as connection:
            connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid).values(
                network_info=network_info, requested_networks=requested))
            actions.events(connection, ctx.request_id, uuid, events)
