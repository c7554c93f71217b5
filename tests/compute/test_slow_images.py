"""A store that holds every download for minutes keeps nobody else on the host waiting."""

import threading
import time
import types
import weakref

import pytest
import sqlalchemy as sa

from common import conf as conf_module
from common import context, db, errors, rpc, server_states
from common.db import Database
from common.periodic import wait_for
from common.tasks import Engine, Journal
from common.workers import Workers
from compute_agent import conf
from compute_agent.imagecache import ImageCache
from compute_agent.manager import BUILD, DELETE, IMAGE, OTHER, Manager
from compute_agent.ports import Ports
from compute_agent.rpcapi import AgentAPI
from compute_agent.service import DELETES_AT_ONCE, IMAGES_AT_ONCE, OTHERS_AT_ONCE, ComputeAgent
from compute_agent.virt.fake import FakeDriver
from compute_agent.volumes import Volumes
from conductor.db import machine, models
from conductor.manager import Manager as Conductor
from conductor.rpcapi import ConductorAPI
from tests.bus import Direct
from tests.compute.test_guests import ROW
from tests.histories.services import Services

HOST, BUILDS, LIMIT_S = "node1", 3, 2.0
TABLE = models.instances


class HeldStore(Services):
    """Images are there, and their bytes do not come until the test says so."""

    def __init__(self):
        super().__init__()
        self.downloads, self.go_on = 0, threading.Event()
        self._guard = threading.Lock()

    def request(self, method, service, where, *, stream=False, **more):
        if stream:
            with self._guard:
                self.downloads += 1
            self.go_on.wait(60)
            raise errors.StepFailed(reason="The test is over.")
        with self._guard:
            if service == "image":
                return {"id": where.split("/")[3], "owner": "p", "visibility": "public", "status": "active"}
            return super().request(method, service, where, **more)


@pytest.fixture
def database(tmp_path):
    made = Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(made.engine)
    return made


@pytest.fixture
def agent(tmp_path, database):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pileus.conf").write_text(f"[DEFAULT]\ntransport_url = fake://\nhost = {HOST}\n")
    made = ComputeAgent.__new__(ComputeAgent)
    made.conf = conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {"agent.virt_driver": "fake"})
    made.conductor = Direct(ConductorAPI, Conductor(types.SimpleNamespace(
        db=database, conf=types.SimpleNamespace(compute=types.SimpleNamespace(max_attempts=3)),
        notifier=types.SimpleNamespace(on=False, tell=lambda *a, **k: None), schedule=lambda ctx, row: None)))
    made.rest = HeldStore()
    made.driver = FakeDriver(made.conf)
    made.driver.needs_image = True
    made.ports, made.images = Ports(made.rest, HOST), ImageCache(tmp_path / "cache", made.rest)
    made.volumes = Volumes(made.rest, {"host": HOST}, made.driver.vault)
    made.tasks, made._guard, made._locks = Engine(Journal(tmp_path / "tasks")), threading.Lock(), weakref.WeakValueDictionary()
    made.workers = Workers("compute-agent", {BUILD: BUILDS, IMAGE: IMAGES_AT_ONCE, DELETE: DELETES_AT_ONCE,
                                             OTHER: OTHERS_AT_ONCE})
    server = rpc.server(made.conf, AgentAPI, HOST, Manager(made), threads=ComputeAgent.rpc_threads)
    server.start()
    yield made
    made.rest.go_on.set()
    server.stop()


def add(agent, database, number: int, vm_state: str, task_state: str | None) -> str:
    uuid = f"e00000{number:02}-0000-4000-8000-000000000000"
    image = {"id": uuid, "disk_format": "raw", "os_hash_algo": "sha512", "os_hash_value": f"{number:02x}" * 64, "properties": {}}
    with database.writer() as connection:
        connection.execute(sa.insert(TABLE).values(**{
            **ROW, "uuid": uuid, "vm_state": vm_state, "task_state": task_state, "power_state": 1, "host": HOST,
            "image_meta": image, "created_at": db.now(), "updated_at": db.now(),
            "requested_networks": [{"uuid": "d0000001-0000-4000-8000-000000000000"}],
            "flavor": {"name": "small", "id": 1, "disk": 1, "ephemeral": 0}}))
    if vm_state == server_states.ACTIVE:
        made = {"uuid": uuid, "hostname": "h"}
        agent.driver.prepare_disk(made, {})
        agent.driver.spawn(made, [], [], None)
    return uuid


def begin(database, uuid: str, action: str) -> None:
    with database.writer() as connection:
        machine.begin(connection, uuid, action)


def test_a_delete_a_stop_and_a_console_log_do_not_wait_for_slow_downloads(agent, database):
    api, ctx = AgentAPI(agent.conf), context.service_context()
    for number in range(BUILDS):
        api.build(ctx, HOST, add(agent, database, number, server_states.BUILDING, "scheduling"))
    wait_for(lambda: agent.rest.downloads == BUILDS, 20, every_s=0.01, what="the downloads")
    for number in range(BUILDS, BUILDS + OTHERS_AT_ONCE):  # these wait for slow images as well
        rebuilt = add(agent, database, number, server_states.ACTIVE, None)
        begin(database, rebuilt, "rebuild")
        api.power(ctx, HOST, rebuilt, "rebuild")
    downloads = BUILDS + IMAGES_AT_ONCE
    wait_for(lambda: agent.rest.downloads == downloads, 20, every_s=0.01, what="the rebuilds' downloads")
    stopped, deleted = (add(agent, database, n, server_states.ACTIVE, None) for n in (98, 99))
    begin(database, stopped, "stop")
    begin(database, deleted, "delete")
    began = time.monotonic()
    assert "login" in api.console_output(ctx, HOST, stopped, None)
    assert time.monotonic() - began < LIMIT_S
    api.power(ctx, HOST, stopped, "stop")
    api.delete(ctx, HOST, deleted)

    def done() -> bool:
        row = agent.conductor.get_instance(ctx, stopped)
        return row["vm_state"] == server_states.STOPPED and agent.conductor.get_instance(ctx, deleted) is None
    wait_for(done, LIMIT_S, every_s=0.01, what="the stop and the delete")
    assert deleted not in agent.driver.power_states() and agent.rest.downloads == downloads
