"""DHCP: one dnsmasq per network, in a namespace, with static leases only.

dnsmasq keeps running when the agent restarts; a change of ports rewrites its files and sends SIGHUP. Its files and command line
are rendered from parsed values only (``parsing.py``), and tested before it is started.
"""

import ipaddress
import logging
import os
import pathlib
import signal
import subprocess
import time

from common import errors, files
from network.agent import guard, processes
from network.agent.filters import run
from network.agent.links import Links, delete_namespace, in_namespace, set_sysctl, tap_name

LOG = logging.getLogger(__name__)
METADATA_IP = "169.254.169.254"


def namespace(network_id: str) -> str:
    return f"qdhcp-{network_id}"


def wanted(network: dict) -> bool:
    return network["serves"] and bool(network["dhcp_port"]) and any(s["enable_dhcp"] for s in network["subnets"])


def by_dhcp(subnet: dict) -> bool:
    """Whether DHCP serves the subnet: always for IPv4, for IPv6 depending on the address mode."""
    return subnet["enable_dhcp"] and (subnet["ip_version"] == 4 or (subnet["ipv6_address_mode"] or "slaac") != "slaac")


def _tag(subnet: dict) -> str:
    return f"subnet-{subnet['id']}"


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def stale_leases(leases: str, hosts: str) -> set[str]:
    """Lines of dnsmasq's lease file for addresses that now belong to another port.

    A deleted guest does not release its lease, and dnsmasq refuses the address to its new owner until the lease expires.
    """
    owners = {line.split(",")[-1]: line.split(",")[0] for line in hosts.split() if "," in line}
    return {line for line in leases.splitlines() if len(words := line.split()) >= 3
            and owners.get(words[2], words[1]) != words[1]}


class Dhcp:
    def __init__(self, conf, links: Links):
        self.conf, self.links = conf, links
        # dnsmasq reads its files as an unprivileged user.
        self.path = files.traversable_directory(pathlib.Path(conf.state_path) / "network" / "dhcp", conf.state_path)
        self._guarded: set[str] = set()  # namespaces for which this process has loaded an input filter

    @staticmethod
    def _no_router(device: str) -> None:
        set_sysctl(f"ipv6/conf/{device}/accept_ra", "0")
        set_sysctl("ipv4/ip_forward", "0")

    def ensure(self, network: dict, ports: list[dict], bridge: str, gone: set[tuple[str, str]]) -> None:
        """Set up the namespace, addresses and files, and a dnsmasq that has read them.

        :param ports: all ports of the network
        :param gone: (address, MAC) of ports that have left it
        """
        port, name = network["dhcp_port"], namespace(network["id"])
        inner = Links(name)
        try:
            device = f"ns-{port['id'][:11]}"
            inner.up("lo")
            self.links.ensure_veth(tap_name(port["id"]), bridge, inner, device, port["mac_address"], network["mtu"])
            in_namespace(name, lambda: self._no_router(device))
            if name not in self._guarded:
                run("ip", "netns", "exec", name, "nft", "-f", "-", stdin=guard.dhcp(METADATA_IP))
                self._guarded.add(name)
            subnets = {s["id"]: s for s in network["subnets"]}
            addresses = [f"{ip['ip_address']}/{ipaddress.ip_network(subnets[ip['subnet_id']]['cidr']).prefixlen}"
                         for ip in port["fixed_ips"] if ip["subnet_id"] in subnets]
            inner.set_addresses(device, [*addresses, f"{METADATA_IP}/32"])
            inner.drop_neighbours(device, gone)
            gateway = next((s["gateway_ip"] for s in network["subnets"] if s["ip_version"] == 4 and s["gateway_ip"]), None)
            inner.set_routes({"0.0.0.0/0": gateway} if gateway else {})
        finally:
            inner.close()
        self._serve(network, ports, device)

    def _serve(self, network: dict, ports: list[dict], device: str) -> None:
        home = self.path / network["id"]
        files.traversable_directory(home, self.conf.state_path)
        server_ips = {ip["subnet_id"]: ip["ip_address"] for ip in network["dhcp_port"]["fixed_ips"]}
        subnets = [s for s in network["subnets"] if by_dhcp(s) and s["id"] in server_ips]
        leased = {s["id"] for s in subnets if s["ip_version"] == 4 or s["ipv6_address_mode"] == "dhcpv6-stateful"}
        changed = self._write(home / "hosts", self._hosts(ports, leased))
        changed |= self._write(home / "opts", self._options(network, subnets, server_ips, ports))
        command = self._command(network, subnets, device, home)
        pid = self._running(home)
        stale = stale_leases(_text(home / "leases"), _text(home / "hosts"))
        if pid and not stale and (home / "command").read_text() == "\0".join(command):
            if changed:
                os.kill(pid, signal.SIGHUP)
            return
        if pid:
            processes.end(pid, str(home))
        if stale:
            kept = [line for line in _text(home / "leases").splitlines() if line not in stale]
            self._write(home / "leases", "".join(f"{line}\n" for line in kept))
        self._test(command)
        (home / "command").write_text("\0".join(command))
        self._start(["ip", "netns", "exec", namespace(network["id"]), *command])

    @staticmethod
    def _test(command: list[str]) -> None:
        """:raises StepFailed: dnsmasq rejects the configuration"""
        done = subprocess.run([*command, "--test"], capture_output=True, text=True, timeout=10)
        if done.returncode:
            raise errors.StepFailed(reason="The DHCP server refused its configuration.", internal=done.stderr.strip()[:500])

    @staticmethod
    def _start(words: list[str]) -> None:
        """:raises StepFailed: it does not start, even after waiting for a former process to release the addresses"""
        deadline = time.monotonic() + 5
        while True:
            done = subprocess.run(words, capture_output=True, text=True, timeout=10)
            if not done.returncode:
                return
            if "Address already in use" not in done.stderr or time.monotonic() > deadline:
                raise errors.StepFailed(reason="DHCP could not be started on the host.", internal=done.stderr.strip())
            LOG.info("the addresses of the DHCP server are still in use: %s", done.stderr.strip())
            time.sleep(0.2)

    @staticmethod
    def _write(path: pathlib.Path, text: str) -> bool:
        if path.exists() and path.read_text() == text:
            return False
        partial = path.with_suffix(".new")
        partial.write_text(text)
        partial.chmod(0o644)
        partial.replace(path)
        return True

    def _hosts(self, ports: list[dict], served: set[str]) -> str:
        lines = []
        for port in ports:
            # One name for all addresses, because dnsmasq identifies a guest by its MAC.
            first = min((ip["ip_address"] for ip in port["fixed_ips"]), key=lambda a: (":" in a, a), default="")
            name = port["dns_name"] or "host-" + first.replace(".", "-").replace(":", "-").rstrip("-")
            for ip in port["fixed_ips"]:
                if ip["subnet_id"] in served:
                    tag = f",set:port-{port['id']}" if port["extra_dhcp_opts"] else ""
                    address = f"[{ip['ip_address']}]" if ":" in ip["ip_address"] else ip["ip_address"]
                    lines.append(f"{port['mac_address']}{tag},{name}.{self.conf.network.dns_domain},{address}")
        return "\n".join(sorted(lines)) + "\n"

    def _options(self, network: dict, subnets: list[dict], server_ips: dict, ports: list[dict]) -> str:
        lines = []
        for subnet in subnets:
            tag, server = f"tag:{_tag(subnet)}", server_ips[subnet["id"]]
            if subnet["ip_version"] == 6:
                servers = [d for d in subnet["dns_nameservers"] if ":" in d] or [server]
                lines.append(f"{tag},option6:dns-server,{','.join(f'[{s}]' for s in servers)}")
                continue
            routes = [f"{METADATA_IP}/32,{server}"]
            routes += [f"{r['destination']},{r['nexthop']}" for r in subnet["host_routes"]]
            if subnet["gateway_ip"]:
                # RFC 3442: a client that gets option 121 ignores option 3, so the default route is in both.
                routes.append(f"0.0.0.0/0,{subnet['gateway_ip']}")
                lines.append(f"{tag},option:router,{subnet['gateway_ip']}")
            else:
                lines.append(f"{tag},option:router")
            lines.append(f"{tag},option:classless-static-route,{','.join(routes)}")
            lines.append(f"{tag},249,{','.join(routes)}")
            servers = subnet["dns_nameservers"] or self.conf.network.dns_servers or [server]
            lines.append(f"{tag},option:dns-server,{','.join(servers)}")
            lines.append(f"{tag},option:mtu,{network['mtu']}")
        for port in ports:
            for option in port["extra_dhcp_opts"]:
                word = "option" if option["ip_version"] == 4 else "option6"
                lines.append(f"tag:port-{port['id']},{word}:{option['opt_name']},{option['opt_value']}")
        return "\n".join(lines) + "\n"

    def _command(self, network: dict, subnets: list[dict], device: str, home: pathlib.Path) -> list[str]:
        ranges = []
        for subnet in subnets:
            net = ipaddress.ip_network(subnet["cidr"])
            mask = net.netmask if net.version == 4 else net.prefixlen
            ranges.append(f"--dhcp-range=set:{_tag(subnet)},{net.network_address},static,{mask},"
                          f"{self.conf.network.dhcp_lease_s}s")
        return ["dnsmasq", "--no-hosts", "--strict-order", "--bind-dynamic", f"--interface={device}",
                "--except-interface=lo", "--conf-file=", f"--domain={self.conf.network.dns_domain}",
                f"--pid-file={home}/pid", f"--dhcp-hostsfile={home}/hosts", f"--dhcp-optsfile={home}/opts",
                f"--dhcp-leasefile={home}/leases", "--dhcp-authoritative", "--dhcp-lease-max=65536", *ranges]

    @staticmethod
    def _running(home: pathlib.Path) -> int | None:
        return processes.pid_of(home / "pid", str(home))

    def remove(self, network_id: str) -> None:
        home = self.path / network_id
        pid = self._running(home)
        if pid:
            processes.end(pid, str(home))
        delete_namespace(namespace(network_id))
        self._guarded.discard(namespace(network_id))
        if home.exists():
            for leaf in home.iterdir():
                leaf.unlink()
            home.rmdir()

    def served(self) -> list[str]:
        """Ids of the networks with files on this host."""
        return [p.name for p in self.path.iterdir()]


