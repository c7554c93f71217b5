"""The conductor on the bus: what agents report and ask."""

from common.rpc import Client


class ConductorAPI(Client):
    topic = "conductor"

    def begin_build(self, ctx, uuid: str, host: str) -> dict | None:
        """Call, 1.0, 15 s: the instance to build, with block devices; None: not (or no longer) this host's to build."""
        return self.call(ctx, "begin_build", timeout_s=15, uuid=uuid, host=host)

    def get_instance(self, ctx, uuid: str) -> dict | None:
        """Call, 1.0, 15 s: an instance with block devices, or None where it is gone."""
        return self.call(ctx, "get_instance", timeout_s=15, uuid=uuid)

    def states_of(self, ctx, host: str) -> list:
        """Call, 1.0, 15 s: [{"uuid", "vm_state", "task_state", "power_state"}] of the servers of a host."""
        return self.call(ctx, "states_of", timeout_s=15, host=host)

    def report_power(self, ctx, host: str, powers: dict) -> None:
        """Call, 1.0, 15 s: {uuid: power_state} of guests of a host; NOSTATE (0): the guest is gone. Repeatable."""
        self.call(ctx, "report_power", timeout_s=15, host=host, powers=powers)

    def progress(self, ctx, uuid: str, action: str, events: list) -> None:
        """Cast, 1.0: an action went a step on. Lost: only its events are missing; doubled: they show twice."""
        self.cast(ctx, "progress", uuid=uuid, action=action, events=events)

    def finish(self, ctx, uuid: str, action: str, events: list, values: dict) -> None:
        """Cast, 1.0: an action succeeded. Lost: the sweep asks the agent again; doubled: the CAS refuses the second."""
        self.cast(ctx, "finish", uuid=uuid, action=action, events=events, values=values)

    def fail(self, ctx, uuid: str, host: str, action: str, message: str, events: list, reschedule: bool) -> None:
        """Call, 1.0, 30 s: an action failed and was undone. A build may go to another host."""
        self.call(ctx, "fail", timeout_s=30, uuid=uuid, host=host, action=action, message=message, events=events,
                  reschedule=reschedule)

    def deleted(self, ctx, uuid: str, host: str, events: list) -> None:
        """Call, 1.0, 15 s: nothing of the instance is left on the host. Repeatable."""
        self.call(ctx, "deleted", timeout_s=15, uuid=uuid, host=host, events=events)

    def heartbeat(self, ctx, host: str, resources: dict, powers: dict) -> None:
        """Cast, 1.0: a host is alive, with what it has and {uuid: power_state} of guests whose state changed."""
        self.cast(ctx, "heartbeat", host=host, resources=resources, powers=powers)

    def attached(self, ctx, uuid: str, volume_id: str, attachment_id: str, events: list) -> None:
        """Call, 1.0, 15 s: a volume is in use by the guest."""
        self.call(ctx, "attached", timeout_s=15, uuid=uuid, volume_id=volume_id, attachment_id=attachment_id,
                  events=events)

    def detached(self, ctx, uuid: str, device: str, message: str | None, events: list) -> None:
        """Call, 1.0, 15 s: a volume is not the guest's any more, or (message) never came to be. Repeatable."""
        self.call(ctx, "detached", timeout_s=15, uuid=uuid, device=device, message=message, events=events)

    def kept(self, ctx, uuid: str, volume_id: str, message: str, events: list) -> None:
        """Call, 1.0, 15 s: a volume could not be detached, the guest keeps it. Repeatable."""
        self.call(ctx, "kept", timeout_s=15, uuid=uuid, volume_id=volume_id, message=message, events=events)

    def network_changed(self, ctx, uuid: str, network_info: list, requested: list, events: list) -> None:
        """Call, 1.0, 15 s: an interface came or went; who attached it sees it in the next answer. Repeatable.

        ``requested`` are the networks and ports that the server is to have: its owner's ports are among them by id.
        """
        self.call(ctx, "network_changed", timeout_s=15, uuid=uuid, network_info=network_info, requested=requested,
                  events=events)
