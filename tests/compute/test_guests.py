"""Guests that are gone, that were lost with their host, and that are nobody's: what the compute agent makes of each."""

import threading
import time
import types

import pytest

from common import conf as conf_module
from common import context, db, errors, server_states
from common.db import Database
from common.tasks import Engine, Journal
from compute_agent import conf, virt
from compute_agent.fence import Fence
from compute_agent.orphans import OrphanReconciler
from compute_agent.powersync import Heartbeat, PowerSync
from compute_agent.resume import GuestResume
from compute_agent.service import ComputeAgent
from conductor.db import hosts, machine, models
from conductor.manager import Manager

HOST, CLOUD = "node1", "cloud-one"
ROW = {"project_id": "p", "user_id": "u", "display_name": "n", "hostname": "n", "flavor": {}, "vcpus": 1, "memory_mb": 100,
       "disk_gb": 1, "config_drive": False, "metadata": {}, "image_meta": {}, "security_groups": [], "requested_networks": [],
       "network_info": [], "tags": [], "scheduler_hints": {}, "tried_hosts": [], "locked": False,
       "root_device_name": "/dev/vda", "disk_config": "AUTO", "reservation_id": "r", "launch_index": 0, "request_id": "r"}


class Conductor:
    """The real conductor's answers, on a database of the test."""

    def __init__(self, manager):
        self.manager = manager
        self.told: list[dict] = []

    def heartbeat(self, ctx, host, resources, powers, rpc_version=None, sequence=None):
        self.told.append(powers)
        self.manager.heartbeat(ctx, host, resources, powers, rpc_version, sequence)

    def __getattr__(self, name):
        return getattr(self.manager, name)


@pytest.fixture
def manager(tmp_path):
    database = Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    service = types.SimpleNamespace(db=database, conf=types.SimpleNamespace(
        compute=types.SimpleNamespace(default_availability_zone="nova")))
    made = Manager(service)
    made.heartbeats.interval_s = 0
    return made


class Agent:
    def __init__(self, manager, path, **options):
        self.conf = conf_module.load("compute-agent", conf.OPTS, str(path), {
            "agent.virt_driver": "fake", "host": HOST, "cloud_id": CLOUD, "resume_guests_state_on_host_boot": True, **options})
        self.driver, self.conductor = virt.load(self.conf), Conductor(manager)
        self.tasks = Engine(Journal(path / "tasks"))
        self.guests_known, self.resuming, self.stop_event = threading.Event(), set(), threading.Event()
        self.guests_known.set()
        self.fence = Fence(self)
        self.fence.passed.set()
        self.restored: list[str] = []
        self._locks: dict = {}
        self.last_steps: dict = {}

    def lock(self, uuid):
        return self._locks.setdefault(uuid, threading.Lock())

    @staticmethod
    def context():
        return context.service_context()

    def restore_guest(self, row):
        self.restored.append(row["uuid"])
        self.spawn(row["uuid"])

    def spawn(self, uuid, owner=None):
        made = {"uuid": uuid, "hostname": "h", "flavor": {"disk": 1}}
        self.driver.prepare_disk(made, {})
        self.driver.spawn(made, [], [], None)
        if owner:
            self.driver._set(uuid, owner=owner)

    def host_goes_down(self):
        for uuid in list(self.driver.power_states()):
            self.driver.destroy(uuid)
        (self.driver.path / "generation").write_text("second")


@pytest.fixture
def agent(manager, tmp_path):
    return Agent(manager, tmp_path)


@pytest.fixture
def server(manager):
    """Make a row: ``server("active")``; returns its id."""
    def make(vm_state, task_state=None, host=HOST, power=1):
        uuid = context.new_uuid()
        with manager.service.db.writer() as connection:
            connection.execute(models.instances.insert().values(
                uuid=uuid, vm_state=vm_state, task_state=task_state, host=host, power_state=power, created_at=db.now(),
                updated_at=db.now(), **ROW))
        return uuid
    return make


def state(manager, uuid) -> tuple:
    row = manager.get_instance(None, uuid)
    return row["vm_state"], row["power_state"]


@pytest.mark.parametrize(("vm_state", "after"), [("active", "stopped"), ("paused", "stopped"), ("suspended", "stopped"),
                                                 ("rescued", "rescued")])
def test_a_missing_guest_is_noticed(manager, agent, server, vm_state, after):
    uuid = server(vm_state)
    PowerSync(agent, Heartbeat(agent)).run_once()
    assert state(manager, uuid) == (after, server_states.NOSTATE)


@pytest.mark.parametrize("case", ["building", "being deleted", "operation in the agent", "starts after the host's return"])
def test_a_guest_on_its_way_is_not_missing(manager, agent, server, case):
    uuid = server("building" if case == "building" else "active", {"building": "spawning", "being deleted": "deleting"}.get(case))
    before = state(manager, uuid)
    if case == "operation in the agent":
        agent.lock(uuid).acquire()
    if case.startswith("starts"):
        agent.resuming.add(uuid)
    PowerSync(agent, Heartbeat(agent)).run_once()
    assert state(manager, uuid) == before


def test_another_hosts_word_does_not_count(manager, agent, server):
    """A libvirt that was copied with the definitions of another host's guests reports these as shut off."""
    uuid = server("active", host="node2")
    for power in (server_states.SHUTDOWN, server_states.NOSTATE):
        manager.report_power(None, HOST, {uuid: power})
        manager.heartbeat(None, HOST, agent.driver.host_resources(), {uuid: power})
    assert state(manager, uuid) == ("active", 1)


def test_an_end_is_told_at_second_sight_and_a_lost_report_again(manager, agent, server):
    uuid, heartbeat = server("active"), Heartbeat(agent)
    agent.spawn(uuid)
    heartbeat.beat()
    agent.driver.power_off(uuid, timeout_s=0)
    heartbeat.beat()
    PowerSync(agent, heartbeat).run_once()
    assert state(manager, uuid) == ("active", 1)
    heartbeat.beat()
    assert state(manager, uuid) == ("stopped", server_states.SHUTDOWN) and agent.conductor.told == [
        {uuid: server_states.RUNNING}, {}, {uuid: server_states.SHUTDOWN}]
    with manager.service.db.writer() as connection:
        connection.exec_driver_sql("UPDATE instances SET vm_state = 'active', power_state = 1")
    PowerSync(agent, heartbeat).run_once()
    assert state(manager, uuid) == ("stopped", server_states.SHUTDOWN)


def test_a_state_that_an_operator_reset_is_put_right_where_the_guest_is_off(manager, agent, server):
    """The guest's power state is known already, so no heartbeat tells of it."""
    uuid, heartbeat = server("active", power=server_states.SHUTDOWN), Heartbeat(agent)
    agent.spawn(uuid)
    agent.driver.power_off(uuid, timeout_s=0)
    for _ in range(2):
        heartbeat.beat()
    with manager.service.db.writer() as connection:
        machine.reset(connection, uuid, "active")
    PowerSync(agent, heartbeat).run_once()
    assert state(manager, uuid) == ("stopped", server_states.SHUTDOWN)


@pytest.mark.parametrize("by", ["heartbeat", "sync"])
def test_what_was_seen_before_an_operation_is_not_told_after_it(manager, agent, server, by):
    """The server was started and shown as stopped again."""
    uuid, heartbeat = server("active"), Heartbeat(agent)
    agent.spawn(uuid)
    heartbeat.beat()
    agent.driver.power_off(uuid, timeout_s=0)
    heartbeat.beat()
    if by == "sync":
        heartbeat.reported[uuid] = server_states.SHUTDOWN
    with manager.service.db.writer() as connection:
        connection.exec_driver_sql("UPDATE instances SET vm_state = 'stopped', power_state = 4")
    if by == "sync":
        with manager.service.db.writer() as connection:
            connection.exec_driver_sql("UPDATE instances SET power_state = 1")

    def start(*args):
        """As ``Operations.power``: begins as soon as nothing else is done to the server, and reports its end."""
        if agent.lock(uuid).acquire(blocking=False):
            agent.driver.power_on(uuid)
            with manager.service.db.writer() as connection:
                connection.exec_driver_sql("UPDATE instances SET vm_state = 'active', power_state = 1")
            agent.lock(uuid).release()
    look, told = agent.driver.power_states, []

    def look_and_start():
        seen = look()
        start()
        return seen
    agent.driver.power_states = look_and_start
    agent.conductor.report_power = lambda ctx, host, powers: told.append(powers) or manager.report_power(ctx, host, powers)
    if by == "heartbeat":
        heartbeat.beat()
    else:
        PowerSync(agent, heartbeat).run_once()
    agent.driver.power_states = look
    assert state(manager, uuid)[0] == "active" and look() == {uuid: server_states.RUNNING}, told


def test_without_news_a_heartbeat_is_due_after_the_report_interval(agent, server, monkeypatch):
    """A new guest is no news, its builder has reported it; one that changed is."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    uuid, heartbeat = server("active"), Heartbeat(agent)
    heartbeat.interval_s = heartbeat.steady_s  # it is not the agent's start
    sent = []

    def after(seconds: float) -> int:
        now[0] += seconds
        heartbeat.beat()
        sent.append(len(agent.conductor.told))
        return sent[-1] - (sent[-2] if len(sent) > 1 else 0)
    assert after(0) == 1
    agent.spawn(uuid)
    assert (after(10), after(heartbeat.report_s - 10)) == (0, 1)
    agent.driver.pause(uuid)
    assert (after(1), after(1)) == (1, 0)


def test_after_a_lost_heartbeat_every_guest_is_reported(manager, agent, server):
    uuid, heartbeat = server("active"), Heartbeat(agent)
    manager.service.agents = types.SimpleNamespace(report_all=lambda ctx, host: heartbeat.report_all())
    agent.spawn(uuid)
    heartbeat.beat()
    agent.driver.pause(uuid)
    report, agent.conductor.heartbeat = agent.conductor.heartbeat, lambda *args, **more: None
    heartbeat.beat()  # lost
    agent.conductor.heartbeat = report
    heartbeat.beat()
    assert agent.conductor.told[-1] == {} and state(manager, uuid) == ("active", server_states.RUNNING)
    heartbeat.beat()
    assert state(manager, uuid)[1] == server_states.PAUSED


def test_all_guests_are_compared_when_one_is_missing_and_not_all_the_time(manager, agent, server):
    uuid, heartbeat = server("active"), Heartbeat(agent)
    sync, asked = PowerSync(agent, heartbeat), []
    states_of = manager.states_of
    manager.states_of = lambda ctx, host: asked.append(host) or states_of(ctx, host)
    agent.spawn(uuid)
    for _ in range(3):
        heartbeat.beat()
        sync.run_once()
    assert len(asked) == 1
    agent.driver.destroy(uuid)
    heartbeat.beat()
    sync.run_once()
    assert len(asked) == 2 and state(manager, uuid) == ("stopped", server_states.NOSTATE)


def test_what_ran_runs_again_after_the_host_was_down(manager, agent, server):
    ran, snapshotted, rescued = server("active"), server("active", "image_snapshot"), server("rescued")
    stopped, paused, elsewhere = server("stopped", power=4), server("paused", power=3), server("active", host="node2")
    for uuid in (ran, snapshotted, rescued, paused):
        agent.spawn(uuid)
    GuestResume(agent).run()  # the first start: all run, nothing is to do
    assert agent.restored == []
    agent.guests_known.clear()
    agent.host_goes_down()
    heartbeat = Heartbeat(agent)
    heartbeat.beat()
    PowerSync(agent, heartbeat).run_once()
    assert state(manager, ran) == ("active", 1), "reported before it was known what ran"
    GuestResume(agent).run()
    assert sorted(agent.restored) == sorted([ran, snapshotted, rescued]) and not agent.resuming
    PowerSync(agent, heartbeat).run_once()
    assert [state(manager, u)[0] for u in (ran, stopped, paused, elsewhere)] == ["active", "stopped", "stopped", "active"]


def test_after_a_restart_of_the_agent_alone_nothing_is_started(manager, agent, server):
    uuid = server("active")
    agent.spawn(uuid)
    GuestResume(agent).run()
    agent.driver.destroy(uuid)
    GuestResume(agent).run()
    assert agent.restored == []


def test_the_option_off_leaves_lost_guests_stopped(manager, tmp_path, server):
    agent = Agent(manager, tmp_path, resume_guests_state_on_host_boot=False)
    uuid = server("active")
    GuestResume(agent).run()
    PowerSync(agent, Heartbeat(agent)).run_once()
    assert agent.restored == [] and state(manager, uuid) == ("stopped", server_states.NOSTATE)


def test_a_start_waits_for_parts_and_a_refusal_concerns_one(manager, agent, server):
    patient, broken = server("active"), server("active")
    tries = []
    restore = agent.restore_guest

    def restore_guest(row):
        tries.append(row["uuid"])
        if row["uuid"] == broken:
            raise errors.StepFailed(reason="its disk is gone")
        if tries.count(patient) < 2:
            raise errors.ServiceUnavailable(part="the network")
        restore(row)
    agent.restore_guest = restore_guest
    GuestResume(agent).run()
    assert agent.restored == [patient] and tries.count(broken) == 1
    PowerSync(agent, Heartbeat(agent)).run_once()
    assert [state(manager, u)[0] for u in (patient, broken)] == ["active", "stopped"]


def test_the_network_of_a_guest_is_back_before_the_guest():
    """QEMU opens the taps that the network agent made; without them it does not start."""
    order, away = [], [True]

    class Ports:
        @staticmethod
        def plug(instance, *, check, multiqueue):
            check()
            order.append("ports")
            if away:
                raise errors.ServiceUnavailable(part="the network of host node1")
            return instance["network_info"]
    made = ComputeAgent.__new__(ComputeAgent)
    made.ports = Ports()
    made.rebuild_guest = lambda row: order.append(row["network_info"])
    row = {"uuid": "u", "vm_state": "active", "network_info": [{"id": "p"}], "block_devices": [], "host": HOST, "attempt": 3,
           "vcpus": 1, "memory_mb": 64, "flavor": {}, "image_meta": {}}
    now = dict(row)
    made.conf, made.conductor = types.SimpleNamespace(host=HOST), types.SimpleNamespace(get_instance=lambda ctx, uuid: now)
    with pytest.raises(errors.ServiceUnavailable):
        made.restore_guest(row)
    assert order == ["ports"]
    away.clear()
    made.restore_guest(row)
    assert order == ["ports", "ports", [{"id": "p"}]]
    for other in ({"host": "node2"}, {"attempt": 4}):
        now.update({**row, **other})
        with pytest.raises(errors.Superseded):
            made.restore_guest(row)
    assert len(order) == 3


ORPHANS = {
    "deleted while the host was down": (None, (CLOUD, HOST), True),
    "moved away, at rest there": (("active", None, "node2"), (CLOUD, HOST), True),
    "on its way to another host": (("active", "migrating", "node2"), (CLOUD, HOST), False),
    "waits for a host": (("building", "scheduling", None), (CLOUD, HOST), False),
    "of another host": (None, (CLOUD, "node2"), False),
    "of another cloud": (None, ("cloud-two", HOST), False),
    "without a mark": (None, ("", ""), False),
    "of another host, its server there": (("active", None, "node2"), (CLOUD, "node2"), False),
    "ours": (("active", None, HOST), (CLOUD, HOST), False),
}


@pytest.mark.parametrize("case", ORPHANS)
def test_only_what_is_certainly_nobodys_is_destroyed(agent, server, case):
    row, owner, destroyed = ORPHANS[case]
    uuid = server(*row) if row else context.new_uuid()
    agent.spawn(uuid, owner)
    OrphanReconciler(agent).run_once()
    assert (uuid not in agent.driver.power_states()) == destroyed
    assert (uuid not in agent.driver.directories()) == destroyed


def test_files_without_a_guest_go_with_their_server_only(agent, server):
    gone, elsewhere = context.new_uuid(), server("active", host="node2")
    for uuid in (gone, elsewhere):
        agent.driver.prepare_disk({"uuid": uuid, "flavor": {"disk": 1}}, {})
    OrphanReconciler(agent).run_once()
    assert agent.driver.directories() == [elsewhere]


def test_an_interrupted_task_decides_before_the_orphans(agent):
    uuid = context.new_uuid()
    agent.spawn(uuid)
    agent.tasks.journal.write({"task": "build", "id": uuid, "state": {}, "done": [], "phase": "execute", "step": "spawn"})
    OrphanReconciler(agent).run_once()
    assert uuid in agent.driver.power_states()


def test_a_hypervisor_that_does_not_answer_leaves_the_host_up_and_disables_it(manager, agent, server, monkeypatch):
    """Nothing is evacuated from it, and nothing placed on it, until the hypervisor answers again."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    uuid, heartbeat = server("active"), Heartbeat(agent)
    heartbeat.interval_s = heartbeat.steady_s
    agent.spawn(uuid)
    look, resources = agent.driver.power_states, agent.driver.host_resources
    problem = "Connection to libvirt lost: Failed to connect socket"

    def away():
        raise errors.ServiceUnavailable(part="the hypervisor (libvirtd)")

    def service() -> tuple:
        heartbeat.beat()
        now[0] += 10
        with manager.service.db.reader() as connection:
            row = hosts.lock_service(connection, HOST)
            return len(agent.conductor.told), row["disabled"], row["disabled_reason"]
    assert service() == (1, False, None)
    agent.driver.power_states = away
    agent.driver.host_resources = lambda: {**resources(), "facts": {**resources()["facts"], "unusable": True, "problem": problem}}
    assert service() == (1, False, None), "it may be a restart"
    assert service() == (2, True, f"AUTO: {problem}")
    sent = [service()[0] for _ in range(6)]
    assert sent[-1] > 3 and agent.conductor.told[-1] == {} and state(manager, uuid)[0] == "active"
    agent.driver.power_states, agent.driver.host_resources = look, resources
    assert service() == (sent[-1] + 1, False, None), "at once"


@pytest.mark.parametrize("reason", [None, "a disk is replaced"])
def test_what_an_operator_disabled_stays_so_whatever_the_hypervisor_does(manager, agent, reason):
    facts, told = agent.driver.host_resources()["facts"], []
    for number, unusable in enumerate((False, True, False)):
        if number == 1:
            with manager.service.db.writer() as connection:
                connection.execute(models.services.update().values(disabled=True, disabled_reason=reason))
        manager.heartbeat(None, HOST, {**agent.driver.host_resources(), "facts": {**facts, "unusable": unusable}}, {})
        with manager.service.db.reader() as connection:
            row = hosts.lock_service(connection, HOST)
        told.append((row["disabled"], row["disabled_reason"]))
    assert told == [(False, None), (True, reason), (True, reason)]
