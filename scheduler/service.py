"""The scheduler daemon."""

import logging

from common import errors
from common.service import Service
from compute_agent.rpcapi import AgentAPI
from conductor import conf
from conductor.db import hosts
from conductor.db.announcements import Announcement
from scheduler import shelved, targets
from scheduler.messages import RequestSpec
from scheduler.placement import Placement, Refresher
from scheduler.rpcapi import SchedulerAPI

LOG = logging.getLogger(__name__)


class Scheduler(Service):
    name, conf_name, db_name = "scheduler", "compute", "compute"
    opts, interface = conf.OPTS, SchedulerAPI

    def setup(self) -> None:
        self.placement, self.agents = Placement(self.conf, self.db), AgentAPI(self.conf, lambda: hosts.compute_versions(self.db))
        self.periodics += [Refresher(self.placement), Announcement(self, "nova-scheduler")]

    def endpoint(self):
        return Manager(self)


class Manager:
    def __init__(self, service):
        self.service = service

    def claim_target(self, ctx, uuid: str, attempt: int, migration_id: int, requested_host: str | None,
                     force: bool = False) -> str | None:
        return targets.claim(self.service.placement, uuid, attempt, migration_id, requested_host, force=force)

    def claim_host(self, ctx, uuid: str, attempt: int, requested_host: str | None) -> str | None:
        return shelved.claim(self.service.placement, uuid, attempt, requested_host)

    def build(self, ctx, specs: list[RequestSpec]) -> None:
        """Place each server. If no host is suitable, it becomes ERROR; if its host cannot be reached, the conductor's reconciler
        repeats the request."""
        for spec in specs:
            try:
                host = self.service.placement.place(ctx, spec)
            except errors.NoValidHost as error:
                self.service.placement.refuse(ctx, spec, error)
                continue
            if host:
                try:
                    self.service.agents.build(ctx, host, spec["uuid"])
                except errors.ServiceUnavailable as error:
                    LOG.warning("host %s could not be told to build instance %s: %s", host, spec["uuid"], error)
