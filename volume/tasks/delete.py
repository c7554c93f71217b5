"""Delete a volume: end its export, wipe and free its space, forget it."""

from common import units
from volume.db import models, snapshots, volumes
from volume.tasks import VolumeTask


class DeleteVolume(VolumeTask):
    """State: {"volume_id"}. There is no way back; after a crash it runs on to the end."""

    name, on_crash = "delete-volume", "resume"
    queries, key, failure = volumes, "volume_id", "delete_failed"
    steps = ("free", "forget")

    def still_current(self, state):
        return self.status(state) in ("deleting", None)

    def free(self, state):
        """Snapshots that were to go with the volume are still there as rows; their bytes go first."""
        with self.service.db.reader() as connection:
            taken = snapshots.of_volume(connection, state["volume_id"])
        for snapshot in taken:
            self.service.driver.delete_snapshot(snapshot["id"])
        self.service.driver.delete(state["volume_id"])

    @units.unit
    def forget(self, state):
        with self.service.db.writer() as connection:
            table = models.attachments
            row = connection.execute(volumes.TABLE.select().where(volumes.TABLE.c.id == state["volume_id"])).first()
            connection.execute(table.delete().where(table.c.volume_id == state["volume_id"]))
            connection.execute(snapshots.TABLE.delete().where(snapshots.TABLE.c.volume_id == state["volume_id"]))
            connection.execute(volumes.TABLE.delete().where(volumes.TABLE.c.id == state["volume_id"],
                                                            volumes.TABLE.c.status == "deleting"))
        if row is not None:
            self.service.notify("volume.delete.end", dict(row._mapping))
