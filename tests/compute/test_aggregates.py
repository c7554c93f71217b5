"""Aggregates: no decision relies on what a host's aggregates were before, and a server's zone is that of its host."""

import pytest
import sqlalchemy as sa

from common import context, errors, rows
from conductor.db import aggregates, instances, machine, models
from scheduler.placement import Placement
from tests.compute.test_placement import spec, world

__all__ = ["world"]
TABLE = models.instances


def put(database, name: str, host: str, **metadata) -> None:
    with database.writer() as connection:
        made = aggregates.insert(connection, name, metadata)
        aggregates.touch(connection, [host])
        rows.insert(connection, aggregates.HOSTS, {"aggregate_id": made["id"], "host": host})


def server(database, uuid: str) -> dict:
    with database.reader() as connection:
        return rows.one(connection, sa.select(TABLE).where(TABLE.c.uuid == uuid))


def place(placement, database, **more) -> tuple[str | None, dict]:
    one = spec(database, **more)
    host = placement.place(context.Context(), one)
    return host, server(database, one["uuid"])


def test_a_server_is_in_the_zone_of_its_host(world):
    loaded, database = world
    put(database, "e", "b", availability_zone="east")
    placement = Placement(loaded, database)
    host, row = place(placement, database, availability_zone="east")
    assert (host, row["availability_zone"]) == ("b", "east")
    host, row = place(placement, database, requested_host="a")
    assert (host, row["availability_zone"]) == ("a", "nova")


def test_a_scheduler_that_knows_an_older_zone_does_not_claim_by_it(world):
    loaded, database = world
    placement = Placement(loaded, database)
    assert {h["zone"] for h in placement.hosts()} == {"nova"}  # and keeps that for a minute
    for name in ("a", "b"):
        put(database, name, name, availability_zone="east")
    for _ in range(3):
        assert place(placement, database, availability_zone="nova")[0] == "c"
    with pytest.raises(errors.NoValidHost):
        place(placement, database, availability_zone="nova", requested_host="a")
    host, row = place(placement, database, requested_host="b")
    assert (host, row["availability_zone"]) == ("b", "east")


def test_aggregates_are_read_again_only_for_hosts_whose_aggregates_changed(world):
    loaded, database = world
    put(database, "e", "b", availability_zone="east")
    placement, read = Placement(loaded, database), []
    sa.event.listen(database.engine, "before_cursor_execute", lambda c, cursor, statement, *more: read.append(statement))
    placement.hosts(fresh=True)
    assert sum("aggregate_hosts" in statement for statement in read) == 1
    read.clear()
    assert sorted(h["zone"] for h in placement.hosts(fresh=True)) == ["east", "nova", "nova"]
    assert not [statement for statement in read if "aggregate_hosts" in statement]


def test_a_server_without_a_host_is_in_the_zone_that_was_asked_for(world):
    loaded, database = world
    put(database, "e", "b", availability_zone="east")
    _, row = place(Placement(loaded, database), database)
    with database.writer() as connection:
        again = machine.build_elsewhere(connection, row, [row["host"]], {"message": "m"})
    assert again["availability_zone"] is None and server(database, row["uuid"])["availability_zone"] is None
    with database.writer() as connection:
        instances.move(connection, row["uuid"], "b", "nova")
    assert server(database, row["uuid"])["availability_zone"] == "east"


def test_a_deleted_host_is_in_no_aggregate(world):
    _, database = world
    put(database, "e", "b", availability_zone="east")
    with database.writer() as connection:
        aggregates.remove_host(connection, "b")
        assert aggregates.all_of_them(connection)[0]["hosts"] == []
