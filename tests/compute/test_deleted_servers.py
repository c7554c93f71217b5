"""Deleted servers on each kind of database: how they come to be kept, how they are listed, how they are purged."""

import datetime
import types

import pytest
import sqlalchemy as sa
from alembic import command

from common import context, db, migrate
from common.db import Database
from conductor import cli
from conductor.db import actions, allocations, deletion, hosts, instances, models
from conductor.manager import Manager
from conductor.retention import Retention
from tests import databases
from tests.compute.test_guests import ROW as PLAIN

TABLE, DELETED = models.instances, models.deleted_instances
HOST = "node1"
ROW = {**PLAIN, "flavor": {"name": "small", "id": 1, "disk": 1, "ephemeral": 0}, "vm_state": "active", "power_state": 1,
       "host": HOST, "tags": ["t"], "metadata": {"k": "v"}, "posted_password": "secret",
       "network_info": [{"id": "p", "fixed_ips": []}]}
EVENT = {"event": "terminate_guest", "host": HOST, "start": 1.0, "finish": 2.0, "result": "Success"}
START = datetime.datetime(2026, 1, 1)


def _url(kind, tmp_path_factory):
    """Yields the URL of an empty compute database."""
    if kind is None:
        yield f"sqlite:///{tmp_path_factory.mktemp('db')}/compute.sqlite"
        return
    server = kind()
    try:
        server.make()
        yield f"{server.url}compute"
    finally:
        server.stop()


@pytest.fixture(scope="module", params=[None, databases.MariaDB, databases.PostgreSQL])
def database(request, tmp_path_factory):
    """Brought to its newest schema while a server was there, ``old``."""
    urls = _url(request.param, tmp_path_factory)
    url = next(urls)
    command.upgrade(migrate.config("conductor.db", url), "0008")
    made = Database("compute", url)
    with made.writer() as connection:
        hosts.report(connection, HOST, {"hypervisor_hostname": HOST, "vcpus": 8, "memory_mb": 8000, "local_gb": 100, "facts": {}})
        connection.execute(sa.insert(TABLE).values({**ROW, "uuid": "old", "created_at": START, "updated_at": START}))
        connection.execute(sa.update(models.compute_nodes).values(
            vcpus_used=ROW["vcpus"], memory_mb_used=ROW["memory_mb"], local_gb_used=ROW["disk_gb"], running_vms=1))
        actions.start(connection, context.service_context(request_id="req-old"), "old", "create")
    migrate.sync("conductor.db", url)
    yield made
    made.engine.dispose()
    for _ in urls:
        pass


@pytest.fixture
def ctx():
    return context.service_context(request_id=f"req-{context.new_uuid()}", project_id="p")


def make(database, uuid=None, **values) -> str:
    uuid = uuid or context.new_uuid()
    at = values.get("created_at", db.now())
    with database.writer() as connection:
        connection.execute(sa.insert(TABLE).values({**ROW, "uuid": uuid, "created_at": at, "updated_at": at, **values}))
        if values.get("host", HOST):
            node = dict(connection.execute(sa.select(models.compute_nodes)).mappings().one())
            assert allocations.claim(connection, node, uuid, ROW, {})
    return uuid


def begin(database, ctx, uuid: str):
    with database.writer() as connection:
        return deletion.begin(connection, ctx, {**row(database, uuid), "block_devices": []}, 60)


def finish(database, ctx, uuid: str, host=HOST):
    return database.transact(deletion.finish, ctx, uuid, host, [EVENT])


def row(database, uuid: str, table=TABLE) -> dict | None:
    with database.reader() as connection:
        found = connection.execute(sa.select(table).where(table.c.uuid == uuid)).mappings().first()
    return dict(found) if found else None


def count(database, table, uuid: str) -> int:
    with database.reader() as connection:
        return connection.execute(sa.select(sa.func.count()).where(table.c.instance_uuid == uuid)).scalar_one()


def used(database) -> int:
    with database.reader() as connection:
        return connection.execute(sa.select(models.compute_nodes.c.memory_mb_used)).scalar_one()


def test_a_server_from_before_the_revision_is_deleted_and_kept(database, ctx):
    before = row(database, "old")
    assert begin(database, ctx, "old")[0] == deletion.CONDUCTOR, "its host has never been heard of"
    with database.reader() as connection:
        assert allocations.inconsistencies(connection) == {}, "the revision gives each server what it had claimed"
    before_used = used(database)
    assert finish(database, ctx, "old") is not None
    assert used(database) == before_used - ROW["memory_mb"]
    assert row(database, "old") is None
    kept = row(database, "old", DELETED)
    assert kept == {**before, "attempt": 1, "vm_state": "deleted", "task_state": None, "power_state": 0, "network_info": [],
                    "posted_password": None, "request_id": ctx.request_id, "updated_at": kept["deleted_at"],
                    "deleted_at": kept["deleted_at"]}
    assert db.now() - kept["deleted_at"] < datetime.timedelta(minutes=1)


def test_reports_that_come_twice_late_or_from_elsewhere_change_nothing(database, ctx):
    uuid, told = make(database), []
    notifier = types.SimpleNamespace(on=True, changed=lambda *a: None, notify=lambda ctx, what, payload, **k: told.append(
        (what, payload["state"])))
    manager = Manager(types.SimpleNamespace(db=database, notifier=notifier))
    manager.deleted(ctx, uuid, HOST, [EVENT])
    assert row(database, uuid)["vm_state"] == "active", "nobody has asked for its deletion"
    begin(database, ctx, uuid)
    manager.deleted(ctx, uuid, "elsewhere", [EVENT])
    assert row(database, uuid)["task_state"] == "deleting", "it is not on that host"
    at_first, kept = used(database), None
    for _ in range(2):
        manager.deleted(ctx, uuid, HOST, [EVENT])
        kept = kept or row(database, uuid, DELETED)
        assert row(database, uuid) is None and row(database, uuid, DELETED) == kept
        assert used(database) == at_first - ROW["memory_mb"]
        assert count(database, models.instance_events, uuid) == 1
    assert told == [("compute.instance.delete.end", "deleted")]


def test_a_server_that_was_never_anywhere_is_deleted_at_once(database, ctx):
    uuid = make(database, host=None, vm_state="building", task_state="scheduling", network_info=[])
    by, now = begin(database, ctx, uuid)
    assert (by, now["vm_state"]) == (deletion.NOBODY, "deleted")
    assert row(database, uuid) is None and row(database, uuid, DELETED)["host"] is None


def _listed(database, tables, limit=0, marker=None, sort=(("created_at", "desc"),), **where) -> list[str]:
    conditions = {t: [t.c.project_id == "lists", *(t.c[k] == v for k, v in where.items())] for t in tables}
    with database.reader() as connection:
        query = instances.page(conditions, ("display_name", "vm_state", "flavor", "locked", "deleted_at"), sort=list(sort),
                               limit=limit, marker_row=marker)
        found = connection.execute(query).mappings().all()
    for each in found:
        assert (each["deleted_at"] is not None) == (each["vm_state"] == "deleted")
        assert each["flavor"]["name"] == "small" and each["locked"] is False
    return [each["display_name"] for each in found]


def test_pages_go_over_living_and_deleted_servers_alike(database, ctx):
    uuids = [make(database, project_id="lists", display_name=str(n), created_at=START + datetime.timedelta(minutes=n),
                  launched_at=None if n % 3 else START + datetime.timedelta(minutes=n)) for n in range(7)]
    for uuid in uuids[1::2]:
        begin(database, ctx, uuid)
        finish(database, ctx, uuid)
    assert _listed(database, [TABLE]) == ["6", "4", "2", "0"]
    assert _listed(database, [DELETED]) == ["5", "3", "1"]
    both = [TABLE, DELETED]
    assert _listed(database, both) == list("6543210")
    assert _listed(database, both, limit=3) == list("654")
    for marker, rest in ((4, "3210"), (3, "210")):
        with database.reader() as connection:
            last = instances.get_including_deleted(connection, uuids[marker], instances.Scope("lists"))
        assert "".join(_listed(database, both, marker=last)) == rest
        assert "".join(_listed(database, both, marker=last, limit=2)) == rest[:2]
    by_launch = _listed(database, both, sort=(("launched_at", "asc"), ("display_name", "asc")))
    assert [n for n in by_launch if int(n) % 3 == 0] == ["0", "3", "6"] and sorted(by_launch) == list("0123456")
    assert _listed(database, both, vm_state="deleted") == ["5", "3", "1"]


def test_purging_takes_what_is_older_with_its_actions(database, ctx, monkeypatch):
    old, young, living = (make(database) for _ in range(3))
    for uuid in (old, young):
        begin(database, ctx, uuid)
        finish(database, ctx, uuid)
    with database.writer() as connection:
        for uuid in (living, "lost"):
            actions.start(connection, ctx, uuid, "create")
            actions.events(connection, ctx.request_id, uuid, [EVENT])
        for table, column in ((DELETED, DELETED.c.uuid), (models.instance_actions, models.instance_actions.c.instance_uuid)):
            values = {"deleted_at": START} if table is DELETED else {"updated_at": START}
            connection.execute(sa.update(table).where(column.in_([old, living, "lost"])).values(values))
    assert deletion.purge(database, START) == 0, "what is of that very moment is not before it"
    service = types.SimpleNamespace(db=database, conf=types.SimpleNamespace(compute=types.SimpleNamespace(deleted_server_days=0)))
    Retention(service).run_once()
    assert row(database, old, DELETED) is not None, "0 days: kept until it is asked for"
    service.conf.compute.deleted_server_days = 5
    Retention(service).run_once()
    assert row(database, old, DELETED) is None and row(database, young, DELETED) is not None
    for table in (models.instance_actions, models.instance_events):
        assert [count(database, table, uuid) for uuid in (old, "lost", young, living)] == [0, 0, 1, 1]


def test_an_operator_purges_in_batches(database, ctx, monkeypatch, capsys):
    for uuid in [make(database) for _ in range(5)]:
        begin(database, ctx, uuid)
        finish(database, ctx, uuid)
    sizes, real = [], deletion._purge_some
    monkeypatch.setattr(deletion, "_purge_some", lambda *args: sizes.append(real(*args)) or sizes[-1])
    monkeypatch.setattr("conductor.service.Conductor.load", lambda state: types.SimpleNamespace(db=database))
    with database.writer() as connection:
        before = connection.execute(sa.select(sa.func.count()).select_from(DELETED)).scalar_one()
    assert cli.main(["db", "purge", "--before", "2999-01-01T00:00:00+01:00", "--batch", "2"]) == 0
    assert capsys.readouterr().out == f"{before} deleted servers purged\n"
    assert sum(sizes) == before and max(sizes) == 2 and sizes[-1] == 0
    for words in ([], ["--before", "yesterday"], ["--before", "2026-01-01", "--batch", "0"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["db", "purge", *words])
        assert ended.value.code == 2
