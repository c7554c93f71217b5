"""The resources on each host of a cloud: of this host directly, of others by requests to their agents."""

import concurrent.futures
import functools
import logging
import typing

from common import conf, context, errors
from common.tasks import Journal

LOG = logging.getLogger(__name__)
AT_ONCE = 16


@functools.cache
def _agents(state: str) -> dict[str, typing.Any]:
    """Clients of the agents, created once per process: each has a connection to the bus."""
    from compute_agent import conf as compute_conf
    from compute_agent.rpcapi import AgentAPI as ComputeAgentAPI
    from network.rpcapi import NetworkAgentAPI
    from volume.rpcapi import AgentAPI as VolumeAgentAPI
    loaded = conf.load("compute-agent", compute_conf.OPTS, state)
    return {"compute": ComputeAgentAPI(loaded), "network": NetworkAgentAPI(loaded), "volume": VolumeAgentAPI(loaded)}


class Inventory:
    """``compute``, ``network`` and ``volume`` resources of hosts, in the format of the services' ``inventory`` modules."""

    def __init__(self, state: str):
        from compute_agent import conf as compute_conf
        from compute_agent import virt
        from network import conf as network_conf
        from volume import conf as volume_conf
        from volume import drivers
        self.state = state
        self.compute_conf = conf.load("compute-agent", compute_conf.OPTS, state)
        self.network_conf = conf.load("network", network_conf.OPTS, state)
        self.volume_conf = conf.load("volume", volume_conf.OPTS, state)
        self.host, self.cloud_id = self.compute_conf.host, self.compute_conf.cloud_id
        self.virt = virt.load(self.compute_conf)
        self.volumes = drivers.load(self.volume_conf)

    def of(self, kind: str, hosts: typing.Iterable[str]) -> dict[str, dict | None]:
        """{host: inventory}; None for a host that does not respond.

        :param kind: "compute", "network" or "volume"
        """
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            wanted = sorted(set(hosts))
            return dict(zip(wanted, pool.map(lambda host: self._one(kind, host), wanted)))

    def _one(self, kind: str, host: str) -> dict | None:
        try:
            if host == self.host:
                return self._local(kind)
            return _agents(self.state)[kind].inventory(context.service_context(), host)
        except errors.ServiceUnavailable as error:
            LOG.warning("host %s (%s): %s", host, kind, error)
            return None

    def _local(self, kind: str) -> dict:
        if kind == "compute":
            from compute_agent import inventory as compute
            return compute.of(self.virt, Journal(f"{self.state}/tasks/compute"))
        if kind == "volume":
            from volume import inventory as volume
            return volume.of(self.volumes, Journal(f"{self.state}/tasks/volume"))
        from network.agent import audit as network
        return network.inventory()

    def reconcile(self, kind: str, host: str) -> None:
        """Have the agent of a host remove orphaned resources. :raises ServiceUnavailable: it does not respond"""
        agents, ctx = _agents(self.state), context.service_context()
        agents["compute"].reconcile(ctx, host) if kind == "compute" else agents["network"].refresh(ctx, host)
