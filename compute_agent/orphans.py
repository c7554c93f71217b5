"""Guests and files on this host without a server on this host."""

import logging

from common import context, periodic
from compute_agent.tasks.boot import Boot
from compute_agent.tasks.delete import Delete

LOG = logging.getLogger(__name__)


class OrphanReconciler(periodic.Periodic):
    """Destroys a guest only if its metadata says that this host of this cloud created it, and its server is gone or idle on
    another host. Guests without that metadata are left alone; the audit shows them.
    """

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
                # Queried one by one: the server may have moved here since the list was read.
                instance = agent.conductor.get_instance(ctx, uuid)
                if self.is_orphan(uuid, instance, agent.driver.owners().get(uuid)):
                    LOG.warning("destroyed guest %s, which belonged to no server of this host", uuid)
                    agent.last_steps.pop(uuid, None)
                    agent.driver.destroy(uuid)
                    agent.driver.remove_files(uuid)

    def is_orphan(self, uuid: str, instance: dict | None, owner: tuple[str, str] | None) -> bool:
        """:param owner: the guest's ``driver.owners``; None if only files exist"""
        agent = self.agent
        if any(agent.tasks.leftover(task.name, uuid) for task in (Boot, Delete)):
            return False  # an interrupted task decides
        if instance is not None and (instance["host"] in (agent.conf.host, None) or instance["task_state"]):
            return False  # this host's, or migrating to or from it
        if instance is not None and agent.conf.host in agent.conductor.hosts_of(agent.context(), uuid):
            return False  # it left this host, and may return until the migration is confirmed
        if owner is None:
            return instance is None
        if owner != (agent.conf.cloud_id, agent.conf.host):
            if uuid not in self._shown:
                LOG.warning("guest %s belongs to no server of this host, and was not created by it (%s): ignored", uuid, owner)
                self._shown.add(uuid)
            return False
        return True
