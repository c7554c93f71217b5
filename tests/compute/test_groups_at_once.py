"""Members of a server group that are placed at the same moment, by two schedulers: the group's policy holds all the same."""

import concurrent.futures
import contextlib
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from common import conf as conf_module
from common import context, db, errors
from common.db import Database
from conductor import conf
from conductor.db import allocations, hosts, instances, models, resizes
from scheduler import placement as placements
from scheduler import targets
from scheduler.placement import Placement
from tests import databases
from tests.compute.services import add_service
from tests.compute.test_placement import spec

HOSTS = ("a", "b", "c")
FLAVOR = {"id": "1", "name": "small", "vcpus": 1, "ram": 100, "disk": 1, "ephemeral": 0}


@pytest.fixture(scope="module", params=[None, databases.MariaDB, databases.PostgreSQL])
def tables(request, tmp_path_factory):
    """An empty compute database; None: SQLite, where one transaction follows the other."""
    server = request.param() if request.param else None
    try:
        if server:
            server.make()
        made = Database("compute", f"{server.url}compute" if server else f"sqlite:///{tmp_path_factory.mktemp('db')}/compute.sqlite")
        models.METADATA.create_all(made.engine)
        yield made
        made.engine.dispose()
    finally:
        if server:
            server.stop()


@pytest.fixture
def database(tables):
    with tables.writer() as connection:
        for table in reversed(models.METADATA.sorted_tables):
            connection.execute(sa.delete(table))
        for name in HOSTS:
            add_service(connection, "nova-compute", name, "nova")
            hosts.report(connection, name, {"hypervisor_hostname": name, "vcpus": 8, "memory_mb": 8000, "local_gb": 100,
                                            "facts": {"arch": "x86_64"}})
    return tables


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(placements, "HOSTS_FOR_ONE", 1)  # all that fit are among the best few
    return conf_module.load("compute", conf.OPTS, str(tmp_path))


class Meeting(Placement):
    """Claims nothing before all have first chosen. Of the hosts that fit it takes those first that it likes most."""

    def __init__(self, loaded, database, barrier: threading.Barrier, likes: str):
        super().__init__(loaded, database)
        self.barrier, self.likes, self.waited = barrier, likes, False

    def best(self, candidates, spec):
        found = super().best(candidates, spec)
        if not self.waited:
            self.waited = True
            with contextlib.suppress(threading.BrokenBarrierError):
                self.barrier.wait(5)
        return sorted(found, key=lambda host: self.likes.index(host["host"]))


def group(database, policy: str, most: int | None = None) -> dict:
    """What the specification of a member has."""
    made = {"id": context.new_uuid(), "policy": policy}
    with database.writer() as connection:
        connection.execute(sa.insert(models.server_groups).values(
            name="g", project_id="p", user_id="u", created_at=db.now(), max_server_per_host=most, **made))
    return {"server_group_id": made["id"], "hints": {"group": made["id"]}}


def at_once(loaded, database, members: list[dict], likes: list[str]) -> list[str]:
    """Where members go whose schedulers like these hosts most; "": none was left."""
    barrier = threading.Barrier(len(members))

    def place(member: dict, liked: str) -> str:
        try:
            return Meeting(loaded, database, barrier, liked).place(context.Context(), member) or "placed twice"
        except errors.NoValidHost as error:
            assert "3 against the server group's policy" in str(error)
            return ""
    with concurrent.futures.ThreadPoolExecutor(len(members)) as pool:
        found = list(pool.map(place, members, likes))
    with database.reader() as connection:
        assert allocations.inconsistencies(connection) == {}
    return sorted(found)


def test_two_that_must_be_apart(loaded, database):
    of = group(database, "anti-affinity")
    assert at_once(loaded, database, [spec(database, **of) for _ in range(2)], ["abc", "abc"]) == ["a", "b"]


def test_more_that_must_be_apart_than_there_are_hosts(loaded, database):
    of = group(database, "anti-affinity")
    assert at_once(loaded, database, [spec(database, **of) for _ in range(4)], ["abc"] * 4) == ["", "a", "b", "c"]


def test_as_many_on_a_host_as_the_group_allows(loaded, database):
    of = group(database, "anti-affinity", 2)
    assert at_once(loaded, database, [spec(database, **of) for _ in range(4)], ["abc"] * 4) == ["a", "a", "b", "b"]


def test_two_that_must_be_together(loaded, database):
    of = group(database, "affinity")
    first, second = at_once(loaded, database, [spec(database, **of) for _ in range(2)], ["abc", "bca"])
    assert first == second


def test_two_groups_do_not_wait_for_each_other(loaded, database):
    members = [spec(database, **group(database, "anti-affinity")) for _ in range(2)]
    assert at_once(loaded, database, members, ["abc", "abc"]) == ["a", "a"]


def test_a_member_is_placed_while_another_is_claimed_a_host_to_move_to(loaded, database, monkeypatch):
    of = group(database, "anti-affinity")
    moving, new = spec(database, **of), spec(database, **of)
    assert at_once(loaded, database, [moving], ["abc"]) == ["a"]
    with database.writer() as connection:
        instances.write(connection, moving["uuid"], vm_state="active", task_state=None, flavor=FLAVOR)
        resizes.begin(connection, context.Context(request_id="r", project_id="p", user_id="u"),
                      instances.find(connection, moving["uuid"]), action="migrate")
        migration = connection.execute(sa.select(models.server_migrations.c.id)).scalar_one()
        attempt = instances.find(connection, moving["uuid"])["attempt"]
    barrier = threading.Barrier(2)
    mover, placer = (Meeting(loaded, database, barrier, "bca") for _ in range(2))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        moved = pool.submit(targets.claim, mover, moving["uuid"], attempt, migration, None)
        placed = pool.submit(placer.place, context.Context(), new)
        assert sorted([moved.result(), placed.result()]) == ["b", "c"]


@pytest.mark.parametrize(("policy", "more"), [(None, 0), ("soft-anti-affinity", 0), ("anti-affinity", 2)])
def test_only_members_of_groups_with_strict_policies_pay_for_it(loaded, database, policy, more):
    """Two statements: the group's row, which others wait for, and where its members are."""
    counts = []
    for member in (spec(database), spec(database, **group(database, policy) if policy else {})):
        placement, found = Placement(loaded, database), []
        with database.reader() as connection:
            resolved = placement.resolve(connection, member)
        host = placement.hosts(fresh=True)[0]
        listener = lambda connection, cursor, text, *rest: found.append(text)  # noqa: B023, E731
        event.listen(database.engine, "before_cursor_execute", listener)
        assert database.transact(placement._claim, context.Context(), host, resolved, 1.0)
        event.remove(database.engine, "before_cursor_execute", listener)
        counts.append(len(found))
    assert counts[1] == counts[0] + more
