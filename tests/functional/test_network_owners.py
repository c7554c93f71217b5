"""Who may do what on networks of others, and what a port is bound to: our own rows say so, never a client's text."""

import json

import pytest

from common.periodic import wait_for
from tests.conftest import login_as
from tests.tenancy.frame import Asker

ROUTER_PORT, DHCP = "network:router_interface", "network:dhcp"


def new_user(cloud, name: str, role: str) -> Asker:
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": name}})["project"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": name, "password": "pw-of-them"}})["user"]
    role_id = admin.find("identity", "roles", role)["id"]
    admin.call("identity", "PUT", f"/projects/{project['id']}/users/{user['id']}/roles/{role_id}")
    return Asker(login_as(cloud, name, "pw-of-them", name))


@pytest.fixture(scope="module")
def admin(cloud):
    return Asker(cloud.client)


@pytest.fixture(scope="module")
def carol(cloud):
    return new_user(cloud, "carol-of-owners", "member")


@pytest.fixture(scope="module")
def shared(admin):
    """(network, subnet) that everybody may use and an admin owns."""
    network = admin.made("network", "/v2.0/networks", {"network": {"name": "for-all", "shared": True}})["id"]
    return network, admin.made("network", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.50.0.0/24"}})["id"]


@pytest.fixture(scope="module")
def public(admin):
    return json.loads(admin("network", "GET", "/v2.0/networks?router:external=True")[1])["networks"][0]["id"]


def refusal(answer: tuple[int, str]) -> str:
    assert answer[0] == 403, answer
    return json.loads(answer[1])["NeutronError"]["message"]


def listed(who: Asker, query: str) -> list[dict]:
    return json.loads(who("network", "GET", f"/v2.0/ports?{query}")[1])["ports"]


@pytest.mark.parametrize(("attribute", "value", "rule"), [
    ("fixed_ips", [{"ip_address": "10.50.0.77"}], "fixed_ips:ip_address"), ("mac_address", "fa:16:3e:01:02:03", "mac_address"),
    ("port_security_enabled", False, "port_security_enabled"), ("device_owner", DHCP, "device_owner"),
    ("device_owner", ROUTER_PORT, "device_owner"), ("device_owner", "network:x", "device_owner"),
    ("allowed_address_pairs", [{"ip_address": "0.0.0.0/0"}], "allowed_address_pairs:ip_address"),
    ("binding:host_id", "elsewhere", "binding:host_id"), ("binding:profile", {"a": 1}, "binding:profile")])
def test_on_a_shared_network_only_its_owner_chooses(carol, shared, attribute, value, rule):
    network, _ = shared
    message = refusal(carol("network", "POST", "/v2.0/ports", {"port": {"network_id": network, attribute: value}}))
    assert f"rule:create_port:{rule}" in message and message.endswith("disallowed by policy")
    port = carol.made("network", "/v2.0/ports", {"port": {"network_id": network}})["id"]
    assert f"rule:update_port:{rule}" in refusal(carol("network", "PUT", f"/v2.0/ports/{port}", {"port": {attribute: value}}))
    assert carol("network", "DELETE", f"/v2.0/ports/{port}")[0] == 204


def test_a_user_of_a_shared_network_may_choose_a_subnet_and_nothing_of_the_network(carol, shared):
    network, subnet = shared
    port = carol.made("network", "/v2.0/ports", {"port": {"network_id": network, "fixed_ips": [{"subnet_id": subnet}]}})
    assert port["fixed_ips"][0]["subnet_id"] == subnet and "binding:host_id" not in port
    refusal(carol("network", "POST", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.51.0.0/24"}}))
    for path, body in ((f"networks/{network}", {"network": {"name": "x"}}), (f"subnets/{subnet}", {"subnet": {"name": "x"}})):
        refusal(carol("network", "PUT", f"/v2.0/{path}", body))
        refusal(carol("network", "DELETE", f"/v2.0/{path}"))
    router = carol.made("network", "/v2.0/routers", {"router": {}})["id"]
    assert carol("network", "PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})[0] == 400
    carol("network", "DELETE", f"/v2.0/ports/{port['id']}")


def test_ports_of_our_devices_are_not_recognised_by_what_clients_write(admin, carol):
    """A port called DHCP's or a router's is neither: it is nobody's leg, and stands in nobody's way."""
    network = carol.made("network", "/v2.0/networks", {"network": {}})["id"]
    subnet = carol.made("network", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.52.0.0/24"}})["id"]
    router = carol.made("network", "/v2.0/routers", {"router": {}})["id"]
    fake = [carol.made("network", "/v2.0/ports", {"port": {
        "network_id": network, "device_owner": owner, "device_id": device}})["id"]
        for owner, device in ((DHCP, "dhcp"), (ROUTER_PORT, router), ("network:floatingip", "f"), ("compute:nova", router))]
    assert listed(carol, f"network_id={network}&relation={DHCP}")[0]["id"] not in fake
    assert carol("network", "PUT", f"/v2.0/routers/{router}/remove_router_interface", {"port_id": fake[1]})[0] == 404
    status, text = carol("network", "DELETE", f"/v2.0/networks/{network}")
    assert status == 409 and fake[0] in text, "a port that is only called DHCP's is its owner's, and does not go unasked"
    assert carol("network", "DELETE", f"/v2.0/routers/{router}")[0] == 204
    other = admin.made("network", "/v2.0/routers", {"router": {}})["id"]
    for body in ({"device_id": other}, {"device_id": other, "device_owner": ROUTER_PORT}):
        assert carol("network", "POST", "/v2.0/ports", {"port": {"network_id": network, **body}})[0] == 409
        assert carol("network", "PUT", f"/v2.0/ports/{fake[0]}", {"port": body})[0] == 409
    assert "rule:delete_port" in refusal(carol("network", "DELETE", f"/v2.0/ports/{fake[3]}")), "it is said to be a server's"
    assert carol("network", "PUT", f"/v2.0/ports/{fake[3]}", {"port": {"device_owner": ""}})[0] == 200
    for port in fake:
        assert carol("network", "DELETE", f"/v2.0/ports/{port}")[0] == 204
    assert carol("network", "DELETE", f"/v2.0/networks/{network}")[0] == 204
    assert subnet and admin("network", "DELETE", f"/v2.0/routers/{other}")[0] == 204


def test_ports_of_our_devices_stay_as_they_are(carol, public):
    network = carol.made("network", "/v2.0/networks", {"network": {}})["id"]
    subnet = carol.made("network", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.53.0.0/24"}})["id"]
    router = carol.made("network", "/v2.0/routers", {"router": {"external_gateway_info": {"network_id": public}}})["id"]
    leg = json.loads(carol("network", "PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})[1])["port_id"]
    dhcp = listed(carol, f"network_id={network}&device_owner={DHCP}")[0]["id"]
    for port in (leg, dhcp):
        for body in ({"device_id": "mine"}, {"device_owner": "mine"}, {"device_id": "", "device_owner": ""},
                     {"fixed_ips": []}, {"security_groups": []}, {"port_security_enabled": True}):
            status, text = carol("network", "PUT", f"/v2.0/ports/{port}", {"port": body})
            assert status == 409 or body == {"security_groups": []} and status == 200, (body, status, text)
        assert carol("network", "PUT", f"/v2.0/ports/{port}", {"port": {"name": "named"}})[0] == 200
    assert carol("network", "DELETE", f"/v2.0/ports/{leg}")[0] == 409
    assert carol("network", "DELETE", f"/v2.0/ports/{dhcp}")[0] == 204
    assert listed(carol, f"network_id={network}&device_owner={DHCP}")[0]["fixed_ips"], "DHCP has a port again"
    assert carol("network", "PUT", f"/v2.0/routers/{router}/remove_router_interface", {"subnet_id": subnet})[0] == 200
    assert carol("network", "DELETE", f"/v2.0/routers/{router}")[0] == 204
    assert carol("network", "DELETE", f"/v2.0/networks/{network}")[0] == 204


def test_a_server_gets_no_interface_from_a_port_that_names_it(cloud, admin, carol):
    """Not in its list, not by a hard reboot, and its port does not go with it."""
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")["id"]
    network = carol.made("network", "/v2.0/networks", {"network": {}})["id"]
    carol.made("network", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.54.0.0/24"}})
    port = carol.made("network", "/v2.0/ports", {"port": {
        "network_id": network, "device_id": server, "device_owner": "compute:nova"}})["id"]
    path = f"/v2.1/servers/{server}"

    def interfaces() -> list[str]:
        return [i["port_id"] for i in json.loads(admin("compute", "GET", path + "/os-interface")[1])["interfaceAttachments"]]
    before = interfaces()
    assert port not in before
    assert admin("compute", "POST", path + "/action", {"reboot": {"type": "HARD"}})[0] == 202
    wait_for(lambda: cloud.client.call("compute", "GET", f"/servers/{server}")["server"]["OS-EXT-STS:task_state"] is None, 20,
             what="the reboot")
    shown = cloud.client.call("compute", "GET", f"/servers/{server}")["server"]["addresses"]
    assert interfaces() == before and "10.54.0" not in json.dumps(shown)
    assert admin("compute", "DELETE", f"{path}/os-interface/{port}")[0] == 404
    assert carol("network", "PUT", f"/v2.0/ports/{port}", {"port": {"device_owner": ""}})[0] == 200
    assert carol("network", "DELETE", f"/v2.0/ports/{port}")[0] == 204


def test_a_servers_port_is_the_compute_services(cloud, admin, carol):
    """Its owner may change groups and addresses, but not whose it is."""
    network = carol.made("network", "/v2.0/networks", {"network": {}})["id"]
    carol.made("network", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.55.0.0/24"}})
    port = carol.made("network", "/v2.0/ports", {"port": {"network_id": network}})["id"]
    image = cloud.client.find("image", "images", "cirros")["id"]
    made = carol.client.call("compute", "POST", "/servers", {"server": {
        "name": "holder", "imageRef": image, "flavorRef": "42", "networks": [{"port": port}]}}, version="2.37")["server"]["id"]
    wait_for(lambda: carol.client.call("compute", "GET", f"/servers/{made}")["server"]["status"] == "ACTIVE", 30, what="a server")
    for body in ({"device_id": "x"}, {"device_id": ""}, {"device_owner": ""}, {"device_id": "x", "device_owner": "y"}):
        assert carol("network", "PUT", f"/v2.0/ports/{port}", {"port": body})[0] == 409, body
    assert carol("network", "PUT", f"/v2.0/ports/{port}", {"port": {"mac_address": "fa:16:3e:00:11:22"}})[0] in (403, 409)
    router = carol.made("network", "/v2.0/routers", {"router": {}})["id"]
    assert carol("network", "PUT", f"/v2.0/routers/{router}/add_router_interface", {"port_id": port})[0] == 409
    carol.client.call("compute", "DELETE", f"/servers/{made}")
    wait_for(lambda: listed(carol, f"id={port}")[0]["device_id"] == "", 20, what="the port to be given back")
    assert carol("network", "DELETE", f"/v2.0/ports/{port}")[0] == 204


def test_no_address_of_a_shared_network_is_chosen_by_way_of_a_server(cloud, admin, carol, shared, public):
    """Hosts make ports with the rights of a service; who asks the compute service for one has only his own."""
    network, _ = shared
    image = cloud.client.find("image", "images", "cirros")["id"]

    def boot(who: Asker, **wanted) -> tuple[int, str]:
        return who("compute", "POST", "/v2.1/servers", {"server": {
            "name": "chooser", "imageRef": image, "flavorRef": "42", "networks": [wanted]}}, version="compute 2.60")
    assert boot(carol, uuid=network, fixed_ip="10.50.0.88")[0] == 403
    assert boot(carol, uuid=public)[0] == 403
    status, text = boot(carol, uuid=network)
    assert status == 202
    server = json.loads(text)["server"]["id"]
    path = f"/servers/{server}"
    wait_for(lambda: carol.client.call("compute", "GET", path)["server"]["status"] == "ACTIVE", 30, what="a server")
    for wanted, expected in (({"net_id": network, "fixed_ips": [{"ip_address": "10.50.0.88"}]}, 403), ({"net_id": public}, 403)):
        answer = carol("compute", "POST", f"/v2.1/servers/{server}/os-interface", {"interfaceAttachment": wanted})
        assert answer[0] == expected, (wanted, answer)
    assert not listed(admin, "fixed_ips=ip_address=10.50.0.88")
    carol.client.call("compute", "DELETE", f"/servers/{server}")


def test_addresses_of_the_external_network_are_its_owners(cloud, admin, carol, public):
    subnet = json.loads(admin("network", "GET", f"/v2.0/subnets?network_id={public}")[1])["subnets"][0]
    chosen = str(subnet["allocation_pools"][-1]["end"])
    wanted = {"floating_network_id": public, "floating_ip_address": chosen}
    answer = carol("network", "POST", "/v2.0/floatingips", {"floatingip": wanted})
    assert "create_floatingip:floating_ip_address" in refusal(answer)
    manager = new_user(cloud, "manuela", "manager")
    for who in (admin, manager):
        bad = {**wanted, "floating_ip_address": subnet["gateway_ip"]}
        assert who("network", "POST", "/v2.0/floatingips", {"floatingip": bad})[0] == 409
        assert who("network", "POST", "/v2.0/floatingips", {"floatingip": {**wanted, "floating_ip_address": "9.9.9.9"}})[0] == 400
    own = manager.made("network", "/v2.0/floatingips", {"floatingip": wanted})
    assert own["floating_ip_address"] == chosen
    assert admin("network", "POST", "/v2.0/floatingips", {"floatingip": wanted})[0] == 409
    assert manager("network", "DELETE", f"/v2.0/floatingips/{own['id']}")[0] == 204
    for name, value in (("external_fixed_ips", [{"ip_address": chosen}]), ("enable_snat", False)):
        info = {"external_gateway_info": {"network_id": public, name: value}}
        assert name in refusal(carol("network", "POST", "/v2.0/routers", {"router": info}))
        router = carol.made("network", "/v2.0/routers", {"router": {"external_gateway_info": {"network_id": public}}})["id"]
        assert name in refusal(carol("network", "PUT", f"/v2.0/routers/{router}", {"router": info}))
        assert carol("network", "DELETE", f"/v2.0/routers/{router}")[0] == 204
    bad = {"network_id": public, "external_fixed_ips": [{"ip_address": subnet["gateway_ip"]}]}
    assert admin("network", "POST", "/v2.0/routers", {"router": {"external_gateway_info": bad}})[0] == 409
    assert "create_port" in refusal(carol("network", "POST", "/v2.0/ports", {"port": {"network_id": public}}))
