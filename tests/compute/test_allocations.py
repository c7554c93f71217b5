"""What servers hold of hosts: taken once, given back once, and by what was taken."""

import types

import pytest
import sqlalchemy as sa

from common import db
from common.db import Database
from conductor.db import allocations, hosts, models
from scheduler import placement
from tests.compute.services import add_service
from tests.compute.test_guests import ROW

SMALL, LARGE = {"vcpus": 1, "memory_mb": 100, "disk_gb": 1}, {"vcpus": 4, "memory_mb": 400, "disk_gb": 4}


@pytest.fixture
def database(tmp_path):
    made = Database("compute", f"sqlite:///{tmp_path}/compute.sqlite")
    models.METADATA.create_all(made.engine)
    with made.writer() as connection:
        for host in ("a", "b"):
            add_service(connection, "nova-compute", host, "nova")
            hosts.report(connection, host, {
                "hypervisor_hostname": host, "vcpus": 8, "memory_mb": 8000, "local_gb": 100, "facts": {}})
    yield made
    made.engine.dispose()


def node(connection, host: str) -> dict:
    return dict(connection.execute(sa.select(models.compute_nodes).where(models.compute_nodes.c.host == host)).mappings().one())


def used(database, host: str) -> tuple:
    with database.reader() as connection:
        found = node(connection, host)
    return tuple(found[name] for name in ("vcpus_used", "memory_mb_used", "local_gb_used", "running_vms"))


def server(connection, uuid: str, host: str | None, **values) -> None:
    connection.execute(sa.insert(models.instances).values({
        **ROW, "uuid": uuid, "host": host, "vm_state": "active", "power_state": 1, "created_at": db.now(), "updated_at": db.now(),
        **SMALL, **values}))


def test_what_is_given_back_twice_is_subtracted_once_and_by_what_was_taken(database):
    with database.writer() as connection:
        server(connection, "s", "a")
        server(connection, "t", "a")
        for uuid in ("s", "t"):
            assert allocations.claim(connection, node(connection, "a"), uuid, SMALL, {})
        connection.execute(sa.update(models.instances).where(models.instances.c.uuid == "s").values(LARGE))
    assert used(database, "a") == (2, 200, 2, 2)
    for _ in range(2):
        with database.writer() as connection:
            allocations.release(connection, "s")
        assert used(database, "a") == (1, 100, 1, 1)


def test_a_server_may_hold_parts_of_two_hosts(database):
    with database.writer() as connection:
        assert allocations.claim(connection, node(connection, "a"), "s", SMALL, {})
        assert allocations.claim(connection, node(connection, "b"), "s", LARGE, {})
    assert (used(database, "a"), used(database, "b")) == ((1, 100, 1, 1), (4, 400, 4, 1))
    with database.writer() as connection:
        allocations.release(connection, "s")
    assert used(database, "a") == used(database, "b") == (0, 0, 0, 0)


def test_a_full_host_is_not_claimed(database):
    with database.writer() as connection:
        seen = {**node(connection, "a"), "zone": "nova"}
        limits = {"memory_mb_used": SMALL["memory_mb"]}
        assert allocations.claim(connection, seen, "s", SMALL, limits)
        assert not allocations.claim(connection, seen, "t", SMALL, limits)
        assert [a.instance_uuid for a in connection.execute(sa.select(models.allocations))] == ["s"]
        server(connection, "t", None, vm_state="building", task_state="scheduling")
    scheduler = types.SimpleNamespace(limits=lambda host: limits, check_group=lambda *args: None)
    with pytest.raises(placement.HostFull):
        database.transact(lambda c: placement.Placement._claim(scheduler, c, None, seen, {"uuid": "t", **SMALL}, 0.0))
    with database.reader() as connection:
        assert connection.execute(sa.select(models.instances.c.host).where(models.instances.c.uuid == "t")).scalar() is None


def test_what_differs_is_found_and_mended(database):
    with database.writer() as connection:
        server(connection, "there", "a")
        server(connection, "lost", "a")
        server(connection, "moved", "b")
        for uuid in ("there", "gone", "moved"):
            assert allocations.claim(connection, node(connection, "a"), uuid, SMALL, {})
        connection.execute(sa.update(models.compute_nodes).where(models.compute_nodes.c.host == "a").values(memory_mb_used=7))
        found = allocations.inconsistencies(connection)
        assert found == {
            "a": ["has an allocation for server gone, which does not exist",
                  "has an allocation for server moved, which does not exist",
                  "has no allocation for server lost", "memory_mb_used is 7, should be 300"],
            "b": ["has no allocation for server moved"]}
        for host in found:
            allocations.repair(connection, host)
        assert allocations.inconsistencies(connection) == {}
    assert (used(database, "a"), used(database, "b")) == ((2, 200, 2, 2), (1, 100, 1, 1))
