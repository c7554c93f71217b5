"""The network agent: brings the bridges, DHCP, filters and routers of a host to the desired state.

It keeps a replica of the state of its host: pulled at start, and updated by numbered changes (``replica.py`` handles lost, late
and repeated ones). ``plug`` is a change that somebody waits for. Applying a state is repeatable. While the API does not respond,
everything stays as it is.
"""

import importlib
import logging
import threading
import time

from common import context, errors, periodic
from common.service import Service
from network import conf
from network.agent.backoff import jittered
from network.agent.replica import Replica
from network.rpcapi import NetworkAgentAPI, NetworkAPI

LOG = logging.getLogger(__name__)
# Seconds that a plug waits for the first whole state after the start: longer than a pull may take, and less than plug_timeout_s.
FIRST_S = 25.0
_DATAPLANES = {"linux": "network.agent.dataplane:LinuxDataplane", "fake": "network.agent.fake:FakeDataplane"}


class Heartbeat(periodic.Heartbeat):
    def __init__(self, agent):
        super().__init__(float(agent.conf.report_interval))
        self.agent = agent

    def beat(self) -> None:
        agent = self.agent
        agent.network.heartbeat(context.service_context(), agent.conf.host, {
            **agent.dataplane.facts(), "sequence": agent.replica.sequence}, rpc_version=NetworkAgentAPI.version)


class Resync(periodic.Periodic):
    """Applies the replica: after each change, every minute, and earlier for retries of failed parts. Other programs may have
    changed the kernel's state.

    The whole state is pulled at start, when changes are missing, and every ten minutes. Failed pulls are retried after 1 s, 2 s,
    4 s and so on, up to a minute; changes are applied immediately.
    """

    interval_s, jitter_s = 0.05, 0.0
    EVERY_S, PULL_EVERY_S = 60.0, 600.0

    def __init__(self, agent):
        self.agent = agent
        self.wanted, self.pull = threading.Event(), threading.Event()
        self.refresh()
        self._due = self._pull_due = 0.0
        self._wait_s = 1.0
        self._failed = False

    def refresh(self) -> None:
        """Pull the whole state soon."""
        self.pull.set()
        self.wanted.set()

    def run_once(self) -> None:
        gap_s = None if self._failed else self.agent.replica.pull_in_s()
        due = self._due if gap_s is None else min(self._due, time.monotonic() + gap_s)
        if self.wanted.wait(max(0.0, due - time.monotonic())):
            self._wait_s = 1.0
        self.wanted.clear()
        if self.agent.replica.pull_in_s() == 0 or time.monotonic() >= self._pull_due:
            self.pull.set()
        pull, self._failed = self.pull.is_set(), True
        if pull:
            self.pull.clear()
        next_s, self._wait_s = self._wait_s, min(self._wait_s * 2, self.EVERY_S)
        try:
            self.agent.resync(pull=pull)
            next_s, self._wait_s, self._failed = self.EVERY_S, 1.0, False
            if pull:
                self._pull_due = time.monotonic() + jittered(
                    self.EVERY_S if self.agent.replica.sequence is None else self.PULL_EVERY_S)
        finally:
            if self._failed and pull:
                self.pull.set()
            self._due = time.monotonic() + jittered(next_s)
            retry_s = self.agent.dataplane.retry_s()
            if retry_s is not None:  # has jitter already
                self._due = min(self._due, time.monotonic() + retry_s)


class Metering(periodic.Periodic):
    """Reports the counted traffic. As in OpenStack, lost reports are not repeated."""

    def __init__(self, agent):
        self.agent = agent
        self.interval_s = float(agent.conf.network.metering_interval_s)

    def run_once(self) -> None:
        with self.agent.lock:
            found = self.agent.dataplane.metered()
        for payload in found:
            self.agent.notifier.notify(context.service_context(), "l3.meter", payload)


class NetworkAgent(Service):
    name, conf_name = "network-agent", "network"
    opts, interface = conf.OPTS, NetworkAgentAPI
    rpc_threads = 16

    def setup(self) -> None:
        module, _, cls = _DATAPLANES[self.conf.network.driver].partition(":")
        self.dataplane = getattr(importlib.import_module(module), cls)(self.conf)
        self.network = NetworkAPI(self.conf)
        self.lock = threading.Lock()
        self.plugged = 0
        self.applied = threading.Event()  # a whole state
        self.replica = Replica()
        self.resyncer = Resync(self)
        self.periodics += [Heartbeat(self), self.resyncer, Metering(self)]

    def endpoint(self):
        return Manager(self)

    def resync(self, *, pull: bool) -> None:
        """Apply the state that is known, after a pull or without. One that was pulled while an API of the release before, which
        does not number its changes, had a port plugged is pulled again: it may lack that port. The lock is not held while the
        API is asked, so that plugs never wait for it."""
        while not self.stop_event.is_set():
            before = self.plugged
            if pull:
                self.replica.pull_begins()
            state = self.network.get_state(context.service_context(), self.conf.host) if pull else None
            with self.lock:
                if state is not None and self.plugged != before:
                    continue
                if state is not None:
                    self.replica.pulled(state)
                try:
                    self.dataplane.apply(self.replica.state())
                finally:  # parts of it may have failed
                    if self.dataplane.whole:
                        self.applied.set()
                return


class Manager:
    def __init__(self, agent):
        self.agent = agent

    def plug(self, ctx, state: dict) -> None:
        """
        :raises StepFailed: the host's network could not be built; or the agent has not applied a whole state since its start:
            with this port alone, it would remove the filters of all other guests
        """
        if not self.agent.applied.is_set():
            self.agent.resyncer.refresh()
            if not self.agent.applied.wait(FIRST_S):
                raise errors.StepFailed(reason="The host's network is not set up yet.")
        agent, numbers = self.agent, state.get("sequences", [])
        change = {**{kind: {x["id"]: x for x in state[kind]} for kind in ("networks", "ports")}, "groups": state["groups"],
                  "routers": state.get("routers", {}), "whole": state.get("whole", []), "sequences": numbers}
        with agent.lock:
            known = agent.dataplane.networks()
            if not numbers:
                agent.plugged += 1
            agent.replica.offer(change, urgent=True)
            agent.dataplane.apply(agent.replica.part(change), partial=True)
        if change["routers"]:
            agent.resyncer.wanted.set()
        elif not numbers and set(change["networks"]) - known:
            # The first guest of a network here: a distributed router of it may have to come too.
            agent.resyncer.refresh()

    def changed(self, ctx, change: dict) -> None:
        """Something that concerns this host is another now. Doubled or late: dropped; out of turn: it waits."""
        if self.agent.replica.offer(change) or self.agent.replica.pull_in_s() is not None:
            self.agent.resyncer.wanted.set()

    def hosts_added(self, ctx, addresses: list) -> None:
        """The cloud has hosts more, from which tunnels are taken and which guests must not reach."""
        if self.agent.replica.hosts_added(addresses):
            self.agent.resyncer.wanted.set()

    def inventory(self, ctx) -> dict:
        return self.agent.dataplane.inventory()

    def refresh(self, ctx, sequence: int | None = None) -> None:
        """Pull the whole state, or, given how far network-api is, do so if this host does not get there by itself."""
        if sequence is None:
            self.agent.resyncer.refresh()
            return
        self.agent.replica.expect(sequence)
        if self.agent.replica.sequence is None:
            self.agent.resyncer.refresh()
        elif self.agent.replica.pull_in_s() is not None:
            self.agent.resyncer.wanted.set()
