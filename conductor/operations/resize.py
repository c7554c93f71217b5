"""Migrations and resizes of servers, their confirmation and their revert.

The source keeps its disk until the move is confirmed. The guest runs on one host at a time: it is stopped on one before it
is started on the other, and its volumes are let go on the former host only when it runs on the new one.

A server may be resized on its own host. That is the same operation with the same host as source and target: the host keeps a
copy of the disks as they were, and ports and volumes stay as they are.
"""

from common import db, errors, server_resources
from common.server_states import ACTIVE, RESIZE_FINISH, RESIZE_MIGRATED, RESIZE_MIGRATING, SHUTDOWN, STOPPED
from conductor.db import actions, allocations, instances, machine, resizes, server_migrations
from conductor.operations import Job, Operation, Wait


def end_attachments(job: Job, host: str) -> None:
    """Delete the attachments of the server's volumes to a host without its guest."""
    found = server_resources.attachments_of(job.service.rest, job.uuid, attached_host=host)
    if found:
        job.check()
    for each in found:
        server_resources.end_attachment(job.service.rest, each)


def end_former_attachments(job: Job) -> None:
    """Delete all attachments of the server's volumes but those to the host that it is on now. Most are those to its former host;
    one that an operation left, which was given up, may be a reservation for no host.
    """
    found = set(server_resources.attachments_of(job.service.rest, job.uuid)) - set(job.data["attachments"].values())
    if found:
        job.check()
    for each in sorted(found):
        server_resources.end_attachment(job.service.rest, each)


def _stays(job: Job) -> bool:
    """Whether the server is resized on its own host."""
    return job.data["source"] == job.data["target"]


class Resize(Operation):
    """Base of the operations below. ``here``: as ``host_steps``, for servers that are resized on their own host."""

    here: dict[str, str] = {}

    def host_step(self, job: Job) -> str:
        return self.here.get(job.method, self.host_steps[job.method]) if _stays(job) else super().host_step(job)

    @staticmethod
    def _give_back(connection, job: Job, keep: str) -> None:
        """As ``resizes.give_back``, of an operation that knows its hosts."""
        if _stays(job):
            resizes.give_back(connection, job.data["migration"], keep)
        else:
            allocations.release(connection, job.uuid, job.data["source" if keep == resizes.NEW else "target"])

    def _record_remove(self, connection, job: Job, host: str) -> None:
        """If the host was down, what it has of the server, or has kept, is removed when it is back."""
        if job.row["report"] is not None:
            return
        if _stays(job):
            resizes.remove_kept_from(connection, job.ctx, job.uuid, {"source_host": host, "id": job.data["migration"]})
        else:
            resizes.remove_from(connection, job.ctx, job.uuid, host)

    def superseded(self, connection, job: Job) -> None:
        """If the server is being deleted, the deletion takes care of the other host."""
        if job.instance is not None and job.instance["task_state"] is None:
            resizes.leave(connection, job.ctx, job.uuid)


class Move(Resize):
    """Base of migrations and reverts: ``origin`` and ``destination`` name the hosts in the data."""

    origin, destination = "source", "target"
    undoable: tuple[str, ...] = ("stop", "connect", "start")
    idle = ("connect",)  # the destination attaches the volumes when it starts the guest

    def skips(self, job: Job, step: str) -> bool:
        """Attachments change only with the host, and of servers that have any."""
        return step in ("connect", "disconnect") and (_stays(job) or not job.data.get("volumes", True))

    @staticmethod
    def _wait_for_volumes(job: Job) -> None:
        """The host that a server leaves first attaches and detaches what it was asked to before: the other host attaches what the
        server has when it begins, and then all attachments to the former one end.

        :raises ServiceUnavailable: it has not done so yet
        """
        if not job.data.get("volume_requested"):
            return
        with job.service.db.reader() as connection:
            row = instances.find(connection, job.uuid)
        if row is not None and instances.is_volume_requested(row):
            raise errors.ServiceUnavailable(part=f"host {row['host']}, which still attaches or detaches a volume")

    def stop(self, job: Job) -> Wait:
        return job.ask(job.data[self.origin])

    def undo_stop(self, job: Job) -> Wait:
        """Restores ports and volumes with the guest, if it was running."""
        return job.ask(job.data[self.origin])

    def undo_connect(self, job: Job) -> None:
        end_attachments(job, job.data[self.destination])

    def start(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data[self.destination])

    def undo_start(self, job: Job) -> Wait | None:
        """Do not wait for a host that is down, unless the guest is to be restored there."""
        return job.ask(job.data[self.destination]) if _stays(job) else job.ask_if_up(job.data[self.destination])

    def disconnect(self, job: Job) -> None:
        end_former_attachments(job)

    def _host(self, connection, job: Job) -> dict:
        """The columns that name the host on which the guest runs."""
        return instances.on_host(connection, job.data[self.destination], job.service.conf.compute.default_availability_zone)

    def _record_host(self, connection, job: Job, columns: dict) -> None:
        """Record the host on which the guest runs."""
        instances.write(connection, job.uuid, **self._host(connection, job), **columns)
        self._record_attachments(connection, job)

    @staticmethod
    def _record_attachments(connection, job: Job) -> None:
        if job.data.get("volumes", True):  # else it had none when this began
            instances.move_attachments(connection, job.uuid, job.data["attachments"])


class Migrate(Move):
    kind = resizes.MIGRATE
    steps = ("claim", "stop", "copy", "connect", "start", "disconnect")
    undoable = ("claim", "stop", "copy", "connect", "start")
    host_steps = {"stop": "stop", "undo_stop": "start", "copy": "receive", "undo_copy": "remove", "start": "start",
                  "undo_start": "destroy"}
    here = {"stop": "keep", "undo_stop": "unkeep", "start": "start_resized"}
    columns = {"copy": "new", "start": "new"}
    notifications = ("finish_resize.end", "resize.error")

    def skips(self, job: Job, step: str) -> bool:
        """A host that keeps the server keeps its disks in the step that stops it."""
        return step == "copy" and _stays(job) or super().skips(job, step)

    def goes_on(self, job: Job) -> bool:
        return job.row["step"] == "copy" or job.row["step"] == "stop" and _stays(job)

    def claim(self, job: Job) -> dict:
        self._wait_for_volumes(job)
        data = job.data
        target = job.service.scheduler.claim_target(job.ctx, job.uuid, job.row["attempt"], data["migration"],
                                                    data["requested_host"])
        if target is None:
            raise errors.Superseded()
        return {"target": target}

    def record_claim(self, connection, job: Job) -> None:
        """Done by the scheduler with its claim, except for one of the release before."""
        if job.instance and job.instance["task_state"] == RESIZE_MIGRATING:
            return
        machine.advance(connection, job.uuid, job.data["action"], RESIZE_MIGRATING, job.row["attempt"])

    def record_undo_claim(self, connection, job: Job) -> None:
        """Reads the migration's row, because the scheduler's answer may have been lost."""
        resizes.give_back(connection, job.data["migration"], resizes.OLD)

    def copy(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["target"])

    def undo_copy(self, job: Job) -> Wait | None:
        return job.ask_if_up(job.data["target"])

    def record_undo_copy(self, connection, job: Job) -> None:
        self._record_remove(connection, job, job.data["target"])

    def record_stop(self, connection, job: Job) -> None:
        if _stays(job):
            self.record_copy(connection, job)

    def record_copy(self, connection, job: Job) -> None:
        server_migrations.write(connection, job.data["migration"], status=server_migrations.MOVED)
        state = RESIZE_FINISH if self.skips(job, "connect") else RESIZE_MIGRATED
        machine.advance(connection, job.uuid, job.data["action"], state, job.row["attempt"])

    def record_connect(self, connection, job: Job) -> None:
        machine.advance(connection, job.uuid, job.data["action"], RESIZE_FINISH, job.row["attempt"])

    def record_start(self, connection, job: Job) -> None:
        """If it is the last step, the host is written with the end of the action."""
        if self.skips(job, "disconnect"):
            self._record_attachments(connection, job)
        else:
            self._record_host(connection, job, job.data["new"])

    def finished(self, connection, job: Job) -> None:
        server_migrations.write(connection, job.data["migration"], status=server_migrations.FINISHED)
        host = {**self._host(connection, job), **job.data["new"]} if self.skips(job, "disconnect") else {}
        machine.finish(connection, job.uuid, job.data["action"], attempt=job.row["attempt"], launched_at=db.now(),
                       power_state=job.data["power_state"], **host)

    def failed(self, connection, job: Job, error: str) -> None:
        server_migrations.write(connection, job.data["migration"], status=server_migrations.ERROR)
        machine.fail(connection, job.uuid, job.data["action"], attempt=job.row["attempt"], fault=machine.fault(error))
        actions.failed(connection, job.row["request_id"], job.uuid, error)


class Confirm(Resize):
    kind = resizes.CONFIRM
    steps = ("remove",)
    host_steps = {"remove": "remove"}
    here = {"remove": "drop"}
    notifications = ("resize.confirm.end", "resize.confirm.error")

    def remove(self, job: Job) -> Wait | None:
        return job.ask_if_up(job.data["source"])

    def record_remove(self, connection, job: Job) -> None:
        self._record_remove(connection, job, job.data["source"])

    def finished(self, connection, job: Job) -> None:
        self._give_back(connection, job, resizes.NEW)
        server_migrations.write(connection, job.data["migration"], status=server_migrations.CONFIRMED)
        end = STOPPED if job.instance and job.instance["power_state"] == SHUTDOWN else ACTIVE
        machine.finish(connection, job.uuid, "confirmResize", attempt=job.row["attempt"], end=end)


class Revert(Move):
    kind = resizes.REVERT
    steps = ("stop", "connect", "start", "disconnect", "remove")
    origin, destination = "target", "source"
    host_steps = {"stop": "stop", "undo_stop": "start", "start": "start", "undo_start": "destroy", "remove": "remove"}
    here = {"start": "restart", "undo_start": "unrestore", "remove": "drop"}
    columns = {"start": "old"}
    notifications = ("resize.revert.end", "resize.revert.error")

    def goes_on(self, job: Job) -> bool:
        return _stays(job)

    def record_start(self, connection, job: Job) -> None:
        self._record_host(connection, job, job.data["old"])

    def record_undo_start(self, connection, job: Job) -> None:
        """The host may have started the guest before it went down."""
        if job.row["report"] is None:
            resizes.destroy_on(connection, job.ctx, job.uuid, job.data["migration"], job.data["source"])

    def remove(self, job: Job) -> Wait | None:
        return job.ask_if_up(job.data["target"])

    def record_remove(self, connection, job: Job) -> None:
        self._record_remove(connection, job, job.data["target"])

    def finished(self, connection, job: Job) -> None:
        self._give_back(connection, job, resizes.OLD)
        server_migrations.write(connection, job.data["migration"], status=server_migrations.REVERTED)
        machine.finish(connection, job.uuid, "revertResize", attempt=job.row["attempt"], end=job.data["vm_state"],
                       power_state=job.data["power_state"])

    def failed(self, connection, job: Job, error: str) -> None:
        """The server stays on the new host, and may be confirmed or reverted again."""
        server_migrations.write(connection, job.data["migration"], status=server_migrations.FINISHED)
        machine.fail(connection, job.uuid, "revertResize", attempt=job.row["attempt"], fault=machine.fault(error))
        actions.failed(connection, job.row["request_id"], job.uuid, error)
