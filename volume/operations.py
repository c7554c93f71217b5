"""Operations on volumes and snapshots. Each method is repeatable, and may take long."""

import logging

import sqlalchemy as sa

from common import rows
from volume.db import models, snapshots, uploads, volumes
from volume.tasks.create import CreateVolume
from volume.tasks.delete import DeleteVolume
from volume.tasks.extend import ExtendVolume
from volume.tasks.reimage import ReimageVolume
from volume.tasks.snapshot import CreateSnapshot, DeleteSnapshot
from volume.tasks.upload import UploadVolume

LOG = logging.getLogger(__name__)


class Operations:
    def __init__(self, service):
        self.service = service

    def _row(self, table, row_id: str, status: str) -> dict | None:
        """The row, if it has this status; otherwise the request is done or superseded."""
        with self.service.db.reader() as connection:
            return rows.one(connection, sa.select(table).where(table.c.id == row_id, table.c.status == status))

    def _run(self, task, row_id: str, state: dict) -> None:
        try:
            self.service.tasks.run(task, row_id, state)
        except Exception as error:  # the task has journalled, undone and reported the failure
            LOG.warning("%s of %s failed: %s", task.name, row_id, error)

    def create_volume(self, volume_id: str) -> None:
        row = self._row(volumes.TABLE, volume_id, "creating")
        if row:
            self._run(CreateVolume(self.service), volume_id, {
                "volume_id": volume_id, "size_gb": row["size"], "project_id": row["project_id"],
                **{k: row[k] for k in ("image_id", "snapshot_id", "source_volid")}})

    def delete_volume(self, volume_id: str) -> None:
        if self._row(volumes.TABLE, volume_id, "deleting"):
            self._run(DeleteVolume(self.service), volume_id, {"volume_id": volume_id})

    def create_snapshot(self, snapshot_id: str) -> None:
        row = self._row(snapshots.TABLE, snapshot_id, "creating")
        if row:
            self._run(CreateSnapshot(self.service), snapshot_id, {"snapshot_id": snapshot_id, "volume_id": row["volume_id"]})

    def delete_snapshot(self, snapshot_id: str) -> None:
        if self._row(snapshots.TABLE, snapshot_id, "deleting"):
            self._run(DeleteSnapshot(self.service), snapshot_id, {"snapshot_id": snapshot_id})

    def extend_volume(self, volume_id: str) -> None:
        row = self._row(volumes.TABLE, volume_id, "extending")
        if row:
            self._run(ExtendVolume(self.service), volume_id, {
                "volume_id": volume_id, "size_gb": row["extending_to"] or row["size"]})

    def reimage_volume(self, volume_id: str) -> None:
        row = self._row(volumes.TABLE, volume_id, "downloading")
        if row:
            self._run(ReimageVolume(self.service), volume_id, {
                "volume_id": volume_id, "project_id": row["project_id"], "image_id": row["image_id"]})

    def upload_volume(self, volume_id: str) -> None:
        """A message that comes late or twice does no harm: either the volume is not ``uploading`` any more, or to another image,
        and then that upload is begun, as its own message would begin it."""
        row = self._row(volumes.TABLE, volume_id, uploads.UPLOADING)
        if row:
            with self.service.db.reader() as connection:
                in_use = rows.exists(connection, models.attachments, volume_id=volume_id)
            self._run(UploadVolume(self.service), volume_id, {
                "volume_id": volume_id, "image_id": row["upload_image_id"], "in_use": in_use})
