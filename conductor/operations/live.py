"""Live migrations: a running guest moves to another host, with its memory and its disk.

The target does not let the guest's CPUs run until the source says that it has none any more, so the guest never runs on both.
Where the guest is, only the source knows for certain; therefore the step in which it moves waits for the source however long
that takes, unless the guest is found running on the target. From then on there is no way back.
"""

from common import errors, server_resources
from common.server_states import SEEN
from conductor.db import actions, allocations, live_migrations, machine, server_migrations
from conductor.operations import Job, Wait
from conductor.operations.resize import Move

_WITH_DISK = ("The disk of instance {} is not on shared storage: Shared storage live-migration requires either shared storage or "
              "boot-from-volume with no local disks.")
_WITHOUT_DISK = "Instance {} has no disk on its host: Block migration can not be used with shared storage."


class LiveMigrate(Move):
    kind = live_migrations.KIND
    steps = ("claim", "connect", "prepare", "migrate", "arrive", "disconnect", "remove")
    undoable = ("claim", "connect", "prepare", "migrate")
    patient = ("migrate",)
    host_steps = {"prepare": "prepare_live", "undo_prepare": "remove", "migrate": "migrate_live", "undo_migrate": "stay",
                  "arrive": "arrive", "remove": "remove"}
    told = ("prepare", "migrate", "remove")
    notifications = ("live_migration._post.end", "live_migration._rollback.end")

    def skips(self, job: Job, step: str) -> bool:
        """``connect`` is about ports too."""
        return step == "disconnect" and super().skips(job, step)

    def handed_over_by(self, connection, job: Job, host: str) -> str | None:
        """Before it lets the guest go, the source reports that the target expects it; before it lets the guest run, the target
        reports that the source has none."""
        source, target = job.data["source"], job.data["target"]
        if job.method == "prepare" and host == source:
            self._check_not_aborted(live_migrations.requested_action(connection, job.data["migration"]))
            return target
        return source if job.method == "migrate" and host == target else None

    def claim(self, job: Job) -> dict:
        """Whether an operator has aborted it is asked in the next step, or while something is waited for."""
        try:
            self._wait_for_volumes(job)
            return self._claim(job)
        except errors.ServiceUnavailable:
            with job.service.db.reader() as connection:
                self._check_not_aborted(live_migrations.requested_action(connection, job.data["migration"]))
            raise

    @staticmethod
    def _check_not_aborted(requested: str | None) -> None:
        """:raises StepFailed: an operator has aborted it"""
        if requested == live_migrations.ABORT:
            raise errors.StepFailed(reason="The live migration was aborted.")

    def _claim(self, job: Job) -> dict:
        data = job.data
        if data["requested_host"] == data["source"]:
            raise errors.StepFailed(reason=f"Unable to migrate instance ({job.uuid}) to current host ({data['source']}).")
        if data["block"] is not None and data["block"] != data["has_disk"]:
            raise errors.StepFailed(reason=(_WITH_DISK if data["has_disk"] else _WITHOUT_DISK).format(job.uuid))
        target = job.service.scheduler.claim_target(
            job.ctx, job.uuid, job.row["attempt"], data["migration"], data["requested_host"],
            **({"force": True} if data["force"] else {}))
        if target is None:
            raise errors.Superseded()
        return {"target": target}

    def record_undo_claim(self, connection, job: Job) -> None:
        """Read from the migration's row, because the scheduler's answer may have been lost."""
        migration = server_migrations.get(connection, job.data["migration"])
        if migration and migration["dest_host"]:
            allocations.release(connection, job.uuid, migration["dest_host"])

    def undo_connect(self, job: Job) -> None:
        """Of the ports that the target plugs and the volumes that it attaches, also when it does not answer."""
        super().undo_connect(job)
        server_resources.stay_ports(job.service.rest, job.uuid, job.data["target"], check=job.check)

    def prepare(self, job: Job) -> Wait:
        with job.service.db.reader() as connection:
            up, requested = live_migrations.state_before(
                connection, job.data["migration"], job.data["target"], job.service.conf.service_down_time)
        self._check_not_aborted(requested)
        return job.ask_or_fail(job.data["target"], is_up=up)

    def undo_prepare(self, job: Job) -> Wait | None:
        return job.ask_if_up(job.data["target"])

    def record_undo_prepare(self, connection, job: Job) -> None:
        self._record_remove(connection, job, job.data["target"])

    def migrate(self, job: Job) -> Wait:
        """If the source is down, the target may have the guest running already."""
        return job.ask_if_up(job.data["source"]) or job.ask(job.data["target"])

    def record_migrate(self, connection, job: Job) -> None:
        server_migrations.write(connection, job.data["migration"], status=server_migrations.MOVED)
        self._record_host(connection, job, {})

    def undo_migrate(self, job: Job) -> Wait:
        return job.ask(job.data["source"])

    def arrive(self, job: Job) -> Wait:
        return job.ask(job.data["target"])

    def remove(self, job: Job) -> Wait | None:
        return job.ask_if_up(job.data["source"])

    def record_remove(self, connection, job: Job) -> None:
        self._record_remove(connection, job, job.data["source"])

    def finished(self, connection, job: Job) -> None:
        power, vm_state = job.data["power_state"], job.data["vm_state"]
        before, after = SEEN.get(power, ((), None))
        allocations.release(connection, job.uuid, job.data["source"])
        server_migrations.write(connection, job.data["migration"], status=server_migrations.COMPLETED)
        machine.finish(connection, job.uuid, live_migrations.ACTION, attempt=job.row["attempt"], power_state=power,
                       end=after if vm_state in before else None)

    def failed(self, connection, job: Job, error: str) -> None:
        """The server stays as it was, on its host."""
        aborted = live_migrations.requested_action(connection, job.data["migration"]) == live_migrations.ABORT
        server_migrations.write(connection, job.data["migration"],
                                status=server_migrations.CANCELLED if aborted else server_migrations.ERROR)
        machine.fail(connection, job.uuid, live_migrations.ACTION, attempt=job.row["attempt"],
                     fault=None if aborted else machine.fault(error))
        if not aborted:
            actions.failed(connection, job.row["request_id"], job.uuid, error)
