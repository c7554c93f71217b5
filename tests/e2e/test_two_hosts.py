"""A second compute host: what the API says of networks, seen from inside guests on both; then OpenStack's own tests."""

import contextlib
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from common.periodic import wait_for
from deploy import lab
from deploy.daemons import HOST_DAEMONS, METRICS_PORT
from network.agent import metering
from tests.e2e.conftest import ROOT, further_host

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def node2(real):
    with further_host(real, "node2") as made:
        yield made


@pytest.fixture(scope="module")
def guests(real, node2):
    """A guest on each host, each with two interfaces: one in a network of its own with both IP versions, behind one
    distributed router, and one in an isolated network that both share."""
    def call(method, path, body=None):
        return real.client.call("network", method, path, body)
    alone = call("POST", "/networks", {"network": {"name": "alone"}})["network"]["id"]
    call("POST", "/subnets", {"subnet": {"network_id": alone, "ip_version": 4, "cidr": "10.67.0.0/24", "gateway_ip": None}})
    router = call("POST", "/routers", {"router": {"name": "wide", "distributed": True, "external_gateway_info": {
        "network_id": real.networks["public"]}}})["router"]["id"]
    made, networks = {}, [alone]
    for number, host in enumerate(real.client.call("compute", "GET", "/os-hypervisors")["hypervisors"]):
        wide = call("POST", "/networks", {"network": {"name": f"wide{number}"}})["network"]["id"]
        networks.append(wide)
        for values in ({"ip_version": 4, "cidr": f"10.66.{number}.0/24", "host_routes": [
                            {"destination": "10.99.0.0/16", "nexthop": f"10.66.{number}.200"}]},
                       {"ip_version": 6, "cidr": f"fd66:0:{number}:1::/64", "ipv6_ra_mode": "slaac",
                        "ipv6_address_mode": "slaac"},
                       {"ip_version": 6, "cidr": f"fd66:0:{number}:2::/64", "ipv6_ra_mode": "dhcpv6-stateful",
                        "ipv6_address_mode": "dhcpv6-stateful"}):
            subnet = call("POST", "/subnets", {"subnet": {"network_id": wide, **values}})["subnet"]["id"]
            call("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
        name = host["hypervisor_hostname"]
        server = real.boot(f"on-{name}", networks=[{"uuid": wide}, {"uuid": alone}], availability_zone=f"nova:{name}")
        ports = call("GET", f"/ports?device_id={server['id']}")["ports"]
        routed = next(p for p in ports if p["network_id"] == wide)
        fixed = {ip["ip_address"] for p in ports for ip in p["fixed_ips"]}
        outside = call("POST", "/floatingips", {"floatingip": {
            "floating_network_id": real.networks["public"], "port_id": routed["id"],
            "fixed_ip_address": next(ip for ip in fixed if ip.startswith("10.66."))}})["floatingip"]
        made[name] = {"id": server["id"], "outside": outside["floating_ip_address"], "fixed": fixed,
                      "floating": outside["id"], "gateway": f"10.66.{number}.1", "router": router}
    yield made
    for guest in made.values():
        real.delete(guest["id"])
        call("DELETE", f"/floatingips/{guest['floating']}")
    for port in call("GET", f"/ports?device_id={router}&device_owner=network:router_interface_distributed")["ports"]:
        call("PUT", f"/routers/{router}/remove_router_interface", {"port_id": port["id"]})
    for path in (f"/routers/{router}", *[f"/networks/{n}" for n in networks]):
        call("DELETE", path)


def test_a_further_host_has_metrics_of_its_own(real, node2):
    """Of its own daemons; of the whole cloud those tell that have the databases."""
    def told():
        with contextlib.suppress(OSError), urllib.request.urlopen(
                f"http://{lab._known_address(real.state, node2)}:{METRICS_PORT}/metrics", timeout=10) as answer:
            return answer.read().decode()
        return None
    text = wait_for(told, 30, what="the exporter of the host")
    up = dict(re.findall(r'pileus_daemon_up\{daemon="([^"]+)"\} (\S+)', text))
    assert up == dict.fromkeys(HOST_DAEMONS, "1.0") and "pileus_rpc_messages_total{" in text and "pileus_servers" not in text


def test_guests_have_the_addresses_that_the_api_says(real, guests):
    assert len(guests) == 2
    for guest in guests.values():
        def addresses(outside=guest["outside"]) -> set[str]:
            text = real.ssh(outside, "ip addr show scope global")
            return set(re.findall(r"inet6? ([0-9a-f:.]+)/", text))
        # SLAAC and DHCPv6 take their time after the first login.
        wait_for(lambda want=guest["fixed"], seen=addresses: seen() == want, 40, every_s=1, what=f"{guest['fixed']}")
        routes = real.ssh(guest["outside"], "ip route")
        assert routes.count("default") == 1 and f"10.99.0.0/16 via {guest['gateway'][:-1]}200" in routes
        assert "169.254.169.254" in routes and f"default via {guest['gateway']}" in routes


def test_guests_reach_each_other_across_hosts(real, guests):
    for guest in guests.values():
        for other in guests.values():
            for address in other["fixed"]:
                word = "ping6" if ":" in address else "ping"
                text = wait_for(lambda w=word, a=address, g=guest: (
                    t if " 0% packet loss" in (t := real.ssh(g["outside"], f"{w} -c 2 -W 3 {a} || true")) else None),
                    30, what=f"{address} from {guest['outside']}")
                assert "2 packets received" in text


def test_routed_networks_need_no_central_host(real, guests, node2):
    """What goes from network to network goes from host to host: with the router's central part down, it still does."""
    one, two = guests.values()
    router = one["router"]
    assert f"qrouter-{router}" in lab.run_in(real.state, node2, "ip", "netns", "list").stdout
    central = f"snat-{router}"
    legs = [line.split("@")[0].split()[0] for line in subprocess.run(
        ["ip", "-n", central, "-br", "link"], capture_output=True, text=True, check=True).stdout.splitlines() if "qr-" in line]
    assert legs
    target = next(ip for ip in two["fixed"] if ip.startswith("10.66."))
    # The shell comes in through the central part, so it leaves a job behind that outlives the connection.
    real.ssh(one["outside"], f"(sleep 2; ping -c 3 -W 2 {target} > /tmp/direct 2>&1) < /dev/null > /dev/null 2>&1 &")
    for leg in legs:
        subprocess.run(["ip", "-n", central, "link", "set", leg, "down"], check=True)
    time.sleep(8)
    for leg in legs:
        subprocess.run(["ip", "-n", central, "link", "set", leg, "up"], check=True)
    text = wait_for(lambda: real.ssh(one["outside"], "cat /tmp/direct || true"), 90, every_s=2, what="the way back in")
    assert "3 packets received" in text, text


def test_traffic_through_a_gateway_is_metered(real, guests):
    def call(method, path, body=None):
        return real.client.call("network", method, path, body)
    guest = next(iter(guests.values()))
    label = call("POST", "/metering/metering-labels", {"metering_label": {"name": "all"}})["metering_label"]["id"]
    for direction in ("ingress", "egress"):
        call("POST", "/metering/metering-label-rules", {"metering_label_rule": {
            "metering_label_id": label, "direction": direction, "remote_ip_prefix": "0.0.0.0/0"}})

    def metered() -> int:
        real.ssh(guest["outside"], "true")
        saved = subprocess.run(["ip", "netns", "exec", f"snat-{guest['router']}", "iptables-save", "-c", "-t", "filter"],
                               capture_output=True, text=True).stdout
        return metering.counted(saved).get(label[:11], (0, 0))[1]
    wait_for(lambda: metered() > 1000, 30, every_s=1, what="bytes of a login")
    call("DELETE", f"/metering/metering-labels/{label}")


def test_a_security_group_holds_across_hosts(real, guests):
    """A member by group: what the rule lets in is only who is in the group, wherever he runs."""
    def call(method, path, body=None):
        return real.client.call("network", method, path, body)
    one, two = guests.values()
    group = call("POST", "/security-groups", {"security_group": {"name": "closed"}})["security_group"]["id"]
    friends = call("POST", "/security-groups", {"security_group": {"name": "friends"}})["security_group"]["id"]
    call("POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": group, "direction": "ingress", "protocol": "icmp", "remote_group_id": friends}})
    ports = {g["id"]: next(p for p in call("GET", f"/ports?device_id={g['id']}")["ports"]
                           if p["fixed_ips"][0]["ip_address"].startswith("10.67.")) for g in (one, two)}
    old = {i: p["security_groups"] for i, p in ports.items()}
    target = ports[two["id"]]["fixed_ips"][0]["ip_address"]

    def pings() -> bool:
        return " 0% packet loss" in real.ssh(one["outside"], f"ping -c 1 -W 1 {target} || true")
    call("PUT", f"/ports/{ports[two['id']]['id']}", {"port": {"security_groups": [group]}})
    wait_for(lambda: not pings(), 20, what="the door to close")
    call("PUT", f"/ports/{ports[one['id']]['id']}", {"port": {"security_groups": [*old[one["id"]], friends]}})
    wait_for(pings, 20, what="the door to open for a member on another host")
    for guest in (one, two):
        call("PUT", f"/ports/{ports[guest['id']]['id']}", {"port": {"security_groups": old[guest["id"]]}})
    for made in (group, friends):
        call("DELETE", f"/security-groups/{made}")


def test_smoke_of_tempest(real, node2):
    """OpenStack's own smoke tests, all that the README's table covers, with two hosts; nothing is left of them."""
    tools = ROOT / ".cache" / "conformance"
    if not (tools / "venv").exists():
        pytest.skip("Tempest is not installed beside the tests (deploy/test does that)")
    before = lab.run_in(real.state, "node2", "ip", "-br", "link").stdout
    done = subprocess.run([sys.executable, "-m", "tests.conformance.tempest", "--smoke", "--state", real.state,
                           "--workdir", str(tools)], cwd=ROOT, capture_output=True, text=True, timeout=900)
    print(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    real.audit()
    wait_for(lambda: lab.run_in(real.state, "node2", "ip", "-br", "link").stdout == before, 20, what="node2 to be tidy")
