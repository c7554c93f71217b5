"""The network API daemon."""

import logging

from common import errors, policy
from common.rest import path
from common.service import Service
from network import conf, policies
from network.db import hosting, ports, state
from network.rpcapi import NetworkAgentAPI, NetworkAPI

MOST_EVENTS = 100  # in one request


class Policy(policy.Policy):
    """Refuses in the words of this API, which name the rules: clients and their users look for these."""

    refusal = "rule:%(rule)s is disallowed by policy"

    @staticmethod
    def refused(*rules: str) -> errors.Forbidden:
        """The error that names the rules that were asked."""
        asked = " and ".join(f"rule:{r}" for r in rules)
        return errors.Forbidden(f"{asked if len(rules) == 1 else f'({asked})'} is disallowed by policy")


class Manager:
    """What agents ask of network-api."""

    def __init__(self, service):
        self.service = service

    def get_state(self, ctx, host_name: str) -> dict:
        with self.service.db.reader() as connection:
            return state.of_host(connection, host_name)

    def heartbeat(self, ctx, host_name: str, configurations: dict, rpc_version: str | None = None) -> None:
        with self.service.db.writer() as connection:
            before = hosting.closed_ports(connection, host_name)
            # An agent that has just started does not know yet which those are.
            configurations = {"closed_ports": sorted(before), **configurations}
            hosting.heartbeat(connection, host_name, configurations, rpc_version)
            closed = set(configurations["closed_ports"])
            # The agent could not render the filters of a closed port, so it passes nothing. Its owner sees that, and may mend it.
            ports.change_status_on_host(connection, host_name, closed, old="ACTIVE", new="DOWN")
            ports.change_status_on_host(connection, host_name, before - closed, old="DOWN", new="ACTIVE")


class NetworkApi(Service):
    name, conf_name, db_name = "network-api", "network", "network"
    api, default_port, opts, answers = "network", 9696, conf.OPTS, NetworkAPI
    log = logging.getLogger("network")

    def setup(self) -> None:
        self.policy = Policy("network", policies.RULES, self.conf)
        self.agents = NetworkAgentAPI(self.conf, lambda: hosting.rpc_versions(self.db))

    def endpoint(self):
        return Manager(self)

    def addresses_changed(self, port_ids: set[str]) -> None:
        """Tell compute which addresses the servers of these ports have now, so that it shows them. Lost: it shows them at the
        next change; the network itself is right at once."""
        with self.db.reader() as connection:
            servers = ports.of_servers(connection, port_ids)
        events = [{"name": "network-changed", "server_uuid": s, "ports": own} for s, own in servers.items()]
        for first in range(0, len(events), MOST_EVENTS):
            try:
                self.rest.request("POST", "compute", path("/v2.1/os-server-external-events"),
                                  body={"events": events[first:first + MOST_EVENTS]}, timeout_s=5)
            except errors.Error as error:
                self.log.warning("the compute service could not be told of changed addresses: %s", error)

    def refresh_agents(self, ctx, host: str | None = None) -> None:
        """Tell one agent, or all (None), to pull; "": none. With the bus down they find the change by themselves, later."""
        if host == "":
            return
        try:
            self.agents.refresh(ctx, host)
        except errors.ServiceUnavailable as error:
            self.log.warning("agents could not be told of a change and will find it with their next poll: %s", error)
