"""An agent answers at once, however much it has to do."""

import contextlib
import gc
import threading
import time
import types
import weakref

import pytest

from common import conf as conf_module
from common import context, errors, rpc
from common.periodic import wait_for
from common.tasks import Engine, Journal
from common.workers import Workers
from compute_agent import conf
from compute_agent.manager import BUILD, DELETE, IMAGE, LONG_CALLS, OTHER, Manager
from compute_agent.rpcapi import AgentAPI
from compute_agent.service import ComputeAgent

BOOTS, BUILD_S = 200, 0.5


class SlowConductor:
    """Each build waits for it, as for a slow hypervisor."""

    def __init__(self):
        self.building = self.most = self.built = 0
        self.deleted: list[str] = []

    def begin_build(self, ctx, uuid, host):
        self.building += 1
        self.most = max(self.most, self.building)
        time.sleep(BUILD_S)
        self.building -= 1
        self.built += 1

    def get_instance(self, ctx, uuid):
        self.deleted.append(uuid)


@pytest.fixture
def agent(tmp_path):
    made = ComputeAgent.__new__(ComputeAgent)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pileus.conf").write_text("[DEFAULT]\ntransport_url = fake://\nhost = node1\n")
    made.conf = conf_module.load("compute-agent", conf.OPTS, str(tmp_path))
    made.conductor, made._locks = SlowConductor(), weakref.WeakValueDictionary()
    made._guard, made.last_steps = threading.Lock(), {}
    made.driver = types.SimpleNamespace(console_output=lambda uuid: b"login: ")
    made.tasks = Engine(Journal(tmp_path / "tasks"))
    made.workers = Workers("compute-agent", {BUILD: 10, IMAGE: 2, DELETE: 2, OTHER: 2})
    made.manager = Manager(made)
    server = rpc.server(made.conf, AgentAPI, "node1", made.manager, threads=ComputeAgent.rpc_threads)
    server.start()
    yield made
    server.stop()


@pytest.mark.alone
def test_quick_calls_and_deletes_do_not_wait_for_a_burst_of_boots(agent):
    api, ctx = AgentAPI(agent.conf), context.service_context()
    servers = [context.new_uuid() for _ in range(BOOTS)]
    for _ in range(3):  # and everything comes again, as from a reconciler
        for uuid in servers:
            api.build(ctx, "node1", uuid)
    wait_for(lambda: agent.conductor.building == 10, 10, what="the builds")
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert api.console_output(ctx, "node1", servers[0], None) == "login: "
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 1
    other = context.new_uuid()
    api.delete(ctx, "node1", other)
    wait_for(lambda: agent.conductor.deleted == [other], 1, every_s=0.01, what="the delete")
    assert agent.conductor.built < BOOTS and agent.conductor.most == 10


def test_a_server_that_is_to_be_deleted_is_known_while_it_is_built(agent):
    api, ctx, uuid = AgentAPI(agent.conf), context.service_context(), context.new_uuid()
    api.build(ctx, "node1", uuid)
    wait_for(lambda: agent.conductor.building, 5, what="the build")
    api.delete(ctx, "node1", uuid)
    wait_for(lambda: agent.cancelled(uuid), 0.4, every_s=0.01, what="the build to be told")
    wait_for(lambda: agent.conductor.deleted == [uuid], 5, what="the delete")
    wait_for(lambda: not agent.cancelled(uuid), 5, what="its end")


@pytest.mark.parametrize("asked", ["snapshot", "rebuild", "rescue", "stop"])
@pytest.mark.alone
def test_a_delete_and_a_console_log_do_not_wait_for_what_takes_long(agent, asked):
    """As a store that does not go on, or guests that do not shut down; what waits for a store keeps no stop waiting either."""
    api, ctx, closed = AgentAPI(agent.conf), context.service_context(), threading.Event()
    manager, begun = agent.manager, []

    def slow(ctx, uuid, what):
        begun.append((uuid, what))
        if what != "start":
            closed.wait(20)
    manager.operations.power = manager.operations.snapshot = slow
    try:
        for _ in range(20):
            if asked == "snapshot":
                api.snapshot(ctx, "node1", context.new_uuid(), context.new_uuid())
            else:
                api.power(ctx, "node1", context.new_uuid(), asked)
        wait_for(lambda: len(begun) == 2, 5, every_s=0.01, what="work to begin")
        other, began = context.new_uuid(), time.monotonic()
        if asked != "stop":
            api.power(ctx, "node1", other, "start")
            wait_for(lambda: (other, "start") in begun, 2, every_s=0.01, what="a start")
        api.delete(ctx, "node1", other)
        wait_for(lambda: agent.conductor.deleted == [other], 2, every_s=0.01, what="the delete")
        assert api.console_output(ctx, "node1", other, None) == "login: "
        assert time.monotonic() - began < 2 and len(begun) in (2, 3)
    finally:
        closed.set()


def test_long_calls_are_refused_before_they_take_all_threads(agent):
    manager, uuid = Manager(agent), context.new_uuid()
    mine, others = (context.service_context(project_id=name) for name in ("one", "two"))
    with contextlib.ExitStack() as stack:
        with pytest.raises(errors.ServiceUnavailable, match="busy"):
            for _ in range(LONG_CALLS):
                stack.enter_context(manager._long_call(mine))
        with pytest.raises(errors.ServiceUnavailable, match="busy"):
            manager.attach_interface(mine, uuid, {})
        with pytest.raises(errors.NotFound):
            manager.attach_interface(others, uuid, {})  # for whom some are kept


def test_everybody_who_works_on_a_server_has_the_same_lock(agent):
    """Also who has asked for it and does not hold it yet, while a delete ends. And locks of servers that are gone go."""
    uuid = context.new_uuid()
    asked = agent.lock(uuid)
    Manager(agent).operations.delete(context.service_context(), uuid)
    assert agent.lock(uuid) is asked
    del asked
    gc.collect()
    assert uuid not in agent._locks
