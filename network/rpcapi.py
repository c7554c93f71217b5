# mypy: disable-error-code="empty-body"
"""The network service on the bus: its agents call ``network``, it calls ``network-agent``."""

from common.interface import call, cast
from common.messages import HostName
from common.rpc import Client
from network.messages import Configurations, HostState, Inventory, PortState


class NetworkAPI(Client):
    """For agents. Answered by network-api."""

    topic = "network"

    @call(timeout_s=15)
    def get_state(self, ctx, host_name: HostName) -> HostState:
        """The whole state of a host."""

    @cast()
    def heartbeat(self, ctx, host_name: HostName, configurations: Configurations) -> None:
        """Lost: the next one comes; doubled: harmless."""


class NetworkAgentAPI(Client):
    """For network-api. Answered by the agent of one host."""

    topic = "network-agent"

    @call(timeout_s="timeout_s", to="host")
    def plug(self, ctx, host: HostName, state: PortState, timeout_s: int) -> None:
        """Make the given ports work before a guest starts. Repeatable."""

    @call(timeout_s=10, to="host")
    def inventory(self, ctx, host: HostName) -> Inventory:
        """What of our making is in a host's kernel."""

    @cast(to="host", fanout=True)
    def refresh(self, ctx, host: HostName | None = None) -> None:
        """Pull the whole state soon; without a host, every agent. Lost: the agent's periodic pull finds the change."""
