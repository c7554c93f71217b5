"""Cut the power of a cloud, bring it back with ``deploy/up`` and measure until all that ran is there again.

    deploy/isolate cut python -m tests.bench.power_cut --image guest.qcow2 --cuts 5           one host
    deploy/isolate cut python -m tests.bench.power_cut --image guest.qcow2 --cuts 5 --lab     the second host of two

It makes a cloud under $PILEUS_STATE, with servers that run (two of them with a volume), a stopped, a paused and a
suspended one, and takes it away at the end. It ends every process of the host it runs on, so it refuses to run on any
but one that ``deploy/isolate`` made.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from common.periodic import wait_for
from deploy import lab

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT_S = 60


def run(*words: str, check: bool = False, timeout_s: float = 60) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=check, timeout=timeout_s).stdout


def _own_line() -> set[int]:
    """This process and those that it descends from."""
    found, pid = set(), os.getpid()
    while pid > 0:
        found.add(pid)
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def _others() -> list[int]:
    spared = _own_line()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid not in spared]


def _signal_all(sig: signal.Signals) -> None:
    for pid in _others():
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            continue


def cut_host() -> None:
    """What a power cut leaves of a host: its disk. Processes, links, namespaces, rules and /run are gone."""
    if run("readlink", "/proc/1/ns/pid") != run("readlink", "/proc/self/ns/pid") or 1 not in _own_line():
        raise SystemExit("this is no host of deploy/isolate")
    _signal_all(signal.SIGSTOP)  # all at once: nobody sees another die
    wait_for(lambda: not _alive(), 20, every_s=0.05, what="every process to be gone")
    for name in run("ip", "netns", "list").split("\n"):
        if name:
            run("ip", "netns", "del", name.split()[0])
    for link in json.loads(run("ip", "-j", "link")):
        run("ip", "link", "del", link["ifname"])
    for words in (["nft", "flush", "ruleset"], ["ipset", "destroy"]):
        run(*words)
    for mount in reversed([line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]):
        if mount.startswith("/run/"):
            run("umount", "-l", mount)
    for entry in pathlib.Path("/run").iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    pathlib.Path("/run/lock").mkdir()


def _alive() -> list[int]:
    """Those left after another SIGKILL; what nobody waits for is gone all the same."""
    _signal_all(signal.SIGKILL)
    found = []
    for pid in _others():
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def cut_lab_host(state: str, name: str) -> None:
    pid = lab.pid_of(state, name)
    assert pid, f"{name} does not run"
    os.kill(pid, signal.SIGKILL)  # unshare's --kill-child takes everything inside along
    wait_for(lambda: lab.pid_of(state, name) is None, 20, what=f"{name} to be gone")


def deploy_up(*words: str) -> str:
    done = subprocess.run([str(ROOT / "deploy" / "up"), *words], capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


class World:
    """Servers in every state, and what must be true of them after a cut.

    :param real: ``tests.e2e.conftest.RealCloud``
    """

    def __init__(self, real):
        self.real = real
        self.running: dict[str, dict] = {}  # name -> {"id", "address", "volume"}
        self.others: dict[str, tuple[str, str]] = {}  # id -> (status before, status after)

    def _status(self, server_id: str) -> str:
        return self.real.client.call("compute", "GET", f"/servers/{server_id}")["server"]["status"]

    def add_running(self, name: str, host: str, *, volume: bool) -> None:
        server = self.real.boot(name, availability_zone=f"nova:{host}")
        made = {"id": server["id"], "address": self.real.floating_ip(server["id"]), "volume": None}
        if volume:
            made["volume"] = self.real.client.call("volume", "POST", "/volumes", {"volume": {
                "name": name, "size": 1}})["volume"]["id"]
            wait_for(lambda: self.real.volume_status(made["volume"]) == "available", 20, what="the volume")
            self.real.client.call("compute", "POST", f"/servers/{server['id']}/os-volume_attachments",
                                  {"volumeAttachment": {"volumeId": made["volume"]}})
            wait_for(lambda: self.real.volume_status(made["volume"]) == "in-use", 60, what="the attachment")
        self.running[name] = made

    def add_other(self, name: str, host: str, action: dict, before: str, after: str) -> None:
        server = self.real.boot(name, availability_zone=f"nova:{host}")
        self.real.client.call("compute", "POST", f"/servers/{server['id']}/action", action)
        wait_for(lambda: self._status(server["id"]) == before, 90, what=f"{name} to be {before}")
        self.others[server["id"]] = (before, after)

    def write(self) -> None:
        """Something on each volume, so that it can be told from an empty one."""
        for name, made in self.running.items():
            self.real.ssh(made["address"], f"echo {name} > /root/kept; sync" if not made["volume"] else
                          f"printf {name} > /dev/vdb; sync", timeout_s=240)

    def pinged(self, timeout_s: float) -> float:
        """Seconds until all that ran answered."""
        began, left = time.monotonic(), {m["address"]: n for n, m in self.running.items()}
        while left and time.monotonic() - began < timeout_s:
            asked = {a: subprocess.Popen(["ping", "-c1", "-W1", a], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                     for a in left}
            left = {a: left[a] for a, process in asked.items() if process.wait()}
            time.sleep(0.2)
        assert not left, f"no answer from {left} in {timeout_s} s"
        return time.monotonic() - began

    def check(self) -> None:
        """Volumes hold what was written, all states are as they should be, and the audit finds nothing."""
        for name, made in self.running.items():
            assert self._status(made["id"]) == "ACTIVE", name
            command = f"head -c {len(name)} /dev/vdb" if made["volume"] else "cat /root/kept"
            text = self.real.ssh(made["address"], command, timeout_s=240)
            assert text.strip() == name
            assert not made["volume"] or self.real.volume_status(made["volume"]) == "in-use"
        for server_id, (_, after) in self.others.items():
            wait_for(lambda i=server_id, s=after: self._status(i) == s, 60, what=f"{server_id} to be {after}")
        self.real.audit()

    def reset(self) -> None:
        """Put the others into the state in which the next cut must meet them."""
        for server_id, (before, after) in self.others.items():
            if before != after:
                for action, status in (({"os-start": None}, "ACTIVE"), ({"pause": None}, before)):
                    self.real.client.call("compute", "POST", f"/servers/{server_id}/action", action)
                    wait_for(lambda i=server_id, s=status: self._status(i) == s, 60, what=f"{server_id} to be {status}")

    def remove(self) -> None:
        for server_id in [*[m["id"] for m in self.running.values()], *self.others]:
            self.real.delete(server_id)
        for made in self.running.values():
            found = self.real.client.call("network", "GET", f"/floatingips?floating_ip_address={made['address']}")["floatingips"]
            self.real.client.call("network", "DELETE", f"/floatingips/{found[0]['id']}")
            if made["volume"]:
                self.real.client.call("volume", "DELETE", f"/volumes/{made['volume']}")


def cut_and_return(world: World, cut) -> tuple[float, float]:
    """:returns: seconds of ``deploy/up``, and from its start until every server that ran answers ping"""
    cut()
    began = time.monotonic()
    up = subprocess.Popen([str(ROOT / "deploy" / "up")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        world.pinged(4 * LIMIT_S)
        answered = time.monotonic() - began
        text = up.communicate(timeout=120)[0]
    finally:
        up.kill()
    assert up.returncode == 0, text
    return time.monotonic() - began, answered


def build(real, *hosts: str) -> World:
    world = World(real)
    for host in hosts:
        world.add_running(f"ran-{host}", host, volume=True)
    world.add_running("bare", hosts[0], volume=False)
    world.add_other("stopped", hosts[-1], {"os-stop": None}, "SHUTOFF", "SHUTOFF")
    world.add_other("paused", hosts[-1], {"pause": None}, "PAUSED", "SHUTOFF")
    world.add_other("suspended", hosts[-1], {"suspend": None}, "SUSPENDED", "SUSPENDED")
    world.write()
    return world


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--lab", action="store_true", help="cut the second host of a lab of two")
    args = parser.parse_args()
    from tests.e2e.conftest import RealCloud
    state = os.environ["PILEUS_STATE"]
    began = time.monotonic()
    real = RealCloud(state, deploy_up("--hosts", "2" if args.lab else "1", "--image", args.image))
    print(f"deploy/up: {time.monotonic() - began:.1f} s", flush=True)
    own = os.uname().nodename
    world = build(real, *([own, "node2"] if args.lab else [own]))
    for number in range(args.cuts):
        if number:
            world.reset()
        up_s, answered_s = cut_and_return(world, (lambda: cut_lab_host(state, "node2")) if args.lab else cut_host)
        world.check()
        print(f"cut {number + 1}: deploy/up {up_s:.1f} s, all answer after {answered_s:.1f} s, volumes and audit in order",
              flush=True)
        assert answered_s <= LIMIT_S
    world.remove()
    real.audit()
    subprocess.run([str(ROOT / "deploy" / "down"), "--yes"], check=True, timeout=120)
    return 0


if __name__ == "__main__":
    sys.exit(main())
