"""Create and delete snapshots of volumes."""

import sqlalchemy as sa

from common import context, errors, units
from volume.db import snapshots
from volume.tasks import VolumeTask


class CreateSnapshot(VolumeTask):
    """State: {"snapshot_id", "volume_id"}. After a crash it continues: a partial copy is made again.

    The status may have been set to available before the copy is complete (os-update_snapshot_status). The copy is
    made nevertheless; if it fails, the snapshot becomes ``error`` regardless of that.
    """

    name, on_crash = "create-snapshot", "resume"
    queries, key, failure = snapshots, "snapshot_id", "create_failed"
    steps = ("copy", "publish")

    def still_current(self, state):
        return self.status(state) in ("creating", "available")

    def discard(self, state):
        if self.status(state) is None:
            self.service.driver.delete_snapshot(state["snapshot_id"])

    def copy(self, state):
        self.service.driver.snapshot(state["snapshot_id"], state["volume_id"])

    def undo_copy(self, state):
        self.service.driver.delete_snapshot(state["snapshot_id"])

    @units.unit
    def publish(self, state):
        with self.service.db.writer() as connection:
            row = connection.execute(snapshots.TABLE.select().where(snapshots.TABLE.c.id == state["snapshot_id"])).first()
            if row is not None and row.status == "available":
                return  # before a crash, or by the action os-update_snapshot_status
            if row is None or row.status != "creating":
                raise errors.Superseded()
            snapshots.move(connection, state["snapshot_id"], "created")
        self.service.notifier.changed(context.active(), "snapshot", {"project_id": row.project_id})


class DeleteSnapshot(VolumeTask):
    """State: {"snapshot_id"}. It cannot be undone; after a crash it continues."""

    name, on_crash = "delete-snapshot", "resume"
    queries, key, failure = snapshots, "snapshot_id", "delete_failed"
    steps = ("free", "delete_row")

    def still_current(self, state):
        return self.status(state) in ("deleting", None)

    def free(self, state):
        self.service.driver.delete_snapshot(state["snapshot_id"])

    @units.unit
    def delete_row(self, state):
        with self.service.db.writer() as connection:
            project = connection.execute(sa.select(snapshots.TABLE.c.project_id).where(
                snapshots.TABLE.c.id == state["snapshot_id"])).scalar()
            connection.execute(snapshots.TABLE.delete().where(snapshots.TABLE.c.id == state["snapshot_id"],
                                                              snapshots.TABLE.c.status == "deleting"))
        self.service.notifier.changed(context.active(), "snapshot", {"project_id": project})
