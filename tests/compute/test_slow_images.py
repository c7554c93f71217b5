"""A store that holds every download for minutes keeps nobody else on the host waiting."""

import http.server
import threading
import time
import types
import weakref

import pytest
import sqlalchemy as sa
import urllib3

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

pytestmark = pytest.mark.alone
HOST, BUILDS, LIMIT_S = "node1", 3, 2.0
MADE_IMAGE = "9" * 8 + "-0000-4000-8000-000000000000"
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
        notifier=types.SimpleNamespace(on=False, notify=lambda *a, **k: None, changed=lambda *a: None),
        schedule=lambda ctx, row: None)))
    made.rest = HeldStore()
    made.driver = FakeDriver(made.conf)
    made.driver.needs_image = True
    made.ports, made.images = Ports(made.rest, HOST), ImageCache(tmp_path / "cache", made.rest)
    made.volumes = Volumes(made.rest, {"host": HOST}, made.driver.vault)
    made.outgoing = tmp_path / "snapshots"
    made.outgoing.mkdir()
    made.tasks, made._guard, made._locks = Engine(Journal(tmp_path / "tasks")), threading.Lock(), weakref.WeakValueDictionary()
    made.last_steps = {}
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
        made = {"uuid": uuid, "hostname": "h", "flavor": {"disk": 1, "ephemeral": 0}}
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


class StalledStore(http.server.BaseHTTPRequestHandler):
    """The image service's answer to a download: the beginning of the bytes, and then nothing."""

    timeout = 60

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"x" * 1000)
        self.server.began.release()
        self.rfile.read(1)  # until the other side closes its connection
        self.server.closed.release()

    def log_message(self, *args):
        """Nothing on the console of the tests."""


@pytest.fixture
def stalled(agent, monkeypatch):
    """Every download begins and stands still. ``closed`` counts those that were closed."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), StalledStore) as server:
        server.began, server.closed = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        request, url = agent.rest.request, f"http://127.0.0.1:{server.server_port}/"

        def stalling(method, service, where, *, stream=False, **more):
            if stream:
                return urllib3.request("GET", url, preload_content=False, retries=False)
            return request(method, service, where, **more)
        monkeypatch.setattr(agent.rest, "request", stalling)
        yield server
        server.shutdown()


def gone(agent, uuid: str) -> bool:
    return agent.conductor.get_instance(context.service_context(), uuid) is None and not agent.tasks.running()


def delete(agent, database, uuid: str) -> None:
    """Ask for it, and expect that it is done soon."""
    begin(database, uuid, "delete")
    AgentAPI(agent.conf).delete(context.service_context(), HOST, uuid)
    wait_for(lambda: gone(agent, uuid), LIMIT_S, every_s=0.01, what="the delete")


def test_a_delete_ends_the_build_whose_image_stands_still(agent, database, stalled):
    uuid = add(agent, database, 1, server_states.BUILDING, "scheduling")
    AgentAPI(agent.conf).build(context.service_context(), HOST, uuid)
    assert stalled.began.acquire(timeout=20)
    delete(agent, database, uuid)
    assert stalled.closed.acquire(timeout=LIMIT_S)
    wait_for(lambda: not list(agent.images.path.iterdir()), LIMIT_S, every_s=0.01, what="the partial file's end")


@pytest.mark.parametrize("hangs", ["before the image is known", "before the first byte"])
def test_a_delete_ends_the_build_that_waits_for_an_image_service_that_hangs(agent, database, monkeypatch, hangs):
    request, asked = agent.rest.request, threading.Event()

    def hanging(method, service, where, *, stream=False, **more):
        if service == "image" and stream == (hangs == "before the first byte"):
            asked.set()
            agent.rest.go_on.wait(60)
        return request(method, service, where, stream=stream, **more)
    monkeypatch.setattr(agent.rest, "request", hanging)
    uuid = add(agent, database, 1, server_states.BUILDING, "scheduling")
    AgentAPI(agent.conf).build(context.service_context(), HOST, uuid)
    assert asked.wait(20)
    delete(agent, database, uuid)


@pytest.mark.parametrize("action", ["rebuild", "rescue"])
def test_a_delete_ends_what_waits_for_an_image(agent, database, stalled, action):
    uuid = add(agent, database, 1, server_states.ACTIVE, None)
    with database.writer() as connection:
        connection.execute(sa.update(TABLE).values(rescue_image=TABLE.c.image_meta))
    begin(database, uuid, action)
    AgentAPI(agent.conf).power(context.service_context(), HOST, uuid, action)
    assert stalled.began.acquire(timeout=20)
    delete(agent, database, uuid)
    assert stalled.closed.acquire(timeout=LIMIT_S)


def test_a_delete_ends_the_upload_of_the_servers_image(agent, database, monkeypatch):
    """To a store that takes nothing. The image goes, as in Nova."""
    request, asked, dropped = agent.rest.request, threading.Event(), []

    def hanging(method, service, where, *, stream=False, **more):
        if service == "image" and method == "PUT":
            asked.set()
            agent.rest.go_on.wait(60)
        if service == "image" and method == "DELETE":
            dropped.append(where.rpartition("/")[2])
        found = request(method, service, where, stream=stream, **more)
        return {**found, "status": "queued"} if service == "image" else found
    monkeypatch.setattr(agent.rest, "request", hanging)
    uuid = add(agent, database, 1, server_states.ACTIVE, None)
    begin(database, uuid, "image_snapshot")
    AgentAPI(agent.conf).snapshot(context.service_context(), HOST, uuid, MADE_IMAGE)
    assert asked.wait(20)
    delete(agent, database, uuid)
    assert not list(agent.outgoing.iterdir()) and dropped == [MADE_IMAGE]


def test_an_image_that_was_asked_for_before_its_server_was_deleted_goes(agent, database, monkeypatch):
    """The request comes late, and nobody would ever fill it."""
    request, dropped = agent.rest.request, []

    def queued(method, service, where, **more):
        if method == "DELETE":
            dropped.append(where.rpartition("/")[2])
        return {**request(method, service, where, **more), "status": "queued"}
    monkeypatch.setattr(agent.rest, "request", queued)
    AgentAPI(agent.conf).snapshot(context.service_context(), HOST, "e" * 8 + MADE_IMAGE[8:], MADE_IMAGE)
    wait_for(lambda: dropped == [MADE_IMAGE], 20, every_s=0.01, what="the image's end")


def test_who_waits_for_the_same_image_is_not_disturbed(agent, database, stalled):
    """The first of three is deleted: the download goes on for the others, and ends with the last of them."""
    uuids = [add(agent, database, n, server_states.BUILDING, "scheduling") for n in range(3)]
    with database.writer() as connection:
        image = connection.execute(sa.select(TABLE.c.image_meta).limit(1)).scalar()
        connection.execute(sa.update(TABLE).values(image_meta=image))
    for uuid in uuids:
        AgentAPI(agent.conf).build(context.service_context(), HOST, uuid)
    assert stalled.began.acquire(timeout=20)
    wait_for(lambda: agent.tasks.running() == 3, 20, every_s=0.01, what="all builds")
    time.sleep(0.3)  # they come to the image
    for uuid in uuids[:2]:
        begin(database, uuid, "delete")
        AgentAPI(agent.conf).delete(context.service_context(), HOST, uuid)
        wait_for(lambda uuid=uuid: agent.conductor.get_instance(context.service_context(), uuid) is None, LIMIT_S, every_s=0.01,
                 what="the delete")
        assert not stalled.closed.acquire(timeout=0.3) and not stalled.began.acquire(blocking=False)
    delete(agent, database, uuids[2])
    assert stalled.closed.acquire(timeout=LIMIT_S)
