"""What is done to a server's ports in the network service shows in the compute service, and in the guest."""

import pytest

from common.periodic import wait_for
from deploy.prepare import ensure_secrets
from tests.conftest import login_as
from tests.functional.test_stories import active_server, network_id, refused, server_body


@pytest.fixture
def client(cloud):
    return cloud.client


@pytest.fixture
def open_network(client):
    """The id of a network without port security."""
    values = {"name": "open", "port_security_enabled": False}
    made = client.call("network", "POST", "/networks", {"network": values})["network"]["id"]
    client.call("network", "POST", "/subnets", {"subnet": {"network_id": made, "ip_version": 4, "cidr": "10.66.0.0/24"}})
    yield made
    client.call("network", "DELETE", f"/networks/{made}")


@pytest.fixture
def group(client):
    made = client.call("network", "POST", "/security-groups", {"security_group": {"name": "web"}})["security_group"]["id"]
    yield made
    client.call("network", "DELETE", f"/security-groups/{made}")


def shown(client, server: str) -> dict:
    return client.call("compute", "GET", f"/servers/{server}")["server"]


def groups_of(client, server: str) -> list[str]:
    return [g["name"] for g in shown(client, server).get("security_groups", [])]


def port_of(client, server: str) -> dict:
    return client.call("network", "GET", f"/ports?device_id={server}")["ports"][0]


def change(client, port: dict, **values) -> None:
    client.call("network", "PUT", f"/ports/{port['id']}", {"port": values})


def test_no_group_applies_on_a_network_without_port_security(client, open_network, group):
    networks = [{"uuid": open_network}]
    with active_server(client, "open", networks=networks, security_groups=[{"name": "default"}] * 2) as server:
        assert groups_of(client, server) == [] == port_of(client, server)["security_groups"]
    body = server_body(client, "refused", networks=networks, security_groups=[{"name": "web"}])
    assert "port_security_enabled" in refused(400, client, "compute", "POST", "/servers", body)


def test_a_server_shows_the_groups_of_its_ports(client, group):
    port = client.call("network", "POST", "/ports", {"port": {
        "network_id": network_id(client), "security_groups": [group]}})["port"]
    with active_server(client, "grouped", networks=[{"port": port["id"]}]) as server:
        assert groups_of(client, server) == ["web"]
        change(client, port, security_groups=[])
        assert groups_of(client, server) == []
        change(client, port, security_groups=[group])
        client.call("network", "PUT", f"/security-groups/{group}", {"security_group": {"name": "www"}})
        assert groups_of(client, server) == ["www"]
    client.call("network", "DELETE", f"/ports/{port['id']}")


def test_a_server_shows_the_groups_of_interfaces_that_come_and_go(client, group):
    """They were shown after the next change of one of its ports."""
    port = client.call("network", "POST", "/ports", {"port": {
        "network_id": network_id(client), "security_groups": [group]}})["port"]
    with active_server(client, "growing") as server:
        client.call("compute", "POST", f"/servers/{server}/os-interface", {"interfaceAttachment": {"port_id": port["id"]}})
        assert sorted(groups_of(client, server)) == ["default", "web"]
        client.call("compute", "DELETE", f"/servers/{server}/os-interface/{port['id']}")
        wait_for(lambda: groups_of(client, server) == ["default"], 20, what="its groups to go with it")
    client.call("network", "DELETE", f"/ports/{port['id']}")


def test_new_addresses_of_a_port_are_shown(client):
    with active_server(client, "moved") as server:
        port = port_of(client, server)
        subnet = port["fixed_ips"][0]["subnet_id"]
        change(client, port, fixed_ips=[*port["fixed_ips"], {"subnet_id": subnet}])
        now = {ip["ip_address"] for ip in port_of(client, server)["fixed_ips"]}
        assert len(now) == 2
        assert {a["addr"] for found in shown(client, server)["addresses"].values() for a in found} == now


def test_a_deleted_port_leaves_the_server(client):
    with active_server(client, "cut") as server:
        port = port_of(client, server)
        client.call("network", "DELETE", f"/ports/{port['id']}")
        wait_for(lambda: not shown(client, server)["addresses"], 20, what="the interface to be gone")
        assert not client.call("compute", "GET", f"/servers/{server}/os-interface")["interfaceAttachments"]
        actions = client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
        assert actions[0]["action"] == "detach_interface" and not actions[0]["message"]


def test_an_interface_is_detached_although_nobody_said_that_its_port_is_gone(cloud, client):
    """It was 404, and the server kept the interface and its address for ever."""
    service = login_as(cloud, "nova", ensure_secrets(cloud.state)["nova_password"], "service")
    with active_server(client, "unheard") as server:
        port = port_of(client, server)["id"]
        service.call("network", "DELETE", f"/ports/{port}")  # of which compute is not notified
        assert shown(client, server)["addresses"]
        client.call("compute", "DELETE", f"/servers/{server}/os-interface/{port}")
        wait_for(lambda: not shown(client, server)["addresses"], 20, what="the interface to be gone")
        assert "could not be found" in refused(404, client, "compute", "DELETE", f"/servers/{server}/os-interface/{port}")
