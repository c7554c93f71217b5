# mypy: disable-error-code="empty-body"
"""The network service on the bus: its agents call ``network``, it calls ``network-agent``."""

from typing import Annotated

from common.interface import call, cast
from common.messages import Added, HostName
from common.rpc import Client
from network.messages import Change, Configurations, HostState, Inventory, PluggedState

# The number of a change that a host was told of; None from network-apis of the release before.
Sequence = Annotated[int | None, Added("1.1")]


class NetworkAPI(Client):
    """For agents. Answered by network-api."""

    topic = "network"
    level = "network"
    history = {
        "1.0": "The first version.",
        "1.1": "heartbeat takes rpc_version, and a host's state has a sequence."}

    @call(timeout_s=15)
    def get_state(self, ctx, host_name: HostName) -> HostState:
        """The whole state of a host."""

    @cast()
    def heartbeat(self, ctx, host_name: HostName, configurations: Configurations,
                  rpc_version: Annotated[str | None, Added("1.1")] = None) -> None:
        """A host is alive; ``rpc_version`` is that of the interface which its agent answers. ``configurations`` has, as
        ``sequence``, the number of the last change that the host knows. Lost: the next one comes; doubled: harmless."""


class NetworkAgentAPI(Client):
    """For network-api. Answered by the agent of one host."""

    topic = "network-agent"
    level = "network_agent"
    history = {
        "1.0": "The first version.",
        "1.1": "Changes have numbers: changed and hosts_added are new, refresh takes sequence, the state of a plug has "
               "sequences, routers and whole, and groups have only_members. Agents of 1.0 find changes with their pull each "
               "minute."}

    @call(timeout_s="timeout_s", to="host")
    def plug(self, ctx, host: HostName, state: PluggedState, timeout_s: int) -> None:
        """Make the given ports work before a guest starts. Repeatable."""

    @call(timeout_s=10, to="host")
    def inventory(self, ctx, host: HostName) -> Inventory:
        """What of our making is in a host's kernel."""

    @cast(to="host", since="1.1")
    def changed(self, ctx, host: HostName, change: Change) -> None:
        """Something that concerns a host is another now. Lost: the next change, or the host's heartbeat, shows a gap, and the
        host pulls; doubled: dropped; late: the others wait for it a moment."""

    @cast(fanout=True, since="1.1")
    def hosts_added(self, ctx, addresses: list[str]) -> None:
        """The cloud has hosts more. Lost: the next whole state has them, and so have changes of networks that they have a part
        of; doubled: harmless."""

    @cast(to="host", fanout=True)
    def refresh(self, ctx, host: HostName | None = None, sequence: Sequence = None) -> None:
        """Pull the whole state if the host does not get as far as ``sequence`` by itself; without one, in any case, and without a
        host, every agent. Lost: the host's next heartbeat has it said again."""
