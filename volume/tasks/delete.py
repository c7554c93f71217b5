"""Delete a volume: end its export, wipe and free its space, forget it."""

from common import errors
from common.tasks import Task
from volume.db import models, volumes


class DeleteVolume(Task):
    """State: {"volume_id"}. There is no way back; after a crash it runs on to the end."""

    name, on_crash = "delete-volume", "resume"
    steps = ("free", "forget")

    def __init__(self, service):
        self.service = service

    def free(self, state):
        self.service.driver.delete(state["volume_id"])

    def forget(self, state):
        with self.service.db.writer() as connection:
            table = models.attachments
            row = connection.execute(volumes.TABLE.select().where(volumes.TABLE.c.id == state["volume_id"])).first()
            connection.execute(table.delete().where(table.c.volume_id == state["volume_id"]))
            connection.execute(volumes.TABLE.delete().where(volumes.TABLE.c.id == state["volume_id"],
                                                            volumes.TABLE.c.status == "deleting"))
        if row is not None:
            self.service.tell("volume.delete.end", dict(row._mapping))

    def failed(self, step, error, state):
        with self.service.db.writer() as connection:
            try:
                volumes.move(connection, state["volume_id"], "delete_failed", fault=str(error))
            except errors.Error:
                return  # gone already
