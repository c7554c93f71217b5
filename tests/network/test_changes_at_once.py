"""Changes that are committed at the same moment, of which neither saw the other: hosts that they bring together hear of both."""

import concurrent.futures
import contextlib
import threading

import pytest
import sqlalchemy as sa

from common import context
from network import roles
from network.db import models
from network.db.changes import Changes
from network.failover import Failover
from tests import databases
from tests.network import frame
from tests.network.fleet import SERVER
from tests.network.test_fanout import LONG_AGO, Cloud, connect, outside


@pytest.fixture(scope="module", params=[None, databases.MariaDB, databases.PostgreSQL])
def database(request):
    """A server, or None for SQLite, where one transaction follows the other."""
    with databases.running(request.param() if request.param else None) as made:
        yield made


@pytest.fixture
def api(tmp_path, database):
    made = frame.service(str(tmp_path), f"{database.url}network" if database else "")
    with made.db.writer() as connection:  # to make the tables anew takes longer
        for table in reversed(models.METADATA.sorted_tables):
            connection.execute(sa.delete(table))
    yield made
    made.db.engine.dispose()


@pytest.fixture
def cloud(api):
    return Cloud(api, frame.Caller(api, "admin", "p1"), 5)


def run(*calls) -> None:
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        [done.result() for done in [pool.submit(call) for call in calls]]


@pytest.fixture
def together(monkeypatch):
    """A function that runs calls at once: none commits before each has found out whom it concerns.

    Where the database lets only one of them get so far at a time, they go on one after the other.
    """
    def inner(*calls):
        barrier, number = threading.Barrier(len(calls)), Changes.number

        def wait(changes, connection):
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(2)
            number(changes, connection)
        with monkeypatch.context() as patched:
            patched.setattr(Changes, "number", wait)
            run(*calls)
    return inner


@pytest.fixture
def during(monkeypatch):
    """A function that runs a whole call while another is between finding out whom it concerns and its commit."""
    def inner(outer, whole):
        found_out, done, number = threading.Event(), threading.Event(), Changes.number

        def wait(changes, connection):
            if not found_out.is_set():
                found_out.set()
                done.wait(2)
            number(changes, connection)

        def second():
            found_out.wait(5)
            try:
                whole()
            finally:
                done.set()
        with monkeypatch.context() as patched:
            patched.setattr(Changes, "number", wait)
            run(outer, second)
    return inner


def new_port(cloud, network: int, group: int) -> str:
    """One that its owner made, to be bound to a host by the compute service."""
    return cloud.user.made("ports", network_id=cloud.networks[network], security_groups=[cloud.groups[group]])["id"]


def bind(cloud, port: str, number: int, host: str) -> None:
    answer = cloud.compute.put("ports", port, device_id=SERVER.format(number), device_owner="compute:nova",
                               **{"binding:host_id": host})
    assert answer.status == 200, answer


def test_the_first_guests_of_a_network_on_two_hosts(cloud, together):
    ports = [new_port(cloud, 0, 2) for _ in range(2)]
    together(lambda: bind(cloud, ports[0], 90, "host3"), lambda: bind(cloud, ports[1], 91, "host4"))
    cloud.fleet.check("each host has the other's end of the tunnel")
    assert not any(h.pulls for h in cloud.fleet.hosts.values())


@pytest.mark.parametrize("second", [0, 1])
def test_the_first_members_of_groups_on_two_hosts(cloud, together, second):
    """Group 0 lets in its own members and those of group 1. On networks of their own only groups let hosts meet."""
    ports = [cloud.boot(host, network, 2) for network, host in enumerate(("host3", "host4"))]

    def regroup(port: str, group: int) -> None:
        assert cloud.user.put("ports", port, security_groups=[cloud.groups[group]]).status == 200
    together(lambda: regroup(ports[0], 0), lambda: regroup(ports[1], second))
    cloud.fleet.check("the hosts let in each other's addresses")


def test_guests_of_two_networks_that_a_distributed_router_joins(cloud, together):
    outside(cloud.user)
    router = cloud.user.made("routers", name="d", distributed=True)["id"]
    for network in range(2):
        connect(cloud.user, cloud, router, network)
    together(lambda: cloud.boot("host3", 0, 2), lambda: cloud.boot("host4", 1, 2))
    cloud.fleet.check("each host has a part of both networks")


def test_a_guest_arrives_while_dhcp_of_its_network_moves_to_another_host(api, cloud, during):
    network = cloud.networks[0]
    with api.db.writer() as connection:
        old = connection.execute(sa.select(models.networks.c.dhcp_host).where(models.networks.c.id == network)).scalar_one()
        connection.execute(sa.update(models.agents).where(models.agents.c.host == old).values(heartbeat_at=LONG_AGO))
    port, ctx = new_port(cloud, 0, 2), context.service_context()
    during(lambda: bind(cloud, port, 92, "host4"), lambda: Failover(api)._move(ctx, roles.DHCP, old, network))
    cloud.fleet.check("the host that answers DHCP now knows the guest")


@pytest.mark.parametrize("group", [0, 2])
def test_a_rule_is_added_while_the_groups_first_member_comes_to_a_host(cloud, during, group):
    port = new_port(cloud, 0, group)
    during(lambda: cloud.user.made("security-group-rules", security_group_id=cloud.groups[group], direction="ingress",
                                   protocol="tcp"),
           lambda: bind(cloud, port, 93, "host4"))
    cloud.fleet.check("the host has the rule")


def test_a_change_that_is_committed_has_succeeded(api, cloud, monkeypatch):
    """Although the database goes away before it is asked again whom the change concerns."""
    cloud.boot("host4", 0, 0)
    cloud.fleet.told()

    def away(*args):
        raise sa.exc.OperationalError("SELECT", {}, Exception("the server is gone"))
    monkeypatch.setattr(Changes, "_found_again", away)
    cloud.user.made("security-group-rules", security_group_id=cloud.groups[0], direction="ingress", protocol="udp")
    cloud.fleet.check("those that were found hear of it")
