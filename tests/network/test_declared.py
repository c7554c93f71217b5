"""Updates say what shall be: what they do not name stays, and what cannot be created so is refused and not dropped."""

import pytest


@pytest.fixture(scope="module")
def network(member) -> str:
    made = member.made("networks", name="n")["id"]
    member.made("subnets", network_id=made, cidr="10.1.0.0/24")
    return made


BOOT = {"opt_name": "bootfile-name", "opt_value": "pxelinux.0", "ip_version": 4}
TFTP = {"opt_name": "tftp-server", "opt_value": "1.2.3.4", "ip_version": 4}
BOOT6 = {"opt_name": "bootfile-name", "opt_value": "tftp://x", "ip_version": 6}


@pytest.mark.parametrize(("given", "left"), [
    ([{"opt_name": "bootfile-name", "opt_value": None}], [TFTP, BOOT6]),
    ([{"opt_name": "bootfile-name", "opt_value": None, "ip_version": 6}], [BOOT, TFTP]),
    ([{"opt_name": "bootfile-name", "opt_value": "b"}], [{**BOOT, "opt_value": "b"}, TFTP, BOOT6]),
    ([{"opt_name": "ntp-server", "opt_value": "1.1.1.1"}],
     [BOOT, TFTP, BOOT6, {"opt_name": "ntp-server", "opt_value": "1.1.1.1", "ip_version": 4}]),
    ([{"opt_name": "nonesuch", "opt_value": None}], [BOOT, TFTP, BOOT6]), ([], [BOOT, TFTP, BOOT6]), (None, [BOOT, TFTP, BOOT6]),
    ([{"opt_name": "router", "opt_value": ""}], [BOOT, TFTP, BOOT6, {"opt_name": "router", "opt_value": "", "ip_version": 4}]),
    ([{"opt_name": "bootfile-name", "opt_value": None}, {"opt_name": "tftp-server", "opt_value": "5.6.7.8", "ip_version": "4"}],
     [{**TFTP, "opt_value": "5.6.7.8"}, BOOT6])])
def test_dhcp_options_of_a_port(member, network, given, left):
    port = member.made("ports", network_id=network, extra_dhcp_opts=[
        {k: v for k, v in BOOT.items() if k != "ip_version"}, TFTP, BOOT6, {"opt_name": "mtu", "opt_value": None}])
    assert port["extra_dhcp_opts"] == [BOOT, TFTP, BOOT6], "a version is shown also where none was sent, and null is no option"
    now = member.put("ports", port["id"], extra_dhcp_opts=given).json["port"]["extra_dhcp_opts"]
    assert now == left
    assert member.get("ports", port["id"])["extra_dhcp_opts"] == now


@pytest.mark.parametrize("wrong", [[{"opt_name": "mtu"}], [{"opt_value": "1"}], [TFTP, {**TFTP, "opt_value": "x"}],
                                   [{**TFTP, "ip_version": 5}]])
def test_dhcp_options_that_say_nothing_or_two_things(member, network, wrong):
    assert member("POST", "/ports", {"port": {"network_id": network, "extra_dhcp_opts": wrong}}).status == 400


def test_a_new_router_takes_no_routes(member):
    for routes in ([{"destination": "10.8.0.0/24", "nexthop": "10.1.0.9"}], [], None):
        answer = member("POST", "/routers", {"router": {"name": "r", "routes": routes}})
        assert answer.error == (400, "HTTPBadRequest") and answer.message == "Attribute 'routes' not allowed in POST"


def test_other_attributes_stay(member, network):
    port = member.made("ports", network_id=network, name="p", allowed_address_pairs=[{"ip_address": "10.1.0.98"}],
                       extra_dhcp_opts=[TFTP])
    now = member.put("ports", port["id"], name="q").json["port"]
    for name in port:
        assert now[name] == port[name] or name in ("name", "revision_number", "updated_at"), name


def test_a_gateways_addresses_change_and_the_gateway_stays(admin, member, network):
    """With the floating IPs that go over it."""
    external = admin.made("networks", **{"name": "ext", "router:external": True})["id"]
    subnet = admin.made("subnets", network_id=external, cidr="192.0.2.0/24")["id"]
    router = member.made("routers", external_gateway_info={"network_id": external})["id"]
    inner = member.get("networks", network)["subnets"][0]
    assert member("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": inner}).status == 200
    port = member.made("ports", network_id=network, fixed_ips=[{"subnet_id": inner}])["id"]
    floating = member.made("floatingips", floating_network_id=external, port_id=port)
    before = admin.ids("ports", device_id=router, device_owner="network:router_gateway")
    for wanted in ({"subnet_id": subnet, "ip_address": "192.0.2.200"}, {"ip_address": "192.0.2.200"}, {"subnet_id": subnet}):
        answer = admin.put("routers", router, external_gateway_info={"network_id": external, "external_fixed_ips": [wanted]})
        assert answer.status == 200, answer
        held = answer.json["router"]["external_gateway_info"]["external_fixed_ips"]
        assert held == [{"subnet_id": subnet, "ip_address": "192.0.2.200"}], "what is kept stays"
    assert admin.ids("ports", device_id=router, device_owner="network:router_gateway") == before
    assert member.get("floatingips", floating["id"])["status"] == "ACTIVE"
    assert admin.put("networks", external, **{"router:external": False}).error == (409, "ExternalNetworkInUse")


def test_an_ipv6_subnet_needs_its_mtu(member):
    network = member.made("networks", name="n", mtu=1200)["id"]
    answer = member("POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 6, "cidr": "fd00:1::/64"}})
    assert answer.error == (409, "NetworkMTUSubnetConflict")
    assert member("POST", "/subnets", {"subnet": {"network_id": network, "cidr": "10.1.0.0/24"}}).status == 201


def test_a_network_stays_what_it_is(admin, member):
    made = admin.made("networks", name="n")
    kept = {k: made[k] for k in ("provider:network_type", "provider:segmentation_id", "provider:physical_network")}
    assert admin.put("networks", made["id"], **kept).json["network"]["revision_number"] == made["revision_number"]
    answer = admin.put("networks", made["id"], **{"provider:network_type": "local"})
    assert answer.error == (400, "InvalidInput") and "provider:network_type" in answer.message


def test_rules_and_groups_are_refused_as_openstack_does(member):
    group = member.made("security-groups", name="g")["id"]
    rule = {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}
    for low, high, says in ((-16, 80, "Invalid value for port -16"), (80, 65536, "Invalid value for port 65536"),
                            ("x", 80, "Invalid value for port x"), (80, 79, "port_range_min must be <= port_range_max")):
        answer = member("POST", "/security-group-rules", {"security_group_rule": {
            **rule, "port_range_min": low, "port_range_max": high}})
        assert answer.status == 400 and says in answer.message
    for absent in ("bad_group_id", "00000000-0000-4000-8000-000000000000"):
        answer = member("POST", "/security-group-rules", {"security_group_rule": {**rule, "remote_group_id": absent}})
        assert answer.error == (404, "SecurityGroupNotFound")
    for name in ("default", "Default"):
        assert member.put("security-groups", group, name=name).error == (409, "SecurityGroupDefaultAlreadyExists")


@pytest.mark.parametrize("given, kept", [
    ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}, {"port_range_min": None, "port_range_max": None}),
    ({"protocol": "udp", "port_range_min": 1, "port_range_max": 65534}, {"port_range_min": 1, "port_range_max": 65534}),
    ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp"}),
    ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp"}),
    ({"protocol": 1, "ethertype": "IPv6"}, {"protocol": "58"}), ({"protocol": "icmp"}, {"protocol": "icmp"})])
def test_rules_are_stored_in_the_form_that_clients_expect(member, given, kept):
    group = member.made("security-groups", name="g")["id"]
    made = member.made("security-group-rules", security_group_id=group, direction="ingress", **given)
    assert {name: made[name] for name in kept} == kept == {
        name: member.get("security-group-rules", made["id"])[name] for name in kept}


def test_what_is_not_built_may_be_sent_as_it_is(admin, network):
    made = admin.made("subnets", network_id=network, cidr="10.3.0.0/24", segment_id=None, service_types=[])
    assert (made["segment_id"], made["service_types"]) == (None, [])
    assert admin.made("routers", name="r", ha=False)["ha"] is False
    assert admin("POST", "/routers", {"router": {"ha": True}}).status == 400
