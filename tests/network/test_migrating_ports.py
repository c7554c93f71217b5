"""Ports of servers that are migrated live: plugged on two hosts until the server has arrived, or stays."""

import pytest

from common import errors
from tests.network import frame
from tests.network.fleet import Fleet
from tests.network.test_fanout import Cloud, api, user  # noqa: F401

HOSTS = 5


@pytest.fixture
def cloud(api, user):  # noqa: F811
    return Cloud(api, user, HOSTS)


def migrating(cloud, target: str = "host3") -> str:
    port = cloud.boot("host2", group=0)
    cloud.fleet.told()
    shown = cloud.compute.put("ports", port, **{"binding:profile": {"migrating_to": target, "kept": 1}}).json["port"]
    assert (shown["binding:host_id"], shown["status"]) == ("host2", "ACTIVE")
    return port


def here(fleet: Fleet, port: str) -> list[str]:
    """The hosts that plug it."""
    return [name for name, host in fleet.hosts.items()
            if any(p["id"] == port and p["here"] for p in host.replica.state()["ports"])]


def test_both_hosts_plug_it_and_know_each_other_and_the_groups_members(cloud):
    other = cloud.boot("host4", group=1)  # of a group that group 0 lets in
    port = migrating(cloud)
    assert ("plug", "host3") in cloud.fleet.told() and here(cloud.fleet, port) == ["host2", "host3"]
    cloud.fleet.check("shared")
    target = cloud.fleet.hosts["host3"].replica.state()
    (network,) = target["networks"]
    assert {"192.0.2.3", "192.0.2.5"} <= set(network["peers"])
    assert any(group.get("members") for group in target["groups"].values())
    cloud.refer(0, 2)
    assert ("changed", "host3") in cloud.fleet.told(), "its filters are the target's too"
    cloud.compute("DELETE", f"/ports/{other}")
    cloud.fleet.check("a rule and a member")


def test_a_port_that_is_bound_to_the_target_has_arrived(cloud):
    port = migrating(cloud)
    shown = cloud.compute.put("ports", port, **{"binding:host_id": "host3"}).json["port"]
    assert (shown["binding:host_id"], shown["binding:profile"]) == ("host3", {"kept": 1})
    assert here(cloud.fleet, port) == ["host3"]
    cloud.fleet.check("arrived")


def test_only_a_host_for_which_the_port_is_new_is_waited_for(cloud):
    """The other one, and later the target that has it already, are notified as all hosts are."""
    def plugged() -> list[str]:
        return [host for what, host in cloud.fleet.told() if what == "plug"]
    port = migrating(cloud)
    assert plugged() == ["host3"]
    cloud.compute.put("ports", port, **{"binding:host_id": "host3"})
    cloud.fleet.check("arrived")
    assert plugged() == []
    cloud.compute.put("ports", port, **{"binding:host_id": "host3"})
    assert plugged() == ["host3"], "it is asked for again"


def test_a_target_that_could_not_plug_a_port_does_so_when_it_is_bound_there(cloud, monkeypatch):
    port = cloud.boot("host2", group=0)
    with monkeypatch.context() as broken:
        broken.setattr(cloud.fleet, "plug", lambda *args: (_ for _ in ()).throw(errors.ServiceUnavailable(part="host3")))
        shown = cloud.compute.put("ports", port, **{"binding:profile": {"migrating_to": "host3"}}).json["port"]
    assert (shown["status"], shown["binding:vif_type"]) == ("DOWN", "binding_failed")
    cloud.fleet.told()
    shown = cloud.compute.put("ports", port, **{"binding:host_id": "host3"}).json["port"]
    assert shown["status"] == "ACTIVE" and ("plug", "host3") in cloud.fleet.told()


@pytest.mark.parametrize("values", [{"binding:profile": {}}, {"binding:profile": None}, {"binding:host_id": ""}])
def test_a_port_that_stays_or_is_unbound_is_not_on_the_target(cloud, values):
    port = migrating(cloud)
    cloud.compute.put("ports", port, **values)
    assert here(cloud.fleet, port) == ([] if "binding:host_id" in values else ["host2"])
    cloud.fleet.check("stays")


@pytest.mark.parametrize("target", ["host2", "", "x" * 256, 7, None])
def test_what_names_no_other_host_is_no_migration(cloud, target):
    assert here(cloud.fleet, migrating(cloud, target)) == ["host2"]
    cloud.fleet.check("not shared")


def test_users_do_not_choose_where_a_port_is_plugged(cloud, api):  # noqa: F811
    port = cloud.boot("host2", group=0)
    for role in ("member", "manager"):
        answer = frame.Caller(api, role, "p1").put("ports", port, **{"binding:profile": {"migrating_to": "host3"}})
        assert answer.status == 403
    assert here(cloud.fleet, port) == ["host2"]


def test_the_hosts_know_which_ports_have_several_queues(cloud):
    def several() -> list:
        return [p["multiqueue"] for name in ("host2", "host3") for p in cloud.fleet.hosts[name].replica.state()["ports"]
                if p["id"] == port and p["here"]]
    port = migrating(cloud)
    assert several() == [False, False]
    cloud.compute.put("ports", port, **{"binding:profile": {"migrating_to": "host3", "multiqueue": True}})
    assert several() == [True, True]
    cloud.fleet.check("several queues")
