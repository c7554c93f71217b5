"""Servers that are offloaded automatically after they have been shelved for some time."""

import datetime
import types

import pytest

from common import context, db
from conductor.db import actions, instances, models, operations, shelving
from conductor.offloading import AutomaticOffload
from tests.compute.test_guests import ROW

CTX = context.service_context()


@pytest.fixture
def database(tmp_path):
    made = db.Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(made.engine)
    at = db.now()
    with made.writer() as connection:
        for uuid, shelved_s in (("long", 600), ("short", 10)):
            connection.execute(models.instances.insert().values({
                **ROW, "uuid": uuid, "host": "one", "power_state": 4, "vm_state": "shelved", "shelved_image_id": "i",
                "attempt": 7, "shelved_at": at - datetime.timedelta(seconds=shelved_s), "created_at": at, "updated_at": at}))
    return made


@pytest.mark.parametrize(("after_s", "wanted"), [(-1, []), (60, ["long"]), (0, ["long", "short"])])
def test_when(database, after_s, wanted):
    woken: list[str] = []
    service = types.SimpleNamespace(db=database, operations=types.SimpleNamespace(wake=woken.append),
                                    conf=types.SimpleNamespace(compute=types.SimpleNamespace(shelved_offload_time=after_s)))
    for _ in range(2):
        AutomaticOffload(service).run_once()
    with database.reader() as connection:
        found = operations.list_all(connection)
        for operation in found:
            states = instances.states_of(connection, operation["instance_uuid"])
            assert (states["task_state"], states["attempt"]) == ("shelving_offloading", operation["attempt"])
            assert actions.find(connection, operation["instance_uuid"], operation["request_id"])["action"] == "shelveOffload"
    assert sorted(o["instance_uuid"] for o in found) == wanted and sorted(woken) == sorted(o["id"] for o in found)


def test_a_server_that_began_and_ended_something_since_it_was_read(database):
    """Otherwise the operation would be of an older attempt, end at once, and leave the server busy for ever."""
    with database.writer() as connection:
        row = instances.find(connection, "long")
        connection.execute(models.instances.update().values(attempt=9))
        operation_id = shelving.offload_automatically(connection, CTX, row)
        assert operations.get(connection, operation_id)["attempt"] == instances.states_of(connection, "long")["attempt"] == 10
