"""Whatever comes over the bus: what is rendered from it has only lines of a known form, and one bad part is left out alone."""

import copy
import os
import re
import shutil
import subprocess
import unittest.mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from network.agent import advertise, dhcp, ethernet, metering, parsing, routers
from network.agent.filters import Filters, culprits, set_lines, wanted_sets

NET, SUBNET4, SUBNET6, PORT, OTHER, GROUP, ROUTER, LEG, GATE, DHCP, LABEL = (
    f"{n:08x}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for n in range(1, 12))
_SUBNET = {"id": SUBNET4, "ip_version": 4, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "enable_dhcp": True,
           "dns_nameservers": ["9.9.9.9"], "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.7"}],
           "ipv6_ra_mode": None, "ipv6_address_mode": None}
_PORT = {"id": PORT, "network_id": NET, "here": True, "mac_address": "fa:16:3e:00:00:01", "device_id": NET,
         "device_owner": "compute:nova", "project_id": "a" * 32, "admin_state_up": True, "port_security_enabled": True,
         "allowed_address_pairs": [{"ip_address": "10.99.0.0/24", "mac_address": "fa:16:3e:00:00:01"}],
         "extra_dhcp_opts": [{"opt_name": "tftp-server", "opt_value": "10.0.0.9", "ip_version": 4}], "dns_name": "one",
         "fixed_ips": [{"subnet_id": SUBNET4, "ip_address": "10.0.0.5"}, {"subnet_id": SUBNET6, "ip_address": "fd00::5"}],
         "security_groups": [GROUP]}
_RULE = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 23,
         "remote_ip_prefix": "10.1.0.0/16", "remote_group_id": None}
_LEG = {"id": LEG, "network_id": NET, "mac_address": "fa:16:3e:00:00:03", "addresses": ["10.0.0.1/24"],
        "advertised": [{"cidr": "fd00::/64", "mode": "slaac", "dns": ["fd00::53"]}], "cidrs": ["10.0.0.0/24"], "gateways": []}
STATE = {
    "networks": [{"id": NET, "mtu": 1450, "external": False, "type": "vxlan", "physical": None, "segment": 7, "serves": True,
                  "peers": ["192.0.2.9"], "dhcp_port": {"id": DHCP, "mac_address": "fa:16:3e:00:00:04", "fixed_ips": [
                      {"subnet_id": SUBNET4, "ip_address": "10.0.0.2"}, {"subnet_id": SUBNET6, "ip_address": "fd00::2"}]},
                  "subnets": [_SUBNET, {**_SUBNET, "id": SUBNET6, "ip_version": 6, "cidr": "fd00::/64", "gateway_ip": "fd00::1",
                                        "dns_nameservers": ["fd00::53"], "host_routes": [],
                                        "ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}]}],
    "ports": [_PORT, {**_PORT, "id": OTHER, "mac_address": "fa:16:3e:00:00:02", "allowed_address_pairs": [], "dns_name": "",
                      "fixed_ips": [{"subnet_id": SUBNET4, "ip_address": "10.0.0.6"}], "extra_dhcp_opts": []}],
    "groups": {GROUP: {"rules": [_RULE, {**_RULE, "remote_ip_prefix": None, "remote_group_id": GROUP},
                                 {**_RULE, "ethertype": "IPv6", "protocol": "icmpv6", "port_range_min": 128,
                                  "port_range_max": 0, "remote_ip_prefix": "fd00::/64"}], "members": ["10.0.0.5", "fd00::5"]}},
    "routers": [{"id": ROUTER, "part": "whole", "up": True, "snat": True, "interfaces": [_LEG], "hops": [],
                 "routes": [{"destination": "10.7.0.0/16", "nexthop": "10.0.0.7"}],
                 "gateway": {**_LEG, "id": GATE, "addresses": ["172.24.4.9/24"], "advertised": [], "gateways": ["172.24.4.1"]},
                 "floating": [{"floating": "172.24.4.20", "fixed": "10.0.0.5"}],
                 "labels": [{"id": LABEL, "project_id": "a" * 32, "rules": [
                     {"direction": "egress", "excluded": False, "source_ip_prefix": None,
                      "destination_ip_prefix": "10.9.0.0/16"}]}]}],
    "hosts": ["192.0.2.9", "2001:db8::9"]}

_IP = r"(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:]*)"
_NET = rf"{_IP}(/\d{{1,3}})?"
_MAC = r"([0-9a-f]{2}:){5}[0-9a-f]{2}"
_ID = r"[0-9a-f]{8}-[0-9a-f]{2}"
_CHAIN = rf"(pileus-(FORWARD|INPUT|PREROUTING|host|[ios]{_ID})|meter-[rc]-{_ID}|PREROUTING|POSTROUTING|INPUT|OUTPUT|FORWARD)"
_DEVICE = rf"((tap|brq|qr-|qg-){_ID}|(tap|brq|vxl)\+)"
_TABLES = (rf"\*(filter|raw|nat)|COMMIT|:{_CHAIN} (-|ACCEPT) \[0:0\]|-A {_CHAIN}("
           rf" -[sd] {_NET}(,{_NET})*| (! )?-[io] {_DEVICE}| -p (udp|tcp|icmp|ipv6-icmp|\d{{1,3}})| -m (physdev|conntrack|set|"
           rf"icmp|icmp6|multiport|udp|mac)| --physdev-(in|out) {_DEVICE}| (! )?--physdev-is-bridged| (! )?--match-set "
           rf"pileus[46]-(hosts|[0-9a-f]{{20}}) (src|dst)| (! )?--ctstate [A-Z,]+| --ctdir ORIGINAL| --icmp(v6)?-type \d+(/\d+)?|"
           rf" --dports \d+(:\d+)?| --[sd]port \d+| --zone \d+| --mac-source {_MAC}| --to-(ports|source|destination) {_IP}|"
           rf" --to-ports \d+| -[jg] {_CHAIN}| -j (ACCEPT|DROP|RETURN|CT|REDIRECT|DNAT|SNAT|MASQUERADE))*")
_FRAMES = (rf"(table|delete table) bridge pileus( \{{\}}| \{{)?|"
           rf" chain (sender6-{_ID}|from-{_ID}|prerouting|input|to-closed-\w+) \{{"
           rf"| ?\}}|  type filter hook (prerouting|input|forward|output) priority -300; policy accept;"
           rf"|  iifname vmap \{{ [^{{}};\n]+ \}}|  oifname \{{ \"tap{_ID}\"(, \"tap{_ID}\")* \}} drop|  drop"
           rf"|  ([a-z0-9@ ]|(0x)?[0-9a-f]+(-0x[0-9a-f]+)?|{_MAC}|{_NET}|, |\{{ | \}}|th,64,128)+ "
           rf"(drop|accept|goto sender6-{_ID})")
_SETS = rf"(create|flush|destroy|swap|add|del) pileus[0-9a-z-]*( {_IP}| hash:ip family inet6?| pileus[46]-\w+)?( -exist)?"
_HOSTS = rf"{_MAC}(,set:port-[0-9a-f-]{{36}})?,[A-Za-z0-9-]+\.pileus\.internal,(\d+(\.\d+){{3}}|\[[0-9a-f:]+\])"
_OPTION = (r"tag:(port|subnet)-[0-9a-f-]{36},(249|option6?:[a-z0-9-]+)(,[A-Za-z0-9 ._:/@+=\[\]-]+)*")
_RADVD = (rf"interface qr-{_ID} \{{|\}}|  (  )?Adv\w+ (on|off|\d+);|  (Min|Max)RtrAdvInterval \d+;|  \}};|\}};|"
          rf"  RDNSS( {_IP})+ \{{\}};|  prefix {_NET} \{{")


def rendered(raw: dict) -> tuple[dict[str, str], dict[str, str], dict]:
    """({what: text}, what was refused, the parsed state)."""
    parser = parsing.Parser()
    state = parser.state(copy.deepcopy(raw))
    found = Filters().texts({**state, "ports": [p for p in state["ports"] if p["here"]]})
    found["sets"] = "\n".join(line for name, (kind, members) in wanted_sets(state).items()
                              for line in set_lines(name, kind, members, None))
    server = dhcp.Dhcp.__new__(dhcp.Dhcp)
    server.conf = unittest.mock.MagicMock()
    server.conf.network.dns_domain, server.conf.network.dns_servers = "pileus.internal", []
    found["hosts"] = server._hosts(state["ports"], {SUBNET4, SUBNET6})
    found["options"] = "\n".join(server._options(n, n["subnets"], {SUBNET4: "10.0.0.2", SUBNET6: "fd00::2"}, state["ports"])
                                 for n in state["networks"])
    for router in state["routers"]:
        found["nat"] = routers.nat(router)
        found["meters"] = metering.table("qg-00000009-aa", router["labels"])
        found["radvd"] = advertise.text([{"device": routers._device("qr", leg), "mtu": 1500, "prefixes": leg["advertised"]}
                                         for leg in router["interfaces"]])
    return found, parser.refused, state


GRAMMAR = {"ip4": _TABLES, "ip6": _TABLES, "nat": _TABLES, "meters": _TABLES, "bridge": _FRAMES, "sets": _SETS, "hosts": _HOSTS,
           "options": _OPTION, "radvd": _RADVD}


def check_lines(texts: dict[str, str]) -> None:
    for what, text in texts.items():
        for line in re.split(r"[\n\r]", text):
            assert not line or re.fullmatch(GRAMMAR[what], line), f"{what}: {line!r}"


def test_what_is_right_is_rendered_whole():
    texts, refused, _ = rendered(STATE)
    assert refused == {}
    check_lines(texts)
    assert "--dports 22:23 -j ACCEPT" in texts["ip4"] and "--icmpv6-type 128/0" in texts["ip6"]
    assert f"fa:16:3e:00:00:01,set:port-{PORT},one.pileus.internal,10.0.0.5" in texts["hosts"]
    assert "option:classless-static-route,169.254.169.254/32,10.0.0.2,10.9.0.0/16,10.0.0.7,0.0.0.0/0,10.0.0.1" in texts["options"]


INJECTION = "fe80::1%1 -j RETURN\n-I INPUT 1 -j ACCEPT\n#/128"


def at(state, path):
    for key in path:
        state = state[key]
    return state


def changed(path, value) -> dict:
    state = copy.deepcopy(STATE)
    at(state, path[:-1])[path[-1]] = value
    return state


RULES = ("groups", GROUP, "rules", 0)
HOSTILE = [
    ((*RULES, "port_range_min"), "99998"), ((*RULES, "port_range_min"), "-1"), ((*RULES, "port_range_max"), "²"),
    ((*RULES, "protocol"), "tcp -j ACCEPT"), ((*RULES, "protocol"), "256"), ((*RULES, "protocol"), ["tcp"]),
    ((*RULES, "ethertype"), "IPv4\n"), ((*RULES, "remote_ip_prefix"), INJECTION), ((*RULES, "remote_ip_prefix"), "fd00::/8"),
    ((*RULES, "remote_group_id"), "x -j ACCEPT"), (("ports", 0, "mac_address"), "fa:16:3e:00:00:01\n"),
    (("ports", 0, "mac_address"), "01:16:3e:00:00:01"), (("ports", 0, "fixed_ips", 0, "ip_address"), "10.0.0.5\n-A INPUT"),
    (("ports", 0, "fixed_ips", 1, "ip_address"), "fd00::5%1\nx"),
    (("ports", 0, "allowed_address_pairs", 0, "ip_address"), INJECTION),
    (("ports", 0, "allowed_address_pairs", 0, "mac_address"), "fa:16:3e:00:00:01 accept"),
    (("ports", 0, "dns_name"), "a,b\nc"), (("ports", 0, "device_id"), "x\r\nX-Tenant-ID: y"), (("ports", 0, "id"), "x"),
    (("ports", 0, "extra_dhcp_opts", 0, "opt_value"), "a\nb"), (("ports", 0, "extra_dhcp_opts", 0, "opt_name"), "a,b"),
    (("networks", 0, "subnets", 0, "dns_nameservers", 0), "9.9.9.9\ndhcp-script=/bin/sh"),
    (("networks", 0, "subnets", 0, "host_routes", 0, "nexthop"), "10.0.0.7\nx"),
    (("networks", 0, "subnets", 0, "cidr"), "10.0.0.0/24\n"), (("networks", 0, "subnets", 0, "gateway_ip"), "10.0.0.1,x"),
    (("networks", 0, "subnets", 1, "cidr"), "fd00::%x/64"), (("networks", 0, "mtu"), "1450;"),
    (("networks", 0, "peers", 0), "192.0.2.9\nflush x"), (("routers", 0, "interfaces", 0, "advertised", 0, "dns", 0), "::1 {};"),
    (("routers", 0, "interfaces", 0, "advertised", 0, "cidr"), "fd00::/64 {};"), (("routers", 0, "floating", 0, "fixed"), "x\ny"),
    (("routers", 0, "floating", 0, "floating"), "fd00::1"), (("routers", 0, "gateway", "addresses", 0), "172.24.4.9/24 x"),
    (("routers", 0, "labels", 0, "rules", 0, "destination_ip_prefix"), "10.0.0.0/8 -j ACCEPT"),
    (("routers", 0, "routes", 0, "nexthop"), "fe80::1%eth0"), (("hosts", 0), "192.0.2.9\nx")]


@pytest.mark.parametrize("path, value", HOSTILE, ids=lambda v: str(v)[-40:])
def test_one_hostile_value_is_left_out_alone(path, value):
    texts, refused, state = rendered(changed(path, value))
    check_lines(texts)
    assert len(refused) == 1, refused
    assert OTHER in {p["id"] for p in state["ports"] if not p["closed"]}, "the other port is served"
    assert "10.0.0.6" in texts["bridge"] and "10.0.0.6" in texts["hosts"] and "tap00000005-aa" in texts["ip4"]


@pytest.mark.parametrize("path, value", [
    (("ports", 0, "allowed_address_pairs", 0, "ip_address"), "10.99.0.0/255.255.255.0"), ((*RULES, "port_range_min"), "22"),
    (("ports", 0, "allowed_address_pairs", 0, "ip_address"), "10.99.0.77/24"), ((*RULES, "remote_ip_prefix"), "10.1.2.3/16"),
    (("ports", 0, "mac_address"), "FA:16:3E:00:00:01"), (("ports", 0, "fixed_ips", 1, "ip_address"), "FD00:0::5"),
    (("networks", 0, "subnets", 0, "cidr"), "10.0.0.9/24"), (("networks", 0, "mtu"), "1450")])
def test_what_older_releases_stored_in_another_spelling_is_taken(path, value):
    assert rendered(changed(path, value))[:2] == rendered(STATE)[:2]


def test_a_port_with_invalid_addresses_passes_nothing():
    texts, refused, state = rendered(changed(("ports", 0, "mac_address"), "fa:16:3e:00:00:01\n"))
    assert list(refused) == [PORT] and [p["closed"] for p in state["ports"]] == [True, False]
    assert '"tap00000004-aa" : drop' in texts["bridge"] and 'oifname { "tap00000004-aa" } drop' in texts["bridge"]
    assert "tap00000004-aa" not in texts["ip4"] and "10.0.0.5" not in texts["hosts"]


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


LEAVES = sorted(leaves(STATE), key=str)
_TEXT = st.one_of(st.text(max_size=30), st.sampled_from([INJECTION, "1\n", "10.0.0.1\n", "::1%\n", "0", "\ud800",
                                                              "fe80::1%a b/128"]),
                  st.builds(lambda a, b: a + b, st.sampled_from(["10.0.0.5", "fd00::5", "fa:16:3e:00:00:01", "22", "tcp"]),
                            st.text(alphabet="\n\r ,;{}%/-#\"'\\\0", max_size=3)))
_ANY = st.one_of(_TEXT, st.integers(), st.none(), st.booleans(),
                 st.lists(_TEXT, max_size=2), st.dictionaries(_TEXT, _TEXT, max_size=2))


@given(st.lists(st.tuples(st.sampled_from(LEAVES), _ANY), min_size=1, max_size=4))
@settings(max_examples=int(os.environ.get("PILEUS_EXAMPLES", "300")), deadline=None,
          suppress_health_check=[HealthCheck.too_slow])
def test_no_text_of_a_client_becomes_a_line(changes):
    state = copy.deepcopy(STATE)
    for path, value in changes:
        at(state, path[:-1])[path[-1]] = value
    check_lines(rendered(state)[0])


def test_few_culprits_among_many_are_found_with_few_tests():
    ports = [{"id": n} for n in range(1000)]
    asked = []

    def accepted(some):
        asked.append(len(some))
        return not {7, 800} & {p["id"] for p in some}
    assert [p["id"] for p in culprits(ports, accepted)] == [7, 800]
    assert len(asked) < 50


needs_kernel = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ipset"), reason="needs root and ipset")


@needs_kernel
def test_the_programs_take_what_is_rendered(tmp_path):
    """Each text, in a network namespace of its own."""
    texts = rendered(STATE)[0]
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    order = {"sets": "ipset restore", "ip4": "iptables-restore --noflush", "ip6": "ip6tables-restore --noflush",
             "bridge": "nft -f -", "nat": "iptables-restore", "meters": "iptables-restore"}
    script = " && ".join(f"{command} <{tmp_path}/{name}" for name, command in order.items())
    done = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if shutil.which("radvd"):
        done = subprocess.run(["radvd", "-c", "-m", "stderr", "-C", str(tmp_path / "radvd")], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert ethernet.table([]).count("chain") == 2
