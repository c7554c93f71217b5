"""Evacuation: a server of a host that is down is rebuilt on another host, with its volumes and ports."""

from common import db, errors, images, server_resources
from common.server_states import ERROR, EVACUATION_SPAWNING
from conductor.db import actions, allocations, evacuations, instances, machine, resizes, server_migrations
from conductor.operations import Job, Operation, Wait
from conductor.operations.resize import Resize, end_former_attachments


class Evacuate(Resize):
    """The server belongs to the target as soon as that has its disk, ports and volumes (``connect``). From then on it never goes
    back: its former host loses its attachments, and has to remove its guest when it returns. If the guest cannot be started, the
    server is in ERROR on the target.

    The guest starts only after the former host's attachments have ended: if the host is cut off and not dead, its guest still
    runs, and both would write to the volumes.
    """

    kind = evacuations.EVACUATE
    steps = ("claim", "connect", "disconnect", "fence", "start")
    undoable = ("claim", "connect", "start")
    host_steps = {"connect": "rebuild", "start": "start", "undo_start": "destroy"}
    notifications = ("rebuild.end", "rebuild.error")

    @staticmethod
    def _has_moved(job: Job) -> bool:
        return "attachments" in job.data

    def claim(self, job: Job) -> dict:
        target = job.service.scheduler.claim_target(job.ctx, job.uuid, job.row["attempt"], job.data["migration"],
                                                    job.data["requested_host"], job.data["force"])
        if target is None:
            raise errors.Superseded()
        return {"target": target}

    def record_undo_claim(self, connection, job: Job) -> None:
        """Read from the migration's row, because the scheduler's answer may have been lost."""
        migration = server_migrations.get(connection, job.data["migration"])
        if migration and migration["dest_host"] and not self._has_moved(job):
            allocations.release(connection, job.uuid, migration["dest_host"])

    def connect(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["target"])

    def record_connect(self, connection, job: Job) -> None:
        data = job.data
        instances.move(connection, job.uuid, data["target"], job.service.conf.compute.default_availability_zone)
        instances.move_attachments(connection, job.uuid, data["attachments"])
        allocations.release(connection, job.uuid, data["source"])
        server_migrations.write(connection, data["migration"], status=server_migrations.DONE)
        resizes.remove_from(connection, job.ctx, job.uuid, data["source"], evacuation=data["migration"])
        machine.advance(connection, job.uuid, "evacuate", EVACUATION_SPAWNING, job.row["attempt"])

    def record_undo_connect(self, connection, job: Job) -> None:
        if not self._has_moved(job):
            resizes.remove_from(connection, job.ctx, job.uuid, job.data["target"])

    def disconnect(self, job: Job) -> None:
        end_former_attachments(job)

    def fence(self, job: Job) -> None:
        """If the former host is back already, its guest must be gone before the new one starts."""
        source = job.data["source"]
        with job.service.db.reader() as connection:
            present = job.uuid in resizes.removals_from(connection, source)
        if present and job.is_up(source):
            raise errors.ServiceUnavailable(part=f"host {source}, which has not yet removed the former guest")

    def start(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["target"])

    def undo_start(self, job: Job) -> Wait | None:
        return job.ask_if_up(job.data["target"])

    def finished(self, connection, job: Job) -> None:
        instances.move_attachments(connection, job.uuid, job.data["attachments"])
        machine.finish(connection, job.uuid, "evacuate", attempt=job.row["attempt"], end=job.data["vm_state"],
                       launched_at=db.now(), power_state=job.data["power_state"], fault=None)

    def failed(self, connection, job: Job, error: str) -> None:
        """A server that has not moved is as it was: its host may return with it."""
        server_migrations.write(connection, job.data["migration"], status=server_migrations.FAILED)
        state = {"vm_state": ERROR} if self._has_moved(job) else {}
        machine.fail(connection, job.uuid, "evacuate", attempt=job.row["attempt"], fault=machine.fault(error), **state)
        actions.failed(connection, job.row["request_id"], job.uuid, error)


class DropWaitingImages(Operation):
    """Deletes the images that a host was to fill from a server's disk when the server was evacuated from it."""

    kind = evacuations.DROP_WAITING
    of_attempt = False
    steps = ("delete",)

    def is_current(self, job: Job) -> bool:
        return True

    def delete(self, job: Job) -> None:
        """Not those of a later request, which may be of the same second: nothing is in progress on the server when they are read.
        One whose data came meanwhile is left alone.
        """
        if job.instance and job.instance["task_state"] is not None:
            raise errors.ServiceUnavailable(part=f"instance {job.uuid}, on which work is in progress,")
        for image in server_resources.waiting_images(job.service.rest, job.uuid, job.data["project_id"]):
            if image["created_at"] <= job.data["before"]:
                images.drop_unfilled(job.service.rest, image["id"])
