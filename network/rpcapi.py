# mypy: disable-error-code="empty-body"
"""The network service on the bus: its agents call ``network``, it calls ``network-agent``."""

from typing import Annotated

from common.interface import call, cast
from common.messages import Added, HostName
from common.rpc import Client
from network.messages import Configurations, HostState, Inventory, PortState


class NetworkAPI(Client):
    """For agents. Answered by network-api."""

    topic = "network"
    level = "network"
    history = {
        "1.0": "The first version.",
        "1.1": "heartbeat takes rpc_version."}

    @call(timeout_s=15)
    def get_state(self, ctx, host_name: HostName) -> HostState:
        """The whole state of a host."""

    @cast()
    def heartbeat(self, ctx, host_name: HostName, configurations: Configurations,
                  rpc_version: Annotated[str | None, Added("1.1")] = None) -> None:
        """A host is alive; ``rpc_version`` is that of the interface which its agent answers. Lost: the next one comes; doubled:
        harmless."""


class NetworkAgentAPI(Client):
    """For network-api. Answered by the agent of one host."""

    topic = "network-agent"
    level = "network_agent"

    @call(timeout_s="timeout_s", to="host")
    def plug(self, ctx, host: HostName, state: PortState, timeout_s: int) -> None:
        """Make the given ports work before a guest starts. Repeatable."""

    @call(timeout_s=10, to="host")
    def inventory(self, ctx, host: HostName) -> Inventory:
        """What of our making is in a host's kernel."""

    @cast(to="host", fanout=True)
    def refresh(self, ctx, host: HostName | None = None) -> None:
        """Pull the whole state soon; without a host, every agent. Lost: the agent's periodic pull finds the change."""
