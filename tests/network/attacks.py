"""What a guest with root tries, frame by frame, against the real data plane: run by ``test_attacks.py`` in namespaces.

Two guests, ``mallory`` and ``victim``, are network namespaces whose link ends at the port's tap name; a router leads to
``br-ex`` with the host's address, where servers listen.
"""

import contextlib
import itertools
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from common import errors
from network.agent import links, routers
from network.agent.dataplane import LinuxDataplane
from network.protocols import slaac

NET, SUBNET, SUBNET6, PORT, VICTIM, GROUP, ROUTER, LEG, GATE, DHCP, PUBLIC, SERVER, SERVER2 = (
    f"{n:08x}-bbbb-4aaa-8aaa-aaaaaaaaaaaa" for n in range(1, 14))
MAC, VICTIM_MAC, LEG_MAC = "fa:16:3e:00:00:05", "fa:16:3e:00:00:06", "fa:16:3e:00:00:01"
HOST, MARK = "172.24.4.1", b"pileus-attack"


def sh(*words: str, check: bool = True) -> str:
    return subprocess.run(words, check=check, capture_output=True, text=True).stdout


def port(port_id: str, mac: str, v4: str, v6: str, server: str, **values) -> dict:
    return {"id": port_id, "network_id": NET, "here": True, "mac_address": mac, "device_id": server,
            "device_owner": "compute:nova", "project_id": "a" * 32, "admin_state_up": True, "port_security_enabled": True,
            "allowed_address_pairs": [], "extra_dhcp_opts": [], "dns_name": "", "security_groups": [GROUP],
            "fixed_ips": [{"subnet_id": SUBNET, "ip_address": v4}, {"subnet_id": SUBNET6, "ip_address": v6}], **values}


def state() -> dict:
    subnet = {"id": SUBNET, "ip_version": 4, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "enable_dhcp": True,
              "dns_nameservers": [], "host_routes": [], "ipv6_ra_mode": None, "ipv6_address_mode": None}
    network = {"id": NET, "mtu": 1450, "external": False, "type": "vxlan", "physical": None, "segment": 7, "serves": True,
               "peers": [], "dhcp_port": {"id": DHCP, "mac_address": "fa:16:3e:00:00:02",
                                          "fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.2"}]},
               "subnets": [subnet, {**subnet, "id": SUBNET6, "ip_version": 6, "cidr": "fd00::/64", "gateway_ip": "fd00::1",
                                    "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}]}
    leg = {"id": LEG, "network_id": NET, "mac_address": LEG_MAC, "addresses": ["10.0.0.1/24", "fd00::1/64"],
           "advertised": [], "cidrs": ["10.0.0.0/24"], "gateways": []}
    plain = {"protocol": None, "port_range_min": None, "port_range_max": None, "remote_ip_prefix": None, "remote_group_id": None}
    return {"networks": [network, {**network, "id": PUBLIC, "physical": "public", "type": "flat", "external": True,
                                   "segment": None, "subnets": [], "dhcp_port": None, "serves": False}],
            "ports": [port(PORT, MAC, "10.0.0.5", slaac("fd00::/64", MAC), SERVER),
                      port(VICTIM, VICTIM_MAC, "10.0.0.6", slaac("fd00::/64", VICTIM_MAC), SERVER2)],
            "groups": {GROUP: {"rules": [{**plain, "ethertype": e, "direction": d} for e in ("IPv4", "IPv6")
                                         for d in ("ingress", "egress")]}},
            "routers": [{"id": ROUTER, "part": "whole", "up": True, "snat": True, "interfaces": [leg], "hops": [], "routes": [],
                         "gateway": {**leg, "id": GATE, "network_id": PUBLIC, "mac_address": "fa:16:3e:00:00:09",
                                     "addresses": ["172.24.4.9/24"], "cidrs": [], "gateways": [HOST]},
                         "floating": [{"floating": "172.24.4.20", "fixed": "10.0.0.5"}], "labels": []}],
            "hosts": ["192.0.2.9"]}


class Guest:
    """A namespace in a guest's place: its link ends at the tap's name on the host."""

    def __init__(self, name: str, port_id: str, mac: str, address: str):
        self.name, self.tap, self.mac, self.address = name, links.tap_name(port_id), mac, address
        sh("ip", "netns", "add", name)
        sh("ip", "link", "add", self.tap, "type", "veth", "peer", "name", "eth0", "netns", name)
        sh("ip", "-n", name, "link", "set", "eth0", "address", mac, "up")
        sh("ip", "-n", name, "link", "set", "lo", "up")
        self.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
        sh("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        sh("ip", "-n", name, "addr", "add", f"{slaac('fd00::/64', mac)}/64", "dev", "eth0", "nodad")
        sh("ip", "-n", name, "route", "add", "default", "via", "10.0.0.1")

    def run(self, *words: str, check: bool = True) -> str:
        return sh("ip", "netns", "exec", self.name, *words, check=check)

    def send(self, *frames: bytes) -> None:
        def work():
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
                sock.bind(("eth0", 0))
                for frame in frames:
                    sock.send(frame.ljust(60, b"\0"))
        links.in_namespace(self.name, work)

    def capture(self, work, wait_s: float = 0.3) -> list[bytes]:
        """What comes in while ``work()`` runs and a moment later."""
        def opened():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            sock.bind(("eth0", 3))
            sock.settimeout(0.05)
            return sock
        with links.in_namespace(self.name, opened) as sock:
            work()
            found, until = [], time.monotonic() + wait_s
            while time.monotonic() < until:
                try:
                    frame, (_, _, kind, *_) = sock.recvfrom(2048)
                except TimeoutError:
                    continue
                if kind != socket.PACKET_OUTGOING:
                    found.append(frame)
            return found

    def connect(self, address: str, tcp_port: int, timeout_s: float = 0.4) -> bool:
        def work():
            try:
                socket.create_connection((address, tcp_port), timeout_s).close()
            except OSError:
                return False
            return True
        return links.in_namespace(self.name, work)


def listen(address: str, tcp_port: int) -> None:
    sock = socket.create_server((address, tcp_port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)

    def serve():
        while True:
            sock.accept()[0].close()
    threading.Thread(target=serve, daemon=True).start()


class Metadata(BaseHTTPRequestHandler):
    """A service that says whom the proxy says the caller is."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"you are {self.headers['X-Instance-ID']}".encode())

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def cloud():
    os.makedirs("/run/pileus")  # dnsmasq reads its files as a user of its own
    sh("ip", "link", "set", "lo", "up")
    for words in ("add br-ex type bridge forward_delay 0", "set br-ex up", "add uplink type veth peer name far",
                  "set far up", "set uplink up"):
        sh("ip", "link", *words.split())
    sh("ip", "addr", "add", f"{HOST}/24", "dev", "br-ex")
    sh("ip", "addr", "add", "192.0.2.1/24", "dev", "uplink")  # the host's management address
    sh("ip", "-6", "addr", "add", "fd99::1/64", "dev", "br-ex", "nodad")
    options = types.SimpleNamespace(bridge_mappings={"public": "br-ex"}, serves=True, tunnel_ip="192.0.2.1", dns_domain="x",
                                    dns_servers=[], dhcp_lease_s=3600, metadata_secret="secret")
    conf = types.SimpleNamespace(network=options, my_ip="192.0.2.1", host="h", state_path="/run/pileus",
                                 endpoints=types.SimpleNamespace(metadata="http://127.0.0.1:8775"))
    guests = (Guest("mallory", PORT, MAC, "10.0.0.5"), Guest("victim", VICTIM, VICTIM_MAC, "10.0.0.6"))
    plane = LinuxDataplane(conf)
    plane.apply(state())
    for address in (HOST, "192.0.2.1", "fd99::1"):
        for tcp_port in (5000, 8774, 35357, 22):
            listen(address, tcp_port)
    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", 8775), Metadata).serve_forever, daemon=True).start()
    found = types.SimpleNamespace(plane=plane, mallory=guests[0], victim=guests[1])
    # Everything is learned and works before it is attacked.
    assert "1 received" in found.mallory.run("ping", "-c1", "-W2", "10.0.0.6", check=False)
    assert "1 received" in found.mallory.run("ping", "-c1", "-W2", slaac("fd00::/64", VICTIM_MAC), check=False)
    return found


def raw(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def ethernet(kind: int, payload: bytes, source: str = MAC, target: str = "ff:ff:ff:ff:ff:ff") -> bytes:
    return raw(target) + raw(source) + struct.pack("!H", kind) + payload


def arp(sender: str, *, mac: str = MAC, source: str = MAC, operation: int = 2, hardware: int = 1) -> bytes:
    return ethernet(0x0806, struct.pack("!HHBBH", hardware, 0x0800, 6, 4, operation) + raw(mac) + socket.inet_aton(sender)
                    + raw(VICTIM_MAC) + socket.inet_aton("10.0.0.6") + MARK, source, VICTIM_MAC)


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) // 2 * 2])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(source: str, target: str, sport: int, dport: int, *, mac: str = MAC, to: str = VICTIM_MAC) -> bytes:
    udp = struct.pack("!HHHH", sport, dport, 8 + len(MARK), 0) + MARK
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0) + socket.inet_aton(source) + socket.inet_aton(target)
    return ethernet(0x0800, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp, mac, to)


def ip6(source: str, target: str, protocol: int, body: bytes, *, mac: str = MAC, to: str = VICTIM_MAC,
        extension: bool = False) -> bytes:
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    if protocol == 58:
        total = checksum(ends + struct.pack("!II", len(body), protocol) + body)
        body = body[:2] + struct.pack("!H", total) + body[4:]
    if extension:  # destination options, empty, before it (RFC 7113)
        protocol, body = 60, bytes([protocol, 0, 1, 4, 0, 0, 0, 0]) + body
    return ethernet(0x86DD, struct.pack("!IHBB", 6 << 28, len(body), protocol, 255) + ends + body, mac, to)


def neighbour_advert(target: str, source: str, mac: str = MAC) -> bytes:
    body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + socket.inet_pton(socket.AF_INET6, target) + b"\2\1" + raw(mac)
    return ip6(source, "ff02::1", 58, body + b"\xff\2" + MARK.ljust(14, b"\0"), to="33:33:00:00:00:01")


OWN6, VICTIM6, OWN_LL = slaac("fd00::/64", MAC), slaac("fd00::/64", VICTIM_MAC), slaac("fe80::/64", MAC)
ROUTER_LL = slaac("fe80::/64", LEG_MAC)
ADVERT = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\xff\2" + MARK.ljust(14, b"\0")
REDIRECT = struct.pack("!BBHI", 137, 0, 0, 0) + socket.inet_pton(socket.AF_INET6, OWN_LL) + \
    socket.inet_pton(socket.AF_INET6, "2001:db8::1") + b"\xff\2" + MARK.ljust(14, b"\0")
ATTACKS = {
    "IPv4 from another's address": udp4("10.0.0.6", "10.0.0.6", 1000, 2000),
    "IPv4 from an address of nobody": udp4("10.0.0.99", "10.0.0.6", 1000, 2000),
    "IPv4 from the gateway": udp4("10.0.0.1", "10.0.0.6", 1000, 2000),
    "IPv4 from 0.0.0.0": udp4("0.0.0.0", "10.0.0.6", 1000, 2000),
    "another's MAC": udp4("10.0.0.5", "10.0.0.6", 1000, 2000, mac="fa:16:3e:00:00:77"),
    "the gateway's MAC": udp4("10.0.0.5", "10.0.0.6", 1000, 2000, mac=LEG_MAC),
    "IPv6 from another's address": ip6(VICTIM6, VICTIM6, 17, struct.pack("!HHHH", 1, 2, 8 + len(MARK), 1) + MARK),
    "IPv6 from the router": ip6(ROUTER_LL, VICTIM6, 17, struct.pack("!HHHH", 1, 2, 8 + len(MARK), 1) + MARK),
    "IPv6 from nobody": ip6("::", VICTIM6, 17, struct.pack("!HHHH", 1, 2, 8 + len(MARK), 1) + MARK),
    "ARP answer for the gateway": arp("10.0.0.1"),
    "ARP request from the gateway": arp("10.0.0.1", operation=1),
    "ARP answer for the gateway with its MAC": arp("10.0.0.1", mac=LEG_MAC),
    "ARP answer with another's MAC in it": arp("10.0.0.5", mac=LEG_MAC),
    "ARP answer for the gateway, of IEEE 802": arp("10.0.0.1", hardware=6),
    "ARP answer from 0.0.0.0": arp("0.0.0.0"),
    "DHCP offer": udp4("10.0.0.5", "10.0.0.6", 67, 68),
    "DHCP offer from another port": udp4("10.0.0.5", "10.0.0.6", 1067, 68),
    "DHCP offer with the server's address": udp4("10.0.0.2", "255.255.255.255", 67, 68, to="ff:ff:ff:ff:ff:ff"),
    "DHCPv6 advertise": ip6(OWN_LL, "ff02::1", 17, struct.pack("!HHHH", 547, 546, 8 + len(MARK), 1) + MARK),
    "router advertisement": ip6(OWN_LL, "ff02::1", 58, ADVERT, to="33:33:00:00:00:01"),
    "router advertisement behind an extension": ip6(OWN_LL, "ff02::1", 58, ADVERT, to="33:33:00:00:00:01", extension=True),
    "redirect": ip6(OWN_LL, VICTIM6, 58, REDIRECT),
    "neighbour advertisement for the router": neighbour_advert("fd00::1", OWN6),
    "neighbour advertisement for the victim": neighbour_advert(VICTIM6, OWN_LL),
    "VLAN tag": ethernet(0x8100, struct.pack("!HH", 5, 0x0800) + udp4("10.0.0.5", "10.0.0.6", 1, 2)[14:], target=VICTIM_MAC),
    "VLAN 0": ethernet(0x8100, struct.pack("!HH", 0, 0x0800) + udp4("10.0.0.6", "10.0.0.6", 1, 2)[14:], target=VICTIM_MAC),
    "QinQ": ethernet(0x88A8, struct.pack("!HHHH", 5, 0x8100, 6, 0x0800) + udp4("10.0.0.5", "10.0.0.6", 1, 2)[14:],
                     target=VICTIM_MAC),
    "spanning tree": ethernet(38, b"\x42\x42\x03" + b"\0" * 8 + MARK, target="01:80:c2:00:00:00"),
    "LLC": ethernet(40, b"\xaa\xaa\x03\0\0\0\x08\0" + MARK, target=VICTIM_MAC),
    "LLDP": ethernet(0x88CC, MARK, target="01:80:c2:00:00:0e"),
    "MPLS": ethernet(0x8847, MARK, target=VICTIM_MAC),
    "PPPoE": ethernet(0x8864, MARK, target=VICTIM_MAC),
    "an unknown Ethernet type": ethernet(0x88B5, MARK, target=VICTIM_MAC),
    "VRRP as the gateway": ethernet(0x0800, b"", target=VICTIM_MAC) + udp4("10.0.0.1", "224.0.0.18", 1, 2)[14:]}


@pytest.mark.parametrize("what", ATTACKS)
def test_a_frame_does_not_reach_the_victim(cloud, what):
    fine = udp4("10.0.0.5", "10.0.0.6", 1000, 2000).replace(MARK, b"pileus-normal")
    got = cloud.victim.capture(lambda: cloud.mallory.send(ATTACKS[what], fine))
    assert any(b"pileus-normal" in frame for frame in got), "what is right comes through"
    assert not any(MARK in frame for frame in got)


@pytest.mark.parametrize("frame", [arp("10.0.0.5"), arp("0.0.0.0", operation=1), udp4("10.0.0.5", "10.0.0.6", 1, 2),
                                   neighbour_advert(OWN6, OWN6), neighbour_advert(OWN_LL, OWN_LL)])
def test_what_a_guest_needs_to_say_comes_through(cloud, frame):
    assert any(MARK in f for f in cloud.victim.capture(lambda: cloud.mallory.send(frame)))


def reachable(cloud) -> list[tuple[str, int]]:
    return [(address, tcp_port) for address in (HOST, "192.0.2.1") for tcp_port in (5000, 8774, 35357, 22)
            if cloud.mallory.connect(address, tcp_port)]


def test_the_host_accepts_nothing_from_a_guest(cloud):
    assert reachable(cloud) == []
    assert "1 received" in cloud.mallory.run("ping", "-c1", "-W1", HOST, check=False), "the gateway answers echo requests"
    # The router and the DHCP server answer what they are for.
    assert "1 received" in cloud.mallory.run("ping", "-c1", "-W1", "10.0.0.1", check=False)
    assert cloud.mallory.connect("10.0.0.2", 53)
    for address, tcp_port in (("10.0.0.1", 22), ("10.0.0.1", 8774), ("172.24.4.9", 9697), ("10.0.0.2", 80)):
        assert not cloud.mallory.connect(address, tcp_port)


def asks(guest, path: str = "/latest", source: str | None = None, headers: str = "") -> bytes:
    """What the metadata address answers."""
    def work():
        try:
            with socket.create_connection(("169.254.169.254", 80), 2, (source, 0) if source else None) as sock:
                sock.sendall(f"GET {path} HTTP/1.0\r\n{headers}\r\n".encode())
                return b"".join(iter(lambda: sock.recv(4096), b""))
        except OSError:
            return b""
    return links.in_namespace(guest.name, work)


@pytest.mark.parametrize("way", ["the router", "the DHCP server"])
def test_metadata_belongs_to_the_requesting_guest(cloud, way):
    if way == "the DHCP server":
        for guest in (cloud.mallory, cloud.victim):
            sh("ip", "-n", guest.name, "route", "add", "169.254.169.254", "via", "10.0.0.2")
    assert asks(cloud.mallory).endswith(f"you are {SERVER}".encode())
    assert asks(cloud.victim).endswith(f"you are {SERVER2}".encode())
    lie = f"X-Instance-ID: {SERVER2}\r\nX-Forwarded-For: 10.0.0.6\r\nX-Instance-ID-Signature: 00\r\n"
    assert asks(cloud.mallory, headers=lie).endswith(f"you are {SERVER}".encode())
    sh("ip", "-n", cloud.mallory.name, "addr", "add", "10.0.0.6/32", "dev", "eth0")
    assert asks(cloud.mallory, source="10.0.0.6") == b"", "frames from another's address do not arrive"
    # With an address pair they do; the answer is not the other's all the same.
    wanted = state()
    wanted["ports"][0]["allowed_address_pairs"] = [{"ip_address": "10.0.0.0/24", "mac_address": MAC}]
    cloud.plane.apply(wanted)
    sh("ip", "-n", cloud.victim.name, "link", "set", "eth0", "down")
    for space in (f"qdhcp-{NET}", f"qrouter-{ROUTER}"):
        sh("ip", "-n", space, "neigh", "flush", "all")
    assert SERVER2.encode() not in asks(cloud.mallory, source="10.0.0.6")
    sh("ip", "-n", cloud.victim.name, "link", "set", "eth0", "up")
    sh("ip", "-n", cloud.mallory.name, "addr", "del", "10.0.0.6/32", "dev", "eth0")
    cloud.plane.apply(state())
    if way == "the router":
        sh("ip", "-n", cloud.victim.name, "route", "add", "default", "via", "10.0.0.1", check=False)


def test_dhcp_answers_with_the_ports_address(cloud):
    said = cloud.mallory.run("sh", "-c", "busybox udhcpc -i eth0 -n -q -f -t 3 -T 1 -s /bin/true 2>&1", check=False)
    assert "lease of 10.0.0.5 obtained" in said


def test_the_host_accepts_nothing_over_ipv6_either(cloud):
    space = routers.namespace(state()["routers"][0])
    gate = f"qg-{GATE[:11]}"
    sh("ip", "-n", space, "addr", "add", "fd99::9/64", "dev", gate, "nodad")

    def tries():
        try:
            socket.create_connection(("fd99::1", 5000), 1).close()
        except OSError:
            return False
        return True
    assert not links.in_namespace(space, tries)
    sh("ip", "-n", space, "addr", "del", "fd99::9/64", "dev", gate)


def test_the_host_does_not_route_for_a_guest(cloud):
    """A frame to the bridge's own MAC would go out by the host's routes, or to its services."""
    bridge = links.bridge_name(NET)
    mac = pathlib.Path(f"/sys/class/net/{bridge}/address").read_text().strip()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as outside, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        outside.bind(("uplink", 3))
        outside.settimeout(0.3)
        service.bind(("192.0.2.1", 4000))
        service.settimeout(0.3)
        cloud.mallory.send(udp4("10.0.0.5", "192.0.2.1", 1, 4000, to=mac), udp4("10.0.0.5", "192.0.2.77", 1, 4000, to=mac))
        with pytest.raises(TimeoutError):
            service.recv(100)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            try:
                assert MARK not in outside.recv(2048)
            except TimeoutError:
                break
    got = cloud.mallory.capture(lambda: cloud.mallory.send(ethernet(
        0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + raw(MAC) + socket.inet_aton("10.0.0.5") + bytes(6)
        + socket.inet_aton("192.0.2.1"))))
    assert not [f for f in got if f[12:14] == b"\x08\x06" and f[28:32] == socket.inet_aton("192.0.2.1")]


def test_the_world_is_reached_and_other_hosts_are_not(cloud):
    """The host asks by ARP for whom it routes to."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as outside:
        outside.bind(("far", 0x0806))
        outside.settimeout(1)
        for address in ("192.0.2.9", "192.0.2.77"):  # the first is a host of the cloud
            cloud.mallory.connect(address, 5000, 0.2)
        assert outside.recv(100)[38:42] == socket.inet_aton("192.0.2.77")


def test_the_operator_on_the_host_reaches_the_guest(cloud):
    assert "1 received" in sh("ping", "-c1", "-W2", "172.24.4.20", check=False)


def test_tunnels_of_strangers_are_not_taken(cloud):
    rules = sh("iptables", "-S", "pileus-INPUT")
    assert "--dport 4789 -m set ! --match-set pileus4-hosts src -j DROP" in rules
    assert "192.0.2.9" in sh("ipset", "list", "pileus4-hosts")


def test_rules_flushed_by_another_program_are_restored(cloud):
    for words in (("iptables", "-F"), ("ip6tables", "-F"), ("nft", "flush", "table", "bridge", "pileus"),
                  ("iptables", "-D", "INPUT", "-j", "pileus-INPUT")):
        sh(*words, check=False)
        cloud.plane.filters._checked = -100.0
        cloud.plane.apply(state())
        assert reachable(cloud) == []
        got = cloud.victim.capture(lambda: cloud.mallory.send(ATTACKS["ARP answer for the gateway"]))
        assert not any(MARK in frame for frame in got), words


def test_a_closed_port_passes_nothing_and_the_other_works(cloud):
    wanted = state()
    wanted["ports"][0]["mac_address"] += "\n"
    cloud.plane.apply(wanted)
    assert list(cloud.plane.facts()["refused"]) == cloud.plane.facts()["closed_ports"] == [PORT]
    with pytest.raises(errors.StepFailed):  # whoever plugs it is told
        cloud.plane.apply({k: wanted[k] for k in ("networks", "groups")} | {"ports": wanted["ports"][:1]}, partial=True)
    got = cloud.victim.capture(lambda: cloud.mallory.send(udp4("10.0.0.5", "10.0.0.6", 1, 2)))
    assert not any(MARK in frame for frame in got)
    assert cloud.victim.connect("10.0.0.2", 53)
    cloud.plane.apply(state())
    assert cloud.plane.facts()["refused"] == {} and cloud.mallory.connect("10.0.0.2", 53)


def test_a_port_works_without_the_one_rule_that_cannot_be_rendered(cloud):
    wanted = state()
    wanted["groups"][GROUP]["rules"].append({**wanted["groups"][GROUP]["rules"][0], "protocol": "tcp", "port_range_min": "99998",
                                             "port_range_max": "99999"})
    wanted["ports"][0]["extra_dhcp_opts"] = [{"opt_name": "router", "opt_value": "10.0.0.1\nx"}]
    cloud.plane.apply({k: wanted[k] for k in ("networks", "groups", "ports")}, partial=True)
    assert set(cloud.plane.facts()["refused"]) == {GROUP, PORT} and cloud.plane.facts()["closed_ports"] == []
    assert cloud.mallory.connect("10.0.0.2", 53)
    cloud.plane.apply(state())


def test_a_port_that_a_program_refuses_is_closed_alone(cloud, monkeypatch):
    """Should some text be refused all the same, the host is not left without an update."""
    from network.agent import filters
    real = filters.port_rules
    monkeypatch.setattr(filters, "port_rules", lambda p, s, v: [*real(p, s, v), *(["-A bad bad"] if p["id"] == PORT else [])])
    cloud.plane.apply(state())
    assert list(cloud.plane.facts()["refused"]) == [PORT]
    assert not cloud.mallory.connect("10.0.0.2", 53) and cloud.victim.connect("10.0.0.2", 53)
    monkeypatch.undo()
    cloud.plane.apply(state())
    assert cloud.plane.facts()["refused"] == {} and cloud.mallory.connect("10.0.0.2", 53)


def test_no_tap_comes_up_before_its_filters(cloud, monkeypatch):
    new = port(GROUP, "fa:16:3e:00:00:0a", "10.0.0.10", "fd00::10", SERVER)
    wanted = state()
    wanted["ports"].append(new)
    monkeypatch.setattr(cloud.plane.filters, "apply", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cloud.plane.apply(wanted)
    assert links.tap_name(GROUP) not in sh("ip", "-o", "link")
    monkeypatch.undo()
    cloud.plane.apply(wanted)
    assert links.tap_name(GROUP) in sh("ip", "-o", "link")
    cloud.plane.apply(state())


def test_a_guest_whose_port_is_taken_away_is_not_unfiltered_for_a_moment(cloud, monkeypatch):
    """A user may delete the port of a running guest. Frames from taps without filters are let through."""
    new, wanted = port(GROUP, "fa:16:3e:00:00:0a", "10.0.0.10", "fd00::10", SERVER), state()
    wanted["ports"].append(new)
    leaving = Guest("leaving", GROUP, new["mac_address"], "10.0.0.10")
    cloud.plane.apply(wanted)
    fine, bad = udp4("10.0.0.10", "10.0.0.6", 1, 2, mac=new["mac_address"]), ATTACKS["IPv4 from the gateway"]

    def arrives(frame: bytes) -> bool:
        return any(MARK in got for got in cloud.victim.capture(lambda: leaving.send(frame)))
    assert arrives(fine) and not arrives(bad)
    real, arrived = cloud.plane.dhcp.ensure, []

    def between(*args):
        real(*args)
        with contextlib.suppress(OSError):  # its link is gone
            arrived.append(arrives(bad))
    monkeypatch.setattr(cloud.plane.dhcp, "ensure", between)
    cloud.plane.apply(state())
    assert not any(arrived)
    assert links.tap_name(GROUP) not in sh("ip", "-o", "link")


class Monitor:
    """What ``ip monitor`` says, in a namespace or (None) on the host."""

    def __init__(self, name: str | None):
        self.ip = ["ip", "-o", *(["-n", name] if name else [])]
        words = [*self.ip, "monitor", "link", "address", "route", "neigh"]
        self.said = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.mark("127.9.9.1")

    def mark(self, address: str) -> list[str]:
        """What was said until now. An address comes and goes, until that is said too: the program takes a moment to begin."""
        stop = threading.Event()

        def change():
            while not stop.is_set():
                for verb in ("add", "del"):
                    sh(*self.ip, "addr", verb, f"{address}/32", "dev", "lo")
                stop.wait(0.05)
        thread = threading.Thread(target=change)
        thread.start()
        lines = list(itertools.takewhile(lambda line: address not in line, self.said.stdout))
        stop.set()
        thread.join()
        return lines

    def end(self) -> list[str]:
        lines = self.mark("127.9.9.2")
        self.said.kill()
        self.said.communicate()
        return [line for line in lines if "127.9.9" not in line]


def test_a_state_that_is_applied_again_makes_the_kernel_forget_nothing(cloud):
    """What is set, even to what it was, may make it drop neighbours, or routes."""
    cloud.plane.apply(state())
    # The servers are to know a guest.
    assert cloud.mallory.connect("10.0.0.2", 53) and "1 received" in cloud.mallory.run("ping", "-c1", "-W2", "10.0.0.1")
    monitors = [Monitor(name) for name in (None, f"qdhcp-{NET}", routers.namespace(state()["routers"][0]), cloud.victim.name)]
    for _ in range(2):
        cloud.plane.apply(state())
    said = [line for monitor in monitors for line in monitor.end()]
    # Neighbours come, are confirmed, or do not answer, at any time.
    mine = [line for line in said if not line.rstrip().endswith(("INCOMPLETE", "FAILED"))]
    assert "".join(line for line in mine if "lladdr" not in line or line.startswith("Deleted")) == ""


def test_threads_leave_no_resources_behind(cloud):
    """Those of the bus: each had left a netlink socket and an event loop behind."""
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))
    cloud.plane.apply(state())
    before = descriptors()
    for _ in range(4):
        thread = threading.Thread(target=cloud.plane.apply, args=(state(),))
        thread.start()
        thread.join()
    assert descriptors() == before


def test_all_filters_are_removed(cloud):
    cloud.plane.filters.remove()
    left = sh("iptables-save") + sh("ip6tables-save") + sh("ipset", "list", "-n") + sh("nft", "list", "ruleset")
    assert "pileus" not in left
