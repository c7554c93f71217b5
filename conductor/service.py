"""The conductor daemon."""

from common import errors
from common.service import Service
from compute_agent.rpcapi import AgentAPI
from conductor import conf, operations, pending_work
from conductor.confirmation import AutomaticConfirmation
from conductor.db import hosts, secrets
from conductor.db.announcements import Announcement
from conductor.manager import Manager
from conductor.offloading import AutomaticOffload
from conductor.operations.kinds import KINDS
from conductor.reclaiming import Reclaiming
from conductor.retention import Retention
from conductor.rpcapi import ConductorAPI
from scheduler.rpcapi import SchedulerAPI, request_spec


class Conductor(Service):
    name, conf_name, db_name = "conductor", "compute", "compute"
    opts, interface = conf.OPTS, ConductorAPI

    def setup(self) -> None:
        self.scheduler, self.agents = SchedulerAPI(self.conf), AgentAPI(self.conf, lambda: hosts.compute_versions(self.db))
        self.vault = secrets.vault_of(self.conf)
        self.manager = Manager(self)
        self.operations = operations.Engine(self, [kind() for kind in KINDS])
        self.periodics += [pending_work.PendingWorkReconciler(self), Retention(self), operations.OperationRunner(self.operations),
                           AutomaticConfirmation(self), AutomaticOffload(self), Reclaiming(self),
                           Announcement(self, "nova-conductor")]

    def endpoint(self):
        return self.manager

    def schedule(self, ctx, row: dict) -> None:
        """Request a host. If no answer comes, the reconciler requests it again."""
        try:
            self.scheduler.build(ctx, [request_spec(row)])
        except errors.ServiceUnavailable:
            return

    def notify(self, ctx, what: str, uuid: str, *, error: bool = False, project: str | None = None) -> None:
        """Send a notification about a server's current state. ``project``: the server's, if it is known"""
        self.manager._notify_current(ctx, what, uuid, error=error, project=project)

    def local_delete(self, ctx, uuid: str) -> None:
        pending_work.local_delete(self, ctx, uuid)
