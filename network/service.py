"""The network API daemon."""

import logging

import sqlalchemy as sa

from common import db, errors, policy
from common.rest import path
from common.service import Service
from network import conf, policies, roles
from network.db import hosting, models, state
from network.rpcapi import NetworkAgentAPI


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

    VERSION = "1.0"

    def __init__(self, service):
        self.service = service

    def get_state(self, ctx, host_name: str) -> dict:
        with self.service.db.reader() as connection:
            return state.of_host(connection, host_name)

    def heartbeat(self, ctx, host_name: str, configurations: dict) -> None:
        with self.service.db.writer() as connection:
            before = hosting.closed_ports(connection, host_name)
            # An agent that has just started does not know yet which those are.
            configurations = {"closed_ports": sorted(before), **configurations}
            hosting.heartbeat(connection, host_name, configurations)
            closed = set(configurations["closed_ports"])
            # They pass nothing, because something of them cannot be rendered; their owner sees it and may mend it.
            for port_ids, old, new in ((closed, "ACTIVE", "DOWN"), (before - closed, "DOWN", "ACTIVE")):
                if port_ids:
                    p = models.ports
                    connection.execute(sa.update(p).where(
                        p.c.id.in_(port_ids), p.c.binding_host_id == host_name, p.c.binding_vif_type == "bridge",
                        p.c.status == old).values(status=new, revision_number=p.c.revision_number + 1, updated_at=db.now()))


class NetworkApi(Service):
    name, conf_name, db_name = "network-api", "network", "network"
    api, default_port, opts, topic = "network", 9696, conf.OPTS, "network"
    log = logging.getLogger("network")

    def setup(self) -> None:
        self.policy = Policy("network", policies.RULES, self.conf)
        self.agents = NetworkAgentAPI(self.conf)

    def endpoint(self):
        return Manager(self)

    def addresses_changed(self, port_ids: set[str]) -> None:
        """Tell compute that servers have other addresses, so that it shows them. Lost: it shows them at the next
        change; the network itself is right at once."""
        table = models.ports
        with self.db.reader() as connection:
            servers = connection.execute(sa.select(table.c.device_id).distinct().where(
                table.c.id.in_(port_ids), table.c.relation == roles.SERVER)).scalars().all() if port_ids else []
        if servers:
            events = [{"name": "network-changed", "server_uuid": s} for s in servers]
            try:
                self.rest.request("POST", "compute", path("/v2.1/os-server-external-events"), body={"events": events},
                                  timeout_s=5)
            except errors.Error as error:
                self.log.warning("compute was not told of changed addresses: %s", error)

    def refresh_agents(self, ctx, host: str | None = None) -> None:
        """Tell one agent, or all (None), to pull; "": none. With the bus down they find the change by themselves, later."""
        if host == "":
            return
        try:
            self.agents.refresh(ctx, host)
        except errors.ServiceUnavailable as error:
            self.log.warning("agents could not be told of a change, they will pull it: %s", error)
