"""What the volume agent is asked. Work that takes long goes to the agent's workers."""

import functools

import sqlalchemy as sa

from common import rows
from volume import inventory
from volume.db import models
from volume.operations import Operations
from volume.secrets import opened, sealed

CREATE, OTHER = "create", "other"


class Manager:
    def __init__(self, service):
        self.service, self.operations = service, Operations(service)

    def _later(self, ctx, about: str, method: str, lane: str = OTHER) -> None:
        self.service.workers.put(ctx, about, (method,), functools.partial(getattr(self.operations, method), about), lane=lane)

    def create_volume(self, ctx, volume_id: str) -> None:
        self._later(ctx, volume_id, "create_volume", CREATE)

    def delete_volume(self, ctx, volume_id: str) -> None:
        self._later(ctx, volume_id, "delete_volume")

    def create_snapshot(self, ctx, snapshot_id: str) -> None:
        self._later(ctx, snapshot_id, "create_snapshot")

    def delete_snapshot(self, ctx, snapshot_id: str) -> None:
        self._later(ctx, snapshot_id, "delete_snapshot")

    def extend_volume(self, ctx, volume_id: str, size_gb: int) -> None:
        """To the size that the row says by now: this may be a message of long ago."""
        self._later(ctx, volume_id, "extend_volume")

    def inventory(self, ctx) -> dict:
        return inventory.of(self.service.driver, self.service.tasks.journal)

    def connect(self, ctx, volume_id: str, attachment_id: str, connector: dict) -> dict:
        with self.service.db.reader() as connection:
            known = connection.execute(sa.select(models.attachments.c.connection_info).where(
                models.attachments.c.id == attachment_id)).scalar() or {}
        vault = self.service.vault
        return sealed(vault, self.service.driver.connect(volume_id, attachment_id, connector, opened(vault, known)))

    def disconnect(self, ctx, volume_id: str, attachment_id: str) -> None:
        with self.service.db.reader() as connection:
            held = {a["id"]: a["connector"].get("initiator") for a in rows.select(
                connection, models.attachments, volume_id=volume_id)}
        initiator = held.pop(attachment_id, None)
        self.service.driver.disconnect(volume_id, attachment_id, None if initiator in held.values() else initiator)
