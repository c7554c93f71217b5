"""Router advertisements: one radvd per router namespace, for the IPv6 subnets whose hosts configure themselves by them.

radvd keeps running when the agent restarts; a change rewrites its file and sends SIGHUP.
"""

import ipaddress
import logging
import os
import pathlib
import signal
import subprocess

from common import errors
from network.agent import processes

LOG = logging.getLogger(__name__)


def text(interfaces: list[dict]) -> str:
    """radvd.conf (format: its manual page), or "" if nothing is advertised.

    :param interfaces: [{"device", "mtu", "prefixes": [{"cidr", "mode", "dns"}]}]; ``mode`` as ``ipv6_ra_mode``
    """
    lines = []
    for interface in interfaces:
        if not interface["prefixes"]:
            continue
        modes = {p["mode"] for p in interface["prefixes"]}
        lines += [f"interface {interface['device']} {{", "  AdvSendAdvert on;", "  MinRtrAdvInterval 30;",
                  "  MaxRtrAdvInterval 100;", f"  AdvLinkMTU {interface['mtu']};"]
        # RFC 4861: "managed" means addresses by DHCPv6, "other" only other configuration.
        lines += ["  AdvManagedFlag on;"] if "dhcpv6-stateful" in modes else []
        lines += ["  AdvOtherConfigFlag on;"] if modes & {"dhcpv6-stateful", "dhcpv6-stateless"} else []
        servers = sorted({d for p in interface["prefixes"] for d in p["dns"] if ipaddress.ip_address(d).version == 6})
        lines += [f"  RDNSS {' '.join(servers)} {{}};"] if servers else []
        for prefix in interface["prefixes"]:
            autonomous = "off" if prefix["mode"] == "dhcpv6-stateful" else "on"
            lines += [f"  prefix {prefix['cidr']} {{", "    AdvOnLink on;", f"    AdvAutonomous {autonomous};", "  };"]
        lines.append("};")
    return "".join(f"{line}\n" for line in lines)


class Advertiser:
    """:param directory: for the files of each router"""

    def __init__(self, directory: pathlib.Path):
        self.path = directory
        self.path.mkdir(parents=True, exist_ok=True, mode=0o755)

    def ensure(self, namespace: str, interfaces: list[dict]) -> None:
        """Run a radvd with these interfaces, or none if nothing is advertised.

        :raises StepFailed: it did not start
        """
        wanted, config, pid = text(interfaces), self.path / f"{namespace}.conf", self._running(namespace)
        if not wanted:
            self.remove(namespace)
            return
        changed = not config.exists() or config.read_text() != wanted
        if changed:
            partial = config.with_suffix(".new")
            partial.write_text(wanted)
            done = subprocess.run(["radvd", "-c", "-C", str(partial), "-m", "stderr"], capture_output=True, text=True,
                                  timeout=10)
            if done.returncode:
                raise errors.StepFailed(reason="The host's router advertisement daemon refused its configuration.",
                                        internal=(done.stderr or done.stdout).strip()[:500])
            partial.replace(config)
        if pid and changed:
            os.kill(pid, signal.SIGHUP)
        if pid:
            return
        done = subprocess.run(["ip", "netns", "exec", namespace, "radvd", "-C", str(config), "-p", self._pid_file(namespace),
                               "-m", "logfile", "-l", str(config.with_suffix(".log"))], capture_output=True, text=True,
                              timeout=10)
        if done.returncode:
            raise errors.StepFailed(reason="Router advertisements could not be started on the host.",
                                    internal=(done.stderr or done.stdout).strip())

    def _pid_file(self, namespace: str) -> str:
        return str(self.path / f"{namespace}.pid")

    def _running(self, namespace: str) -> int | None:
        return processes.pid_of(pathlib.Path(self._pid_file(namespace)), namespace)

    def remove(self, namespace: str) -> None:
        pid = self._running(namespace)
        if pid:
            processes.end(pid, namespace)
        for leaf in self.path.glob(f"{namespace}.*"):
            leaf.unlink(missing_ok=True)
