# mypy: disable-error-code="empty-body"
"""The conductor's RPC interface, called by agents."""

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
    Progress,
    RequestedNetwork,
    RequestedOfMigration,
    ReturnedHost,
    SecretKind,
    StepReport,
    StepResult,
)

# The instance's attempt that is reported; None from agents of the previous release.
Attempt = Annotated[int | None, Added("1.1")]
# The sequence number of the heartbeat; None from agents of the previous release.
Sequence = Annotated[int | None, Added("1.1")]
# The block device's id.
Device = Annotated[Id | None, Added("1.1")]
# Which of the times that a port was attached is meant, as in network_info; empty: it came with the server, None: whichever.
AttachId = Annotated[str | None, Added("1.3")]
# The host that reports, which counts while the server is there and not leaving; None, as of the release before: in any case.
OfHost = Annotated[HostName | None, Added("1.9")]
# The ids of the security groups that the server's ports have now; None, as from agents of the release before: they are not known.
GroupIds = Annotated[list[Id] | None, Added("1.11")]


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
        "1.2": "hosts_of, begin_operation_step and end_operation_step are new.",
        "1.3": "Ports have attach_id, and interface_detached takes it. drive_operation is new.",
        "1.4": "Flavors have local_disks, instances have injected_files, operations' data have migration and image_id. "
               "host_returns is new.",
        "1.5": "operation_progress and is_step_current are new. end_operation_step is a cast, no call.",
        "1.6": "server_secret is new, and an outcome has password_used.",
        "1.7": "next_operation_step is new, and steps have number and goes_on.",
        "1.8": "guest_moved is new.",
        "1.9": "attached, detached, detach_failed, interface_attached and interface_detached take host.",
        "1.10": "guest_expected is new.",
        "1.11": "interface_detached takes group_ids."}

    @call(timeout_s=15)
    def begin_build(self, ctx, uuid: Id, host: HostName) -> InstanceToBuild | None:
        """The instance to build, with block devices; None: this host is not, or no longer, to build it.

        All reports carry its ``attempt``.
        """

    @call(timeout_s=15)
    def get_instance(self, ctx, uuid: Id) -> Instance | None:
        """An instance with block devices, or None if it does not exist."""

    @call(timeout_s=15, since="1.6")
    def server_secret(self, ctx, uuid: Id, kind: SecretKind, host: HostName) -> Text | None:
        """The password for a server's config drive, or the key of its TPM. Repeatable.

        :returns: None: there is none, or the server is not on this host
        """

    @call(timeout_s=15, since="1.2")
    def hosts_of(self, ctx, uuid: Id) -> list[HostName]:
        """The hosts on which a server has an allocation: its own, and the other one during a migration."""

    @call(timeout_s=15, since="1.4")
    def host_returns(self, ctx, host: HostName, removed: list[Id]) -> ReturnedHost:
        """A host was not heard of for a while, or its agent has been restarted. Called before it reports anything or starts a
        guest, and again with the servers of which it has removed what the answer told it to. Repeatable."""

    @cast(since="1.3")
    def drive_operation(self, ctx, operation_id: Id) -> None:
        """An operation was begun. Lost: the conductors find it within some seconds; doubled: one of them drives it."""

    @call(timeout_s=15, since="1.2")
    def begin_operation_step(self, ctx, operation_id: Id, number: Count) -> OperationStep | None:
        """The step that a host is to execute. None: the number is outdated."""

    @call(timeout_s=15, since="1.5", older="begin_operation_step")
    def is_step_current(self, ctx, operation_id: Id, number: Count) -> bool:
        """Whether an operation is still at this step. Older conductors answer with the step, or None."""

    @cast(since="1.2")
    def end_operation_step(self, ctx, operation_id: Id, number: Count, report: StepReport) -> None:
        """Report the result of a step. Lost: the conductor requests the step again; outdated or repeated: nothing changes."""

    @call(timeout_s=15, since="1.7")
    def next_operation_step(self, ctx, operation_id: Id, number: Count, report: StepReport) -> OperationStep | None:
        """As ``end_operation_step``, of a step with ``goes_on``; returns the next step. None: it is not this host's, or not
        wanted. Lost: the conductor requests the one or the other step again."""

    @call(timeout_s=15, since="1.10")
    def guest_expected(self, ctx, operation_id: Id, number: Count, host: HostName, result: StepResult) -> OperationStep | None:
        """The target of a live migration expects the guest of this host: reports the target's step, and returns the next one,
        which is this host's. None: the number is outdated, or the migration is aborted. Lost or repeated: the conductor requests
        the next step."""

    @call(timeout_s="timeout_s", since="1.8")
    def guest_moved(self, ctx, operation_id: Id, number: Count, host: HostName, timeout_s: float) -> OperationStep | None:
        """The guest of a live migration has left its source, and is on this host, its target, where its CPUs stand still: reports
        the source's step, and returns the next one, which is the target's. None: the number is outdated. Lost or repeated: the
        conductor requests the next step."""

    @call(timeout_s=15, since="1.5")
    def operation_progress(self, ctx, operation_id: Id, number: Count, progress: Progress | None) -> RequestedOfMigration:
        """How far a live migration is. Repeatable."""

    @call(timeout_s=15)
    def states_of(self, ctx, host: HostName) -> list[InstanceState]:
        """The states of the servers on a host."""

    @call(timeout_s=15)
    def report_power(self, ctx, host: HostName, powers: dict[Id, int]) -> None:
        """{uuid: power_state} of guests of a host; NOSTATE (0): the guest is missing. Repeatable."""

    @call(timeout_s=15)
    def progress(self, ctx, uuid: Id, action: str, events: list[Event], attempt: Attempt = None) -> bool | None:
        """Report finished steps of an action. False: superseded by another attempt or a delete; None: an older conductor does not
        say. Repeated: the events appear twice.
        """

    @call(timeout_s=15)
    def finish(self, ctx, uuid: Id, action: str, events: list[Event], values: Outcome, attempt: Attempt = None) -> bool | None:
        """An action succeeded. False: superseded by another attempt or a delete; None: an older conductor does not say.
        Repeatable."""

    @call(timeout_s=30)
    def fail(self, ctx, uuid: Id, host: HostName, action: str, message: Text, events: list[Event], reschedule: bool,
             attempt: Attempt = None) -> None:
        """An action failed and was undone. A build may be rescheduled to another host. Repeatable."""

    @call(timeout_s=15)
    def deleted(self, ctx, uuid: Id, host: HostName, events: list[Event]) -> None:
        """Nothing of the instance is left on the host. Repeatable."""

    @cast()
    def heartbeat(self, ctx, host: HostName, resources: HostResources, powers: dict[Id, int],
                  rpc_version: Annotated[str | None, Added("1.1")] = None, sequence: Sequence = None) -> None:
        """A host is up. Reports its resources, and {uuid: power_state} of the guests whose state changed.

        ``rpc_version`` is the version of the compute RPC interface that the agent implements. ``sequence`` counts the heartbeats
        since the agent started, from 1. Lost: the next heartbeat reveals the gap, and the agent is asked to report all guests.
        Repeated: the agent is asked needlessly.
        """

    @call(timeout_s=15)
    def attached(self, ctx, uuid: Id, volume_id: Id, attachment_id: Id, events: list[Event], device: Device = None,
                 attempt: Attempt = None, host: OfHost = None) -> bool | None:
        """A volume is attached to the guest. False: the device, the attempt to build, or the host is no longer current; None: an
        older conductor does not say. Repeatable.
        """

    @call(timeout_s=15)
    def detached(self, ctx, uuid: Id, device: Id, message: Text | None, events: list[Event], host: OfHost = None) -> None:
        """A volume was detached, or could not be attached (``message``). Repeatable."""

    @call(timeout_s=15, since="1.1", older="kept")
    def detach_failed(self, ctx, uuid: Id, volume_id: Id, message: Text, events: list[Event], device: Device = None,
                      host: OfHost = None) -> None:
        """A volume could not be detached and stays attached. Repeatable."""

    @call(timeout_s=15)
    def kept(self, ctx, uuid: Id, volume_id: Id, message: Text, events: list[Event], device: Device = None,
             host: OfHost = None) -> None:
        """``detach_failed``, as called by agents of 1.0."""

    @call(timeout_s=15, since="1.1")
    def interface_attached(self, ctx, uuid: Id, port: Port, own: RequestedNetwork | None, events: list[Event],
                           host: OfHost = None) -> bool:
        """An interface was attached. False: there is no such server, or it is not on the host. Repeatable.

        ``own`` is the requested network if the port is preexisting.
        """

    @call(timeout_s=15, since="1.1")
    def interface_detached(self, ctx, uuid: Id, port_id: Id, events: list[Event], attach_id: AttachId = None,
                           host: OfHost = None, group_ids: GroupIds = None) -> None:
        """An interface was detached. Repeatable. Late: one that was attached since stays."""

    @call(timeout_s=15)
    def network_changed(self, ctx, uuid: Id, network_info: list[Port], requested: list[RequestedNetwork],
                        events: list[Event]) -> None:
        """An interface was attached or detached, as reported by agents of 1.0. Repeatable.

        ``requested`` are the networks and ports that the server is to have; preexisting ports are named by id.
        """
