"""Create a volume: allocate its space, copy its image or source, make it available."""

from common import errors, units
from volume.db import volumes
from volume.tasks import VolumeTask
from volume.tasks.images import downloaded


class CreateVolume(VolumeTask):
    """State: {"volume_id", "project_id", "size_gb", "image_id", "snapshot_id", "source_volid"}; the last three or
    None.

    After a crash it continues: its steps may be repeated.
    """

    name, on_crash = "create-volume", "resume"
    queries, key, failure = volumes, "volume_id", "create_failed"
    steps = ("allocate", "fill", "publish")

    def still_current(self, state):
        return self.status(state) == "creating"

    def discard(self, state):
        if self.status(state) is None:
            self.service.driver.delete(state["volume_id"])

    def allocate(self, state):
        if state.get("snapshot_id"):
            self.service.driver.clone(state["volume_id"], state["size_gb"], snapshot_id=state["snapshot_id"])
        elif state.get("source_volid"):
            self.service.driver.clone(state["volume_id"], state["size_gb"], source_id=state["source_volid"])
        else:
            self.service.driver.create(state["volume_id"], state["size_gb"])

    def undo_allocate(self, state):
        self.service.driver.delete(state["volume_id"])

    def fill(self, state):
        if not state.get("image_id") or not self.service.driver.keeps_bytes:
            return
        with downloaded(self.service, state) as (source, image):
            self.service.driver.fill(state["volume_id"], source, image["disk_format"])

    @units.unit
    def publish(self, state):
        with self.service.db.writer() as connection:
            row = connection.execute(volumes.TABLE.select().where(volumes.TABLE.c.id == state["volume_id"])).first()
            if row is None or row.status != "creating":
                if row is not None and row.status == "available":
                    return  # published before the crash
                raise errors.Superseded()
            volumes.move(connection, state["volume_id"], "created")
            row = {**row._mapping, "status": "available"}
        self.service.notify("volume.create.end", row)
