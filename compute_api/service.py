"""The compute API daemon, which also serves metadata and the placement API on ports of their own."""

import logging

from common import errors, policy
from common.service import Service
from compute_agent.rpcapi import AgentAPI
from compute_api import policies
from compute_api.placement import policies as placement_policies
from conductor import conf
from conductor.db import hosts, secrets
from conductor.db.quotas import DEFAULTS
from conductor.rpcapi import ConductorAPI
from scheduler.rpcapi import SchedulerAPI

LOG = logging.getLogger(__name__)


class ComputeApi(Service):
    name, conf_name, db_name = "compute-api", "compute", "compute"
    api, default_port, opts = "compute", 8774, conf.OPTS

    @classmethod
    def extra_ports(cls, conf) -> dict[str, int]:
        """Metadata: only network agents connect, and sign each request."""
        return {"metadata": conf.compute.metadata_port, "placement": conf.compute.placement_port}

    def setup(self) -> None:
        self.policy = policy.Policy("compute", policies.RULES, self.conf)
        self.placement_policy = policy.Policy("placement", placement_policies.RULES, self.conf)
        self.scheduler, self.agents = SchedulerAPI(self.conf), AgentAPI(self.conf, lambda: hosts.compute_versions(self.db))
        self.conductor = ConductorAPI(self.conf)
        self.vault = secrets.vault_of(self.conf)

    @property
    def quota_defaults(self) -> dict:
        return {name: getattr(self.conf.quota, name) for name in DEFAULTS}

    def send(self, work, *args) -> None:
        """Cast; if the bus is down, the conductor's reconciler sends the request later, which the row records."""
        try:
            work(*args)
        except errors.ServiceUnavailable as error:
            LOG.warning("a message could not be sent; the reconciler will send it: %s", error)
