"""The network API daemon."""

import logging

import sqlalchemy as sa

from common import batches, context, db_errors, errors, policy
from common.rest import path
from common.service import Service
from network import conf, policies
from network.db import heartbeats, hosting, ports, state
from network.failover import Failover
from network.fanout import Fanout
from network.rpcapi import NetworkAgentAPI, NetworkAPI

MAX_EVENTS_PER_REQUEST = 100  # in one request


class Policy(policy.Policy):
    """Errors with the texts of this API, which contain the names of the rules: clients and users look for these."""

    refusal = "rule:%(rule)s is disallowed by policy"

    @staticmethod
    def refused(*rules: str) -> errors.Forbidden:
        """The error with the names of the checked rules."""
        asked = " and ".join(f"rule:{r}" for r in rules)
        return errors.Forbidden(f"{asked if len(rules) == 1 else f'({asked})'} is disallowed by policy")


class Manager:
    """The RPC methods of network-api."""

    def __init__(self, service):
        self.service = service
        self.heartbeats = batches.Batch(self._write_heartbeats)

    def get_state(self, ctx, host_name: str) -> dict:
        with self.service.db.reader() as connection:
            return state.of_host(connection, host_name)

    def heartbeat(self, ctx, host_name: str, configurations: dict, rpc_version: str | None = None) -> None:
        self.heartbeats.put(host_name, {**configurations, "rpc_version": rpc_version})

    def _write_heartbeats(self, reports: dict[str, dict]) -> None:
        try:
            self._written(reports)
        except Exception as error:  # an error in one host's report must not make the other hosts appear down
            if len(reports) == 1 or isinstance(error, sa.exc.SQLAlchemyError) and db_errors.kind(error) == "away":
                raise
            self.service.log.warning("%d heartbeats are written separately: %s", len(reports), error)
            for host, report in reports.items():
                try:
                    self._written({host: report})
                except Exception:  # boundary of one host
                    self.service.log.exception("the heartbeat of host %s could not be written", host)

    def _written(self, reports: dict[str, dict]) -> None:
        """Write heartbeats, and send the hosts the changes that they lack."""
        found = self.service.db.transact(heartbeats.write, reports)
        ctx = context.service_context()
        try:
            for host, sequence in found.behind.items():
                self.service.agents.refresh(ctx, host, sequence)
            if found.new_tunnels:
                self.service.agents.hosts_added(ctx, found.new_tunnels)
        except errors.ServiceUnavailable as error:
            self.service.log.info("hosts could not be sent the changes that they lack; their next heartbeat will trigger it "
                                  "again: %s", error)


class NetworkApi(Service):
    name, conf_name, db_name = "network-api", "network", "network"
    api, default_port, opts, interface = "network", 9696, conf.OPTS, NetworkAPI
    log = logging.getLogger("network")

    def setup(self) -> None:
        self.policy = Policy("network", policies.RULES, self.conf)
        self.agents = NetworkAgentAPI(self.conf, lambda: hosting.rpc_versions(self.db))
        self.fanout = Fanout(self)
        if self.conf.network.failover:
            self.periodics.append(Failover(self))

    def endpoint(self):
        return Manager(self)

    def ports_changed(self, port_ids: set[str]) -> None:
        """Notify the compute service of the addresses and security groups of these ports' servers, which it shows. If this is
        lost, it shows them after the next change; the network itself is not affected."""
        if not port_ids:
            return
        with self.db.reader() as connection:
            servers = ports.of_servers(connection, port_ids)
        self._tell_compute([{"name": "network-changed", "server_uuid": s, "ports": own} for s, own in servers.items()])

    def interfaces_deleted(self, deleted: list[dict]) -> None:
        """Notify the compute service of ports of servers that a user deleted, so that the guests lose the interfaces. If this is
        lost, a guest keeps one that is connected to nothing until it is detached."""
        self._tell_compute([{"name": "network-vif-deleted", "server_uuid": port["device_id"], "tag": port["id"]}
                            for port in deleted])

    def _tell_compute(self, events: list[dict]) -> None:
        for first in range(0, len(events), MAX_EVENTS_PER_REQUEST):
            try:
                self.rest.request("POST", "compute", path("/v2.1/os-server-external-events"),
                                  body={"events": events[first:first + MAX_EVENTS_PER_REQUEST]}, timeout_s=5)
            except errors.Error as error:
                self.log.warning("the compute service could not be notified of changed ports: %s", error)
                if isinstance(error, errors.ServiceUnavailable):
                    return  # the user waits, and would wait as long for each request
