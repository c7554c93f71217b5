"""Synchronises power states with the database, and finds guests that are missing."""

import collections.abc
import contextlib
import logging
import random
import threading
import time

from common import context, errors, periodic
from common.server_states import CRASHED, NOSTATE, SEEN, SHUTDOWN, WITH_GUEST
from compute_agent.rpcapi import AgentAPI

LOG = logging.getLogger(__name__)
ENDED = (SHUTDOWN, CRASHED)


@contextlib.contextmanager
def idle(agent, uuids: collections.abc.Iterable[str]):
    """Yields the servers without an operation in progress. None begins until the block ends, so that reported power states are
    not older than an operation's report.
    """
    with contextlib.ExitStack() as stack:
        free = []
        for uuid in sorted(uuids):
            lock = agent.lock(uuid)
            if lock.acquire(blocking=False):
                stack.callback(lock.release)
                free.append(uuid)
        yield free


class Heartbeat(periodic.Heartbeat):
    """Reports to the conductor that the host is up, its resources, and the guests whose power state changed.

    Checks the guests every LOOK_S seconds and reports changes at once; without changes, every ``report_interval``. A new guest is
    no change: its build was reported. A guest's end is reported after it was seen twice: when a host shuts down, its guests may
    end just before the agent, and these are to be resumed.
    """

    LOOK_S = 10.0

    def __init__(self, agent):
        self.report_s = float(agent.conf.report_interval)
        super().__init__(min(self.LOOK_S, self.report_s))
        self.agent = agent
        self.reported: dict[str, int] = {}
        self.missing = threading.Event()  # a guest that was there at the last look is there no more
        self._seen: dict[str, int] = {}
        self._sequence, self._sent_at = 0, float("-inf")
        self._unanswered = 0  # looks since the hypervisor answered

    def _look(self) -> dict[str, int]:
        """The guests whose power state changed."""
        seen = {u: p for u, p in self.agent.driver.power_states().items() if u not in self.agent.resuming}
        changed = {u: p for u, p in seen.items() if self.reported.get(u) != p and (p not in ENDED or self._seen.get(u) == p)}
        if set(self._seen) - set(seen):
            self.missing.set()
        self._seen = seen
        return changed

    def report_all(self) -> None:
        """Tell every guest's power state with the next look, as if none had been told."""
        self.reported = {}

    def beat(self) -> None:
        if not self.agent.fence.passed.is_set():
            return
        if self._sent_at + self.agent.conf.service_down_time / 2 < time.monotonic() and self._sequence:
            self.agent.fence.pass_through()
        told_unusable = self._unanswered > 1
        try:
            changed = self._look() if self.agent.guests_known.is_set() else {}
            self._unanswered = 0
        except errors.ServiceUnavailable as error:
            self._unanswered += 1
            if self._unanswered == 1:
                LOG.warning("%s", error)
                return
            changed = {}
        early = self.interval_s < self.steady_s  # whoever listens may have started after this agent
        early |= told_unusable != (self._unanswered > 1)
        if not early and not set(changed) & set(self.reported) and time.monotonic() - self._sent_at < self.report_s - 1:
            return
        with idle(self.agent, changed) as still:
            now = self.agent.driver.power_states() if still else {}
            changed = {u: changed[u] for u in still if now.get(u) == changed[u]}
            self._sequence += 1  # includes those that the broker did not take
            self.agent.conductor.heartbeat(
                context.service_context(), self.agent.conf.host, self.agent.driver.host_resources(), changed,
                rpc_version=AgentAPI.version, sequence=self._sequence)
        self._sent_at = time.monotonic()
        self.reported = {u: p for u, p in {**self.reported, **changed}.items() if u in self._seen}


def _contradicts(power: int, row: dict) -> bool:
    """Whether a guest is in another power state than its row says, or in one that cannot be in the row's state: an operator may
    have reset that."""
    return power != row["power_state"] or power in SEEN and row["vm_state"] in SEEN[power][0]


class PowerSync(periodic.Periodic):
    """Compares all guests with the database: when one is missing, and every ten minutes."""

    interval_s, jitter_s = 5.0, 1.0
    EVERY_S = 600.0

    def __init__(self, agent, heartbeat: Heartbeat):
        self.agent, self.heartbeat = agent, heartbeat
        self._due = float("-inf")

    def run_once(self) -> None:
        if not self.agent.guests_known.is_set() or not (
                self.heartbeat.missing.is_set() or time.monotonic() >= self._due):
            return
        self.heartbeat.missing.clear()
        self._due = float("-inf")  # retried at the next pass
        self.compare()
        self._due = time.monotonic() + self.EVERY_S * random.uniform(0.9, 1.1)

    def compare(self) -> None:
        agent, ctx = self.agent, context.service_context()
        rows = agent.conductor.states_of(ctx, agent.conf.host)
        seen = agent.driver.power_states()
        suspects = [r["uuid"] for r in rows if not r["task_state"] and r["uuid"] not in agent.resuming and (
            r["vm_state"] in WITH_GUEST if r["uuid"] not in seen else
            _contradicts(seen[r["uuid"]], r) and self.heartbeat.reported.get(r["uuid"]) == seen[r["uuid"]])]
        with idle(agent, suspects) as still:
            seen = agent.driver.power_states() if still else {}
            found = {uuid: seen.get(uuid, NOSTATE) for uuid in still if self._is_wrong(ctx, uuid, seen)}
            if found:
                agent.conductor.report_power(ctx, agent.conf.host, found)

    def _is_wrong(self, ctx, uuid: str, seen: dict[str, int]) -> bool:
        """Check again while no operation is in progress: the server may have been built or deleted since the list was read."""
        row = self.agent.conductor.get_instance(ctx, uuid)
        if row is None or row["host"] != self.agent.conf.host or row["task_state"]:
            return False
        if uuid in seen:
            return _contradicts(seen[uuid], row)
        if row["vm_state"] in WITH_GUEST:
            LOG.warning("instance %s is %s, but its guest is missing", uuid, row["vm_state"])
            return True
        return False
