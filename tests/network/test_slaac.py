"""Automatic addresses (SLAAC, stateless DHCPv6): every port of the network has them, whatever else it was given."""

import itertools

import pytest

from network.protocols import slaac
from tests.network import frame

MODES = [("slaac", "slaac"), ("dhcpv6-stateless", "dhcpv6-stateless"), (None, "slaac"), ("slaac", None)]
_NUMBERS = itertools.count(1)


@pytest.fixture
def network(member) -> str:
    return member.made("networks", name="n")["id"]


def v6(caller: frame.Caller, network_id: str, mode=("slaac", "slaac"), **more) -> dict:
    """A subnet with automatic addresses, of a prefix of its own."""
    return caller.made("subnets", network_id=network_id, ip_version=6, cidr=f"2001:db8:{next(_NUMBERS):x}::/64",
                       **{k: v for k, v in zip(("ipv6_ra_mode", "ipv6_address_mode"), mode) if v}, **more)


def v4(caller: frame.Caller, network_id: str, cidr: str = "10.1.0.0/24") -> dict:
    return caller.made("subnets", network_id=network_id, cidr=cidr)


def own(port: dict, *subnets: dict) -> list[str]:
    """The addresses that a port has in subnets."""
    ids = {s["id"] for s in subnets}
    return sorted(ip["ip_address"] for ip in port["fixed_ips"] if ip["subnet_id"] in ids)


def automatic(port: dict, *subnets: dict) -> list[str]:
    return sorted(slaac(s["cidr"], port["mac_address"]) for s in subnets)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asked", ["nothing", "none", "a subnet", "an address", "the automatic one", "both subnets"])
def test_a_new_port_has_them_in_addition_to_requested_addresses(member, network, mode, asked):
    one, other, plain = v6(member, network, mode), v6(member, network, mode), v4(member, network)
    wanted = {"nothing": None, "none": [], "a subnet": [{"subnet_id": plain["id"]}], "an address": [{"ip_address": "10.1.0.97"}],
              "the automatic one": [{"subnet_id": one["id"]}],
              "both subnets": [{"subnet_id": plain["id"]}, {"subnet_id": other["id"]}]}[asked]
    port = member.made("ports", network_id=network, **({} if wanted is None else {"fixed_ips": wanted}))
    assert own(port, one, other) == automatic(port, one, other)
    assert len(own(port, plain)) == (0 if asked in ("none", "the automatic one") else 1)


def test_an_address_that_the_guest_would_not_use_is_refused(member, network):
    subnet = v6(member, network)
    prefix = subnet["cidr"].removesuffix("/64")
    mac = "fa:16:3e:00:00:aa"
    wrong = member("POST", "/ports", {"port": {"network_id": network, "fixed_ips": [{"ip_address": f"{prefix}77"}]}})
    assert wrong.error == (400, "AllocationOnAutoAddressSubnet")
    right = [{"subnet_id": subnet["id"], "ip_address": slaac(subnet["cidr"], mac)}]
    assert member.made("ports", network_id=network, mac_address=mac, fixed_ips=right)["fixed_ips"] == right
    empty = member("POST", "/ports", {"port": {"network_id": network, "fixed_ips": [{}]}})
    assert empty.error == (400, "InvalidInput")


@pytest.mark.parametrize("mode", MODES)
def test_ports_get_the_address_of_a_subnet_created_later(network_api, member, network, mode):
    v4(member, network)
    plain, bare = member.made("ports", network_id=network), member.made("ports", network_id=network, fixed_ips=[])
    server = frame.Caller(network_api, "service", "services").made(
        "ports", network_id=network, project_id="p1", device_id="s1", device_owner="compute:nova")
    network_api.rest.told.clear()
    subnet = v6(member, network, mode)
    for port in (plain, bare, server):
        now = member.get("ports", port["id"])
        assert own(now, subnet) == automatic(port, subnet)
        assert now["revision_number"] > port["revision_number"]
    event, = network_api.rest.told
    assert (event["name"], event["server_uuid"]) == ("network-changed", "s1")
    assert {"id": server["id"], "network_id": network, "network_name": member.get("networks", network)["name"],
            "mac_address": server["mac_address"], "fixed_ips": member.get("ports", server["id"])["fixed_ips"],
            "floating_ips": [], "security_groups": [{"id": group, "name": "default"} for group in server["security_groups"]],
            } in event["ports"], "compute shows the server's addresses, and need not ask for them"


def test_a_new_dhcp_subnet_gives_existing_ports_no_addresses(member, network):
    port = member.made("ports", network_id=network)
    v4(member, network)
    v6(member, network, ("dhcpv6-stateful", "dhcpv6-stateful"))
    assert member.get("ports", port["id"])["fixed_ips"] == []


def test_their_subnet_may_go_while_ports_have_them(network_api, member, network):
    subnet, plain = v6(member, network), v4(member, network)
    port = member.made("ports", network_id=network)
    server = frame.Caller(network_api, "service", "services").made(
        "ports", network_id=network, project_id="p1", device_id="s2", device_owner="compute:nova")
    network_api.rest.told.clear()
    assert member("DELETE", f"/subnets/{subnet['id']}").status == 204
    now = member.get("ports", port["id"])
    assert len(now["fixed_ips"]) == 1 and own(now, plain) and now["revision_number"] > port["revision_number"]
    assert [e["server_uuid"] for e in network_api.rest.told] == ["s2"] and server
    assert subnet["id"] not in str(network_api.rest.told), "what is told is what is there now"
    assert member("DELETE", f"/subnets/{plain['id']}").error == (409, "SubnetInUse")


def test_they_stay_when_the_other_addresses_change(member, network):
    subnet, plain = v6(member, network), v4(member, network)
    port = member.made("ports", network_id=network)
    for wanted in ([{"subnet_id": plain["id"], "ip_address": "10.1.0.99"}], [], [{"subnet_id": subnet["id"]}],
                   [{"subnet_id": plain["id"]}, {"subnet_id": subnet["id"], "ip_address": own(port, subnet)[0]}]):
        now = member.put("ports", port["id"], fixed_ips=wanted).json["port"]
        assert own(now, subnet) == automatic(port, subnet)
        assert len(own(now, plain)) == len([w for w in wanted if w["subnet_id"] == plain["id"]])


def test_they_follow_the_mac(network_api, network, member):
    """Whatever is done to the other addresses in the same request."""
    manager = frame.Caller(network_api, "manager", "p1")
    one, other, plain = v6(member, network), v6(member, network), v4(member, network)
    port = member.made("ports", network_id=network)
    before = own(port, plain)
    now = manager.put("ports", port["id"], mac_address="fa:16:3e:00:00:01").json["port"]
    assert (own(now, one, other), own(now, plain)) == (automatic(now, one, other), before)
    now = manager.put("ports", port["id"], mac_address="fa:16:3e:00:00:02", fixed_ips=[{"ip_address": "10.1.0.99"}]).json["port"]
    assert (own(now, one, other), own(now, plain)) == (automatic(now, one, other), ["10.1.0.99"])


def test_a_routers_interface_has_the_gateways_address_alone(member, network):
    subnet = v6(member, network)
    router = member.made("routers", name="r")["id"]
    joined = member("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet["id"]}).json
    later = v6(member, network)
    port = member.get("ports", joined["port_id"])
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
    assert member("DELETE", f"/subnets/{subnet['id']}").error == (409, "SubnetInUse")
    assert member("DELETE", f"/subnets/{later['id']}").status == 204
    assert member("PUT", f"/routers/{router}/remove_router_interface", {"subnet_id": subnet["id"]}).status == 200
    assert member("DELETE", f"/subnets/{subnet['id']}").status == 204


def test_dhcp_has_an_address_in_each_subnet(admin, member, network):
    subnets = [v6(member, network), v4(member, network), v6(member, network)]
    ports = admin("GET", "/ports", network_id=network, device_owner="network:dhcp").json["ports"]
    assert [len(own(ports[0], s)) for s in subnets] == [1, 1, 1] and len(ports) == 1
    assert own(ports[0], subnets[2]) == automatic(ports[0], subnets[2])


def test_gateways_get_an_address_of_each_ip_version(admin, member):
    """Of the second subnet of a version only if it is automatic."""
    external = admin.made("networks", **{"name": "ext", "router:external": True})["id"]
    first = v4(admin, external, "192.0.2.0/24")
    router = member.made("routers", external_gateway_info={"network_id": external})

    def held() -> set[str]:
        info = member.get("routers", router["id"])["external_gateway_info"]
        return {ip["subnet_id"] for ip in info["external_fixed_ips"]}
    assert held() == {first["id"]}
    stateful = admin.made("subnets", network_id=external, ip_version=6, cidr="2001:db8:ffff::/64")
    assert held() == {first["id"], stateful["id"]}
    assert member.get("routers", router["id"])["revision_number"] > router["revision_number"]
    v4(admin, external, "192.0.3.0/24")
    third = v6(admin, external)
    assert held() == {first["id"], stateful["id"], third["id"]}
    assert admin("DELETE", f"/subnets/{third['id']}").status == 204
    assert held() == {first["id"], stateful["id"]}


@pytest.mark.parametrize("modes", [{"ipv6_ra_mode": "slaac"}, {"ipv6_address_mode": "dhcpv6-stateless"}])
def test_the_prefix_leaves_room_for_the_mac(member, network, modes):
    body = {"network_id": network, "ip_version": 6, "cidr": "2001:db8:fffe::/72", **modes}
    assert member("POST", "/subnets", {"subnet": body}).status == 400


def test_dhcp_cannot_be_switched_off_under_them(member, network):
    subnet = v6(member, network)
    assert member.put("subnets", subnet["id"], enable_dhcp=False).error == (400, "InvalidInput")
    assert member.put("subnets", subnet["id"], enable_dhcp=True).status == 200
