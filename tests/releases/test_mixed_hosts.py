"""A host of the release before and one of this release, with one conductor and one scheduler, while hosts are upgraded."""

import pytest

from common import context, errors, rpc, upgrade
from common.periodic import wait_for
from compute_agent.operations import Operations
from compute_agent.rpcapi import AgentAPI
from conductor.db import hosts, instances, machine
from conductor.rpcapi import ConductorAPI
from tests.histories import api
from tests.histories.world import HOSTS, Place

CTX = context.service_context()


class OldAgents(rpc.Client):
    """What agents of 1.0 answer."""

    topic = AgentAPI.topic


OldAgents.methods = {name: m for name, m in AgentAPI.methods.items() if m.version == (1, 0)}


class OldAgent:
    """Its operations, with the reports of its release: they have no attempt."""

    def __init__(self, world, host: str, conf):
        self.agent = world.agents[host]
        self.agent.conductor = ConductorAPI(conf)
        self.heard: list[tuple] = []

    def build(self, ctx, uuid):
        self.heard.append(("build", uuid))
        Operations(self.agent).build(ctx, uuid)

    def power(self, ctx, uuid, action):
        Operations(self.agent).power(ctx, uuid, action)


class NewAgent(OldAgent):
    def extend_volume(self, ctx, uuid, volume_id):
        self.heard.append(("extend_volume", uuid, volume_id))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("mixed")
    for directory in (path, *(path / host for host in HOSTS)):
        (directory / "etc").mkdir(parents=True)
        (directory / "etc" / "pileus.conf").write_text("[DEFAULT]\ntransport_url = fake://\n")
    return Place(path)


@pytest.fixture
def mixed(place, monkeypatch):
    """(world, {host: agent}, client of the controllers, start): node1 is old, node2 new."""
    monkeypatch.setattr(upgrade, "REFRESH_S", -1)
    servers = []

    def start(conf, interface, host, endpoint):
        servers.append(rpc.server(conf, interface, host, endpoint))
        servers[-1].start()
        return endpoint
    with place.world() as world:
        controller, old, new = (world.confs[name] for name in ("controller", *HOSTS))
        old.set_override("conductor", "1.0", group="upgrade_levels")
        start(controller, ConductorAPI, "controller", world.conductor)
        agents = {"node1": start(old, OldAgents, "node1", OldAgent(world, "node1", old)),
                  "node2": start(new, AgentAPI, "node2", NewAgent(world, "node2", new))}
        client = AgentAPI(controller, lambda: hosts.compute_versions(world.db))
        for host, version in (("node1", None), ("node2", AgentAPI.version)):
            agents[host].agent.conductor.heartbeat(CTX, host, agents[host].agent.driver.host_resources(), {}, rpc_version=version)
        wait_for(lambda: set(hosts.compute_versions(world.db)) == {None, AgentAPI.version}, 30, what="both heartbeats")
        try:
            yield world, agents, client, start
        finally:
            for server in servers:
                server.stop()
            old.clear_override("conductor", group="upgrade_levels")


def build_on(world, client, host: str) -> str:
    uuid = api.create(world)
    world.mail.clear()  # the scheduler's choice is made here
    with world.db.writer() as connection:
        machine.begin(connection, uuid, "schedule", also=[instances.TABLE.c.host.is_(None)], host=host)
    client.build(CTX, host, uuid)
    wait_for(lambda: world.conductor.get_instance(None, uuid)["vm_state"] == "active", 10, what=f"the server on {host}")
    return uuid


def test_servers_are_built_and_stopped_on_both(mixed):
    world, agents, client, _ = mixed
    for host in HOSTS:
        uuid = build_on(world, client, host)
        assert ("build", uuid) in agents[host].heard
        with world.db.writer() as connection:
            machine.begin(connection, uuid, "stop")
        client.power(CTX, host, uuid, "stop")
        wait_for(lambda u=uuid: world.conductor.get_instance(None, u)["vm_state"] == "stopped", 10, what="the stop")


def test_what_is_new_waits_until_the_last_host_is_upgraded(mixed):
    world, agents, client, start = mixed
    with pytest.raises(errors.ServiceTooOld):
        client.extend_volume(CTX, "node2", "a", "b")  # as long as one host does not know it, nobody is asked
    new = NewAgent(world, "node1", world.confs["node2"])
    new.agent.conductor.heartbeat(CTX, "node1", new.agent.driver.host_resources(), {}, rpc_version=AgentAPI.version)
    wait_for(lambda: hosts.compute_versions(world.db) == [AgentAPI.version], 30, what="its heartbeat")
    client.extend_volume(CTX, "node2", "a", "b")
    wait_for(lambda: ("extend_volume", "a", "b") in agents["node2"].heard, 30, what="the message")
