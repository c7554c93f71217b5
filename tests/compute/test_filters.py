"""Filters and weighers of the scheduler that operators enable, each with hosts that it keeps and removes."""

import pytest
import sqlalchemy as sa

from common import conf as conf_module
from common import context, db, errors
from common.db import Database
from conductor import conf
from conductor.db import hosts, models
from scheduler.filters import operators
from scheduler.placement import Placement
from tests.compute.services import add_service
from tests.compute.test_aggregates import put
from tests.compute.test_placement import spec

FACTS = {"arch": "x86_64", "hypervisor_type": "QEMU", "cpu_info": {"vendor": "Intel"}}


@pytest.fixture
def world(tmp_path):
    """A database with the hosts a, b and c, and a scheduler with some filters enabled."""
    database = Database("test", f"sqlite:///{tmp_path}/compute.sqlite")
    models.METADATA.create_all(database.engine)
    with database.writer() as connection:
        for number, name in enumerate(("a", "b", "c"), 1):
            add_service(connection, "nova-compute", name)
            hosts.report(connection, name, {"hypervisor_hostname": name, "vcpus": 4, "memory_mb": 1000 * number, "local_gb": 100,
                                            "facts": {**FACTS, "host_ip": f"10.0.{number}.1"}})

    def scheduler(*names, **options):
        loaded = conf_module.load("compute", conf.OPTS, str(tmp_path), {
            "scheduler.ram_allocation_ratio": 1.0, "scheduler.reserved_memory_mb": 0, "scheduler.host_cache_s": 60.0,
            "filter_scheduler.enabled_filters": list(names),
            **{f"filter_scheduler.{name}": value for name, value in options.items()}})
        return Placement(loaded, database)
    return database, scheduler


def passing(placement, database, **more) -> set[str]:
    """The hosts that a server could go to; nothing is claimed."""
    wanted = {**spec(database), "hints": {}, **more}
    with database.reader() as connection:
        resolved = placement.resolve(connection, wanted)
    return {h["host"] for h in placement.hosts(fresh=True) if all(one.passes(h, resolved) for one in placement.filters)}


@pytest.mark.parametrize(("wanted", "hosts_left"), [
    ({}, "abc"), ({"ssd": "true"}, "a"), ({"aggregate_instance_extra_specs:ssd": "true"}, "a"),
    ({"hw:cpu_policy": "dedicated"}, "abc"),
    ({"ssd": "<or> true <or> false"}, "ab"), ({"aggregate_instance_extra_specs:disks": ">= 3"}, "b"), ({"none": "x"}, "")])
def test_flavors_for_aggregates(world, wanted, hosts_left):
    database, scheduler = world
    put(database, "fast", "a", ssd="true", disks="2")
    put(database, "slow", "b", ssd="false, maybe", disks="4")
    assert passing(scheduler("AggregateInstanceExtraSpecsFilter"), database, extra_specs=wanted) == set(hosts_left)


def test_a_host_whose_hypervisor_does_not_work_gets_no_servers(world):
    database, scheduler = world
    with database.writer() as connection:
        hosts.report(connection, "b", {"hypervisor_hostname": "b", "vcpus": 4, "memory_mb": 2000, "local_gb": 100,
                                       "facts": {**FACTS, "unusable": True}})
    assert passing(scheduler(), database) == {"a", "c"}


def test_aggregates_of_projects(world):
    database, scheduler = world
    put(database, "theirs", "a", filter_tenant_id="q,r")
    put(database, "ours", "b", filter_tenant_id2="p")
    placement = scheduler("AggregateMultiTenancyIsolation")
    assert passing(placement, database, project_id="p") == {"b", "c"}
    assert passing(placement, database, project_id="r") == {"a", "c"}
    with pytest.raises(errors.NoValidHost, match="1 in an aggregate of other projects"):
        placement.place(context.Context(), {**spec(database), "requested_host": "a"})


def test_aggregates_for_images_and_flavors(world):
    database, scheduler = world
    put(database, "windows", "a", os_type="windows", instance_type="big, huge")
    placement = scheduler("AggregateImagePropertiesIsolation")
    assert passing(placement, database, image_properties={"os_type": "linux"}) == {"b", "c"}
    assert passing(placement, database, image_properties={"os_type": "windows"}) == {"a", "b", "c"}
    placement = scheduler("AggregateTypeAffinityFilter")
    assert passing(placement, database, flavor_name="huge") == {"a", "b", "c"}
    assert passing(placement, database, flavor_name="small") == {"b", "c"}


def test_isolated_hosts(world):
    database, scheduler = world
    isolated = {"isolated_hosts": ["a"], "isolated_images": ["i"]}
    placement = scheduler("IsolatedHostsFilter", **isolated)
    assert passing(placement, database, image_id="i") == {"a"} and passing(placement, database, image_id="j") == {"b", "c"}
    placement = scheduler("IsolatedHostsFilter", **isolated, restrict_isolated_hosts_to_isolated_images=False)
    assert passing(placement, database, image_id="j") == {"a", "b", "c"}


def test_servers_per_host_are_limited_whatever_other_schedulers_do(world):
    database, scheduler = world
    put(database, "larger", "b", max_instances_per_host="2")
    first, second = (scheduler("AggregateNumInstancesFilter", max_instances_per_host=1) for _ in range(2))
    first.hosts()
    second.hosts()
    placed = [(first, second)[number % 2].place(context.Context(), spec(database)) for number in range(4)]
    assert sorted(placed) == ["a", "b", "b", "c"]
    with pytest.raises(errors.NoValidHost, match="3 too many servers"):
        first.place(context.Context(), spec(database))


def test_hosts_whose_disks_are_busy(world):
    database, scheduler = world
    placement = scheduler("IoOpsFilter", max_io_ops_per_host=1)
    host = placement.place(context.Context(), spec(database))  # it is being built
    assert passing(placement, database) == {"a", "b", "c"} - {host}
    with database.writer() as connection:
        connection.execute(sa.update(models.instances).values(vm_state="active", task_state=None))
    assert passing(placement, database) == {"a", "b", "c"}
    for vm_state, task_state in (("shelved_offloaded", "spawning"), ("active", "shelving_image_uploading"),
                                 ("active", "rescuing")):
        with database.writer() as connection:
            connection.execute(sa.update(models.instances).values(vm_state=vm_state, task_state=task_state))
        assert passing(placement, database) == {"a", "b", "c"} - {host}
    put(database, "raid", host, max_io_ops_per_host="0")
    assert passing(scheduler("AggregateIoOpsFilter"), database) == {"a", "b", "c"} - {host}


@pytest.mark.parametrize(("wanted", "hosts_left"), [
    ({"capabilities:cpu_info:vendor": "Intel"}, "abc"), ({"capabilities:cpu_info:vendor": "s!= Intel"}, ""),
    ({"capabilities:total_usable_ram_mb": ">= 2000"}, "bc"), ({"free_ram_mb": ">= 3000"}, "c"), ({"capabilities:none": "1"}, ""),
    ({"ours": "1", "hw:mem_page_size": "large"}, "abc"), ({"capabilities:hypervisor_type": "<in> EM"}, "abc")])
def test_capabilities_of_hosts(world, wanted, hosts_left):
    database, scheduler = world
    assert passing(scheduler("ComputeCapabilitiesFilter"), database, extra_specs=wanted) == set(hosts_left)


@pytest.mark.parametrize(("value", "wanted", "matches"), [
    ("3", "= 2", True), ("3", "== 3.0", True), ("3", "!= 3", False), ("x", ">= 1", False), ("abc", "<in> b", True),
    ("abc", "<all-in> a c", True), ("abc", "<all-in> a d", False), ("b", "<or> a <or> b", True), ("c", "<or> a <or> b", False),
    ("b", "s> a", True), ("1", "1", True), ("1", ">=", False), ("", "", True)])
def test_operators(value, wanted, matches):
    assert operators.match(value, wanted) is matches


@pytest.mark.parametrize(("query", "hosts_left"), [
    ('[">=", "$free_ram_mb", 2000]', "bc"), ('["and", [">", "$free_ram_mb", 1000], ["not", ["=", "$host", "c"]]]', "b"),
    ('["or", ["=", "$host", "a"], ["in", "$host", "c", "d"]]', "ac"), ('["=", "$cpu_info.vendor", "Intel"]', "abc"),
    ('["=", "$nothing", 1]', ""), ('["<", "$free_ram_mb", "x"]', ""), ("[", ""), ('["raise", 1]', ""), ("[" * 4000, ""),
    ('[[">"], 1]', "")])
def test_queries(world, query, hosts_left):
    database, scheduler = world
    assert passing(scheduler("JsonFilter"), database, hints={"query": query}) == set(hosts_left)


def test_hints(world):
    database, scheduler = world
    placement, server = scheduler("SameHostFilter", "DifferentHostFilter", "SimpleCIDRAffinityFilter"), spec(database)
    host = placement.place(context.Context(), {**server, "requested_host": "b"})
    assert passing(placement, database, hints={"same_host": server["uuid"]}) == {host}
    assert passing(placement, database, hints={"different_host": [server["uuid"]]}) == {"a", "c"}
    strangers = {"project_id": "another"}  # may keep away from a server that they know of, and not come near it
    assert passing(placement, database, hints={"different_host": [server["uuid"]]}, **strangers) == {"a", "c"}
    assert passing(placement, database, hints={"same_host": server["uuid"]}, **strangers) == set()
    assert passing(placement, database, hints={"build_near_host_ip": "10.0.2.77"}) == {"b"}
    assert passing(placement, database, hints={"build_near_host_ip": "10.0.2.77", "cidr": "/16"}) == {"a", "b", "c"}
    assert passing(placement, database, hints={"build_near_host_ip": "10.0.2.77", "cidr": "/99"}) == set()
    assert passing(placement, database, hints={"hosts": ["[ab]"]}) == {"a", "b"}


def test_aggregates_set_ratios(world):
    database, scheduler = world
    placement = scheduler()
    assert passing(placement, database, memory_mb=1500) == {"b", "c"}
    put(database, "overcommitted", "a", ram_allocation_ratio="2.0", cpu_allocation_ratio="nonsense")
    assert passing(placement, database, memory_mb=1500) == {"a", "b", "c"}
    big = {**spec(database), "memory_mb": 1500, "requested_host": "a"}
    assert placement.place(context.Context(), big) == "a"


def test_an_unknown_filter_is_refused_at_the_start(world):
    with pytest.raises(ValueError, match="NoSuchFilter is unknown"):
        world[1]("NoSuchFilter")


@pytest.mark.parametrize(("options", "aggregate", "best"), [
    ({}, {}, "c"), ({"ram_weight_multiplier": -1.0}, {}, "a"), ({}, {"ram_weight_multiplier": "-5"}, "a")])
def test_multipliers_of_weighers(world, options, aggregate, best):
    database, scheduler = world
    with database.writer() as connection:
        connection.execute(sa.update(models.compute_nodes).values(memory_mb_used=500))
    if aggregate:
        for name in "bc":
            put(database, name, name, **aggregate)
    placement = scheduler(weight_classes=["RAMWeigher"], **options)
    assert placement.choose(placement.hosts(), {**spec(database), "group": None})["host"] == best


def test_soft_policies_weigh(world):
    database, scheduler = world
    for policy in ("soft-affinity", "soft-anti-affinity"):
        with database.writer() as connection:
            connection.execute(sa.insert(models.server_groups).values(
                id=policy, name=policy, policy=policy, project_id="p", user_id="u", created_at=db.now()))
        placement = scheduler()
        found = [placement.place(context.Context(), spec(database, server_group_id=policy)) for _ in range(3)]
        assert len(set(found)) == (1 if policy == "soft-affinity" else 3)
