"""The conductor on the bus: what agents report and ask."""

from common.rpc import Client


class ConductorAPI(Client):
    topic = "conductor"

    def begin_build(self, ctx, uuid: str, host: str) -> dict | None:
        """Call, 1.0, 15 s: the instance to build, with block devices; None: not (or no longer) this host's to build.

        Its ``attempt`` goes into all reports; ``begun_before``: this host was told that already.
        """
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

    def progress(self, ctx, uuid: str, action: str, events: list, attempt: int | None = None) -> bool:
        """Call, 1.0, 15 s: an action went a step on. False: another attempt, or a delete, has taken over. Doubled: its events
        show twice."""
        return self.call(ctx, "progress", timeout_s=15, uuid=uuid, action=action, events=events, attempt=attempt)

    def finish(self, ctx, uuid: str, action: str, events: list, values: dict, attempt: int | None = None) -> bool:
        """Call, 1.0, 15 s: an action succeeded. False: it counts no more, another attempt or a delete has taken over.
        Repeatable: a second report writes nothing."""
        return self.call(ctx, "finish", timeout_s=15, uuid=uuid, action=action, events=events, values=values, attempt=attempt)

    def fail(self, ctx, uuid: str, host: str, action: str, message: str, events: list, reschedule: bool,
             attempt: int | None = None) -> None:
        """Call, 1.0, 30 s: an action failed and was undone. A build may go to another host. Repeatable."""
        self.call(ctx, "fail", timeout_s=30, uuid=uuid, host=host, action=action, message=message, events=events,
                  reschedule=reschedule, attempt=attempt)

    def deleted(self, ctx, uuid: str, host: str, events: list) -> None:
        """Call, 1.0, 15 s: nothing of the instance is left on the host. Repeatable."""
        self.call(ctx, "deleted", timeout_s=15, uuid=uuid, host=host, events=events)

    def heartbeat(self, ctx, host: str, resources: dict, powers: dict) -> None:
        """Cast, 1.0: a host is alive, with what it has and {uuid: power_state} of guests whose state changed."""
        self.cast(ctx, "heartbeat", host=host, resources=resources, powers=powers)

    def attached(self, ctx, uuid: str, volume_id: str, attachment_id: str, events: list, device: str | None = None,
                 attempt: int | None = None) -> bool:
        """Call, 1.0, 15 s: a volume is in use by the guest. False: that device, or attempt to build, is not the server's any
        more. Repeatable."""
        return self.call(ctx, "attached", timeout_s=15, uuid=uuid, volume_id=volume_id, attachment_id=attachment_id,
                         events=events, device=device, attempt=attempt)

    def detached(self, ctx, uuid: str, device: str, message: str | None, events: list) -> None:
        """Call, 1.0, 15 s: a volume is not the guest's any more, or (message) never came to be. Repeatable."""
        self.call(ctx, "detached", timeout_s=15, uuid=uuid, device=device, message=message, events=events)

    def kept(self, ctx, uuid: str, volume_id: str, message: str, events: list, device: str | None = None) -> None:
        """Call, 1.0, 15 s: a volume could not be detached, the guest keeps it. Repeatable."""
        self.call(ctx, "kept", timeout_s=15, uuid=uuid, volume_id=volume_id, message=message, events=events, device=device)

    def interface_attached(self, ctx, uuid: str, port: dict, own: dict | None, events: list) -> bool:
        """Call, 1.0, 15 s: the guest has an interface more. False: there is no such server. Repeatable.

        ``port`` is as in network_info; ``own`` is the network requested where it is a port that its owner made.
        """
        return self.call(ctx, "interface_attached", timeout_s=15, uuid=uuid, port=port, own=own, events=events)

    def interface_detached(self, ctx, uuid: str, port_id: str, events: list) -> None:
        """Call, 1.0, 15 s: the guest has an interface less. Repeatable."""
        self.call(ctx, "interface_detached", timeout_s=15, uuid=uuid, port_id=port_id, events=events)

    def network_changed(self, ctx, uuid: str, network_info: list, requested: list, events: list) -> None:
        """Call, 1.0, 15 s: an interface came or went, as agents of the release before say it. Repeatable.

        ``requested`` are the networks and ports that the server is to have: its owner's ports are among them by id.
        """
        self.call(ctx, "network_changed", timeout_s=15, uuid=uuid, network_info=network_info, requested=requested,
                  events=events)
