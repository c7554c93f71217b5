"""Guests and files on this host that belong to no server of it."""

import logging

from common import context, periodic
from compute_agent.tasks.boot import Boot
from compute_agent.tasks.delete import Delete

LOG = logging.getLogger(__name__)


class OrphanReconciler(periodic.Periodic):
    """Destroy a guest only if it says itself that this host of this cloud made it, and its server is gone or idle on
    another host. A guest without that mark is somebody else's, or cannot be judged: it is left, and the audit shows it."""

    interval_s, jitter_s = 600.0, 60.0

    def __init__(self, agent):
        self.agent = agent
        self._shown: set[str] = set()

    def run_once(self) -> None:
        agent, ctx = self.agent, context.service_context()
        owners = agent.driver.owners()
        here = set(owners) | set(agent.driver.directories())
        known = {row["uuid"] for row in agent.conductor.states_of(ctx, agent.conf.host)}
        for uuid in here - known:
            with agent.lock(uuid):
                # Asked one by one: it may have come to this host since the list was made.
                instance = agent.conductor.get_instance(ctx, uuid)
                if self.is_orphan(uuid, instance, agent.driver.owners().get(uuid)):
                    LOG.warning("guest %s belonged to no server of this host and was destroyed", uuid)
                    agent.driver.destroy(uuid)
                    agent.driver.remove_files(uuid)

    def is_orphan(self, uuid: str, instance: dict | None, owner: tuple[str, str] | None) -> bool:
        """:param owner: what ``driver.owners`` says of the guest; None where there are only files"""
        agent = self.agent
        if any(agent.tasks.leftover(task.name, uuid) for task in (Boot, Delete)):
            return False  # the task that was interrupted decides
        if instance is not None and (instance["host"] in (agent.conf.host, None) or instance["task_state"]):
            return False  # ours, or on its way: from here, or to here
        if instance is not None and agent.conf.host in agent.conductor.hosts_of(agent.context(), uuid):
            return False  # it came from here, and may come back until its move is confirmed
        if owner is None:
            return instance is None
        if owner != (agent.conf.cloud_id, agent.conf.host):
            if uuid not in self._shown:
                LOG.warning("guest %s belongs to no server of this host, and was not created by it (%s): ignored", uuid, owner)
                self._shown.add(uuid)
            return False
        return True
