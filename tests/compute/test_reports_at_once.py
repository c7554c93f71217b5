"""Agents' reports and a user's delete at the same moment, on databases with more than one writer."""

import threading
import types

import pytest

from common import context, db, units
from common.db import Database
from conductor.db import allocations, hosts, machine, models
from conductor.manager import Manager
from tests import databases
from tests.compute.test_guests import ROW as PLAIN

ROW = {**PLAIN, "flavor": {"name": "small", "id": 1, "disk": 1, "ephemeral": 0}}
HOST = "node1"
RESOURCES = {"hypervisor_hostname": HOST, "vcpus": 8, "memory_mb": 8000, "local_gb": 100, "facts": {}}


@pytest.fixture(scope="module", params=[databases.MariaDB, databases.PostgreSQL])
def manager(request):
    server = request.param()
    try:
        server.make()
        database = Database("compute", f"{server.url}compute")
        models.METADATA.create_all(database.engine)
        with database.writer() as connection:
            hosts.report(connection, HOST, RESOURCES)
        compute = types.SimpleNamespace(max_attempts=3)
        yield Manager(types.SimpleNamespace(
            db=database, conf=types.SimpleNamespace(compute=compute), schedule=lambda *a: None,
            notifier=types.SimpleNamespace(on=False, notify=lambda *a, **k: None, changed=lambda *a: None)))
        database.engine.dispose()
    finally:
        server.stop()


def server(manager, vm_state: str, task_state: str) -> str:
    """A server on the host, with its claim."""
    uuid = context.new_uuid()
    with manager.service.db.writer() as connection:
        connection.execute(models.instances.insert().values(
            uuid=uuid, vm_state=vm_state, task_state=task_state, host=HOST, power_state=0, created_at=db.now(),
            updated_at=db.now(), **ROW))
        assert allocations.claim(connection, node(connection), uuid, ROW, {})
    return uuid


def node(connection) -> dict:
    return dict(connection.execute(models.compute_nodes.select()).mappings().one())


def together(monkeypatch, first, second) -> None:
    """Begin ``second`` when ``first`` has read the server's row and is about to give back its claim; that one waits a moment."""
    reached, ended, release = threading.Event(), threading.Event(), allocations.release
    failed: list = []

    def held(connection, *args):
        if not reached.is_set():
            reached.set()
            ended.wait(1)
        release(connection, *args)

    def run(work):
        try:
            units.run(work)
        except Exception as error:  # shown by the assertion below
            failed.append(error)
    monkeypatch.setattr(allocations, "release", held)
    early = threading.Thread(target=run, args=(first,))
    early.start()
    assert reached.wait(10)
    run(second)
    ended.set()
    early.join()
    assert not failed


def test_a_server_is_given_back_once_however_often_its_end_is_reported(manager, monkeypatch):
    with manager.service.db.reader() as connection:
        before = node(connection)
    uuid = server(manager, "active", "deleting")
    ctx = context.service_context()

    def report():
        manager.deleted(ctx, uuid, HOST, [])
    together(monkeypatch, report, report)
    with manager.service.db.reader() as connection:
        after = node(connection)
    used = ("vcpus_used", "memory_mb_used", "local_gb_used", "running_vms")
    assert [after[k] for k in used] == [before[k] for k in used]


def test_a_failed_build_does_not_bring_back_a_server_that_is_being_deleted(manager, monkeypatch):
    uuid = server(manager, "building", "spawning")
    ctx = context.service_context()

    def delete():
        with manager.service.db.writer() as connection:
            machine.begin(connection, uuid, "delete")
    together(monkeypatch, lambda: manager.fail(ctx, uuid, HOST, "build", "no", [], True), delete)
    assert manager.get_instance(ctx, uuid)["task_state"] == "deleting"
