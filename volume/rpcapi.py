# mypy: disable-error-code="empty-body"
"""The RPC interfaces of the volume service."""

from common.interface import call, cast
from common.messages import Count, HostName, Id
from common.rpc import Client
from volume.messages import ConnectionInfo, Connector, Inventory


class SchedulerAPI(Client):
    """Implemented by volume-scheduler."""

    topic = "volume-scheduler"
    level = "volume_scheduler"

    @cast()
    def create_volume(self, ctx, volume_id: Id) -> None:
        """Choose a host. Lost: the scheduler's reconciler finds the row; repeated: the choice is a compare-and-swap."""


class AgentAPI(Client):
    """Implemented by the volume-agent of a host."""

    topic = "volume-agent"
    level = "volume"
    history = {"1.0": "The first version.", "1.1": "reimage_volume is new.", "1.2": "upload_volume is new."}

    @cast(to="host")
    def create_volume(self, ctx, host: HostName, volume_id: Id) -> None:
        """Lost: sent again by the reconciler; doubled: the task runs once."""

    @cast(to="host")
    def delete_volume(self, ctx, host: HostName, volume_id: Id) -> None:
        """Lost: sent again by the reconciler; doubled: the task runs once."""

    @cast(to="host")
    def create_snapshot(self, ctx, host: HostName, snapshot_id: Id) -> None:
        """Lost: sent again by the reconciler; doubled: the task runs once."""

    @cast(to="host")
    def delete_snapshot(self, ctx, host: HostName, snapshot_id: Id) -> None:
        """Lost: sent again by the reconciler; doubled: the task runs once."""

    @cast(to="host")
    def extend_volume(self, ctx, host: HostName, volume_id: Id, size_gb: Count) -> None:
        """Lost: sent again by the reconciler; doubled: the task runs once, and extending to the same size again
        changes nothing."""

    @cast(to="host", since="1.1")
    def reimage_volume(self, ctx, host: HostName, volume_id: Id) -> None:
        """Write an image over what a volume has. Lost: sent again by the reconciler; doubled: the task runs once."""

    @cast(to="host", since="1.2")
    def upload_volume(self, ctx, host: HostName, volume_id: Id) -> None:
        """Upload a volume to an image. Lost: sent again by the reconciler; doubled: the task runs once."""

    @call(timeout_s=10, to="host")
    def inventory(self, ctx, host: HostName) -> Inventory:
        """What this cloud has on a host, for the audit."""

    @call(timeout_s=20, to="host")
    def connect(self, ctx, host: HostName, volume_id: Id, attachment_id: Id, connector: Connector) -> ConnectionInfo:
        """Export a volume for an attachment. Repeatable, with the same result."""

    @call(timeout_s=20, to="host")
    def disconnect(self, ctx, host: HostName, volume_id: Id, attachment_id: Id) -> None:
        """End an export. Repeatable."""
