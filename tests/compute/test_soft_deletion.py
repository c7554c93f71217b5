"""Deleted servers that are kept for a while: which ones, and when they are deleted for good."""

import datetime
import types

import pytest

from common import context, db, errors
from common.server_states import ACTIONS, ACTIVE, DELETING, RESCUED, SHELVED, SOFT_DELETED, STOPPED
from conductor.db import instances, machine, quotas, soft_deletion
from conductor.reclaiming import Reclaiming
from tests.compute.test_allocations import database, server  # noqa: F401

CTX = context.Context(request_id="req-1", project_id="p", user_id="u")


def reclaiming(database, told: list, kept_s: int = 60) -> Reclaiming:  # noqa: F811
    conf = types.SimpleNamespace(compute=types.SimpleNamespace(reclaim_instance_interval=kept_s), service_down_time=3600)
    agents = types.SimpleNamespace(delete=lambda ctx, host, uuid: told.append((host, uuid)))
    return Reclaiming(types.SimpleNamespace(db=database, conf=conf, agents=agents))


def put_away(database, uuid: str, ago_s: int) -> None:  # noqa: F811
    with database.writer() as connection:
        server(connection, uuid, "a", vm_state=ACTIVE, task_state=None)
        row = instances.find(connection, uuid)
        assert soft_deletion.applies(row)
        soft_deletion.begin(connection, CTX, row)
        machine.finish(connection, uuid, soft_deletion.SOFT_DELETE)
        instances.write(connection, uuid, soft_deleted_at=db.now() - datetime.timedelta(seconds=ago_s))


def states(database, uuid: str) -> tuple[str, str | None]:  # noqa: F811
    with database.reader() as connection:
        row = instances.find(connection, uuid)
    return row["vm_state"], row["task_state"]


def test_what_is_kept_long_enough_is_deleted_by_its_host(database):  # noqa: F811
    put_away(database, "old", 61)
    put_away(database, "new", 59)
    told: list = []
    for _ in range(2):
        reclaiming(database, told).run_once()
    assert told == [("a", "old")]
    assert states(database, "old") == (SOFT_DELETED, DELETING) and states(database, "new") == (SOFT_DELETED, None)


def test_without_an_interval_nothing_is_kept_any_longer(database):  # noqa: F811
    put_away(database, "old", 1)
    told: list = []
    reclaiming(database, told, kept_s=0).run_once()
    assert told == [("a", "old")]


def test_a_server_that_is_restored_meanwhile_stays(database):  # noqa: F811
    put_away(database, "old", 61)
    with database.writer() as connection:
        soft_deletion.restore(connection, CTX, "old")
    with database.writer() as connection:
        assert soft_deletion.reclaim(connection, CTX, "old", 60, 3600) is None
        machine.finish(connection, "old", soft_deletion.RESTORE)
    told: list = []
    reclaiming(database, told).run_once()
    assert told == [] and states(database, "old") == (ACTIVE, None)
    with pytest.raises(errors.InvalidState), database.writer() as connection:
        soft_deletion.restore(connection, CTX, "old")


def test_a_server_whose_restoration_failed_is_deleted_after_another_interval(database):  # noqa: F811
    put_away(database, "old", 61)
    with database.writer() as connection:
        soft_deletion.restore(connection, CTX, "old")
        machine.fail(connection, "old", soft_deletion.RESTORE, fault=machine.fault("no volume service"))
    told: list = []
    reclaiming(database, told).run_once()
    assert told == [] and states(database, "old") == (SOFT_DELETED, None)
    with database.writer() as connection:
        instances.write(connection, "old", soft_deleted_at=db.now() - datetime.timedelta(seconds=61))
    reclaiming(database, told).run_once()
    assert told == [("a", "old")]


def test_a_server_that_cannot_be_deleted_does_not_stop_the_others(database, monkeypatch):  # noqa: F811
    put_away(database, "broken", 62)
    put_away(database, "old", 61)
    reclaim = soft_deletion.reclaim

    def failing(connection, ctx, uuid, *more):
        if uuid == "broken":
            raise ValueError("of this row")
        return reclaim(connection, ctx, uuid, *more)
    monkeypatch.setattr(soft_deletion, "reclaim", failing)
    told: list = []
    reclaiming(database, told).run_once()
    assert told == [("a", "old")]


@pytest.mark.parametrize("vm_state, task_state, is_deleted", [
    (ACTIVE, "soft-deleting", True), (SOFT_DELETED, None, True), (SOFT_DELETED, "restoring", False), (ACTIVE, None, False),
    (SOFT_DELETED, DELETING, False)])
def test_what_another_delete_leaves_alone(vm_state, task_state, is_deleted):
    assert soft_deletion.is_deleted({"vm_state": vm_state, "task_state": task_state}) is is_deleted


def test_a_server_that_is_being_deleted_is_not_evacuated():
    assert not {"soft-deleting", DELETING} & ACTIONS["evacuate"].task_states


def test_it_does_not_count_in_quotas(database):  # noqa: F811
    put_away(database, "old", 1)
    with database.writer() as connection:
        server(connection, "other", "a", vm_state=ACTIVE, task_state=None)
        assert instances.usage(connection, "p")["instances"] == 1
        assert quotas.Servers(connection, {**quotas.DEFAULTS, "instances": 2}, "p", "u").room({"vcpus": 1, "ram": 1}) == 1


@pytest.mark.parametrize("row", [
    {"host": None, "vm_state": ACTIVE, "task_state": None}, {"host": "a", "vm_state": RESCUED, "task_state": None},
    {"host": "a", "vm_state": SHELVED, "task_state": None}, {"host": "a", "vm_state": STOPPED, "task_state": DELETING}])
def test_servers_that_could_not_be_restored_as_they_were_are_not_kept(row):
    assert not soft_deletion.applies(row)
