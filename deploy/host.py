"""Services of a host that Pileus needs: broker, libvirt, iSCSI target, the external bridge.

With systemd they are systemd's services; otherwise they are started here, and stopped by ``deploy/down``. Each
function is repeatable.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable

from common.periodic import wait_for
from deploy import supervisor
from deploy.daemons import HOST_DAEMONS

EXTERNAL_BRIDGE = "br-ex"
OWNER = pathlib.Path("/run/pileus/state")
ROTATION = pathlib.Path("/etc/logrotate.d/pileus")
TGT_DROP_IN = pathlib.Path("/etc/systemd/system/tgt.service.d/pileus.conf")


class HostError(Exception):
    """A problem that the operator must solve; the text says what and how."""


def run(*words: str, check: bool = True, **more) -> subprocess.CompletedProcess:
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if check and done.returncode:
        raise HostError(f"{' '.join(words[:3])} failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done


def systemd() -> bool:
    return pathlib.Path("/run/systemd/system").exists()


def claimed_by() -> str:
    """The state directory of the cloud that uses this host's bridges, rules, targets and guests; empty: none."""
    try:
        return OWNER.read_text()
    except FileNotFoundError:
        return ""


def check_claim(state: str) -> None:
    """:raises HostError: a cloud of another state directory runs on this host"""
    if not has_host(state):
        raise HostError(f"Another cloud runs on this host, in {claimed_by()}. "
                        "Only one cloud can run on a host: stop the other one first.")


def has_host(state: str) -> bool:
    """Whether this cloud uses the resources of the host that do not contain a cloud's name."""
    other = claimed_by()
    return not other or os.path.realpath(other) == os.path.realpath(state) or not supervisor.running_pid(other)


def claim(state: str) -> None:
    """Record which cloud uses this host. The record is lost at a reboot, as are the resources."""
    check_claim(state)
    OWNER.parent.mkdir(exist_ok=True)
    OWNER.write_text(os.path.realpath(state))


def answers(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((host, port)) == 0


def kill_by_text(text: str, sig: int = signal.SIGTERM) -> int:
    """End every process whose command line, or the beginning of its environment, contains ``text``."""
    count = 0
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if text.encode() in (entry / "cmdline").read_bytes().replace(b"\0", b" "):
                os.kill(int(entry.name), sig)
                count += 1
        except OSError:
            continue
    return count


def ensure_tgtd(ip: str = "127.0.0.1", port: int = 3260) -> None:
    """A tgtd that listens at the management address; with Debian's unit it would listen at all addresses."""
    if systemd():
        text = f"[Service]\nExecStart=\nExecStart=/usr/sbin/tgtd -f --iscsi portal={ip}:{port}\n"
        if not TGT_DROP_IN.exists() or TGT_DROP_IN.read_text() != text:
            TGT_DROP_IN.parent.mkdir(parents=True, exist_ok=True)
            TGT_DROP_IN.parent.chmod(0o755)
            TGT_DROP_IN.write_text(text)
            run("systemctl", "daemon-reload")
            run("systemctl", "try-restart", "tgt")
    if run("tgtadm", "--lld", "iscsi", "--mode", "sys", "--op", "show", check=False).returncode == 0:
        return
    if systemd():
        run("systemctl", "start", "tgt")
    else:
        run("tgtd", "--iscsi", f"portal={ip}:{port}", umask=0o022)
    wait_for(lambda: answers(port, ip), 15, what="tgtd")


def rotate_logs(state: str, names: Iterable[str]) -> None:
    """Have logrotate keep eight weeks of the daemons' logs, which the daemons reopen by themselves."""
    paths = "\n".join([f'"{state}/log/{name}.log"' for name in names] +
                      [f'"{state}/lab/*/log/{name}.log"' for name in HOST_DAEMONS])
    ROTATION.write_text(f"{paths}\n{{\n    weekly\n    maxsize 100M\n    rotate 8\n    compress\n    delaycompress\n"
                        f"    missingok\n    notifempty\n}}\n")
    ROTATION.chmod(0o644)  # logrotate ignores files that others can write


def ensure_external_bridge(gateway: str, cidr: str) -> None:
    """``br-ex`` with the gateway's address; guests access other networks through NAT on this host."""
    if run("ip", "link", "show", EXTERNAL_BRIDGE, check=False).returncode:
        run("ip", "link", "add", EXTERNAL_BRIDGE, "type", "bridge", "forward_delay", "0")
    prefix = cidr.split("/")[1]
    if f"{gateway}/{prefix}" not in run("ip", "-o", "-4", "addr", "show", "dev", EXTERNAL_BRIDGE).stdout:
        run("ip", "addr", "add", f"{gateway}/{prefix}", "dev", EXTERNAL_BRIDGE)
    run("ip", "link", "set", EXTERNAL_BRIDGE, "up")
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    if run("iptables", "-w", "10", "-t", "nat", "-C", *_masquerade(cidr), check=False).returncode:
        run("iptables", "-w", "10", "-t", "nat", "-A", *_masquerade(cidr))


def _masquerade(cidr: str) -> list[str]:
    # Bridged packets pass these rules too (br_netfilter); the routers translate them, not the host.
    return ["POSTROUTING", "-s", cidr, "!", "-o", EXTERNAL_BRIDGE, "-m", "physdev", "!", "--physdev-is-bridged", "-m",
            "comment", "--comment", "pileus", "-j", "MASQUERADE"]


def remove_external_bridge(cidr: str) -> None:
    run("iptables", "-w", "10", "-t", "nat", "-D", *_masquerade(cidr), check=False)
    run("ip", "link", "del", EXTERNAL_BRIDGE, check=False)


def remove_networks(state: str) -> None:
    """Remove every namespace, tap, bridge, rule and dnsmasq of the agent."""
    kill_by_text(f"{state}/network/dhcp")
    kill_by_text(f"{state}/network/ra")
    time.sleep(0.2)
    names = run("ip", "netns", "list", check=False).stdout
    for name in re.findall(r"^((?:qdhcp|qrouter|snat)-\S+)", names, re.M):
        run("ip", "netns", "del", name, check=False)
    for name in re.findall(r"^\d+: ((?:tap|brq|vxl)[0-9a-f-]{11})[@:]", run("ip", "-o", "link").stdout, re.M):
        run("ip", "link", "del", name, check=False)
    from network.agent.filters import Filters
    Filters().remove()


def remove_guests(state: str) -> None:
    """Remove every domain whose files are in a state directory, and the secrets of its volumes."""
    usages: set[str] = set()
    for uri in ("qemu:///system", "lxc:///system"):
        for name in run("virsh", "-c", uri, "list", "--all", "--name", check=False).stdout.split():
            text = run("virsh", "-c", uri, "dumpxml", name, check=False).stdout
            if name.startswith("instance-") and f"'{state}/" in text:
                usages |= set(re.findall(r"usage='(pileus-volume-[^']+)'", text))
                run("virsh", "-c", uri, "destroy", name, check=False)
                run("virsh", "-c", uri, "undefine", name, *(["--managed-save"] if uri.startswith("qemu") else ()), check=False)
    unmount_disks(state)
    if run("virsh", "list", check=False).returncode:
        return
    for line in run("virsh", "secret-list").stdout.splitlines():
        words = line.split()
        if "pileus-volume-" in line and (has_host(state) or usages & set(words)):
            run("virsh", "secret-undefine", words[0], check=False)


def unmount_disks(state: str) -> None:
    """Unmount the disks of containers whose files are in a state directory."""
    mounts = pathlib.Path("/proc/self/mounts").read_text()
    for place in re.findall(rf"^\S+ ({re.escape(os.path.realpath(state))}/\S+) ", mounts, re.M):
        run("umount", place)


def targets(state: str = "") -> list[str]:
    """The target ids of this cloud's exports, or of those whose data is in a state directory."""
    shown = run("tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show", check=False).stdout
    return [found[1] for block in re.split(r"^(?=Target )", shown, flags=re.M)
            if (found := re.match(r"Target (\d+): iqn\.2010-10\.org\.openstack:", block)) and (
                not state or f"Backing store path: {state}/" in block)]


def remove_targets(state: str) -> None:
    for tid in targets() if has_host(state) else targets(state):
        run("tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "delete", "--force", "--tid", tid, check=False)


def stop_target() -> None:
    """Stop tgtd if it was started without systemd; with systemd, remove the drop-in file."""
    if systemd():
        TGT_DROP_IN.unlink(missing_ok=True)
        run("systemctl", "daemon-reload")
        return
    run("tgtadm", "--lld", "iscsi", "--mode", "system", "--op", "delete", check=False)
    if run("timeout", "10", "sh", "-c", "while pgrep -x tgtd; do sleep 0.1; done", check=False).returncode:
        run("pkill", "-KILL", "-x", "tgtd", check=False)
