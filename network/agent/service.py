"""The network agent: makes one host's bridges, DHCP, filters and routers look as the API says.

It is told little: ``plug`` (some ports must work now) and ``refresh``
(something changed, pull all of it). Applying a state twice changes nothing, so
lost, late and doubled messages do no harm; a periodic pull corrects what was
lost. While the API cannot be asked, what is built stays as it is.
"""

import importlib
import logging
import threading
import time

from common import context, periodic
from common.service import Service
from network import conf
from network.agent.backoff import jittered
from network.rpcapi import NetworkAgentAPI, NetworkAPI

LOG = logging.getLogger(__name__)
_DATAPLANES = {"linux": "network.agent.dataplane:LinuxDataplane", "fake": "network.agent.fake:FakeDataplane"}


class Heartbeat(periodic.Heartbeat):
    def __init__(self, agent):
        super().__init__(float(agent.conf.report_interval))
        self.agent = agent

    def beat(self) -> None:
        self.agent.network.heartbeat(context.service_context(), self.agent.conf.host, self.agent.dataplane.facts(),
                                     rpc_version=NetworkAgentAPI.version)


class Resync(periodic.Periodic):
    """Pull everything at start and every minute; sooner when told of a change, or when a part of the host that could not be
    made is to be tried again.

    While that fails, it is tried again after 1 s, 2 s, 4 s and so on, up to a minute; each change is tried at once.
    """

    interval_s, jitter_s = 0.05, 0.0
    EVERY_S = 60.0

    def __init__(self, agent):
        self.agent = agent
        self.wanted = threading.Event()
        self.wanted.set()
        self._due = 0.0
        self._wait_s = 1.0

    def run_once(self) -> None:
        if self.wanted.wait(max(0.0, self._due - time.monotonic())):
            self._wait_s = 1.0
        self.wanted.clear()
        next_s, self._wait_s = self._wait_s, min(self._wait_s * 2, self.EVERY_S)
        try:
            self.agent.resync()
            next_s, self._wait_s = self.EVERY_S, 1.0
        finally:
            self._due = time.monotonic() + jittered(next_s)
            retry_s = self.agent.dataplane.retry_s()
            if retry_s is not None:  # jittered already
                self._due = min(self._due, time.monotonic() + retry_s)


class Metering(periodic.Periodic):
    """Tell what was counted. A report that is lost is lost, as in OpenStack: there is nobody to ask again."""

    def __init__(self, agent):
        self.agent = agent
        self.interval_s = float(agent.conf.network.metering_interval_s)

    def run_once(self) -> None:
        with self.agent.lock:
            found = self.agent.dataplane.metered()
        for payload in found:
            self.agent.notifier.tell(context.service_context(), "l3.meter", payload)


class NetworkAgent(Service):
    name, conf_name = "network-agent", "network"
    opts, answers = conf.OPTS, NetworkAgentAPI
    rpc_threads = 16

    def setup(self) -> None:
        module, _, cls = _DATAPLANES[self.conf.network.driver].partition(":")
        self.dataplane = getattr(importlib.import_module(module), cls)(self.conf)
        self.network = NetworkAPI(self.conf)
        self.lock = threading.Lock()
        self.plugged = 0
        self.resyncer = Resync(self)
        self.periodics += [Heartbeat(self), self.resyncer, Metering(self)]

    def endpoint(self):
        return Manager(self)

    def resync(self) -> None:
        """Pull the whole state and apply it. One that a plug has overtaken is thrown away and pulled again: it may
        lack the port that was plugged. The lock is not held while the API is asked, so that plugs never wait for it."""
        while not self.stop_event.is_set():
            before = self.plugged
            state = self.network.get_state(context.service_context(), self.conf.host)
            with self.lock:
                if self.plugged == before:
                    self.dataplane.apply(state)
                    return


class Manager:
    def __init__(self, agent):
        self.agent = agent

    def plug(self, ctx, state: dict) -> None:
        with self.agent.lock:
            self.agent.plugged += 1
            known = self.agent.dataplane.networks()
            self.agent.dataplane.apply(state, partial=True)
        if {n["id"] for n in state["networks"]} - known:
            # The first guest of a network here: a distributed router of it may have to come too.
            self.agent.resyncer.wanted.set()

    def inventory(self, ctx) -> dict:
        return self.agent.dataplane.inventory()

    def refresh(self, ctx) -> None:
        self.agent.resyncer.wanted.set()
