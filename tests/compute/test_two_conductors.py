"""Two conductors see to the same rows at the same moment, on database servers that let them: each row is seen to once."""

import collections
import datetime
import threading
import types

import pytest
import sqlalchemy as sa

from common import context, db
from common.db import Database
from conductor.db import machine, models, operations
from conductor.operations import Engine
from conductor.pending_work import PendingWorkReconciler
from tests import databases
from tests.compute.test_guests import ROW
from tests.compute.test_operations import Example
from volume.db import models as volume_models
from volume.service import PendingWorkReconciler as VolumeReconciler

ROWS, ROUNDS = 40, 3
LONG_AGO = datetime.timedelta(minutes=5)


@pytest.fixture(scope="module", params=["MariaDB", "PostgreSQL"])
def server(request):
    with databases.running(getattr(databases, request.param)()) as made:
        yield made


def pair(server, name: str, metadata) -> list[Database]:
    """An empty database, as two daemons have it."""
    made = [Database(name, f"{server.url}{name}") for _ in range(2)]
    metadata.drop_all(made[0].engine)
    metadata.create_all(made[0].engine)
    return made


def at_once(*works) -> None:
    failed: list[BaseException] = []
    together = threading.Barrier(len(works))

    def run(work):
        together.wait(20)
        try:
            work()
        except BaseException as error:  # shown by the assertion below
            failed.append(error)
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not failed


class Asked(collections.Counter):
    """Counts what is asked of whom, whatever it is."""

    def __getattr__(self, name: str):
        def ask(ctx, *about):
            self[name, *[a for a in about if isinstance(a, str)][:3]] += 1
        return ask


def an_id(kind: int, n: int) -> str:
    return f"{kind}{n:07}-0000-4000-8000-000000000000"


def instance(uuid: str, **values) -> dict:
    at = db.now() - LONG_AGO
    return {**ROW, "uuid": uuid, "vm_state": "active", "power_state": 1, "host": "up", "created_at": at, "updated_at": at,
            "attempt": 0, "task_state": None, **values}


def conductor(database: Database, conf, asked: Asked) -> types.SimpleNamespace:
    return types.SimpleNamespace(db=database, conf=conf, agents=asked, local_delete=asked.local_delete, endpoint=lambda: asked,
                                 schedule=lambda ctx, row: asked.schedule(ctx, row["uuid"]))


def test_what_is_stuck_is_asked_for_once(server):
    found = pair(server, "compute", models.METADATA)
    kinds = [{"task_state": "pausing"}, {"task_state": "deleting"}, {"task_state": "deleting", "host": "down"},
             {"task_state": "scheduling", "vm_state": "building", "host": None},
             {"task_state": "spawning", "vm_state": "building"},
             {"task_state": "spawning", "vm_state": "building", "host": "down"}]
    with found[0].writer() as connection:
        connection.execute(sa.insert(models.services).values(
            id="1", host="up", binary="nova-compute", zone="nova", disabled=False, forced_down=False, updated_at=db.now()))
    conf = types.SimpleNamespace(compute=types.SimpleNamespace(build_resend_s=60), service_down_time=60)
    for turn in range(ROUNDS):
        with found[0].writer() as connection:
            connection.execute(sa.delete(models.block_devices))
            connection.execute(sa.delete(models.instances))
            connection.execute(sa.insert(models.instances), [
                instance(an_id(turn, n), **kinds[n % len(kinds)]) for n in range(ROWS)])
            connection.execute(sa.insert(models.block_devices), [{
                "id": an_id(9, n), "instance_uuid": an_id(turn, n), "device_name": "/dev/vdb", "volume_id": an_id(8, n),
                "delete_on_termination": False, "requested_action": "attach", "requested_at": db.now() - LONG_AGO,
                "request_id": "r"}
                for n in range(0, ROWS, 2)])
        asked = Asked()
        at_once(*(PendingWorkReconciler(conductor(each, conf, asked)).run_once for each in found))
        devices = sum(wanted == "attach_volume" for wanted, *_ in asked)
        assert set(asked.values()) == {1} and len(asked) - devices == ROWS
        assert devices == sum(kinds[n % len(kinds)].get("host", "up") is not None for n in range(0, ROWS, 2))


def test_each_step_of_an_operation_is_done_once(server):
    found = pair(server, "compute", models.METADATA)
    with found[0].writer() as connection:
        connection.execute(sa.insert(models.services).values(
            id="1", host="h1", binary="nova-compute", zone="nova", disabled=False, forced_down=False, updated_at=db.now()))
        connection.execute(sa.insert(models.instances), [instance(an_id(1, n)) for n in range(ROWS)])
        for n in range(ROWS):
            machine.begin(connection, an_id(1, n), "migrate")
            operations.begin(connection, context.service_context(), "example", an_id(1, n), 1, {})
    kind, asked = Example(), Asked()
    conf = types.SimpleNamespace(host="one", service_down_time=60)
    engines = [Engine(types.SimpleNamespace(db=each, agents=asked, conf=conf, notify=lambda *a, **k: None), [kind])
               for each in found]
    with found[0].reader() as connection:
        due = operations.due(connection, 2 * ROWS)

    def drive(engine: Engine) -> None:
        for operation_id in due:
            engine.run(operation_id)
    at_once(*(lambda engine=engine: drive(engine) for engine in engines))
    assert len(due) == ROWS == len(asked) and set(asked.values()) == {1}
    assert kind.effects == {"reserve": ROWS, "work": ROWS} and kind.recorded == ["reserve"] * ROWS


def test_volumes_that_are_stuck_are_asked_for_once(server):
    found = pair(server, "volume", volume_models.METADATA)
    at = db.now() - LONG_AGO
    states = ("creating", "deleting", "extending")
    with found[0].writer() as connection:
        connection.execute(sa.insert(volume_models.volumes), [{
            "id": an_id(1, n), "project_id": "p", "user_id": "u", "name": "", "size": 1, "status": states[n % 3],
            "bootable": False, "readonly": False, "metadata": {}, "image_metadata": {}, "availability_zone": "nova",
            "request_id": "r", "host": "h1", "created_at": at, "updated_at": at} for n in range(ROWS)])
        connection.execute(sa.insert(volume_models.snapshots), [{
            "id": an_id(2, n), "name": "s", "project_id": "p", "user_id": "u", "volume_id": an_id(1, n), "volume_size": 1,
            "status": states[n % 2], "metadata": {}, "request_id": "r", "created_at": at, "updated_at": at} for n in range(ROWS)])
    asked = Asked()
    conf = types.SimpleNamespace(volume=types.SimpleNamespace(resend_after_s=60))
    services = [types.SimpleNamespace(db=each, conf=conf, agents=asked) for each in found]
    at_once(*(VolumeReconciler(s).run_once for s in services))
    assert len(asked) == 2 * ROWS and set(asked.values()) == {1}
