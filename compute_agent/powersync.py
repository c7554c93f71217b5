"""Guests against the database: which state they are in, and which are gone."""

import logging

from common import context, periodic
from common.server_states import CRASHED, NOSTATE, SHUTDOWN, WITH_GUEST
from compute_agent.rpcapi import AgentAPI

LOG = logging.getLogger(__name__)
ENDED = (SHUTDOWN, CRASHED)


class Heartbeat(periodic.Heartbeat):
    """Tell the conductor that the host lives, what it has, and which guests changed their power state.

    That a guest ended is told when it was seen twice: when a host goes down, its guests may end a moment before its
    agent, and these are to run again when it is back.
    """

    def __init__(self, agent):
        super().__init__(float(agent.conf.report_interval))
        self.agent = agent
        self.told: dict[str, int] = {}
        self._seen: dict[str, int] = {}

    def beat(self) -> None:
        changed: dict[str, int] = {}
        if self.agent.guests_known.is_set():
            seen = {u: p for u, p in self.agent.driver.power_states().items() if u not in self.agent.resuming}
            changed = {u: p for u, p in seen.items() if self.told.get(u) != p and (p not in ENDED or self._seen.get(u) == p)}
            self._seen = seen
        self.agent.conductor.heartbeat(context.service_context(), self.agent.conf.host,
                                       self.agent.driver.host_resources(), changed, rpc_version=AgentAPI.version)
        self.told = {u: p for u, p in {**self.told, **changed}.items() if u in self._seen}


class PowerSync(periodic.Periodic):
    """Report guests that are missing from the hypervisor, and repeat what a lost heartbeat had told."""

    interval_s, jitter_s = 20.0, 5.0

    def __init__(self, agent, heartbeat: Heartbeat):
        self.agent, self.heartbeat = agent, heartbeat

    def run_once(self) -> None:
        agent, ctx = self.agent, context.service_context()
        if not agent.guests_known.is_set():
            return
        rows = agent.conductor.states_of(ctx, agent.conf.host)
        seen, found = agent.driver.power_states(), {}
        for row in rows:
            uuid = row["uuid"]
            if row["task_state"] or uuid in agent.resuming:
                continue
            if uuid not in seen:
                if row["vm_state"] in WITH_GUEST and self._missing(ctx, uuid):
                    LOG.warning("instance %s is %s, but its guest is missing", uuid, row["vm_state"])
                    found[uuid] = NOSTATE
            elif seen[uuid] != row["power_state"] and self.heartbeat.told.get(uuid) == seen[uuid]:
                found[uuid] = seen[uuid]
        if found:
            agent.conductor.report_power(ctx, agent.conf.host, found)

    def _missing(self, ctx, uuid: str) -> bool:
        """Look again while nothing is done to the server: it may have been built, or deleted, since the list was made."""
        agent = self.agent
        lock = agent.lock(uuid)
        if not lock.acquire(blocking=False):
            return False
        try:
            row = agent.conductor.get_instance(ctx, uuid)
            return (row is not None and row["host"] == agent.conf.host and not row["task_state"]
                    and row["vm_state"] in WITH_GUEST and uuid not in agent.driver.power_states())
        finally:
            lock.release()
