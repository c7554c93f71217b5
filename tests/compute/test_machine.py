"""The server's state machine: every action in every state, and what users see of it."""

import itertools

import pytest
import sqlalchemy as sa

from common import db, errors
from common.db import Database
from conductor.db import machine, models

VM = [machine.ACTIVE, machine.BUILDING, machine.STOPPED, machine.ERROR]
TASKS = [None, *sorted({a.task_state for a in machine.ACTIONS.values()})]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    made = Database("test", f"sqlite:///{tmp_path_factory.mktemp('db')}/compute.sqlite")
    models.METADATA.create_all(made.engine)
    row = {c.name: None for c in models.instances.c}
    row.update(uuid="u", project_id="p", user_id="u", display_name="n", hostname="n", flavor={}, vcpus=1, memory_mb=1,
               disk_gb=1, vm_state="active", power_state=0, config_drive=False, metadata={}, image_meta={},
               security_groups=[], requested_networks=[], network_info=[], tags=[], scheduler_hints={}, tried_hosts=[],
               locked=False, root_device_name="/dev/vda", disk_config="AUTO", reservation_id="r", launch_index=0,
               request_id="req", created_at=db.now(), updated_at=db.now())
    with made.writer() as connection:
        connection.execute(sa.insert(models.instances).values(row))
    return made


def put(database, vm_state, task_state):
    with database.writer() as connection:
        connection.execute(sa.update(models.instances).values(vm_state=vm_state, task_state=task_state))


def states(database):
    with database.reader() as connection:
        return tuple(connection.execute(sa.select(models.instances.c.vm_state, models.instances.c.task_state)).one())


@pytest.mark.parametrize(("name", "vm_state", "task_state"), list(itertools.product(machine.ACTIONS, VM, TASKS)))
def test_every_action_in_every_state(database, name, vm_state, task_state):
    action = machine.ACTIONS[name]
    legal = (action.vm_states is None or vm_state in action.vm_states) and (
        action.task_states is None or task_state in action.task_states)
    put(database, vm_state, task_state)
    if not legal:
        with pytest.raises(errors.InvalidState), database.writer() as connection:
            machine.begin(connection, "u", name)
        assert states(database) == (vm_state, task_state)
        return
    with database.writer() as connection:
        machine.begin(connection, "u", name)
    assert states(database) == (vm_state, action.task_state)
    if action.end:
        with database.writer() as connection:
            assert machine.finish(connection, "u", name)
            assert not machine.finish(connection, "u", name), "a doubled report must change nothing"
        assert states(database) == (action.end, None)


def test_a_task_overtaken_by_delete_writes_nothing(database):
    put(database, machine.BUILDING, "spawning")
    with database.writer() as connection:
        machine.begin(connection, "u", "delete")
        assert not machine.finish(connection, "u", "spawn")
        assert not machine.fail(connection, "u", "build", vm_state=machine.ERROR)
    assert states(database) == (machine.BUILDING, "deleting")


def test_states_fit_their_columns():
    table = models.instances
    assert max(map(len, VM)) <= table.c.vm_state.type.length
    assert max(len(t) for t in TASKS if t) <= table.c.task_state.type.length


@pytest.mark.parametrize(("vm_state", "task_state"), list(itertools.product(VM, TASKS)))
def test_status_filter_finds_exactly_what_shows_it(database, vm_state, task_state):
    put(database, vm_state, task_state)
    shown = machine.status({"vm_state": vm_state, "task_state": task_state})
    with database.reader() as connection:
        found = [s for s in machine.STATUSES if connection.execute(
            sa.select(models.instances.c.uuid).where(machine.conditions_of(s))).first()]
    assert found == [shown]


def test_reports_that_overtake_each_other_end_right(database):
    """``finish`` may come before the ``progress`` that precedes it: the build is over all the same."""
    put(database, machine.BUILDING, "networking")
    with database.writer() as connection:
        assert machine.finish(connection, "u", "spawn")
    with pytest.raises(errors.InvalidState), database.writer() as connection:
        machine.begin(connection, "u", "spawn")
    assert states(database) == (machine.ACTIVE, None)
