"""The network service on the bus: its agents call ``network``, it calls ``network-agent``."""

from common.rpc import Client


class NetworkAPI(Client):
    """For agents. Answered by network-api."""

    topic = "network"

    def get_state(self, ctx, host: str) -> dict:
        """Call, 1.0, 15 s: the whole state of a host (``db/state.py`` says its shape)."""
        return self.call(ctx, "get_state", host_name=host, timeout_s=15)

    def heartbeat(self, ctx, host: str, configurations: dict) -> None:
        """Cast, 1.0. Lost: the next one comes; doubled: harmless."""
        self.cast(ctx, "heartbeat", host_name=host, configurations=configurations)


class NetworkAgentAPI(Client):
    """For network-api. Answered by the agent of one host."""

    topic = "network-agent"

    def plug(self, ctx, host: str, state: dict, timeout_s: int) -> None:
        """Call, 1.0: make the given ports work before a guest starts. Repeatable.

        :param state: {"networks", "ports", "groups"} of the ports concerned
        """
        self.call(ctx, "plug", to=host, timeout_s=timeout_s, state=state)

    def inventory(self, ctx, host: str) -> dict:
        """Call, 1.0, 10 s: what of our making is in a host's kernel (``network/agent/audit.py`` says its shape)."""
        return self.call(ctx, "inventory", to=host, timeout_s=10)

    def refresh(self, ctx, host: str | None = None) -> None:
        """Cast, 1.0: pull the whole state soon. Lost: the agent's periodic pull finds the change."""
        self.cast(ctx, "refresh", to=host, fanout=host is None)
