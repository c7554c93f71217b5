"""What is sent to the network API is stored in one form, or refused: nothing of it can become a line of another's file."""

import json

import pytest

from tests.tenancy.frame import Asker

SCOPES = ("fe80::1%1", "fd00::77%1", "fe80::1%1 -j RETURN\n-I INPUT 1 -j ACCEPT\n#", "10.1.0.9\n", " 10.1.0.9", "010.1.0.9",
          "10.1.0.9/24", "", "x", "1" * 300)
PREFIXES = ("fe80::1%1 -j RETURN\n-I INPUT 1 -j ACCEPT\n#/128", "fd00::/64\n", "10.1.0.0/255.255.255.0", "10.1.0.0/0.0.0.255",
            "10.1.0.0/33", "10.1.0.0/", "10.1.0.0/-1", "/24", "10.1.0.0/²4", "")
MACS = ("fa:16:3e:00:00:01\n", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "fa:16:3e:00:00",
        "fa-16:3e-00:00-01", "")
NUMBERS = ("99998", 99998, "-1", "²", "1e3", 1.5, "22\n", " 22", "0x16", 1 << 63)


@pytest.fixture(scope="module")
def ask(cloud):
    return Asker(cloud.client)


@pytest.fixture(scope="module")
def ids(ask):
    network = ask.made("network", "/v2.0/networks", {"network": {"name": "values"}})["id"]

    def subnet(**more) -> str:
        return ask.made("network", "/v2.0/subnets", {"subnet": {"network_id": network, **more}})["id"]
    group = ask.made("network", "/v2.0/security-groups", {"security_group": {"name": "values"}})["id"]
    return {"network": network, "v4": subnet(cidr="10.1.0.0/24"), "v6": subnet(cidr="fd00::/64", ip_version=6), "group": group,
            "router": ask.made("network", "/v2.0/routers", {"router": {"name": "values"}})["id"]}


def hostile(ids: dict):
    """(path, body) of requests that must be refused."""
    port, subnet = {"network_id": ids["network"]}, {"network_id": ids["network"], "cidr": "10.2.0.0/24"}
    rule = {"security_group_id": ids["group"], "direction": "ingress", "protocol": "tcp"}
    for bad in SCOPES:
        yield "ports", {"port": {**port, "fixed_ips": [{"ip_address": bad}]}}
        if "/" not in bad:
            yield "ports", {"port": {**port, "allowed_address_pairs": [{"ip_address": bad}]}}
        yield "subnets", {"subnet": {**subnet, "gateway_ip": bad}}
        yield "subnets", {"subnet": {**subnet, "dns_nameservers": [bad]}}
        yield "subnets", {"subnet": {**subnet, "allocation_pools": [{"start": bad, "end": "10.2.0.9"}]}}
        yield "subnets", {"subnet": {**subnet, "host_routes": [{"destination": "10.3.0.0/24", "nexthop": bad}]}}
    for bad in PREFIXES:
        yield "subnets", {"subnet": {"network_id": ids["network"], "cidr": bad}}
        yield "subnets", {"subnet": {**subnet, "host_routes": [{"destination": bad, "nexthop": "10.2.0.1"}]}}
        yield "subnetpools", {"subnetpool": {"name": "p", "prefixes": [bad]}}
        yield "ports", {"port": {**port, "allowed_address_pairs": [{"ip_address": bad}]}}
        if bad:
            yield "security-group-rules", {"security_group_rule": {**rule, "remote_ip_prefix": bad, "ethertype": "IPv6"}}
    for bad in MACS:
        yield "ports", {"port": {**port, "mac_address": bad}}
        yield "ports", {"port": {**port, "allowed_address_pairs": [{"ip_address": "10.1.0.9", "mac_address": bad}]}}
    for bad in NUMBERS:
        yield "security-group-rules", {"security_group_rule": {**rule, "port_range_min": bad, "port_range_max": bad}}
        yield "security-group-rules", {"security_group_rule": {**rule, "protocol": bad}}
        yield "networks", {"network": {"mtu": bad}}
        yield "networks", {"network": {"provider:network_type": "vxlan",
                                        "provider:segmentation_id": 1 << 24 if str(bad) == "99998" else bad}}
        yield "subnetpools", {"subnetpool": {"name": "p", "prefixes": ["10.4.0.0/16"], "default_prefixlen": bad}}
        yield "subnetpools", {"subnetpool": {"name": "p", "prefixes": ["10.4.0.0/16"], "default_quota": -1}}
    yield "networks", {"network": {"mtu": 65535}}
    for mapped in ("::ffff:10.3.0.0/112", "::ffff:0:0/95"):
        yield "subnets", {"subnet": {"network_id": ids["network"], "cidr": mapped, "ip_version": 6}}
    for start, end in (("10.2.0.0", "10.2.0.9"), ("10.2.0.9", "10.2.0.255")):
        yield "subnets", {"subnet": {**subnet, "gateway_ip": None, "allocation_pools": [{"start": start, "end": end}]}}
    for bad in ("224.0.0.5", "ff02::1", "224.0.0.0/8"):
        yield "ports", {"port": {**port, "allowed_address_pairs": [{"ip_address": bad}]}}
    for bad in ("a b", "a\n", "-a", "a..b", "x" * 64, "ä"):
        yield "ports", {"port": {**port, "dns_name": bad}}
        yield "networks", {"network": {"dns_domain": bad if bad != "x" * 64 else "x" * 64 + ".org"}}
    for name in ("name", "device_id", "device_owner"):
        yield "ports", {"port": {**port, name: "a\0b"}}
        yield "ports", {"port": {**port, name: "a\nb"}}
    yield "ports", {"port": {**port, "extra_dhcp_opts": [{"opt_name": "router", "opt_value": "1.1.1.1\n"}]}}
    yield "ports", {"port": {**port, "fixed_ips": [{"ip_address": "fd00::77"}, {"ip_address": "FD00:0::77"}]}}
    yield "ports", {"port": {**port, "fixed_ips": [{"ip_address": "10.1.0.255"}]}}
    yield "ports", {"port": {**port, "fixed_ips": [{"ip_address": "10.1.0.0"}]}}


def test_hostile_values_are_refused(ask, ids):
    wrong = []
    for path, body in hostile(ids):
        status, text = ask("network", "POST", f"/v2.0/{path}", body)
        if status != 400:
            wrong.append((body, status, text[:200]))
    assert not wrong, "\n".join(map(str, wrong))


def test_addresses_are_stored_in_one_form(ask, ids):
    """The same address, MAC or prefix, however written, is the same."""
    port = ask.made("network", "/v2.0/ports", {"port": {
        "network_id": ids["network"].upper(), "mac_address": "FA-16-3E-AA-BB-CC", "dns_name": "Host-1",
        "fixed_ips": [{"ip_address": "FD00:0:0:0::77"}, {"subnet_id": ids["v4"].upper()}],
        "allowed_address_pairs": [{"ip_address": "FD00::0:99"}, {"ip_address": "fd00:0::/96", "mac_address": "FA163EAABBCD"}]}})
    assert (port["mac_address"], port["dns_name"], port["network_id"]) == ("fa:16:3e:aa:bb:cc", "host-1", ids["network"])
    assert {"subnet_id": ids["v6"], "ip_address": "fd00::77"} in port["fixed_ips"] and len(port["fixed_ips"]) == 2
    assert port["allowed_address_pairs"] == [{"ip_address": "fd00::99", "mac_address": "fa:16:3e:aa:bb:cc"},
                                             {"ip_address": "fd00::/96", "mac_address": "fa:16:3e:aa:bb:cd"}]
    for same in ("fd00::77", "fd00:0:0::0:77"):
        assert ask("network", "POST", "/v2.0/ports", {"port": {
            "network_id": ids["network"], "fixed_ips": [{"ip_address": same}]}})[0] == 409
    same_mac = {"network_id": ids["network"], "mac_address": "fa163eaabbcc"}
    assert ask("network", "POST", "/v2.0/ports", {"port": same_mac})[0] == 409
    rule = {"security_group_id": ids["group"], "direction": "ingress", "ethertype": "IPv6", "protocol": "TCP",
            "port_range_min": "22", "port_range_max": 22, "remote_ip_prefix": "FD00:0::5/64"}
    made = ask.made("network", "/v2.0/security-group-rules", {"security_group_rule": rule})
    assert [made[k] for k in ("remote_ip_prefix", "normalized_cidr", "port_range_min", "protocol")] == [
        "fd00::5/64", "fd00::/64", 22, "tcp"]
    for same in ({"remote_ip_prefix": "fd00::/64"}, {"protocol": 6}, {"protocol": "6"}):
        status, text = ask("network", "POST", "/v2.0/security-group-rules", {"security_group_rule": {**rule, **same}})
        assert (status, json.loads(text)["NeutronError"]["type"]) == (409, "SecurityGroupRuleExists")


def test_updates_are_parsed_as_creations_are(ask, ids):
    port = ask.made("network", "/v2.0/ports", {"port": {"network_id": ids["network"]}})["id"]
    wrong = [(path, body) for path, body in (
        (f"ports/{port}", {"port": {"mac_address": MACS[0]}}),
        (f"ports/{port}", {"port": {"fixed_ips": [{"ip_address": SCOPES[1]}]}}),
        (f"ports/{port}", {"port": {"allowed_address_pairs": [{"ip_address": PREFIXES[2]}]}}),
        (f"subnets/{ids['v6']}", {"subnet": {"dns_nameservers": [SCOPES[2]]}}),
        (f"subnets/{ids['v4']}", {"subnet": {"host_routes": [{"destination": PREFIXES[0], "nexthop": "10.1.0.9"}]}}),
        (f"subnets/{ids['v4']}", {"subnet": {"gateway_ip": SCOPES[3]}}),
        (f"networks/{ids['network']}", {"network": {"mtu": "1"}}),
        (f"routers/{ids['router']}", {"router": {"routes": [{"destination": PREFIXES[2], "nexthop": "10.1.0.9"}]}}))
        if ask("network", "PUT", f"/v2.0/{path}", body)[0] != 400]
    assert not wrong


def test_what_clients_send_for_truth_is_taken(ask):
    for given, known in ((1, True), (0, False), ("0", False), ("True", True)):
        made = ask.made("network", "/v2.0/networks", {"network": {"name": "truth", "admin_state_up": given}})
        assert made["admin_state_up"] is known, given
    assert ask("network", "POST", "/v2.0/networks", {"network": {"name": "truth", "admin_state_up": 2}})[0] == 400


def test_filters_are_parsed(ask, ids):
    for query in ("ip_version=x", "mtu=9999999999999999999999", "shared=x", "sort_key=allocation_pools", "revision_number=²"):
        noun = "networks" if query.startswith(("mtu", "shared")) else "subnets"
        assert ask("network", "GET", f"/v2.0/{noun}?{query}")[0] == 400, query


def test_filters_find_what_is_stored_in_another_spelling(ask, ids):
    port = ask.made("network", "/v2.0/ports", {"port": {
        "network_id": ids["network"], "mac_address": "fa:16:3e:aa:00:01", "fixed_ips": [{"ip_address": "fd00::a1"}]}})["id"]
    for query in ("mac_address=FA:16:3E:AA:00:01", "mac_address=fa-16-3e-aa-00-01", "fixed_ips=ip_address=FD00:0::A1"):
        found = json.loads(ask("network", "GET", f"/v2.0/ports?{query}")[1])["ports"]
        assert [p["id"] for p in found] == [port], query
    for query in ("mac_address=x", "fixed_ips=ip_address=x"):
        assert json.loads(ask("network", "GET", f"/v2.0/ports?{query}")[1])["ports"] == []


def test_a_rule_for_no_prefix_is_one_for_all(ask, ids):
    rule = {"security_group_id": ids["group"], "direction": "ingress", "protocol": "udp", "remote_ip_prefix": ""}
    assert ask.made("network", "/v2.0/security-group-rules", {"security_group_rule": rule})["remote_ip_prefix"] is None
