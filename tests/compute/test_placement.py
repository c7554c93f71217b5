"""Schedulers: what filters remove, and that two at once never promise the same room."""

import datetime
import threading

import pytest
import sqlalchemy as sa

from common import conf as conf_module
from common import context, db, errors
from common.db import Database
from conductor import conf
from conductor.db import hosts, models
from scheduler.placement import Placement
from tests.compute.services import add_service


@pytest.fixture
def world(tmp_path):
    loaded = conf_module.load("compute", conf.OPTS, str(tmp_path), {
        "scheduler.ram_allocation_ratio": 1.0, "scheduler.reserved_memory_mb": 0, "scheduler.host_cache_s": 60.0})
    database = Database("test", f"sqlite:///{tmp_path}/compute.sqlite")
    models.METADATA.create_all(database.engine)
    with database.writer() as connection:
        for name in ("a", "b", "c"):
            add_service(connection, "nova-compute", name, "nova")
            hosts.report(connection, name, {"hypervisor_hostname": name, "vcpus": 4, "memory_mb": 1000, "local_gb": 100,
                                            "facts": {"arch": "x86_64"}})
    return loaded, database


def spec(database, **more) -> dict:
    made = {"uuid": context.new_uuid(), "project_id": "p", "vcpus": 1, "memory_mb": 100, "disk_gb": 1,
            "availability_zone": None, "requested_host": None, "hints": {}, "server_group_id": None, "image_properties": {},
            "tried_hosts": [],
            "last_failure": None, **more}
    row = {c.name: None for c in models.instances.c}
    row.update(uuid=made["uuid"], project_id="p", user_id="u", display_name="n", hostname="n", flavor={}, vcpus=1, memory_mb=100,
               disk_gb=1, vm_state="building", task_state="scheduling", power_state=0, config_drive=False, metadata={},
               image_meta={}, security_groups=[], requested_networks=[], network_info=[], tags=[], scheduler_hints={},
               tried_hosts=[], locked=False, root_device_name="/dev/vda", disk_config="AUTO", reservation_id="r",
               launch_index=0, attempt=0, request_id="r", created_at=db.now(), updated_at=db.now(),
               server_group_id=made["server_group_id"])
    with database.writer() as connection:
        connection.execute(sa.insert(models.instances).values(row))
    return made


def test_two_schedulers_never_overbook(world):
    loaded, database = world
    schedulers = [Placement(loaded, database) for _ in range(2)]
    wanted = [spec(database) for _ in range(40)]  # there is room for 30
    placed, refused, lock = [], [], threading.Lock()

    def work(scheduler, specs):
        for one in specs:
            try:
                host = scheduler.place(context.Context(), one)
                with lock:
                    placed.append(host)
            except errors.NoValidHost:
                refused.append(one)
    threads = [threading.Thread(target=work, args=(s, wanted[i::2])) for i, s in enumerate(schedulers)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert (len(placed), len(refused)) == (30, 10)
    with database.reader() as connection:
        assert {n["memory_mb_used"] for n in hosts.all_nodes(connection)} == {1000}


def test_the_same_server_is_placed_once(world):
    loaded, database = world
    one = spec(database)
    placement = Placement(loaded, database)
    assert placement.place(context.Context(), one)
    assert placement.place(context.Context(), one) is None
    with database.reader() as connection:
        assert sum(n["memory_mb_used"] for n in hosts.all_nodes(connection)) == 100


@pytest.mark.parametrize(("change", "why"), [
    ({"memory_mb": 2000}, "3 not enough memory"), ({"vcpus": 5}, "3 not enough CPUs"), ({"disk_gb": 500}, "3 not enough disk"),
    ({"availability_zone": "moon"}, "3 not in the availability zone"),
    ({"requested_host": "b", "vcpus": 5}, "2 not in the"), ({"tried_hosts": ["a", "b", "c"]}, "3 failed to build"),
    ({"image_properties": {"architecture": "aarch64"}}, "3 cannot run the image")])
def test_the_refusal_names_what_each_filter_removed(world, change, why):
    loaded, database = world
    with pytest.raises(errors.NoValidHost, match=why):
        Placement(loaded, database).place(context.Context(), spec(database, **change))


def test_anti_affinity_spreads_and_then_refuses(world):
    loaded, database = world
    with database.writer() as connection:
        connection.execute(sa.insert(models.server_groups).values(
            id="g", name="g", policy="anti-affinity", project_id="p", user_id="u", created_at=db.now()))
    placement = Placement(loaded, database)
    placed = [placement.place(context.Context(), spec(database, server_group_id="g", hints={"group": "g"})) for _ in range(3)]
    assert sorted(placed) == ["a", "b", "c"]
    with pytest.raises(errors.NoValidHost, match="3 against the server group"):
        placement.place(context.Context(), spec(database, server_group_id="g", hints={"group": "g"}))


def test_that_all_hosts_are_silent_is_not_believed_at_once(world):
    """After the bus was away, what was asked for meanwhile comes before the hosts' next heartbeat."""
    loaded, database = world

    def heard(seconds_ago: int) -> None:
        with database.writer() as connection:
            connection.execute(sa.update(models.services).values(updated_at=db.now() - datetime.timedelta(seconds=seconds_ago)))
    one = spec(database)
    heard(loaded.service_down_time + 5)
    with pytest.raises(errors.ServiceUnavailable):
        Placement(loaded, database).place(context.Context(), one)
    heard(loaded.service_down_time + Placement.SILENCE_S + 5)
    with pytest.raises(errors.NoValidHost, match="3 down"):
        Placement(loaded, database).place(context.Context(), one)
    heard(1)
    assert Placement(loaded, database).place(context.Context(), one)
