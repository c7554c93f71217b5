"""Changes reach the hosts with a part in them, as deltas; hosts that missed one pull; whatever the bus does, all end right."""

import datetime
import random

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from network.db import models
from network.failover import Failover
from tests.network import frame
from tests.network.fleet import SERVER, Fleet

HOSTS = 5
LONG_AGO = datetime.datetime(2026, 1, 1)


@pytest.fixture
def api(tmp_path, server):
    made = frame.service(str(tmp_path), f"{server.url}network" if server else "")
    yield made
    models.METADATA.drop_all(made.db.engine)
    made.db.engine.dispose()


@pytest.fixture
def user(api):
    return frame.Caller(api, "admin", "p1")


class Cloud:
    """A caller with networks and groups, and servers of compute."""

    def __init__(self, api, user, hosts: int, seed: int = 0):
        self.user, self.compute, self.count = user, frame.Caller(api, "service", "p1"), 0
        self.fleet = Fleet(api, hosts, seed)
        self.networks = [self.network(i) for i in range(2)]
        self.groups = [user.made("security-groups", name=f"g{i}")["id"] for i in range(3)]
        self.refer(0, 0), self.refer(0, 1), self.refer(1, 2)
        self.fleet.told()

    def network(self, number: int) -> str:
        made = self.user.made("networks", name=f"n{number}")["id"]
        self.user.made("subnets", network_id=made, ip_version=4, cidr=f"10.{number}.0.0/24")
        return made

    def refer(self, group: int, remote: int) -> str:
        return self.user.made("security-group-rules", security_group_id=self.groups[group], direction="ingress",
                              remote_group_id=self.groups[remote])["id"]

    def boot(self, host: str, network: int = 0, group: int = 0) -> str:
        self.count += 1
        port = self.compute.made("ports", network_id=self.networks[network], device_id=SERVER.format(self.count),
                                 device_owner="compute:nova", security_groups=[self.groups[group]], **{"binding:host_id": host})
        assert port["status"] == "ACTIVE" and port["id"] in self.fleet.hosts[host].plugged
        return port["id"]


def test_a_boot_notifies_its_host_and_the_dhcp_host(api, user):
    cloud = Cloud(api, user, HOSTS)
    cloud.boot("host3")
    served = next(n.dhcp_host for n in rows(api, models.networks) if n.id == cloud.networks[0])
    assert cloud.fleet.told() == [("plug", served), ("plug", "host3")]
    cloud.fleet.check("boot")
    assert [h.pulls for h in cloud.fleet.hosts.values()] == [0] * HOSTS


def rows(api, table):
    with api.db.reader() as connection:
        return connection.execute(sa.select(table)).all()


def test_a_second_host_of_a_network_notifies_the_first_and_a_second_guest_does_not(api, user):
    cloud = Cloud(api, user, HOSTS)
    cloud.boot("host3", group=2)
    cloud.fleet.told()
    cloud.boot("host4", group=2)
    assert ("changed", "host3") in cloud.fleet.told(), "its tunnel needs the new end"
    cloud.boot("host4", group=2)
    assert not [t for t in cloud.fleet.told() if t[0] == "changed"]
    cloud.fleet.check("boots")


def test_a_second_host_that_gets_two_guests_at_once_notifies_the_first(api, user):
    cloud = Cloud(api, user, HOSTS)
    cloud.boot("host3", group=2)
    cloud.fleet.told()
    answer = cloud.compute("POST", "/ports", {"ports": [
        {"network_id": cloud.networks[0], "device_id": SERVER.format(80 + i), "device_owner": "compute:nova",
         "security_groups": [cloud.groups[2]], "binding:host_id": "host4"} for i in range(2)]})
    assert answer.status == 201
    assert ("changed", "host3") in cloud.fleet.told()
    cloud.fleet.check("two at once")


def test_a_member_reaches_the_hosts_that_let_the_group_in(api, user):
    cloud = Cloud(api, user, HOSTS)
    for host, network, group in (("host2", 0, 0), ("host3", 1, 1), ("host4", 1, 2)):
        cloud.boot(host, network, group)
    cloud.fleet.told()
    cloud.boot("host3", 1, 1)  # of a group that group 0 lets in
    assert [t for t in cloud.fleet.told() if t[0] == "changed"] == [("changed", "host2")]
    cloud.fleet.check("a member more")


def test_a_rule_reaches_hosts_with_members_alone(api, user):
    cloud = Cloud(api, user, 20)
    for host in ("host7", "host8", "host8"):
        cloud.boot(host, group=1)
    cloud.boot("host9", group=2)
    cloud.fleet.told()
    rule = user.made("security-group-rules", security_group_id=cloud.groups[1], direction="ingress", protocol="tcp")["id"]
    assert cloud.fleet.told() == [("changed", "host7"), ("changed", "host8")]
    assert user("DELETE", f"/security-group-rules/{rule}").status == 204
    assert cloud.fleet.told() == [("changed", "host7"), ("changed", "host8")]
    user.made("security-groups", name="without members")
    assert cloud.fleet.told() == []
    cloud.fleet.check("rules")


@pytest.mark.parametrize("what", ["boot", "subnet", "router", "floating IP"])
def test_it_costs_the_same_with_2_hosts_and_with_40(tmp_path, what):
    counts = []
    for size in (2, 40):
        api = frame.service(str(tmp_path / str(size)))
        user = frame.Caller(api, "admin", "p1")
        cloud = Cloud(api, user, size)
        external, router = outside(user)
        connect(user, cloud, router)
        port = cloud.boot("host1")
        floating = user.made("floatingips", floating_network_id=external)["id"]
        cloud.fleet.told()
        found: list[str] = []
        event.listen(api.db.engine, "before_cursor_execute", lambda c, cursor, text, *rest: found.append(text))  # noqa: B023
        if what == "boot":
            cloud.boot("host1")
        elif what == "subnet":
            subnet = user("GET", "/subnets", network_id=cloud.networks[0]).json["subnets"][0]["id"]
            assert user.put("subnets", subnet, dns_nameservers=["192.0.2.99"]).status == 200
        elif what == "router":
            assert user.put("routers", router, admin_state_up=False).status == 200
        else:
            assert user.put("floatingips", floating, port_id=port).status == 200
        counts.append((len(found), len(cloud.fleet.told())))
        cloud.fleet.check(what)
        assert not any(h.pulls for h in cloud.fleet.hosts.values())
        api.db.engine.dispose()
    assert counts[0] == counts[1]


def outside(user) -> tuple[str, str]:
    """An external network, and a router with a gateway on it."""
    external = user.made("networks", name="out", **{"router:external": True})["id"]
    user.made("subnets", network_id=external, ip_version=4, cidr="198.51.100.0/24", enable_dhcp=False)
    return external, user.made("routers", name="r", external_gateway_info={"network_id": external})["id"]


def connect(user, cloud, router: str, network: int = 0) -> None:
    subnet = user("GET", "/subnets", network_id=cloud.networks[network]).json["subnets"][0]["id"]
    assert user("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet}).status == 200


class History:
    """Random changes by users, compute and operators."""

    def __init__(self, cloud, seed: int):
        self.cloud, self.user, self.random = cloud, cloud.user, random.Random(seed)
        self.ports, self.rules, self.interfaces, self.log = [], [], set(), []
        self.external, self.router = outside(cloud.user)
        self.second = cloud.user.made("routers", name="r2", distributed=True,
                                      external_gateway_info={"network_id": self.external})["id"]
        self.floating = [cloud.user.made("floatingips", floating_network_id=self.external)["id"] for _ in range(2)]

    def step(self) -> str:
        work = self.random.choice((self.boot, self.boot, self.boot, self.delete, self.move, self.regroup, self.rule, self.unrule,
                                   self.subnet, self.network, self.interface, self.interface, self.float, self.gateway,
                                   self.agents, self.address, self.share, self.share))
        self.log.append(f"{work.__name__}")
        work()
        return ", ".join(self.log[-6:])

    def _host(self) -> str:
        return self.random.choice(list(self.cloud.fleet.hosts))

    def boot(self):
        self.ports.append(self.cloud.boot(self._host(), self.random.randrange(2), self.random.randrange(3)))

    def delete(self):
        if self.ports:
            self.cloud.compute("DELETE", f"/ports/{self.ports.pop(self.random.randrange(len(self.ports)))}")

    def move(self):
        if self.ports:
            self.cloud.compute.put("ports", self.random.choice(self.ports), **{"binding:host_id": self._host()})

    def share(self):
        """A live migration begins, or one that began is given up."""
        if self.ports:
            profile = self.random.choice(({"migrating_to": self._host()}, {"migrating_to": self._host()}, {}))
            self.cloud.compute.put("ports", self.random.choice(self.ports), **{"binding:profile": profile})

    def regroup(self):
        if self.ports:
            self.user.put("ports", self.random.choice(self.ports), security_groups=self.random.sample(self.cloud.groups, 2))

    def address(self):
        if self.ports:
            port = self.user.get("ports", self.random.choice(self.ports))
            self.user.put("ports", port["id"], fixed_ips=[{"subnet_id": ip["subnet_id"]} for ip in port["fixed_ips"]],
                          allowed_address_pairs=[{"ip_address": f"10.9.9.{self.random.randrange(250)}"}])

    def rule(self):
        answer = self.user("POST", "/security-group-rules", {"security_group_rule": {
            "security_group_id": self.random.choice(self.cloud.groups), "direction": "ingress", "protocol": "tcp",
            "remote_group_id": self.random.choice([None, *self.cloud.groups])}})
        if answer.status == 201:
            self.rules.append(answer.json["security_group_rule"]["id"])

    def unrule(self):
        if self.rules:
            self.user("DELETE", f"/security-group-rules/{self.rules.pop()}")

    def _subnet(self, network: int) -> str:
        return self.user("GET", "/subnets", network_id=self.cloud.networks[network]).json["subnets"][0]["id"]

    def subnet(self):
        self.user.put("subnets", self._subnet(self.random.randrange(2)), enable_dhcp=self.random.random() < 0.7,
                      dns_nameservers=[f"192.0.2.{self.random.randrange(250)}"])

    def network(self):
        self.user.put("networks", self.random.choice(self.cloud.networks), mtu=self.random.choice((1400, 1450, 1500)))

    def interface(self):
        router, network = self.random.choice((self.router, self.second)), self.random.randrange(2)
        verb = "remove" if (router, network) in self.interfaces else "add"
        answer = self.user("PUT", f"/routers/{router}/{verb}_router_interface", {"subnet_id": self._subnet(network)})
        if answer.status == 200:
            self.interfaces ^= {(router, network)}

    def float(self):
        self.user.put("floatingips", self.random.choice(self.floating), port_id=self.random.choice([None, *self.ports]))

    def gateway(self):
        given = self.random.choice(({}, {"network_id": self.external, "enable_snat": self.random.random() < 0.5}))
        self.user.put("routers", self.random.choice((self.router, self.second)), external_gateway_info=given)

    def agents(self):
        kind, path, ids = self.random.choice((("DHCP agent", "dhcp-networks", self.cloud.networks),
                                              ("L3 agent", "l3-routers", [self.router, self.second])))
        agents = [a["id"] for a in self.user("GET", "/agents", agent_type=kind).json["agents"]]
        which = self.random.choice(ids)
        for agent in agents:
            self.user("DELETE", f"/agents/{agent}/{path}/{which}")
        name = "network_id" if kind.startswith("DHCP") else "router_id"
        assert self.user("POST", f"/agents/{self.random.choice(agents)}/{path}", {name: which}).status == 201


@pytest.mark.parametrize("seed", range(8))
def test_deltas_lead_to_what_a_pull_would_bring(api, user, seed):
    cloud = Cloud(api, user, HOSTS, seed)
    history = History(cloud, seed)
    for _ in range(40):
        cloud.fleet.check(history.step())
    assert [h.pulls for h in cloud.fleet.hosts.values()] == [0] * HOSTS


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_bus_does_all_hosts_end_right(api, user, seed):
    cloud = Cloud(api, user, HOSTS, seed)
    history = History(cloud, seed)
    cloud.fleet.chaos = True
    for number in range(40):
        step = history.step()
        if number % 10 == 9:
            cloud.fleet.heartbeats()
            cloud.fleet.check(step)
        if number == 25:
            cloud.fleet.hosts["host3"].start()  # the agent is restarted
    assert sum(h.pulls for h in cloud.fleet.hosts.values()) > 0


def test_a_change_that_was_lost_last_of_all_is_found_by_the_heartbeat(api, user):
    cloud = Cloud(api, user, HOSTS)
    cloud.boot("host4", group=1)
    api.fanout.notify = lambda changes, without=(): None  # network-api ends between the commit and the message
    user.made("security-group-rules", security_group_id=cloud.groups[1], direction="ingress", protocol="udp")
    host = cloud.fleet.hosts["host4"]
    host.settle()
    assert host.pulls == 0
    host.beat()
    host.settle()
    assert host.pulls == 1
    cloud.fleet.check("heartbeat")
    cloud.fleet.told()
    host.beat()
    assert cloud.fleet.told() == [], "it lacks nothing now"


@pytest.mark.parametrize("chaos", [False, True])
def test_changes_that_arrive_during_a_pull_are_not_reverted(api, user, chaos):
    cloud = Cloud(api, user, HOSTS, 3)
    cloud.boot("host4", group=1)
    host, ports = cloud.fleet.hosts["host4"], []

    def meanwhile():
        for _ in range(3):
            ports.append(cloud.boot("host4", group=1))
            user.made("security-group-rules", security_group_id=cloud.groups[1], direction="ingress", protocol="tcp",
                      port_range_min=len(ports), port_range_max=len(ports))
    cloud.fleet.chaos = chaos
    host.pull(meanwhile=meanwhile)
    assert set(ports) <= {p["id"] for p in host.replica.state()["ports"]}, "guests wait for them"
    if not chaos:
        assert host.replica.pull_in_s() is None
    host.beat()
    host.settle()
    cloud.fleet.check("pull")


def test_two_network_apis_on_one_database(api, user, tmp_path):
    """Each numbers what it tells with the next number of the host, whichever was before."""
    other = frame.service(str(tmp_path), str(api.conf.database.connection))
    other.rest, other.notifier = api.rest, api.notifier
    cloud = Cloud(api, user, HOSTS)
    other.agents, other.fanout._batch = cloud.fleet, api.fanout._batch
    callers = (user, frame.Caller(other, "admin", "p1"))
    cloud.boot("host4", group=1)
    for number in range(6):
        callers[number % 2].made("security-group-rules", security_group_id=cloud.groups[1], direction="ingress",
                                 protocol="tcp", port_range_min=number + 1, port_range_max=number + 1)
    cloud.fleet.check("both")
    assert cloud.fleet.hosts["host4"].pulls == 0


def test_dhcp_and_routers_of_a_host_that_is_down_move_to_one_that_is_up(api, user, monkeypatch):
    cloud = Cloud(api, user, HOSTS)
    _, router = outside(user)
    connect(user, cloud, router)
    cloud.boot("host4")
    agents = models.agents
    with api.db.writer() as connection:
        connection.execute(sa.update(models.networks).values(dhcp_host="host0"))
        connection.execute(sa.update(models.routers).values(host="host0"))
        connection.execute(sa.update(agents).where(agents.c.host == "host0").values(
            heartbeat_at=LONG_AGO))
    failover = Failover(api)
    failover.run_once()
    assert {n.dhcp_host for n in rows(api, models.networks)} == {"host0"}, "it may be heard in a moment"
    monkeypatch.setattr(Failover, "GRACE_S", 0.0)
    failover.run_once()
    assert {n.dhcp_host for n in rows(api, models.networks)} == {"host1"}
    assert {r.host for r in rows(api, models.routers)} == {"host1"}
    cloud.fleet.check("failover")
    served = cloud.fleet.hosts["host1"].replica.state()
    assert [n["id"] for n in served["networks"] if n["serves"] and n["id"] == cloud.networks[0]] and served["routers"]
    cloud.fleet.told()
    failover.run_once()
    assert cloud.fleet.told() == [], "what is moved stays where it is"


def test_a_boot_does_not_wait_for_a_dhcp_host_that_is_down(api, user):
    cloud = Cloud(api, user, HOSTS)
    served = next(n.dhcp_host for n in rows(api, models.networks) if n.id == cloud.networks[0])
    with api.db.writer() as connection:
        connection.execute(sa.update(models.agents).where(models.agents.c.host == served).values(heartbeat_at=LONG_AGO))
    cloud.boot("host3")
    assert cloud.fleet.told() == [("changed", served), ("plug", "host3")]


def test_nothing_is_moved_while_all_are_silent(api, user, monkeypatch):
    Cloud(api, user, HOSTS)
    before = {n.dhcp_host for n in rows(api, models.networks)}
    with api.db.writer() as connection:
        connection.execute(sa.update(models.agents).values(heartbeat_at=LONG_AGO))
    monkeypatch.setattr(Failover, "GRACE_S", 0.0)
    Failover(api).run_once()
    assert {n.dhcp_host for n in rows(api, models.networks)} == before
