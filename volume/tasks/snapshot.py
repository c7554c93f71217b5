"""Make and delete snapshots of volumes."""

from common import errors
from common.tasks import Task
from volume.db import snapshots


class CreateSnapshot(Task):
    """State: {"snapshot_id", "volume_id"}. After a crash it runs on: what was copied in part is copied anew."""

    name, on_crash = "create-snapshot", "resume"
    steps = ("copy", "publish")

    def __init__(self, service):
        self.service = service

    def copy(self, state):
        self.service.driver.snapshot(state["snapshot_id"], state["volume_id"])

    def undo_copy(self, state):
        self.service.driver.delete_snapshot(state["snapshot_id"])

    def publish(self, state):
        with self.service.db.writer() as connection:
            row = connection.execute(snapshots.TABLE.select().where(snapshots.TABLE.c.id == state["snapshot_id"])).first()
            if row is not None and row.status == "available":
                return  # published by the run before the crash
            if row is None or row.status != "creating":
                raise errors.Superseded()
            snapshots.move(connection, state["snapshot_id"], "created")

    def failed(self, step, error, state):
        if isinstance(error, errors.Superseded):
            return
        with self.service.db.writer() as connection:
            try:
                snapshots.move(connection, state["snapshot_id"], "create_failed", fault=str(error))
            except errors.Error:
                return  # deleted meanwhile


class DeleteSnapshot(Task):
    """State: {"snapshot_id"}. There is no way back; after a crash it runs on to the end."""

    name, on_crash = "delete-snapshot", "resume"
    steps = ("free", "forget")

    def __init__(self, service):
        self.service = service

    def free(self, state):
        self.service.driver.delete_snapshot(state["snapshot_id"])

    def forget(self, state):
        with self.service.db.writer() as connection:
            connection.execute(snapshots.TABLE.delete().where(snapshots.TABLE.c.id == state["snapshot_id"],
                                                              snapshots.TABLE.c.status == "deleting"))

    def failed(self, step, error, state):
        with self.service.db.writer() as connection:
            try:
                snapshots.move(connection, state["snapshot_id"], "delete_failed", fault=str(error))
            except errors.Error:
                return  # gone already
