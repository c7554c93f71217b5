"""What root in a guest tries against the host and another guest. Frame by frame it is tried in tests/network/attacks.py."""

import json
import os
import re
import socket
import threading
import time

import pytest

pytestmark = pytest.mark.e2e
EXTERNAL, MANAGEMENT = "172.24.4.1", "172.31.250.1"
SERVICES = [22, 25, 53, 80, 111, 443, 2049, 3260, 3306, 4369, 5000, 5432, 5671, 5672, 6080, 6083, 8080, 8773, 8774, 8775, 8776,
            8778, 9180, 9191, 9292, 9696, 9697, 10809, 11211, 15672, 16509, 16514, 25672, 35357, *range(5900, 5905), 49152]
# All ports at once would take a guest that QEMU emulates too long: PILEUS_SCAN=65535 by hand.
RANGE = range(1, int(os.environ.get("PILEUS_SCAN", "200")))
SCAN = """n=0; for at in {hosts}; do for port in {ports}; do
( nc -w 1 $at $port </dev/null >/dev/null 2>&1 && echo open $at $port ) & n=$((n+1))
[ $((n%60)) = 0 ] && wait; done; done; wait"""


@pytest.fixture(scope="module")
def guests(real):
    """(attacker, victim): each {"id", "outside", "fixed", "mac", "tap"}."""
    made = []
    for name in ("mallory", "victim"):
        server = real.boot(name)
        port = real.client.call("network", "GET", f"/ports?device_id={server['id']}")["ports"][0]
        made.append({"id": server["id"], "outside": real.floating_ip(server["id"]), "mac": port["mac_address"],
                     "fixed": next(i["ip_address"] for i in port["fixed_ips"] if ":" not in i["ip_address"]),
                     "tap": f"tap{port['id'][:11]}", "port": port})
    for guest in made:
        real.ssh(guest["outside"], "true")
    yield made
    for guest in made:
        real.delete(guest["id"])


def capture(tap: str, work) -> list[bytes]:
    """The frames that a guest gets while ``work()`` runs and a moment later."""
    found: list[bytes] = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind((tap, 3))
        sock.settimeout(0.1)
        ended = threading.Event()

        def read():
            while not ended.is_set():
                try:
                    frame, address = sock.recvfrom(2048)
                except TimeoutError:
                    continue
                if address[2] == socket.PACKET_OUTGOING:
                    found.append(frame)
        reader = threading.Thread(target=read)
        reader.start()
        work()
        time.sleep(0.5)
        ended.set()
        reader.join()
    return found


def test_no_port_of_the_host_answers(real, guests):
    mine, other = guests
    gateway, server = (real.client.call("network", "GET", f"/ports?network_id={mine['port']['network_id']}&device_owner={owner}")
                       ["ports"][0]["fixed_ips"][0]["ip_address"] for owner in ("network:router_interface", "network:dhcp"))
    ports = sorted({*SERVICES, *RANGE})
    began = time.monotonic()
    said = real.ssh(mine["outside"], SCAN.format(hosts=f"{EXTERNAL} {gateway}", ports=" ".join(map(str, ports))), 200)
    said += real.ssh(mine["outside"], SCAN.format(hosts=MANAGEMENT, ports=" ".join(map(str, SERVICES))))
    print(f"scan of {2 * len(ports) + len(SERVICES)} ports: {time.monotonic() - began:.0f} s")
    assert re.findall("open .*", said) == []
    assert "open" in real.ssh(mine["outside"], SCAN.format(hosts=server, ports="53")), "the scan finds what is open"
    socket.create_connection((MANAGEMENT, 5000), 5).close()
    sent = real.ssh(mine["outside"], f"ping -c 1 -W 2 {EXTERNAL} || ping -c 1 -W 2 {other['fixed']}")
    assert "1 packets received" in sent


def test_metadata_is_ones_own_whatever_is_said(real, guests):
    mine, other = guests
    headers = " ".join(f"--header '{h}'" for h in (f"X-Instance-ID: {other['id']}", f"X-Forwarded-For: {other['fixed']}",
                                                   "X-Instance-ID-Signature: 0"))
    said = real.ssh(mine["outside"], f"wget -q -O - {headers} http://169.254.169.254/openstack/latest/meta_data.json")
    assert json.loads(said)["uuid"] == mine["id"]
    for line in ("GET @127.0.0.1:35357/v3", "GET http://127.0.0.1:35357/v3", "GET //127.0.0.1:35357/v3",
                 "CONNECT 127.0.0.1:35357"):
        said = real.ssh(mine["outside"], f"printf '{line} HTTP/1.0\\r\\n\\r\\n' | nc -w 5 169.254.169.254 80 || true")
        assert re.match(r"HTTP/1\.\d (400|501) ", said), (line, said)


def test_nobody_else_is_impersonated(real, guests):
    mine, other = guests
    gateway = socket.inet_aton("10.0.0.1")
    tries = ("ip addr add 10.0.0.1/32 dev eth0; arping -U -c 2 -w 2 -I eth0 -s 10.0.0.1 10.0.0.1; "
             f"ping -c 1 -W 1 -I 10.0.0.1 {other['fixed']}; ip addr del 10.0.0.1/32 dev eth0; "
             # Another MAC, for a moment: the session must find its way back.
             f"(sleep 1; ip link set eth0 address 02:00:00:00:00:66; ping -c 1 -W 1 {other['fixed']}; "
             f"ip link set eth0 address {mine['mac']}) >/dev/null 2>&1 </dev/null & true")
    frames = capture(other["tap"], lambda: (real.ssh(mine["outside"], tries), time.sleep(4)))
    assert not [f for f in frames if f[6:12] == bytes.fromhex("020000000066")]
    spoofed = bytes.fromhex(mine["mac"].replace(":", ""))
    assert not [f for f in frames if f[6:12] == spoofed and (f[28:32] == gateway and f[12:14] == b"\x08\x06"
                                                              or f[26:30] == gateway and f[12:14] == b"\x08\x00")]


def test_a_guest_is_no_dhcp_server(real, guests):
    mine, other = guests
    config = "interface eth0\\nstart 10.0.0.240\\nend 10.0.0.250\\noption router 10.0.0.66\\nlease_file /tmp/l\\n"
    real.ssh(mine["outside"], f"printf '{config}' >/tmp/d; touch /tmp/l; "
                              "(timeout 20 udhcpd -f /tmp/d) >/dev/null 2>&1 </dev/null & true")
    frames = capture(other["tap"], lambda: real.ssh(other["outside"], "udhcpc -i eth0 -n -q -f -t 3 -T 1 -s /bin/true || true"))
    offers = [f for f in frames if f[12:14] == b"\x08\x00" and f[23] == 17 and f[34:36] == b"\x00\x43"]
    assert offers and not [f for f in offers if f[6:12] == bytes.fromhex(mine["mac"].replace(":", ""))]
