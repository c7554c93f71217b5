"""Agents of the network service: their roles, and the DHCP and routers that they are given and lose."""

import types

import pytest
import sqlalchemy as sa

from common.db import Database
from network.db import heartbeats, hosting, state
from network.db.models import METADATA
from network.service import Manager
from tests.functional.test_stories import refused


def test_dhcp_and_routers_are_given_to_agents(cloud):
    def call(method, path, body=None):
        return cloud.client.call("network", method, path, body)
    agents = {a["agent_type"]: a for a in call("GET", "/agents")["agents"]}
    assert set(agents) == {"DHCP agent", "L3 agent", "Linux bridge agent"}
    assert all(a["alive"] and a["host"] == "fake-host" for a in agents.values())
    dhcp, l3 = agents["DHCP agent"]["id"], agents["L3 agent"]["id"]
    assert [a["id"] for a in call("GET", "/agents?agent_type=DHCP%20agent")["agents"]] == [dhcp]
    assert [a["id"] for a in call("GET", "/agents?agent_type=dhcp%20Agent")["agents"]] == [dhcp]
    network = call("POST", "/networks", {"network": {"name": "given"}})["network"]["id"]
    assert call("GET", f"/networks/{network}/dhcp-agents") == {"agents": []}
    subnet = call("POST", "/subnets", {"subnet": {"network_id": network, "cidr": "10.77.0.0/24", "ip_version": 4}})["subnet"]
    assert [a["id"] for a in call("GET", f"/networks/{network}/dhcp-agents")["agents"]] == [dhcp]
    assert network in [n["id"] for n in call("GET", f"/agents/{dhcp}/dhcp-networks")["networks"]]
    path = f"/agents/{dhcp}/dhcp-networks"
    refused(409, cloud.client, "network", "POST", path, {"network_id": network})
    refused(409, cloud.client, "network", "POST", f"/agents/{l3}/dhcp-networks", {"network_id": network})
    call("DELETE", f"{path}/{network}")
    refused(409, cloud.client, "network", "DELETE", f"{path}/{network}")
    assert call("GET", f"/networks/{network}/dhcp-agents") == {"agents": []}
    call("POST", path, {"network_id": network})
    router = call("POST", "/routers", {"router": {"name": "given"}})["router"]["id"]
    path = f"/agents/{l3}/l3-routers"
    assert router in [r["id"] for r in call("GET", path)["routers"]]
    call("POST", path, {"router_id": router})  # it has it already, and that is no fault
    call("DELETE", f"{path}/{router}")
    assert call("GET", f"/routers/{router}/l3-agents") == {"agents": []}
    call("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet["id"]})
    assert [a["id"] for a in call("GET", f"/routers/{router}/l3-agents")["agents"]] == [l3]
    call("PUT", f"/routers/{router}/remove_router_interface", {"subnet_id": subnet["id"]})
    call("DELETE", f"/routers/{router}")
    call("DELETE", f"/networks/{network}")


def test_floating_ips_are_down_while_no_agent_serves_their_router(cloud):
    def call(method, path, body=None):
        return cloud.client.call("network", method, path, body)

    def status() -> str:
        return call("GET", f"/floatingips/{floating}")["floatingip"]["status"]
    l3 = call("GET", "/agents?agent_type=L3%20agent")["agents"][0]["id"]
    outside = cloud.client.find("network", "networks", "public")["id"]
    network = call("POST", "/networks", {"network": {"name": "unserved"}})["network"]["id"]
    values = {"network_id": network, "cidr": "10.78.0.0/24", "ip_version": 4}
    subnet = call("POST", "/subnets", {"subnet": values})["subnet"]["id"]
    router = call("POST", "/routers", {"router": {"external_gateway_info": {"network_id": outside}}})["router"]["id"]
    call("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    port = call("POST", "/ports", {"port": {"network_id": network}})["port"]["id"]
    floating = call("POST", "/floatingips", {"floatingip": {"floating_network_id": outside, "port_id": port}})["floatingip"]["id"]
    assert status() == "ACTIVE"
    path = f"/agents/{l3}/l3-routers"
    call("DELETE", f"{path}/{router}")
    assert status() == "DOWN"
    call("PUT", f"/floatingips/{floating}", {"floatingip": {"port_id": port}})
    assert status() == "DOWN"
    call("POST", path, {"router_id": router})
    assert status() == "ACTIVE"
    for up, shown in ((False, "DOWN"), (True, "ACTIVE")):
        call("PUT", f"/routers/{router}", {"router": {"admin_state_up": up}})
        assert status() == shown
    call("DELETE", f"/floatingips/{floating}")
    call("PUT", f"/routers/{router}/remove_router_interface", {"subnet_id": subnet})
    call("DELETE", f"/routers/{router}")
    call("DELETE", f"/ports/{port}")
    call("DELETE", f"/networks/{network}")


def test_agents_are_the_operators(member):
    assert member.call("network", "GET", "/agents") == {"agents": []}, "as Neutron's lists leave out what one may not see"
    for path in ("/agents/x/dhcp-networks", "/networks/x/dhcp-agents"):
        refused(403, member, "network", "GET", path)


@pytest.fixture
def two_hosts(tmp_path):
    """A network with a guest on each of two hosts, DHCP on the first, and a third host that has no part of it."""
    database = Database("network", f"sqlite:///{tmp_path}/n.sqlite")
    METADATA.create_all(database.engine)
    from network.db import models
    from network.db.groups import base
    with database.writer() as connection:
        for number in (1, 2, 3):
            heartbeats.write(connection, {f"host{number}": {"roles": [hosting.BRIDGE], "tunneling_ip": f"192.0.2.{number}"}})
        connection.execute(models.networks.insert().values(
            **{**base("p", "n"), "id": "net"}, admin_state_up=True, status="ACTIVE", shared=False, router_external=False,
            is_default=False, port_security_enabled=True, mtu=1500, dns_domain="", provider_network_type="vxlan",
            provider_segmentation_id=1001, dhcp_host="host1"))
        for number in (1, 2):
            connection.execute(models.ports.insert().values(
                **{**base("p"), "id": f"port{number}"}, network_id="net", mac_address=f"fa:16:3e:00:00:0{number}",
                admin_state_up=True, status="ACTIVE", device_id=f"server{number}", device_owner="compute:nova",
                relation="compute", binding_host_id=f"host{number}", binding_vnic_type="normal", binding_vif_type="bridge",
                binding_profile={}, port_security_enabled=True, allowed_address_pairs=[], extra_dhcp_opts=[], dns_name=""))
    return database


def test_each_host_is_told_its_part(two_hosts):
    with two_hosts.reader() as connection:
        first, second, third = (state.of_host(connection, f"host{n}") for n in (1, 2, 3))
    assert (first["networks"][0]["peers"], first["networks"][0]["serves"]) == (["192.0.2.2"], True)
    assert (second["networks"][0]["peers"], second["networks"][0]["serves"]) == (["192.0.2.1"], False)
    # The host with the DHCP knows of both guests, and plugs its own alone.
    assert {p["id"]: p["here"] for p in first["ports"]} == {"port1": True, "port2": False}
    assert {p["id"]: p["here"] for p in second["ports"]} == {"port2": True}
    assert third["networks"] == third["ports"] == []


def test_a_new_router_goes_to_a_living_agent_with_few(two_hosts):
    class Conf:
        service_down_time, host = 45, "own"
    with two_hosts.writer() as connection:
        assert hosting.choose_host(connection, Conf, hosting.DHCP) == "own"  # nobody has the role
        for number in (1, 2):
            heartbeats.write(connection, {f"host{number}": {"roles": [hosting.BRIDGE, hosting.DHCP]}})
        assert hosting.choose_host(connection, Conf, hosting.DHCP) == "host2"  # host1 has one network


def test_a_port_is_down_while_its_host_has_it_closed(two_hosts):
    from network.db import models
    manager = Manager(types.SimpleNamespace(db=two_hosts))
    manager.heartbeats.interval_s = 0

    def statuses_after(host: str, **facts) -> dict:
        manager.heartbeat(None, host, {"roles": [hosting.BRIDGE], **facts})
        with two_hosts.reader() as connection:
            return dict(connection.execute(sa.select(models.ports.c.id, models.ports.c.status)).all())
    assert statuses_after("host1", closed_ports=["port1", "port2"]) == {"port1": "DOWN", "port2": "ACTIVE"}, "another's is not"
    assert statuses_after("host1") == {"port1": "DOWN", "port2": "ACTIVE"}, "an agent that has just started"
    assert statuses_after("host2", closed_ports=[])["port1"] == "DOWN"
    assert statuses_after("host1", closed_ports=[]) == {"port1": "ACTIVE", "port2": "ACTIVE"}
    with two_hosts.writer() as connection:
        connection.execute(sa.update(models.ports).values(status="DOWN"))
    assert statuses_after("host1", closed_ports=[])["port1"] == "DOWN", "for another reason"
