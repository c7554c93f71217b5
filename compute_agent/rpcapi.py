# mypy: disable-error-code="empty-body"
"""The compute agent on the bus."""

from typing import Annotated

from common.interface import call, cast
from common.messages import Added, Count, HostName, Id
from common.rpc import Client
from compute_agent.messages import (
    ApiPort,
    ConsoleKind,
    Diagnostics,
    IncomingMigration,
    Inventory,
    Offer,
    OfferedDisks,
    PasswordResult,
    Placement,
    PowerAction,
)
from conductor.messages import ImageFile, OperationStep, RequestedNetwork, StepResult

# The id of the server's block device; None in messages of the release before.
Device = Annotated[Id | None, Added("1.3")]
# As in ``conductor.rpcapi``; None in messages of the release before.
AttachId = Annotated[str | None, Added("1.3")]
# The step, where it need not be asked for; None in messages of the release before, and in repeated ones.
Told = Annotated[OperationStep | None, Added("1.11")]


class AgentAPI(Client):
    topic = "compute-agent"
    level = "compute"
    history = {
        "1.0": "The first version.",
        "1.1": "extend_volume, uptime and report_all are new.",
        "1.2": "operation_step and offer_disks are new.",
        "1.3": "attach_volume and detach_volume take device, detach_interface takes attach_id, offered disks have sizes.",
        "1.4": "open_console is new.",
        "1.5": "Offered disks have local.",
        "1.6": "cache_images is new.",
        "1.7": "open_migration and guest_arrived are new, and running guests are offered.",
        "1.8": "diagnostics, set_password and trigger_crash_dump are new.",
        "1.9": "power takes soft-delete and restore.",
        "1.10": "placement is new.",
        "1.11": "guest_moved is new, operation_step takes told, and the disks of running guests are offered with their ports.",
        "1.12": "guest_expected is new, and offered disks have takes_over."}

    @cast(to="host")
    def build(self, ctx, host: HostName, uuid: Id) -> None:
        """Lost: the conductor's reconciler sends it again; doubled: the task runs once."""

    @cast(to="host")
    def delete(self, ctx, host: HostName, uuid: Id) -> None:
        """Lost: sent again by the reconciler; doubled: the second finds nothing left."""

    @cast(to="host")
    def power(self, ctx, host: HostName, uuid: Id, action: PowerAction) -> None:
        """Lost: sent again by the reconciler; doubled: the state is checked."""

    @cast(to="host")
    def snapshot(self, ctx, host: HostName, uuid: Id, image_id: Id) -> None:
        """Fill an image with a server's disk. Lost: sent again by the reconciler; doubled: the state is checked."""

    @cast(to="host")
    def attach_volume(self, ctx, host: HostName, uuid: Id, volume_id: Id, device: Device = None) -> None:
        """Lost: sent again by the reconciler; doubled: it runs once; late: what was attached since is another device."""

    @cast(to="host")
    def detach_volume(self, ctx, host: HostName, uuid: Id, volume_id: Id, device: Device = None) -> None:
        """Lost: sent again by the reconciler; doubled: it runs once; late: what was attached since is another device."""

    @cast(to="host", since="1.1")
    def extend_volume(self, ctx, host: HostName, uuid: Id, volume_id: Id) -> None:
        """A volume of the server has grown. Lost: the volume service says so again; doubled: the size is compared."""

    @cast(to="host", since="1.6")
    def cache_images(self, ctx, host: HostName, images: list[ImageFile]) -> None:
        """Fetch images for servers to come. Lost: a server's build fetches the image; doubled: it is there already."""

    @call(timeout_s=60, to="host")
    def attach_interface(self, ctx, host: HostName, uuid: Id, request: RequestedNetwork) -> ApiPort:
        """Add a port to a guest; returns the port as network-api shows it."""

    @cast(to="host")
    def detach_interface(self, ctx, host: HostName, uuid: Id, port_id: Id, attach_id: AttachId = None) -> None:
        """Lost: the port is still there and may be detached again; late: one that was attached since stays."""

    @cast(to="host", since="1.1")
    def report_all(self, ctx, host: HostName) -> None:
        """Name the power state of every guest in the next heartbeat. Lost: the agent looks at all guests now and then; doubled:
        harmless."""

    @cast(to="host", since="1.2")
    def operation_step(self, ctx, host: HostName, uuid: Id, operation_id: Id, number: Count, told: Told = None) -> None:
        """Do a step of an operation: ``told``, or what the conductor says (``begin_operation_step``). Lost: the conductor sends
        it again; doubled: it is dropped, or done again and reported in vain."""

    @call(timeout_s=30, to="host", since="1.2")
    def offer_disks(self, ctx, host: HostName, uuid: Id, operation_id: Id, number: Count) -> OfferedDisks:
        """Let another host fetch a guest's disks. Doubled: an offer that nobody takes ends by itself."""

    @call(timeout_s=30, to="host", since="1.7")
    def open_migration(self, ctx, host: HostName, uuid: Id, operation_id: Id, number: Count) -> IncomingMigration:
        """Expect a guest that another host migrates here now. Doubled: the offer before ends."""

    @call(timeout_s=30, to="host", since="1.7")
    def guest_arrived(self, ctx, host: HostName, uuid: Id, operation_id: Id, number: Count) -> bool:
        """The guest is no longer on the source: it may run here. False: it is not here. Repeatable."""

    @cast(to="host", since="1.12")
    def guest_expected(self, ctx, host: HostName, uuid: Id, operation_id: Id, number: Count, result: StepResult,
                       incoming: IncomingMigration) -> None:
        """The target expects the guest, as of ``open_migration``: this host, the source, reports the target's step, and goes on
        with the next one. Lost: the conductor requests the target's step again; doubled or late: the conductor says so."""

    @call(timeout_s="timeout_s", to="host", since="1.11")
    def guest_moved(self, ctx, host: HostName, uuid: Id, operation_id: Id, number: Count, timeout_s: float) -> bool:
        """As ``guest_arrived``; this host also reports the source's step, and goes on with the next one."""

    @call(timeout_s=10, to="host")
    def inventory(self, ctx, host: HostName) -> Inventory:
        """What of our making is on a host."""

    @call(timeout_s=60, to="host")
    def reconcile(self, ctx, host: HostName) -> None:
        """Destroy guests that belong to no server; what is not certainly so is left. Repeatable."""

    @call(timeout_s=10, to="host", since="1.1")
    def uptime(self, ctx, host: HostName) -> str:
        """How long a host has been up, and its load, as the command ``uptime`` says it."""

    @call(timeout_s=15, to="host")
    def console_output(self, ctx, host: HostName, uuid: Id, lines: Count | None) -> str:
        """The end of the guest's console log."""

    @call(timeout_s=15, to="host", since="1.8")
    def diagnostics(self, ctx, host: HostName, uuid: Id) -> Diagnostics | None:
        """What a guest has used. None: it does not run."""

    @call(timeout_s=15, to="host", since="1.10")
    def placement(self, ctx, host: HostName, uuid: Id) -> Placement | None:
        """Where on the host's NUMA nodes and CPUs a guest is. None: it is not there."""

    @call(timeout_s=60, to="host", since="1.8")
    def set_password(self, ctx, host: HostName, uuid: Id, user: str, password: str) -> PasswordResult:
        """Have the agent in a guest set a user's password. Repeatable."""

    @cast(to="host", since="1.8")
    def trigger_crash_dump(self, ctx, host: HostName, uuid: Id) -> None:
        """Interrupt a guest so that it writes a crash dump. Lost: nothing happens, and its user asks again; doubled: a guest that
        writes one ignores the second."""

    @call(timeout_s=15, to="host", since="1.4")
    def open_console(self, ctx, host: HostName, uuid: Id, kind: ConsoleKind) -> Offer:
        """Offer a connection to a console of a running guest. Doubled: an unused offer expires."""
