# mypy: disable-error-code="empty-body"
"""The conductor on the bus: what agents report and ask."""

from typing import Annotated

from common.interface import call, cast
from common.messages import Added, Count, HostName, Id, Text
from common.rpc import Client
from conductor.messages import (
    Event,
    HostResources,
    Instance,
    InstanceState,
    InstanceToBuild,
    OperationStep,
    Outcome,
    Port,
    RequestedNetwork,
    StepReport,
)

# The number of the operation that is reported, as in the instance; None in reports of agents of the release before.
Attempt = Annotated[int | None, Added("1.1")]
# The number of the heartbeat; None in those of agents of the release before.
Sequence = Annotated[int | None, Added("1.1")]
# The block device's id.
Device = Annotated[Id | None, Added("1.1")]


class ConductorAPI(Client):
    topic = "conductor"
    level = "conductor"
    history = {
        "1.0": "The first version.",
        "1.1": "Operations have numbers: instances have attempt, an instance to build has begun_before; progress, finish, fail "
               "and attached take attempt, attached and detach_failed take device. progress, finish and attached return "
               "whether the report counts; progress and finish are calls, no casts. interface_attached and "
               "interface_detached take the place of network_changed, and detach_failed that of kept; agents of 1.0 still "
               "call these. heartbeat takes rpc_version and sequence. Requested networks may have network.",
        "1.2": "hosts_of, begin_operation_step and end_operation_step are new."}

    @call(timeout_s=15)
    def begin_build(self, ctx, uuid: Id, host: HostName) -> InstanceToBuild | None:
        """The instance to build, with block devices; None: not (or no longer) this host's to build.

        Its ``attempt`` goes into all reports.
        """

    @call(timeout_s=15)
    def get_instance(self, ctx, uuid: Id) -> Instance | None:
        """An instance with block devices, or None where it is gone."""

    @call(timeout_s=15, since="1.2")
    def hosts_of(self, ctx, uuid: Id) -> list[HostName]:
        """The hosts that a server holds a part of: its own, and the other one while it moves."""

    @call(timeout_s=15, since="1.2")
    def begin_operation_step(self, ctx, operation_id: Id, number: Count) -> OperationStep | None:
        """What a host is to do. None: that number is past, nothing is to be done."""

    @call(timeout_s=15, since="1.2")
    def end_operation_step(self, ctx, operation_id: Id, number: Count, report: StepReport) -> bool:
        """How it went. False: that number is past. Repeatable."""

    @call(timeout_s=15)
    def states_of(self, ctx, host: HostName) -> list[InstanceState]:
        """The states of the servers of a host."""

    @call(timeout_s=15)
    def report_power(self, ctx, host: HostName, powers: dict[Id, int]) -> None:
        """{uuid: power_state} of guests of a host; NOSTATE (0): the guest is gone. Repeatable."""

    @call(timeout_s=15)
    def progress(self, ctx, uuid: Id, action: str, events: list[Event], attempt: Attempt = None) -> bool | None:
        """An action went a step on. False: another attempt, or a delete, has taken over; None: the conductor does not say.
        Doubled: its events show twice."""

    @call(timeout_s=15)
    def finish(self, ctx, uuid: Id, action: str, events: list[Event], values: Outcome, attempt: Attempt = None) -> bool | None:
        """An action succeeded. False: it counts no more, another attempt or a delete has taken over; None: the conductor does not
        say. Repeatable: a second report writes nothing."""

    @call(timeout_s=30)
    def fail(self, ctx, uuid: Id, host: HostName, action: str, message: Text, events: list[Event], reschedule: bool,
             attempt: Attempt = None) -> None:
        """An action failed and was undone. A build may go to another host. Repeatable."""

    @call(timeout_s=15)
    def deleted(self, ctx, uuid: Id, host: HostName, events: list[Event]) -> None:
        """Nothing of the instance is left on the host. Repeatable."""

    @cast()
    def heartbeat(self, ctx, host: HostName, resources: HostResources, powers: dict[Id, int],
                  rpc_version: Annotated[str | None, Added("1.1")] = None, sequence: Sequence = None) -> None:
        """A host is alive, with what it has and {uuid: power_state} of guests whose state changed.

        ``rpc_version`` is that of the compute interface which its agent answers. ``sequence`` counts the heartbeats since the
        agent started, from 1. Lost: the next one shows it, and the agent is asked to report all its guests; doubled: it is
        asked in vain.
        """

    @call(timeout_s=15)
    def attached(self, ctx, uuid: Id, volume_id: Id, attachment_id: Id, events: list[Event], device: Device = None,
                 attempt: Attempt = None) -> bool | None:
        """A volume is in use by the guest. False: that device, or attempt to build, is not the server's any more; None: the
        conductor does not say. Repeatable."""

    @call(timeout_s=15)
    def detached(self, ctx, uuid: Id, device: Id, message: Text | None, events: list[Event]) -> None:
        """A volume is not the guest's any more, or (message) never came to be. Repeatable."""

    @call(timeout_s=15, since="1.1", older="kept")
    def detach_failed(self, ctx, uuid: Id, volume_id: Id, message: Text, events: list[Event], device: Device = None) -> None:
        """A volume could not be detached, the guest keeps it. Repeatable."""

    @call(timeout_s=15)
    def kept(self, ctx, uuid: Id, volume_id: Id, message: Text, events: list[Event], device: Device = None) -> None:
        """``detach_failed``, as agents of 1.0 call it."""

    @call(timeout_s=15, since="1.1")
    def interface_attached(self, ctx, uuid: Id, port: Port, own: RequestedNetwork | None, events: list[Event]) -> bool:
        """The guest has an interface more. False: there is no such server. Repeatable.

        ``own`` is the network requested where it is a port that its owner made.
        """

    @call(timeout_s=15, since="1.1")
    def interface_detached(self, ctx, uuid: Id, port_id: Id, events: list[Event]) -> None:
        """The guest has an interface less. Repeatable."""

    @call(timeout_s=15)
    def network_changed(self, ctx, uuid: Id, network_info: list[Port], requested: list[RequestedNetwork],
                        events: list[Event]) -> None:
        """An interface came or went, as agents of 1.0 say it. Repeatable.

        ``requested`` are the networks and ports that the server is to have: its owner's ports are among them by id.
        """
