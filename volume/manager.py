"""The volume agent's RPC methods. Long work is queued."""

import functools

from volume import inventory
from volume.operations import Operations

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
        """Extends to the size in the row, because the message may be outdated."""
        self._later(ctx, volume_id, "extend_volume")

    def reimage_volume(self, ctx, volume_id: str) -> None:
        self._later(ctx, volume_id, "reimage_volume", CREATE)

    def upload_volume(self, ctx, volume_id: str) -> None:
        self._later(ctx, volume_id, "upload_volume", CREATE)

    def inventory(self, ctx) -> dict:
        return inventory.of(self.service.driver, self.service.tasks.journal)

    def connect(self, ctx, volume_id: str, attachment_id: str, connector: dict) -> dict:
        return self.service.exports.connect(volume_id, attachment_id, connector)

    def disconnect(self, ctx, volume_id: str, attachment_id: str) -> None:
        self.service.exports.disconnect(volume_id, attachment_id)
