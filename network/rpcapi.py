# mypy: disable-error-code="empty-body"
"""The RPC interfaces of the network service: agents call ``network``, the service calls ``network-agent``."""

from typing import Annotated

from common.interface import call, cast
from common.messages import Added, HostName
from common.rpc import Client
from network.messages import Change, Configurations, HostState, Inventory, PluggedState

# The number of a change; None from network-apis of the previous release.
Sequence = Annotated[int | None, Added("1.1")]


class NetworkAPI(Client):
    """Called by agents, implemented by network-api."""

    topic = "network"
    level = "network"
    history = {
        "1.0": "The first version.",
        "1.1": "heartbeat takes rpc_version, and a host's state has a sequence.",
        "1.2": "Ports have multiqueue."}

    @call(timeout_s=15)
    def get_state(self, ctx, host_name: HostName) -> HostState:
        """The whole state of a host."""

    @cast()
    def heartbeat(self, ctx, host_name: HostName, configurations: Configurations,
                  rpc_version: Annotated[str | None, Added("1.1")] = None) -> None:
        """A host is alive.

        :param rpc_version: of the interface that its agent implements
        :param configurations: ``sequence`` in it is the number of the last change that the host has

        Lost: the next one follows; doubled: harmless.
        """


class NetworkAgentAPI(Client):
    """Called by network-api, implemented by the agent of a host."""

    topic = "network-agent"
    level = "network_agent"
    history = {
        "1.0": "The first version.",
        "1.1": "Changes have numbers: changed and hosts_added are new, refresh takes sequence, the state of a plug has "
               "sequences, routers and whole, and groups have only_members. Agents of 1.0 find changes with their pull each "
               "minute.",
        "1.2": "Ports have multiqueue."}

    @call(timeout_s="timeout_s", to="host")
    def plug(self, ctx, host: HostName, state: PluggedState, timeout_s: int) -> None:
        """Make the given ports work before a guest starts. Repeatable."""

    @call(timeout_s=10, to="host")
    def inventory(self, ctx, host: HostName) -> Inventory:
        """The resources of this cloud in a host's kernel."""

    @cast(to="host", since="1.1")
    def changed(self, ctx, host: HostName, change: Change) -> None:
        """Resources of a host have changed. Lost: the next change, or the host's heartbeat, shows a gap, and the host
        pulls; doubled: dropped; late: the following ones wait for it a moment."""

    @cast(fanout=True, since="1.1")
    def hosts_added(self, ctx, addresses: list[str]) -> None:
        """Hosts were added to the cloud. Lost: the next whole state includes them, and so do changes of networks that
        they are part of; doubled: harmless."""

    @cast(to="host", fanout=True)
    def refresh(self, ctx, host: HostName | None = None, sequence: Sequence = None) -> None:
        """Pull the whole state if the host does not reach ``sequence`` by itself; without ``sequence``, in any case;
        without a host, on all hosts. Lost: sent again after the host's next heartbeat."""
