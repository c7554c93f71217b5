"""The conductor's RPC methods. Each is one transaction and may be repeated."""

import logging

import sqlalchemy as sa

from common import batches, context, db, db_errors, errors, rows
from common.server_states import (
    ACTIONS,
    BUILD_TASKS,
    BUILDING,
    LEAVING_TASKS,
    NETWORKING,
    SCHEDULING,
    SPAWNING,
)
from conductor.db import (
    actions,
    allocations,
    deletion,
    evacuations,
    heartbeats,
    hosts,
    instances,
    live_migrations,
    machine,
    models,
    secrets,
)

LOG = logging.getLogger(__name__)
# Actions whose event has a name of its own.
_NOTIFICATION_OF = {"spawn": "create.end", "start": "power_on.end", "stop": "power_off.end", "reboot-hard": "reboot.end",
                    "soft-delete": "soft_delete.end"}
_RENAMED = {"rebuild-stopped": "rebuild"}  # actions that agents of the release before report
TABLE, DEVICES = models.instances, models.block_devices


def _is_attachment(port: dict, port_id: str, attach_id: str | None) -> bool:
    """Whether a port in network_info is the one that is meant, attached when it is meant; see ``rpcapi.AttachId``."""
    return port["id"] == port_id and attach_id in (None, port.get("attach_id", ""))


def _has_left(row: dict, host: str | None) -> bool:
    """Whether a server is not on the host that reports, or is leaving it; see ``rpcapi.OfHost``."""
    return host is not None and (row["host"] != host or row["task_state"] in LEAVING_TASKS)


def _kept(groups: list[dict], ids: list[str] | None) -> list[dict]:
    """Those of a server's security groups that its ports have; see ``rpcapi.GroupIds``."""
    if ids is None:
        return groups
    others = set(ids) - {group["id"] for group in groups}  # the default group, whose id is not known, may be among them
    return [group for group in groups if group["id"] in ids or others and not group["id"]]


class Manager:
    def __init__(self, service):
        self.service = service
        self.heartbeats = batches.Batch(self._write_heartbeats, merge=heartbeats.Report.followed_by)

    @staticmethod
    def _find(connection, uuid: str) -> dict | None:
        return instances.find(connection, uuid)

    def begin_build(self, ctx, uuid: str, host: str) -> dict | None:
        with self.service.db.writer() as connection:
            try:
                machine.begin(connection, uuid, "build", also=[TABLE.c.host == host, TABLE.c.task_state == SCHEDULING])
            except (errors.InvalidState, errors.NotFound):
                row = self._find(connection, uuid)
                # A host that was interrupted asks again and may continue.
                mine = row is not None and row["host"] == host and row["task_state"] in (NETWORKING, SPAWNING)
                return {**row, "begun_before": True} if row is not None and mine else None
            row = self._find(connection, uuid)
        self._notify(ctx, "create.start", row)
        return {**row, "begun_before": False} if row is not None else None

    def _notify(self, ctx, what: str, row: dict | None, *, error: bool = False) -> None:
        if row is not None:
            self.service.notifier.notify(ctx, f"compute.instance.{what}", instances.notification_payload(row), error=error)

    def _notify_current(self, ctx, what: str, uuid: str, *, error: bool = False, project: str | None = None) -> None:
        """Tell of a server as it is now; all of the row is read only where somebody listens.

        :param project: the server's, if it is known. Not the caller's: an administrator acts on servers of other projects, whose
            pages are to be refreshed
        """
        if self.service.notifier.on or project is None:
            with self.service.db.reader() as connection:
                if self.service.notifier.on:
                    self._notify(ctx, what, self._find(connection, uuid), error=error)
                    return
                project = connection.execute(sa.select(TABLE.c.project_id).where(TABLE.c.uuid == uuid)).scalar()
        self.service.notifier.changed(ctx, f"compute.instance.{what}", {"project_id": project})

    def get_instance(self, ctx, uuid: str) -> dict | None:
        with self.service.db.reader() as connection:
            return self._find(connection, uuid)

    def server_secret(self, ctx, uuid: str, kind: str, host: str) -> str | None:
        return self.service.db.transact(secrets.of_host, self.service.vault, uuid, kind, host)

    def hosts_of(self, ctx, uuid: str) -> list:
        with self.service.db.reader() as connection:
            return allocations.hosts_of(connection, uuid)

    def host_returns(self, ctx, host: str, removed: list) -> dict:
        return self.service.db.transact(evacuations.host_returns, host, removed)

    def drive_operation(self, ctx, operation_id: str) -> None:
        self.service.operations.wake(operation_id)

    def begin_operation_step(self, ctx, operation_id: str, number: int) -> dict | None:
        return self.service.operations.begin_step(operation_id, number)

    def is_step_current(self, ctx, operation_id: str, number: int) -> bool:
        return self.service.operations.is_current(operation_id, number)

    def end_operation_step(self, ctx, operation_id: str, number: int, report: dict) -> None:
        self.service.operations.end_step(operation_id, number, report)

    def next_operation_step(self, ctx, operation_id: str, number: int, report: dict) -> dict | None:
        return self.service.operations.next_step(operation_id, number, report)

    def guest_moved(self, ctx, operation_id: str, number: int, host: str) -> dict | None:
        return self.service.operations.handed_over(operation_id, number, host)

    def guest_expected(self, ctx, operation_id: str, number: int, host: str, result: dict) -> dict | None:
        return self.service.operations.handed_over(operation_id, number, host, result)

    def operation_progress(self, ctx, operation_id: str, number: int, progress: dict | None) -> dict:
        return self.service.db.transact(live_migrations.report, operation_id, number, progress)

    def states_of(self, ctx, host: str) -> list:
        c = TABLE.c
        with self.service.db.reader() as connection:
            return rows.many(connection, sa.select(c.uuid, c.vm_state, c.task_state, c.power_state).where(c.host == host))

    def report_power(self, ctx, host: str, powers: dict) -> None:
        with self.service.db.writer() as connection:
            for uuid, power in powers.items():
                machine.sync_power_state(connection, host, uuid, power)

    def progress(self, ctx, uuid: str, action: str, events: list, attempt: int | None = None) -> bool:
        current = True
        with self.service.db.writer() as connection:
            if action in ACTIONS:
                try:
                    machine.begin(connection, uuid, action, also=machine.of_attempt(attempt))
                except errors.Error:
                    current = False
                    LOG.info("instance %s is no longer in %s", uuid, action)
            actions.events(connection, ctx.request_id, uuid, events)
        return current

    def finish(self, ctx, uuid: str, action: str, events: list, values: dict, attempt: int | None = None) -> bool:
        action = _RENAMED.get(action, action)
        allowed = {k: values[k] for k in ("power_state", "network_info") if k in values}
        if action == "spawn":
            allowed["launched_at"] = db.now()
        with self.service.db.writer() as connection:
            done = machine.finish(connection, uuid, action, attempt=attempt, **allowed)
            if not done:
                LOG.info("instance %s: %s ended after another action had begun", uuid, action)
            actions.events(connection, ctx.request_id, uuid, events)
            if done and values.get("password_used"):
                secrets.drop_password(connection, uuid)
        if done:
            self._notify_current(ctx, _NOTIFICATION_OF.get(action, f"{action}.end"), uuid)
        return done

    def fail(self, ctx, uuid: str, host: str, action: str, message: str, events: list, reschedule: bool,
             attempt: int | None = None) -> None:
        building = action in ("build", "spawn")
        with self.service.db.writer() as connection:
            actions.events(connection, ctx.request_id, uuid, events)
            row = self._find(connection, uuid)
            if row is None or attempt not in (None, row["attempt"]) or (
                    building and (row["host"] != host or row["vm_state"] != BUILDING)):
                return
            if building:
                again = self._release_host(connection, row, host, message, reschedule)
            else:
                again = None
                secrets.drop_password(connection, uuid)
                machine.fail(connection, uuid, action, fault=machine.fault(message))
                actions.failed(connection, ctx.request_id, uuid, message)
        self._notify_current(ctx, "create.error" if building else f"{action}.error", uuid, error=True)
        if again:
            self.service.schedule(ctx, again)

    def _release_host(self, connection, row: dict, host: str, message: str, reschedule: bool) -> dict | None:
        """Release the allocation on a host that could not build the server; returns the row to schedule again, or None after
        setting ERROR."""
        if row["task_state"] not in BUILD_TASKS:
            return None  # it is being deleted, and the deletion releases the allocation
        allocations.release(connection, row["uuid"])
        tried = [*row["tried_hosts"], host]
        if reschedule and len(tried) < self.service.conf.compute.max_attempts:
            return machine.build_elsewhere(connection, row, tried, machine.fault(message))
        text = f"The server could not be built after {len(tried)} attempt(s). Last reason ({host}): {message}"
        machine.fail(connection, row["uuid"], "build", fault=machine.fault(text, details=message), host=None, tried_hosts=tried,
                     availability_zone=row["pinned_availability_zone"])
        actions.failed(connection, row["request_id"], row["uuid"], text)
        return None

    def deleted(self, ctx, uuid: str, host: str, events: list) -> None:
        with self.service.db.writer() as connection:
            row = deletion.finish(connection, ctx, uuid, host, events)
        self._notify(ctx, "delete.end", row)

    def heartbeat(self, ctx, host: str, resources: dict, powers: dict, rpc_version: str | None = None,
                  sequence: int | None = None) -> None:
        if powers:  # not batched: a delayed power state could be older than an operation's report
            with self.service.db.writer() as connection:
                heartbeats.sync_power_states(connection, host, powers)
        reported = {name: resources[name] for name in hosts.REPORTED}
        self.heartbeats.put(host, heartbeats.Report(reported, sequence, sequence, rpc_version))

    def _write_heartbeats(self, reports: dict[str, heartbeats.Report]) -> None:
        try:
            missed = self._write_together(reports)
        except Exception as error:  # one invalid report must not make the other hosts look down
            if len(reports) == 1 or isinstance(error, sa.exc.SQLAlchemyError) and db_errors.kind(error) == "away":
                raise
            LOG.warning("writing %d heartbeats one by one: %s", len(reports), error)
            missed = []
            for host, report in reports.items():
                try:
                    missed += self._write_together({host: report})
                except Exception:  # boundary of one host's report
                    LOG.exception("the heartbeat of host %s could not be written", host)
        for host in missed:
            LOG.info("a heartbeat of host %s was lost: requesting a report of all its guests", host)
            try:
                self.service.agents.report_all(context.service_context(), host)
            except errors.ServiceUnavailable as error:
                LOG.info("host %s could not be reached, its next full comparison will report them: %s", host, error)

    def _write_together(self, reports: dict[str, heartbeats.Report]) -> list[str]:
        return self.service.db.transact(heartbeats.write, reports, self.service.conf.compute.default_availability_zone)

    def attached(self, ctx, uuid: str, volume_id: str, attachment_id: str, events: list, device: str | None = None,
                 attempt: int | None = None, host: str | None = None) -> bool:
        wanted = [DEVICES.c.instance_uuid == uuid, DEVICES.c.volume_id == volume_id]
        if device is not None:
            wanted.append(DEVICES.c.id == device)
        if attempt is not None:
            wanted.append(sa.exists().where(TABLE.c.uuid == uuid, *machine.of_attempt(attempt)))
        with self.service.db.writer() as connection:
            if self._left(connection, uuid, host):
                return False
            done = connection.execute(sa.update(DEVICES).where(*wanted).values(
                attachment_id=attachment_id, requested_action=None, requested_at=None))
            actions.events(connection, ctx.request_id, uuid, events)
        return done.rowcount > 0

    def detach_failed(self, ctx, uuid: str, volume_id: str, message: str, events: list, device: str | None = None,
                      host: str | None = None) -> None:
        wanted = [DEVICES.c.instance_uuid == uuid, DEVICES.c.volume_id == volume_id]
        if device is not None:
            wanted.append(DEVICES.c.id == device)
        with self.service.db.writer() as connection:
            if self._left(connection, uuid, host):
                return
            connection.execute(sa.update(DEVICES).where(*wanted).values(requested_action=None, requested_at=None))
            actions.events(connection, ctx.request_id, uuid, events)
            actions.failed(connection, ctx.request_id, uuid, message)

    def kept(self, ctx, uuid: str, volume_id: str, message: str, events: list, device: str | None = None,
             host: str | None = None) -> None:
        self.detach_failed(ctx, uuid, volume_id, message, events, device, host)

    def detached(self, ctx, uuid: str, device: str, message: str | None, events: list, host: str | None = None) -> None:
        with self.service.db.writer() as connection:
            if self._left(connection, uuid, host):
                return
            connection.execute(sa.delete(DEVICES).where(DEVICES.c.id == device, DEVICES.c.instance_uuid == uuid))
            actions.events(connection, ctx.request_id, uuid, events)
            if message:
                actions.failed(connection, ctx.request_id, uuid, message)

    def interface_attached(self, ctx, uuid: str, port: dict, own: dict | None, events: list, host: str | None = None) -> bool:
        with self.service.db.writer() as connection:
            row = self._locked_networks(connection, uuid, host)
            if row is not None:
                known = any(_is_attachment(p, port["id"], port.get("attach_id", "")) for p in row["network_info"])
                others = [p for p in row["network_info"] if p["id"] != port["id"]]
                owned = own is None or any(n.get("port") == own["port"] for n in row["requested_networks"])
                connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid).values(
                    network_info=row["network_info"] if known else [*others, port],
                    requested_networks=row["requested_networks"] if owned else [*row["requested_networks"], own]))
            actions.events(connection, ctx.request_id, uuid, events)
        return row is not None

    def interface_detached(self, ctx, uuid: str, port_id: str, events: list, attach_id: str | None = None,
                           host: str | None = None, group_ids: list | None = None) -> None:
        with self.service.db.writer() as connection:
            row = self._locked_networks(connection, uuid, host)
            if row is not None:
                left = [p for p in row["network_info"] if not _is_attachment(p, port_id, attach_id)]
                wanted = {p["id"] for p in left}
                again = len(left) == len(row["network_info"])  # a message that is doubled or late knows of old groups
                connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid).values(
                    network_info=left, security_groups=_kept(row["security_groups"], None if again else group_ids),
                    requested_networks=[
                        n for n in row["requested_networks"] if n.get("port") != port_id or port_id in wanted]))
            actions.events(connection, ctx.request_id, uuid, events)

    @staticmethod
    def _locked_networks(connection, uuid: str, host: str | None) -> dict | None:
        """Locks the row, because updates of the network service are merged into the same list. None: it is gone, or has left this
        host."""
        row = rows.find(connection, TABLE, uuid, key="uuid")
        return None if row is None or _has_left(row, host) else row

    @staticmethod
    def _left(connection, uuid: str, host: str | None) -> bool:
        """Whether a server has left the host that reports. If not, it stays until the transaction ends."""
        row = rows.find(connection, TABLE, uuid, key="uuid") if host is not None else None
        return row is not None and _has_left(row, host)

    def network_changed(self, ctx, uuid: str, network_info: list, requested: list, events: list) -> None:
        with self.service.db.writer() as connection:
            connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid).values(
                network_info=network_info, requested_networks=requested))
            actions.events(connection, ctx.request_id, uuid, events)
