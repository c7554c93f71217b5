"""Bridges, taps, veth pairs and network namespaces, by netlink.

Every ``ensure`` is repeatable. Names follow Neutron: ``brq`` + 11 characters of the network's id, ``vxl`` + 11 for its tunnel,
``tap`` + 11 of the port's, ``qdhcp-<network>``, ``qrouter-<router>`` and ``snat-<router>``.
"""

import contextlib
import ctypes
import logging
import os
import pathlib
import socket
import struct
import threading

from pyroute2 import IPRoute, netns
from pyroute2.netlink.exceptions import NetlinkError

from common import errors

LOG = logging.getLogger(__name__)
CLONE_NEWNET = 0x40000000
# Of linux/neighbour.h.
NUD_NOARP, NUD_PERMANENT, NTF_MASTER, NTF_STICKY = 0x40, 0x80, 0x04, 0x40
_TAP = 2  # IFF_TAP of linux/if_tun.h
FLOOD = "00:00:00:00:00:00"  # the entry for frames with an unknown destination
SYSCTLS = pathlib.Path("/proc/sys/net")
_LIBC = ctypes.CDLL(None, use_errno=True)


def bridge_name(network_id: str) -> str:
    return f"brq{network_id[:11]}"


def tap_name(port_id: str) -> str:
    return f"tap{port_id[:11]}"


def tunnel_name(network_id: str) -> str:
    return f"vxl{network_id[:11]}"


def in_namespace(name: str, work):
    """Run ``work()`` in a thread inside a network namespace and return its result."""
    result: list = []

    def inside():
        try:
            with open(f"/run/netns/{name}", "rb") as handle:
                if _LIBC.setns(handle.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter namespace {name}")
            result.extend((True, work()))
        except Exception as error:  # thread boundary: re-raised in the caller
            result.extend((False, error))
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if not result[0]:
        raise result[1]
    return result[1]


def set_sysctl(path: str, value: str) -> None:
    """Write below /proc/sys/net of the thread's namespace; settings that the kernel lacks are skipped."""
    try:
        (SYSCTLS / path).write_text(value)
    except FileNotFoundError:
        LOG.debug("this kernel has no net/%s", path)


def raise_sysctl(path: str, value: int) -> None:
    """As ``set_sysctl``, unless it is more already: an operator may have set it."""
    with contextlib.suppress(FileNotFoundError):
        if int((SYSCTLS / path).read_text()) < value:
            set_sysctl(path, str(value))


class Links:
    """Links of one namespace (None: the host's).

    To be used briefly by one thread: pyroute2 keeps a socket and an event loop for each thread that uses an instance until it is
    closed.
    """

    def __init__(self, namespace: str | None = None):
        self.namespace = namespace
        if namespace and namespace not in netns.listnetns():
            netns.create(namespace)
        self.open()

    def open(self) -> None:
        self.ip = IPRoute(netns=self.namespace) if self.namespace else IPRoute()

    def close(self) -> None:
        self.ip.close()

    def index(self, name: str) -> int | None:
        found = self.ip.link_lookup(ifname=name)
        return found[0] if found else None

    def names(self) -> list[str]:
        return [link.get_attr("IFLA_IFNAME") for link in self.ip.get_links()]

    def _add(self, **values) -> None:
        try:
            self.ip.link("add", **values)
        except NetlinkError as error:
            if error.code != 17:  # EEXIST
                raise errors.StepFailed(reason="The host's network could not be changed.", internal=str(error)) from error

    def up(self, name: str, **values) -> None:
        self.ip.link("set", index=self.index(name), state="up", **values)

    def ensure_bridge(self, name: str, mtu: int) -> None:
        if self.index(name) is None:
            self._add(ifname=name, kind="bridge", br_forward_delay=0, br_stp_state=0)
            set_sysctl(f"ipv6/conf/{name}/disable_ipv6", "1")
            # The host has no address there, and answers no ARP requests there for its other addresses.
            set_sysctl(f"ipv4/conf/{name}/arp_ignore", "8")
            self.up(name, mtu=mtu)

    def ensure_tap(self, name: str, bridge: str, mtu: int, *, up: bool = True, multiqueue: bool = False) -> None:
        """A persistent tap on a bridge, ready for a hypervisor to open: with one queue, or with several.

        The kernel refuses those who open it the other way. It is made anew when that changes, unless it is open.
        """
        if self._is_other_kind(name, multiqueue):
            self.delete(name)
        if self.index(name) is None:
            if multiqueue:
                self._add(ifname=name, kind="tun", tun_type=_TAP, tun_pi=0, tun_multi_queue=1)
            else:
                self._add(ifname=name, kind="tuntap", mode="tap")
            set_sysctl(f"ipv6/conf/{name}/disable_ipv6", "1")
        self.ip.link("set", index=self.index(name), master=self.index(bridge), mtu=mtu, state="up" if up else "down")

    def _is_other_kind(self, name: str, multiqueue: bool) -> bool:
        index = self.index(name)
        if index is None:
            return False
        (link,) = self.ip.link("get", index=index)
        known = link.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "IFLA_TUN_MULTI_QUEUE")
        return known is not None and bool(known) != multiqueue and not link.get_attr("IFLA_CARRIER")

    def ensure_vxlan(self, name: str, segment: int, local: str, bridge: str, mtu: int, peers: list[str]) -> None:
        """A VXLAN device on a bridge. Frames to unknown addresses go to all peers, from which addresses are learned (RFC 7348).
        """
        if self.index(name) is None:
            self._add(ifname=name, kind="vxlan", vxlan_id=segment, vxlan_local=local, vxlan_port=4789, vxlan_learning=1)
            set_sysctl(f"ipv6/conf/{name}/disable_ipv6", "1")
        index = self.index(name)
        self.ip.link("set", index=index, master=self.index(bridge), mtu=mtu, state="up")
        have = {entry.get_attr("NDA_DST") for entry in self.ip.fdb("dump", ifindex=index)
                if entry.get_attr("NDA_LLADDR") == FLOOD and entry["ifindex"] == index}
        for peer in set(peers) - have:
            self.ip.fdb("append", ifindex=index, lladdr=FLOOD, dst=peer)
        for peer in have - {None} - set(peers):
            self.ip.fdb("del", ifindex=index, lladdr=FLOOD, dst=peer)

    def ensure_veth(self, name: str, bridge: str, inner: "Links", inner_name: str, mac: str, mtu: int) -> None:
        """A veth pair: ``name`` on a host bridge, ``inner_name`` in a namespace, with the port's MAC."""
        if inner.index(inner_name) is None:
            if self.index(name) is not None:
                self.delete(name)
            self._add(ifname=name, kind="veth", peer={"ifname": inner_name, "net_ns_fd": inner.namespace})
            set_sysctl(f"ipv6/conf/{name}/disable_ipv6", "1")
        self.ip.link("set", index=self.index(name), master=self.index(bridge), mtu=mtu, state="up")
        index = inner.index(inner_name)
        (link,) = inner.ip.link("get", index=index)
        # Setting an address, even the same, makes the kernel forget all neighbours, and the metadata proxy needs them.
        changed = {} if link.get_attr("IFLA_ADDRESS") == mac else {"address": mac}
        inner.ip.link("set", index=index, mtu=mtu, state="up", **changed)

    def set_addresses(self, name: str, wanted: list[str]) -> list[str]:
        """Make ``wanted`` ("address/prefix") the addresses of a link, link-local ones aside; returns those added."""
        index = self.index(name)
        have = {f"{a.get_attr('IFA_ADDRESS')}/{a['prefixlen']}" for a in self.ip.get_addr(index=index)}
        have = {a for a in have if not a.startswith("fe80:")}
        for address in have - set(wanted):
            ip, _, prefix = address.partition("/")
            self.ip.addr("del", index=index, address=ip, prefixlen=int(prefix))
        for address in set(wanted) - have:
            ip, _, prefix = address.partition("/")
            self.ip.addr("add", index=index, address=ip, prefixlen=int(prefix))
        return sorted(set(wanted) - have)

    def pin(self, port: str, mac: str) -> None:
        """A static, sticky FDB entry: the MAC is behind this port, whatever other frames say."""
        self.ip.fdb("replace", ifindex=self.index(port), lladdr=mac, state=NUD_NOARP, flags=NTF_MASTER | NTF_STICKY)

    def set_neighbours(self, name: str, wanted: dict[str, str]) -> None:
        """Make {address: MAC} the permanent neighbours of a link."""
        index = self.index(name)
        have = {n.get_attr("NDA_DST"): n.get_attr("NDA_LLADDR") for family in (socket.AF_INET, socket.AF_INET6)
                for n in self.ip.get_neighbours(family=family, ifindex=index) if n["state"] == NUD_PERMANENT}
        for address in set(have) - set(wanted):
            with contextlib.suppress(NetlinkError):
                self.ip.neigh("del", dst=address, lladdr=have[address], ifindex=index)
        for address, mac in wanted.items():
            if have.get(address) != mac:
                self.ip.neigh("replace", dst=address, lladdr=mac, ifindex=index, state=NUD_PERMANENT)

    def drop_neighbours(self, name: str, gone: set[tuple[str, str]]) -> None:
        """Drop neighbours that a link has learned, so that the next owner of an address is asked for its MAC at once. The kernel
        would send to the former one for 8 s before it asks.

        :param gone: (address, MAC)
        """
        index = self.index(name)
        for family in (socket.AF_INET, socket.AF_INET6) if gone else ():
            for found in self.ip.get_neighbours(family=family, ifindex=index):
                address, mac = found.get_attr("NDA_DST"), found.get_attr("NDA_LLADDR")
                if (address, mac) in gone and not found["state"] & NUD_PERMANENT:
                    with contextlib.suppress(NetlinkError):
                        self.ip.neigh("del", dst=address, lladdr=mac, ifindex=index)

    def set_routes(self, wanted: dict[str, str]) -> None:
        """Make {destination: gateway} the routes with gateways of this namespace, of both IP versions."""
        have = {}
        for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for route in self.ip.get_routes(family=family, table=254):
                gateway = route.get_attr("RTA_GATEWAY")
                if gateway:
                    have[f"{route.get_attr('RTA_DST') or anywhere}/{route['dst_len']}"] = gateway
        for target, gateway in have.items():
            if wanted.get(target) != gateway:
                with contextlib.suppress(NetlinkError):
                    self.ip.route("del", dst=target, gateway=gateway)
        for target, gateway in wanted.items():
            if have.get(target) != gateway:
                try:
                    self.ip.route("add", dst=target, gateway=gateway)
                except NetlinkError as error:
                    LOG.warning("route %s via %s in %s: %s", target, gateway, self.namespace, error)

    def delete(self, name: str) -> None:
        index = self.index(name)
        if index is not None:
            with contextlib.suppress(NetlinkError):
                self.ip.link("del", index=index)


def delete_namespace(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        netns.remove(name)


def namespaces(prefix: str) -> list[str]:
    try:
        return [n for n in os.listdir("/run/netns") if n.startswith(prefix)]
    except FileNotFoundError:
        return []


def taps_of(namespace: str) -> set[str]:
    """The host's ends of a namespace's links."""
    inner = Links(namespace)
    try:
        return {f"tap{name[3:]}" for name in inner.names() if name[:3] in ("qr-", "qg-", "ns-")}
    finally:
        inner.close()


def announce(namespace: str, interface: str, ip: str, mac: str) -> None:
    """Gratuitous ARP (RFC 5227): announces the new location of a floating IP."""
    def send():
        raw_mac, raw_ip = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(ip)
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + raw_mac + raw_ip + b"\0" * 6 + raw_ip
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((interface, 0x0806))
            sock.send(b"\xff" * 6 + raw_mac + b"\x08\x06" + arp)
    try:
        in_namespace(namespace, send)
    except OSError as error:
        LOG.warning("%s could not be announced on %s: %s", ip, interface, error)
