"""Restarts the guests that were running before the host went down."""

import concurrent.futures
import logging
import pathlib
import time

from common import context, errors
from common.server_states import GUEST_RUNS, HARMLESS_TASKS, RESIZED, RUNNING

LOG = logging.getLogger(__name__)
AT_ONCE = 4


class GuestResume:
    """Runs once, in a thread, when the agent starts.

    If the hypervisor's generation is unchanged, only the agent was restarted: a stopped guest has ended by itself. If it has
    changed, the host was down, or the hypervisor was restarted with all guests: those that were running are started, ports first,
    if ``resume_guests_state_on_host_boot`` is set. Until these guests are known, no power state is reported, because a server
    whose guest ended becomes SHUTOFF. Servers that were evacuated meanwhile are removed first.
    """

    FORCED_DOWN_S = 5.0  # how often the conductor is asked whether an operator has ended that

    def __init__(self, agent):
        self.agent = agent
        self.marker = pathlib.Path(agent.conf.state_path) / "compute-hypervisor"

    def run(self) -> None:
        agent = self.agent
        generation, lost, may_start = "", [], False
        while not agent.stop_event.is_set():
            try:
                may_start = agent.fence.pass_through()
                generation = agent.driver.generation()
                lost = self._lost() if generation != self._known() else []
                break
            except errors.Error as error:
                LOG.warning("the guests that ran before cannot be determined yet: %s", error)
                agent.stop_event.wait(1)
        agent.resuming.update(i["uuid"] for i in lost)
        agent.guests_known.set()
        if lost and not may_start:
            self._wait_until_not_forced_down()
        if lost:
            LOG.warning("starting %d guests that ran before the host went down", len(lost))
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE, thread_name_prefix="resume") as pool:
                list(pool.map(self._start, lost))
        if not agent.stop_event.is_set():
            partial = self.marker.with_suffix(".new")
            partial.write_text(generation)
            partial.replace(self.marker)

    def _wait_until_not_forced_down(self) -> None:
        agent, may_start = self.agent, False
        LOG.warning("this host is forced down: no guest is started until an operator ends that")
        while not may_start and not agent.stop_event.is_set():
            agent.stop_event.wait(self.FORCED_DOWN_S)
            try:
                may_start = agent.fence.pass_through()
            except errors.ServiceUnavailable as error:
                LOG.info("it is not known yet whether this host is still forced down: %s", error)

    def _known(self) -> str | None:
        try:
            return self.marker.read_text()
        except FileNotFoundError:
            return None

    def _lost(self) -> list[dict]:
        """Rows of the servers that were running, and whose guests are gone without having ended by themselves."""
        agent = self.agent
        rows = agent.conductor.states_of(context.service_context(), agent.conf.host)
        if not agent.conf.resume_guests_state_on_host_boot:
            return []
        gone = agent.driver.lost_guests({r["uuid"] for r in rows if self._ran(r)})
        return [r for r in rows if r["uuid"] in gone]

    @staticmethod
    def _ran(row: dict) -> bool:
        runs = row["vm_state"] in GUEST_RUNS or row["vm_state"] == RESIZED and row["power_state"] == RUNNING
        return runs and row["task_state"] in HARMLESS_TASKS

    def _start(self, row: dict) -> None:
        agent, uuid, delay = self.agent, row["uuid"], 0.5
        context.activate(context.service_context())
        began = time.monotonic()
        try:
            while not agent.stop_event.is_set():
                try:
                    self._start_once(uuid)
                    LOG.info("instance %s is running again, %.1f s after the start of the agent", uuid, time.monotonic() - began)
                    return
                except errors.ServiceUnavailable as error:
                    LOG.info("instance %s could not be started yet: %s", uuid, error)
                    agent.stop_event.wait(delay)
                    delay = min(delay * 1.5, 5)
        except Exception as error:  # boundary of one server: it becomes SHUTOFF, the others are started
            LOG.error("instance %s, which ran before the host went down, cannot be started: %s %s", uuid, error,
                      getattr(error, "internal", None) or "", exc_info=not isinstance(error, errors.Error))
        finally:
            agent.resuming.discard(uuid)
            context.activate(None)

    def _start_once(self, uuid: str) -> None:
        agent = self.agent
        with agent.lock(uuid):
            instance = agent.conductor.get_instance(agent.context(), uuid)
            if instance is None or instance["host"] != agent.conf.host or not self._ran(instance):
                return
            if not agent.driver.lost_guests({uuid}):
                return
            agent.restore_guest(instance)
