"""Delete a volume: end its exports, wipe and free its space, delete its row."""

from common import units
from volume.db import models, snapshots, volumes
from volume.tasks import VolumeTask


class DeleteVolume(VolumeTask):
    """State: {"volume_id"}. It cannot be undone; after a crash it continues."""

    name, on_crash = "delete-volume", "resume"
    queries, key, failure = volumes, "volume_id", "delete_failed"
    steps = ("free", "delete_row")

    def still_current(self, state):
        return self.status(state) in ("deleting", None)

    def free(self, state):
        """The rows of snapshots that are deleted with the volume still exist; their data is deleted first."""
        with self.service.db.reader() as connection:
            taken = snapshots.of_volume(connection, state["volume_id"])
        for snapshot in taken:
            self.service.driver.delete_snapshot(snapshot["id"])
        self.service.driver.delete(state["volume_id"])

    @units.unit
    def delete_row(self, state):
        with self.service.db.writer() as connection:
            table = models.attachments
            row = connection.execute(volumes.TABLE.select().where(volumes.TABLE.c.id == state["volume_id"])).first()
            connection.execute(table.delete().where(table.c.volume_id == state["volume_id"]))
            connection.execute(snapshots.TABLE.delete().where(snapshots.TABLE.c.volume_id == state["volume_id"]))
            connection.execute(volumes.TABLE.delete().where(volumes.TABLE.c.id == state["volume_id"],
                                                            volumes.TABLE.c.status == "deleting"))
        if row is not None:
            self.service.notify("volume.delete.end", dict(row._mapping))
