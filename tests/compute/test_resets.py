"""Resets of a server's state while it is shelved, evacuated or moved."""

import contextlib

import pytest

from common import context, db, errors
from conductor.db import evacuations, instances, live_migrations, machine, models, operations, resets, resizes, shelving
from conductor.operations import kinds
from tests.compute.test_guests import ROW

CTX = context.service_context()


@pytest.fixture
def database(tmp_path):
    made = db.Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(made.engine)
    return made


def insert(database, **values) -> dict:
    at = db.now()
    with database.writer() as connection:
        connection.execute(models.instances.insert().values({
            **ROW, "uuid": "s", "host": "one", "power_state": 4, "created_at": at, "updated_at": at, **values}))
        return instances.find(connection, values.get("uuid", "s"))


def reset(database) -> None:
    with database.writer() as connection:
        resets.reset(connection, CTX, instances.find(connection, "s"), "active")


def test_its_guarded_steps_exist():
    steps = {kind.kind: kind.steps for kind in kinds.KINDS}
    for kind, guarded in resets.GUARDED.items():
        assert set(guarded) < set(steps[kind])


def test_a_shelved_server_on_its_host_is_not_shelved_any_more(database):
    insert(database, vm_state="shelved", shelved_image_id="i", shelved_at=db.now())
    reset(database)
    with database.reader() as connection:
        row = instances.find(connection, "s")
        queued, = operations.of_server(connection, "s")
    assert (row["vm_state"], row["shelved_image_id"], row["shelved_at"]) == ("active", None, None)
    assert (queued["kind"], queued["data"]["image_id"]) == (shelving.DROP_IMAGE, "i")


@pytest.mark.parametrize("step", ["", "stop", *resets.GUARDED[shelving.OFFLOAD]])
def test_a_server_that_is_being_offloaded_is_reset_only_while_it_has_its_disk(database, step):
    row = insert(database, vm_state="shelved", shelved_image_id="i")
    with database.writer() as connection:
        offloading = shelving.offload(connection, CTX, row)
        connection.execute(models.operations.update().where(models.operations.c.id == offloading).values(step=step))
    if step in ("", "stop"):
        return reset(database)
    with pytest.raises(errors.Conflict, match=f"in the step {step} of the operation shelve_offload"):
        reset(database)
    with database.reader() as connection:
        now = instances.states_of(connection, "s")
    assert (now["vm_state"], now["task_state"], now["attempt"]) == ("shelved", "shelving_offloading", row["attempt"] + 1)


def test_a_server_that_is_being_deleted_is_not_reset(database):
    insert(database, vm_state="active")
    with database.writer() as connection:
        machine.begin(connection, "s", "delete")
    with pytest.raises(errors.Conflict, match="being deleted"):
        reset(database)


@pytest.mark.parametrize("begins", [False, True])
def test_an_offloaded_server_is_not_reset(database, begins):
    insert(database, vm_state="shelved_offloaded", host=None, shelved_image_id="i")
    if begins:
        with database.writer() as connection:
            machine.begin(connection, "s", "unshelve")
    with pytest.raises(errors.Conflict, match="no host has its disk"):
        reset(database)


@pytest.mark.parametrize("phase", [operations.FORWARD, operations.UNDO])
@pytest.mark.parametrize(("kind", "free", "guarded"), [
    (resizes.MIGRATE, ("", "claim", "stop", "copy", "disconnect"), "start"), (resizes.REVERT, ("stop", "remove"), "start"),
    (live_migrations.KIND, ("", "prepare", "arrive"), "migrate")])
def test_a_server_whose_guest_may_run_on_its_new_host_already_is_not_reset(database, kind, free, guarded, phase):
    for step in (guarded, *free):
        uuid = f"s-{step}"
        insert(database, uuid=uuid, vm_state="active", task_state="resize_finish", hostname=uuid)
        with database.writer() as connection:
            operation_id = operations.begin(connection, CTX, kind, uuid, 0, {})
            connection.execute(models.operations.update().where(models.operations.c.id == operation_id).values(
                step=step, phase=phase))
            row = instances.find(connection, uuid)
        if step in free:
            with database.writer() as connection:
                resets.reset(connection, CTX, row, "active")
            continue
        with pytest.raises(errors.Conflict, match=f"in the step {guarded} of the operation {kind}"), \
                database.writer() as connection:
            resets.reset(connection, CTX, row, "active")
        with database.reader() as connection:
            assert instances.states_of(connection, uuid)["task_state"] == "resize_finish"


@pytest.mark.parametrize(("vm_state", "task_state", "kind", "evacuates"), [
    ("active", "resize_finish", resizes.MIGRATE, True), ("resized", "resize_reverting", resizes.REVERT, False),
    ("paused", "migrating", live_migrations.KIND, False),
    ("active", "rebuild_block_device_mapping", evacuations.EVACUATE, False)])
def test_a_refusal_names_only_ways_that_are_open(database, vm_state, task_state, kind, evacuates):
    insert(database, vm_state=vm_state, task_state=task_state)
    with database.writer() as connection:
        operation_id = operations.begin(connection, CTX, kind, "s", 0, {})
        connection.execute(models.operations.update().where(models.operations.c.id == operation_id).values(
            step=resets.GUARDED[kind][0]))
    with pytest.raises(errors.Conflict, match="delete the server") as refused:
        reset(database)
    assert ("evacuate it" in str(refused.value)) is evacuates
    with database.writer() as connection, contextlib.ExitStack() as stack:
        if not evacuates:
            stack.enter_context(pytest.raises(errors.InvalidState))
        machine.begin(connection, "s", "evacuate")
