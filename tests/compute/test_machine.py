"""The server's state machine: every action in every state, and what users see of it."""

import itertools
import types

import pytest
import sqlalchemy as sa

from common import context, db, errors, server_states
from common.db import Database
from conductor.db import machine, models
from conductor.manager import Manager

VM = ["active", "building", "stopped", "error", "paused", "suspended", "rescued", "resized", "shelved",
      "shelved_offloaded", "soft-delete"]
TASKS = [None, *sorted({t for a in server_states.ACTIONS.values() for t in a.all_task_states})]
# What OpenStack's users can do to a server that is idle, and what becomes of it: action: {state before: state after}.
ENDS = {
    "start": {"stopped": "active"}, "stop": {"active": "stopped", "error": "stopped"}, "reboot": {"active": "active"},
    "reboot-hard": dict.fromkeys(("active", "stopped", "paused", "suspended", "error"), "active"),
    "pause": {"active": "paused"}, "unpause": {"paused": "active"}, "suspend": {"active": "suspended"},
    "resume": {"suspended": "active"}, "rescue": dict.fromkeys(("active", "stopped", "error"), "rescued"),
    "unrescue": {"rescued": "active"}, "rebuild": {"active": "active", "error": "active", "stopped": "stopped"},
    "image_snapshot": {s: s for s in ("active", "stopped", "paused", "suspended")},
    "image_backup": {s: s for s in ("active", "stopped", "paused", "suspended")},
    "migrate": dict.fromkeys(("active", "stopped"), "resized"), "resize": dict.fromkeys(("active", "stopped"), "resized"),
    "confirmResize": {"resized": "active"}, "revertResize": {"resized": "active"},
    "evacuate": {"active": "active", "error": "active", "stopped": "stopped"},
    "shelve": dict.fromkeys(("active", "stopped", "paused", "suspended"), "shelved"),
    "soft-delete": dict.fromkeys(("active", "stopped", "paused", "suspended", "error"), "soft-delete"),
    "restore": {"soft-delete": "active"},
    "shelveOffload": {"shelved": "shelved_offloaded"}, "unshelve": dict.fromkeys(("shelved", "shelved_offloaded"), "active")}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    made = Database("test", f"sqlite:///{tmp_path_factory.mktemp('db')}/compute.sqlite")
    models.METADATA.create_all(made.engine)
    row = {c.name: None for c in models.instances.c}
    row.update(uuid="u", project_id="p", user_id="u", display_name="n", hostname="n", flavor={}, vcpus=1, memory_mb=1,
               disk_gb=1, vm_state="active", power_state=0, config_drive=False, metadata={}, image_meta={},
               security_groups=[], requested_networks=[], network_info=[], tags=[], scheduler_hints={}, tried_hosts=[],
               locked=False, root_device_name="/dev/vda", disk_config="AUTO", reservation_id="r", launch_index=0,
               request_id="req", attempt=0, created_at=db.now(), updated_at=db.now())
    with made.writer() as connection:
        connection.execute(sa.insert(models.instances).values(row))
    return made


def put(database, vm_state, task_state):
    with database.writer() as connection:
        connection.execute(sa.update(models.instances).values(vm_state=vm_state, task_state=task_state))


def states(database):
    with database.reader() as connection:
        return tuple(connection.execute(sa.select(models.instances.c.vm_state, models.instances.c.task_state)).one())


def outcome(database, name: str, end, **values) -> tuple:
    """The states after an action began and ended; None where it could not begin, and then nothing was written."""
    before = states(database)
    try:
        with database.writer() as connection:
            machine.begin(connection, "u", name)
    except errors.InvalidState:
        assert states(database) == before
        return None
    assert states(database) == (before[0], server_states.ACTIONS[name].task_state)
    with database.writer() as connection:
        assert end(connection, "u", name, **values)
        assert not end(connection, "u", name, **values), "a doubled report must change nothing"
    return states(database)


@pytest.mark.parametrize(("name", "vm_state"), list(itertools.product(ENDS, VM)))
def test_every_action_on_an_idle_server(database, name, vm_state):
    end = ENDS[name].get(vm_state)
    put(database, vm_state, None)
    assert outcome(database, name, machine.finish) == (end and (end, None))
    put(database, vm_state, None)
    failed = "error" if name in ("rebuild", "rescue", "unrescue") else vm_state
    assert outcome(database, name, machine.fail) == (end and (failed, None))


@pytest.mark.parametrize(("name", "vm_state"), list(itertools.product(ENDS, VM)))
def test_a_server_that_is_busy_is_left_alone(database, name, vm_state):
    """But a hard reboot may follow one that hangs, and whatever hangs on a host that is down does not keep its servers there."""
    for task_state in TASKS[1:]:
        put(database, vm_state, task_state)
        kept = ("scheduling", "networking", "spawning", "unshelving", "deleting", "soft-deleting",
                *server_states.EVACUATION_TASKS)
        follows = {"reboot-hard": task_state in ("rebooting", "rebooting_hard"), "evacuate": task_state not in kept}.get(name)
        end = ENDS[name].get(vm_state) if follows else None
        assert outcome(database, name, machine.finish) == (end and (end, None)), task_state


@pytest.mark.parametrize(("vm_state", "task_state"), list(itertools.product(VM, TASKS)))
def test_a_server_can_always_be_deleted_and_is_built_once(database, vm_state, task_state):
    put(database, vm_state, task_state)
    for name, before in (("schedule", ["scheduling"]), ("build", ["scheduling", "networking"]),
                         ("spawn", ["networking", "spawning"])):
        put(database, vm_state, task_state)
        after = outcome(database, name, machine.fail)
        assert after == (("error", None) if vm_state == "building" and task_state in before else None)
    put(database, vm_state, task_state)
    with database.writer() as connection:
        machine.begin(connection, "u", "delete")
    assert states(database) == (vm_state, "deleting")


def test_a_build_that_a_host_gives_up_waits_for_another_unless_it_is_deleted(database):
    put(database, "building", "spawning")
    row = {"uuid": "u", "host": "a", "attempt": 3, "pinned_availability_zone": None}
    with database.writer() as connection:
        now = machine.build_elsewhere(connection, row, ["a"], {"message": "no"})
    assert (now["host"], now["tried_hosts"], states(database)) == (None, ["a"], ("building", "scheduling"))
    put(database, "building", "deleting")
    with database.writer() as connection:
        assert machine.build_elsewhere(connection, row, ["a"], {}) is None
    assert states(database) == ("building", "deleting")


def test_a_task_overtaken_by_delete_writes_nothing(database):
    put(database, "building", "spawning")
    with database.writer() as connection:
        machine.begin(connection, "u", "delete")
        assert not machine.finish(connection, "u", "spawn")
        assert not machine.fail(connection, "u", "build")
    assert states(database) == ("building", "deleting")


def test_a_rebuild_ends_right_that_an_agent_of_the_release_before_reports(database):
    manager = Manager(types.SimpleNamespace(db=database, notifier=types.SimpleNamespace(on=False, changed=lambda *a: None)))
    put(database, "stopped", "rebuilding")
    manager.finish(context.service_context(), "u", "rebuild-stopped", [], {"power_state": server_states.SHUTDOWN})
    assert states(database) == ("stopped", None)


def test_the_end_of_an_action_is_told_to_the_project_of_its_server_whoever_asked_for_it(database):
    """Where nobody reads notifications too: pages of the server's owner are refreshed after an administrator's action."""
    told = []
    manager = Manager(types.SimpleNamespace(db=database, notifier=types.SimpleNamespace(
        on=False, changed=lambda ctx, what, payload: told.append((what, payload)))))
    admin = context.service_context(project_id="of-the-operator")
    put(database, "active", "powering-off")
    manager.finish(admin, "u", "stop", [], {"power_state": server_states.SHUTDOWN})
    put(database, "active", "powering-off")
    manager.fail(admin, "u", "host", "stop", "it hangs", [], False)
    assert told == [("compute.instance.power_off.end", {"project_id": "p"}), ("compute.instance.stop.error", {"project_id": "p"})]


def test_states_fit_their_columns():
    table = models.instances
    assert max(map(len, VM)) <= table.c.vm_state.type.length
    assert max(len(t) for t in TASKS if t) <= table.c.task_state.type.length


@pytest.mark.parametrize(("vm_state", "task_state"), list(itertools.product([*VM, "deleted"], TASKS)))
def test_status_filter_finds_exactly_what_shows_it(database, vm_state, task_state):
    put(database, vm_state, task_state)
    shown = server_states.status({"vm_state": vm_state, "task_state": task_state})
    with database.reader() as connection:
        found = [s for s in server_states.STATUSES if connection.execute(
            sa.select(models.instances.c.uuid).where(machine.conditions_of(s))).first()]
    assert found == [shown]


def test_reports_that_overtake_each_other_end_right(database):
    """``finish`` may come before the ``progress`` that precedes it: the build is over all the same."""
    put(database, "building", "networking")
    with database.writer() as connection:
        assert machine.finish(connection, "u", "spawn")
    with pytest.raises(errors.InvalidState), database.writer() as connection:
        machine.begin(connection, "u", "spawn")
    assert states(database) == ("active", None)


def test_an_operation_goes_through_its_task_states_and_ends_from_each(database):
    states_on_the_way = ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")
    for last in range(len(states_on_the_way)):
        for end in (machine.finish, machine.fail):
            put(database, "stopped", None)
            with database.writer() as connection:
                machine.begin(connection, "u", "migrate")
                attempt = connection.execute(sa.select(models.instances.c.attempt)).scalar_one()
                for task_state in states_on_the_way[:last + 1]:
                    assert machine.advance(connection, "u", "migrate", task_state, attempt)
                assert not machine.advance(connection, "u", "migrate", task_state, attempt - 1), "of an older attempt"
            assert states(database) == ("stopped", states_on_the_way[last])
            assert server_states.status({"vm_state": "stopped", "task_state": states_on_the_way[last]}) == "RESIZE"
            with database.writer() as connection:
                assert end(connection, "u", "migrate", attempt=attempt)
            assert states(database) == ("resized" if end is machine.finish else "stopped", None)


def test_a_confirmed_server_ends_as_it_was(database):
    put(database, "resized", None)
    with database.writer() as connection:
        machine.begin(connection, "u", "confirmResize")
        assert machine.finish(connection, "u", "confirmResize", end="stopped")
    assert states(database) == ("stopped", None)


def test_nothing_goes_on_once_a_delete_has_begun(database):
    put(database, "active", None)
    with database.writer() as connection:
        machine.begin(connection, "u", "migrate")
        attempt = connection.execute(sa.select(models.instances.c.attempt)).scalar_one()
        machine.begin(connection, "u", "delete")
        assert not machine.advance(connection, "u", "migrate", "resize_migrating", attempt)
