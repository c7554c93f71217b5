"""The volume service on the bus."""

from common.rpc import Client


class SchedulerAPI(Client):
    """Answered by volume-scheduler."""

    topic = "volume-scheduler"

    def create_volume(self, ctx, volume_id: str) -> None:
        """Cast, 1.0: choose a host. Lost: the scheduler's own sweep finds the row; doubled: the choice is a CAS."""
        self.cast(ctx, "create_volume", volume_id=volume_id)


class AgentAPI(Client):
    """Answered by the volume-agent of one host."""

    topic = "volume-agent"

    def create_volume(self, ctx, host: str, volume_id: str) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the task runs once."""
        self.cast(ctx, "create_volume", to=host, volume_id=volume_id)

    def delete_volume(self, ctx, host: str, volume_id: str) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the task runs once."""
        self.cast(ctx, "delete_volume", to=host, volume_id=volume_id)

    def create_snapshot(self, ctx, host: str, snapshot_id: str) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the task runs once."""
        self.cast(ctx, "create_snapshot", to=host, snapshot_id=snapshot_id)

    def delete_snapshot(self, ctx, host: str, snapshot_id: str) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the task runs once."""
        self.cast(ctx, "delete_snapshot", to=host, snapshot_id=snapshot_id)

    def extend_volume(self, ctx, host: str, volume_id: str, size_gb: int) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the task runs once, and growing to a size twice is growing once."""
        self.cast(ctx, "extend_volume", to=host, volume_id=volume_id, size_gb=size_gb)

    def inventory(self, ctx, host: str) -> dict:
        """Call, 1.0, 10 s: what of our making is on a host (``volume/inventory.py`` says its shape)."""
        return self.call(ctx, "inventory", to=host, timeout_s=10)

    def connect(self, ctx, host: str, volume_id: str, attachment_id: str, connector: dict) -> dict:
        """Call, 1.0, 20 s: export for one attachment; repeatable, the same answer. Returns connection info."""
        return self.call(ctx, "connect", to=host, timeout_s=20, volume_id=volume_id, attachment_id=attachment_id,
                         connector=connector)

    def disconnect(self, ctx, host: str, volume_id: str, attachment_id: str) -> None:
        """Call, 1.0, 20 s: end an export; repeatable."""
        self.call(ctx, "disconnect", to=host, timeout_s=20, volume_id=volume_id, attachment_id=attachment_id)
