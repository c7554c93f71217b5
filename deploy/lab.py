"""Further compute hosts on this machine, each in namespaces of its own, for learning and for tests that need two
hosts.

deploy/up --hosts 2 this host and ``node2`` pileus lab add node3 one more pileus lab remove node3

A host of the lab runs a libvirtd, a compute agent and a network agent of its own; it reaches this one over the bridge
``br-lab``. Its guests get DHCP, metadata and routers from this host, through VXLAN. ``deploy/up`` restarts these
hosts after a reboot.
"""

import argparse
import configparser
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing

from common import files
from common.periodic import wait_for
from deploy import first, host, hypervisor, options, prepare, statedir, supervisor
from deploy.daemons import HOST_DAEMONS

BRIDGE, ADDRESS, NETWORK = "br-lab", "172.31.250.1", "172.31.250.{}/24"
# Space for the 50 bytes that VXLAN adds to a guest's 1500.
MTU = "1600"
CLONE = pathlib.Path(__file__).resolve().parent.parent


def ensure_bridge() -> None:
    if host.run("ip", "link", "show", BRIDGE, check=False).returncode:
        host.run("ip", "link", "add", BRIDGE, "mtu", MTU, "type", "bridge", "forward_delay", "0")
        host.run("ip", "addr", "add", NETWORK.format(1), "dev", BRIDGE)
        host.run("ip", "link", "set", BRIDGE, "up")


def _home(state: str, name: str) -> pathlib.Path:
    return pathlib.Path(state) / "lab" / name


def pid_of(state: str, name: str) -> int | None:
    """The process that holds the namespaces of the host, or None."""
    home = _home(state, name)
    try:
        pid = int((home / "pid").read_text())
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"unshare" in command and str(home).encode() in command else None


def run_in(state: str, name: str, *words: str) -> subprocess.CompletedProcess:
    """Run a command on a host of the lab."""
    return host.run("nsenter", "-t", str(pid_of(state, name)), "-n", "-m", *words, check=False)


def add(state: str, name: str, timeout_s: float = 60, virt_type: str = "") -> None:
    """Start a host and wait until its agents have reported. ``up`` restarts it after a reboot. Repeatable.

    :param virt_type: the option of its compute agent; "": as before, and auto for a new host
    :raises HostError: the cloud listens for this host only, or the name is invalid
    """
    start(state, name, virt_type)
    chosen = statedir.load(state)
    if name not in chosen.lab_hosts:
        chosen.lab_hosts = sorted([*chosen.lab_hosts, name])
        statedir.save(state, chosen)
    cloud = first.Cloud(prepare.ensure_secrets(state)["admin_password"], ADDRESS)
    cloud.login()
    wait_for(lambda: _reported(cloud, name), timeout_s, what=f"the agents of {name} (log: {_home(state, name)}/log)")


def start(state: str, name: str, virt_type: str = "") -> None:
    """Start a host that does not run, with its previous address.

    :raises HostError: the cloud listens for this host only, or the name is invalid
    """
    if pid_of(state, name):
        return
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,10}", name):
        raise host.HostError(f"{name!r} cannot name a host: up to eleven small letters, digits and hyphens.")
    home = _home(state, name)
    files.traversable_directory(home, state)
    files.private_directory(home / "log")
    address = _address_for(state, name)
    _configure(state, home, name, address.split("/")[0], virt_type)
    link = f"lab-{name}"[:15]
    host.run("ip", "link", "del", link, check=False)  # of a host that was killed
    with open(home / "log" / "host.log", "ab") as log:
        started = subprocess.Popen([str(CLONE / "deploy/isolate"), name, sys.executable, "-m", "deploy.lab", "--inside",
                                    address, "--state", str(home)],
                                   cwd=CLONE, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                   env={**os.environ, "PILEUS_LIBVIRT": str(home / "libvirt")})
    (home / "pid").write_text(str(started.pid))
    own = os.readlink("/proc/self/ns/net")
    wait_for(lambda: os.readlink(f"/proc/{started.pid}/ns/net") != own, 10, what=f"the namespaces of {name}")
    host.run("ip", "link", "add", link, "mtu", MTU, "master", BRIDGE, "up", "type", "veth", "peer", "name", "eth0", "mtu",
             MTU, "netns", str(started.pid))


def _known_address(state: str, name: str) -> str:
    known = configparser.ConfigParser(interpolation=None)
    known.read(_home(state, name) / "etc" / "pileus.conf")
    return known.get("DEFAULT", "my_ip", fallback="")


def _address_for(state: str, name: str) -> str:
    """The previous address of the host, or the first that no other host has."""
    others = {_known_address(state, p.name) for p in pathlib.Path(state, "lab").glob("*") if p.name != name}
    own = _known_address(state, name)
    return next(a for a in [f"{own}/24", *map(NETWORK.format, range(2, 255))]
                if a != "/24" and a.split("/")[0] not in others)


def _reported(cloud: first.Cloud, name: str) -> bool:
    up = [s for s in cloud.call("compute", "GET", f"/os-services?host={name}&binary=nova-compute")["services"]
          if s["state"] == "up"]
    return bool(up and [a for a in cloud.call("network", "GET", f"/agents?host={name}")["agents"] if a["alive"]])


def _configure(state: str, home: pathlib.Path, name: str, ip: str, virt_type: str) -> None:
    known = configparser.ConfigParser(interpolation=None)
    known.read(pathlib.Path(state) / "etc" / "pileus.conf")
    if known["DEFAULT"]["my_ip"] != ADDRESS:
        raise host.HostError(f"This cloud listens at {known['DEFAULT']['my_ip']}; only a cloud created "
                             "with 'deploy/up --hosts' can have additional hosts.")
    known["DEFAULT"].update(host=name, my_ip=ip, bind_host=ip)
    agent = configparser.ConfigParser(interpolation=None)
    agent.read(home / "etc" / "compute-agent.conf")
    virt_type = virt_type or agent.get("libvirt", "virt_type", fallback="auto")
    hypervisor.state_of(virt_type)
    agent.clear()
    agent.read(pathlib.Path(state) / "etc" / "compute-agent.conf")
    agent.read_dict({"libvirt": {"virt_type": virt_type}})
    files: dict = {"pileus": known, "compute-agent": agent,
                   "network": {"network": {"serves": "false", "bridge_mappings": ""}},
                   # This network contains only the lab's hosts, and no API listens at this address.
                   "exporter": {"metrics": {"bind_host": ip, "whole_cloud": "false"}}}
    (home / "etc").mkdir(exist_ok=True, mode=0o700)
    for file, values in files.items():
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_dict(values)
        prepare.save(parser, home / "etc" / f"{file}.conf")


def inside(state: str, address: str) -> typing.NoReturn:
    """Runs in the namespaces: wait for the network device, then start libvirt and the agents."""
    wait_for(lambda: host.run("ip", "link", "show", "eth0", check=False).returncode == 0, 30, every_s=0.05, what="eth0")
    host.run("ip", "addr", "add", address, "dev", "eth0")
    host.run("ip", "link", "set", "eth0", "up")
    hypervisor.ensure_libvirt()
    # Execute a new process, to free the memory of the imported modules.
    os.execve(sys.executable, [sys.executable, "-m", "deploy.zygote", "--state", state, *HOST_DAEMONS],
              supervisor.environment(state))


def remove(state: str, name: str) -> None:
    """Stop and delete a host with all that runs on it. Repeatable."""
    chosen = statedir.load(state)
    if name in chosen.lab_hosts:
        chosen.lab_hosts.remove(name)
        statedir.save(state, chosen)
    stop(state, name)


def stop(state: str, name: str) -> None:
    """Stop a host with all that runs on it; ``up`` restarts it."""
    pid = pid_of(state, name)
    if pid is None:
        return
    os.kill(pid, signal.SIGKILL)  # unshare's --kill-child ends all processes inside
    deadline = time.monotonic() + 10
    while pid_of(state, name) and time.monotonic() < deadline:
        time.sleep(0.05)
    host.run("ip", "link", "del", f"lab-{name}"[:15], check=False)
    (_home(state, name) / "pid").unlink(missing_ok=True)


def names(state: str) -> list[str]:
    return sorted(p.name for p in pathlib.Path(state, "lab").glob("*") if pid_of(state, p.name))


def remove_all(state: str) -> None:
    for name in names(state):
        stop(state, name)


def remove_bridge() -> None:
    host.run("ip", "link", "del", BRIDGE, check=False)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="pileus lab", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", required=True, help="state directory of the cloud")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("verb", nargs="?", choices=("list", "add", "remove"), default="list", help="default: %(default)s")
    parser.add_argument("name", nargs="?", help="of the host to add or remove")
    options.lab_options(parser)
    args = parser.parse_args(argv)
    if args.inside:
        inside(args.state, args.inside)
    if args.verb != "list" and not args.name:
        parser.error(f"{args.verb} needs the name of a host")
    try:
        if args.verb == "list":
            print("\n".join(names(args.state)))
        elif args.verb == "add":
            add(args.state, args.name, virt_type=args.virt_type)
        else:
            remove(args.state, args.name)
    except (host.HostError, OSError) as error:
        print(f"pileus lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
