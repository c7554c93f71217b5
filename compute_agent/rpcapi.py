"""The compute agent on the bus."""

from common.rpc import Client


class AgentAPI(Client):
    topic = "compute-agent"

    def build(self, ctx, host: str, uuid: str) -> None:
        """Cast, 1.0. Lost: the conductor's sweep sends it again; doubled: the task runs once."""
        self.cast(ctx, "build", to=host, uuid=uuid)

    def delete(self, ctx, host: str, uuid: str) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the second finds nothing left."""
        self.cast(ctx, "delete", to=host, uuid=uuid)

    def power(self, ctx, host: str, uuid: str, action: str) -> None:
        """Cast, 1.0: a name of ``common.server_states.POWER``. Lost: sent again by the sweep; doubled: the state is checked."""
        self.cast(ctx, "power", to=host, uuid=uuid, action=action)

    def snapshot(self, ctx, host: str, uuid: str, image_id: str) -> None:
        """Cast, 1.0: fill an image with a server's disk. Lost: sent again by the sweep; doubled: the state is checked."""
        self.cast(ctx, "snapshot", to=host, uuid=uuid, image_id=image_id)

    def attach_volume(self, ctx, host: str, uuid: str, volume_id: str) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the task runs once."""
        self.cast(ctx, "attach_volume", to=host, uuid=uuid, volume_id=volume_id)

    def detach_volume(self, ctx, host: str, uuid: str, volume_id: str) -> None:
        """Cast, 1.0. Lost: sent again by the sweep; doubled: the task runs once."""
        self.cast(ctx, "detach_volume", to=host, uuid=uuid, volume_id=volume_id)

    def extend_volume(self, ctx, host: str, uuid: str, volume_id: str) -> None:
        """Cast, 1.0: a volume of the server has grown. Lost: the volume service says so again; doubled: the size is compared."""
        self.cast(ctx, "extend_volume", to=host, uuid=uuid, volume_id=volume_id)

    def attach_interface(self, ctx, host: str, uuid: str, request: dict) -> dict:
        """Call, 1.0, 60 s: add a port to a guest; returns the port as network-api shows it."""
        return self.call(ctx, "attach_interface", to=host, timeout_s=60, uuid=uuid, request=request)

    def detach_interface(self, ctx, host: str, uuid: str, port_id: str) -> None:
        """Cast, 1.0. Lost: the port is still there and may be detached again."""
        self.cast(ctx, "detach_interface", to=host, uuid=uuid, port_id=port_id)

    def inventory(self, ctx, host: str) -> dict:
        """Call, 1.0, 10 s: what of our making is on a host (``compute_agent/inventory.py`` says its shape)."""
        return self.call(ctx, "inventory", to=host, timeout_s=10)

    def reconcile(self, ctx, host: str) -> None:
        """Call, 1.0, 60 s: destroy guests that belong to no server; what is not certainly so is left. Repeatable."""
        self.call(ctx, "reconcile", to=host, timeout_s=60)

    def uptime(self, ctx, host: str) -> str:
        """Call, 1.0, 10 s: how long a host has been up, and its load, as the command ``uptime`` says it."""
        return self.call(ctx, "uptime", to=host, timeout_s=10)

    def console_output(self, ctx, host: str, uuid: str, lines: int | None) -> str:
        """Call, 1.0, 15 s: the end of the guest's console log."""
        return self.call(ctx, "console_output", to=host, timeout_s=15, uuid=uuid, lines=lines)
