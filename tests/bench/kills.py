"""Kill daemons of a real cloud at random moments while guests boot: each server must end ACTIVE, and nothing be left.

    deploy/isolate kills python -m tests.bench.kills --image guest.qcow2 --kills 100 --seed 1
    deploy/isolate kills python -m tests.bench.kills --image guest.qcow2 --kills 40 --daemons compute-agent conductor
    deploy/isolate kills python -m tests.bench.kills --image guest.qcow2 --kills 40 --lab

Clients boot servers, every third with a volume, wait for them and delete them again, all the time; two servers stay and are
pinged. With ``--lab`` there is a second host, whose daemons are killed too, and which is taken away for good after half of
the kills: what it was building, the first host builds. Prints a table, and exits with 1 where a server did not end ACTIVE,
a ping was lost or the audit found something. It makes a cloud under $PILEUS_STATE and takes it away at the end.
"""

import argparse
import collections
import dataclasses
import itertools
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import urllib3

from common.periodic import wait_for
from deploy import lab, processes, supervisor
from deploy.daemons import DAEMONS
from tests.bench.clouds import API_S, Patient, forget_host, real_cloud

NODE = "node2"
RETURN_S = 20  # a daemon is back
PING_S = 0.2


@dataclasses.dataclass
class Boot:
    name: str
    image: str
    volume: bool
    id: str = ""
    status: str = ""
    took_s: float = 0.0
    fault: str = ""


class Client(Patient):
    def find(self, name: str) -> str | None:
        found = self.call("compute", "GET", f"/servers?name=^{name}$")["servers"]
        return found[0]["id"] if found else None

    def create(self, boot: Boot) -> str:
        """The answer may be lost after the server was made: its name tells."""
        values = {"name": boot.name, "imageRef": boot.image, "flavorRef": "42",
                  "networks": [{"uuid": self.real.networks["private"]}]}
        if boot.volume:
            values["block_device_mapping_v2"] = [
                {"boot_index": 0, "source_type": "image", "destination_type": "local", "uuid": boot.image,
                 "delete_on_termination": True},
                {"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 1,
                 "delete_on_termination": True}]
        deadline = time.monotonic() + API_S
        while True:
            try:
                return self.real.client.call("compute", "POST", "/servers", {"server": values})["server"]["id"]
            except (RuntimeError, urllib3.exceptions.HTTPError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
                if known := self.find(boot.name):
                    return known

    def server(self, server_id: str) -> dict:
        return self.call("compute", "GET", f"/servers/{server_id}")["server"]

    def delete(self, server_id: str) -> None:
        try:
            self.call("compute", "DELETE", f"/servers/{server_id}")
        except RuntimeError as error:
            if ": 404 " not in str(error):
                raise


class Load(threading.Thread):
    """Boots and deletes servers until it is stopped; the last ones stay."""

    def __init__(self, client: Client, number: int, images: Iterator[str], kept: int, timeout_s: float):
        super().__init__(daemon=True, name=f"load-{number}")
        self.client, self.number, self.images, self.kept, self.timeout_s = client, number, images, kept, timeout_s
        self.boots: list[Boot] = []
        self.stopping = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                number = len(self.boots)
                self._boot(Boot(f"kills-{self.number}-{number}", next(self.images), volume=number % 3 == 2))
                alive = [b for b in self.boots if b.id]
                for old in alive[:len(alive) - self.kept]:
                    self.client.delete(old.id)
                    old.id = ""
        except Exception as error:  # boundary of a thread: shown in the end
            self.error = error

    def _boot(self, boot: Boot) -> None:
        self.boots.append(boot)
        began = time.monotonic()
        boot.id = self.client.create(boot)

        def settled():
            server = self.client.server(boot.id)
            return server if server["status"] != "BUILD" else None
        try:
            server = wait_for(settled, self.timeout_s, every_s=0.2, what=boot.name)
            boot.status, boot.fault = server["status"], server.get("fault", {}).get("message", "")
        except TimeoutError:
            boot.status, boot.fault = "BUILD", f"for {self.timeout_s:.0f} s"
        boot.took_s = time.monotonic() - began


class Ping:
    def __init__(self, address: str):
        self.address = address
        self.process = subprocess.Popen(["ping", "-i", str(PING_S), address], stdout=subprocess.PIPE, text=True)

    def stop(self) -> tuple[int, list[int]]:
        """(how many answers, the numbers of those that are missing); the last one may be under way."""
        self.process.send_signal(signal.SIGINT)
        seen = {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", self.process.communicate()[0])}
        return len(seen), sorted(set(range(1, max(seen, default=0) + 1)) - seen)


class Killer:
    def __init__(self, state: str, chosen: random.Random, names: list[str]):
        self.state, self.random, self.names = state, chosen, names
        self.kills: collections.Counter[str] = collections.Counter()
        self.slowest_s: dict[str, float] = collections.defaultdict(float)
        self.late: list[str] = []

    def _daemons(self) -> dict[str, tuple[int, int]]:
        """{"daemon" or "daemon@host": (its pid, that of whoever starts it again)}"""
        above = {"": supervisor.running_pid(self.state), f"@{NODE}": lab.pid_of(self.state, NODE)}
        return {name + where: (pid, parent) for where, parent in above.items() if parent
                for name, pid in processes.daemons(parent).items() if name in self.names}

    def kill(self) -> str:
        """One of those that run; the end of it is that it is back."""
        there = self._daemons()
        name = self.random.choice(sorted(there))
        os.kill(there[name][0], signal.SIGKILL)
        began = time.monotonic()
        try:
            wait_for(lambda: self._daemons().get(name, there[name])[0] != there[name][0], RETURN_S, every_s=0.05, what=name)
        except TimeoutError:
            self.late.append(name)
        self.kills[name] += 1
        self.slowest_s[name] = max(self.slowest_s[name], time.monotonic() - began)
        return name


def images(real, image: str, count: int) -> list[str]:
    """Copies that differ in what nobody reads, so that a host fetches each of them."""
    found = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        for number in range(count):
            copy = pathlib.Path(directory, "copy")
            copy.write_bytes(pathlib.Path(image).read_bytes() + bytes([number]) * 65536)
            found.append(real.upload(f"kills-{number}", copy, "qcow2"))
    return found


def campaign(real, args) -> list[str]:
    """:returns: what was not as it must be"""
    client, chosen = Client(real), random.Random(args.seed)
    own = os.uname().nodename
    standing = {n: real.boot(n, availability_zone=f"nova:{own}")["id"] for n in ("standing-0", "standing-1")}
    addresses = [real.floating_ip(i) for i in standing.values()]
    for address in addresses:
        real.ssh(address, "true", timeout_s=300)
    pings = [Ping(a) for a in addresses]
    killer = Killer(real.state, chosen, args.daemons)
    fresh = images(real, args.image, args.images)
    chosen_images = itertools.cycle([*fresh, real.image])
    loads = [Load(client, n, chosen_images, args.kept, args.timeout_s) for n in range(args.clients)]
    for load in loads:
        load.start()
    for number in range(args.kills):
        time.sleep(chosen.uniform(0, 2 * args.pause_s))
        if args.lab and number == args.kills // 2:
            lab.remove(real.state, NODE)
            print(f"{NODE} is taken away for good, {number} kills so far", flush=True)
        killer.kill()
        if not (number + 1) % 10:
            print(f"{number + 1} kills, {sum(len(load.boots) for load in loads)} boots", flush=True)
    for load in loads:
        load.stopping.set()
    for load in loads:
        load.join(args.timeout_s + API_S)
    wrong = _judge(real, client, args, killer, loads, [p.stop() for p in pings])
    for image in fresh:
        client.call("image", "DELETE", f"/images/{image}")
    return wrong


def _judge(real, client: Client, args, killer: Killer, loads, pings) -> list[str]:
    boots = [b for load in loads for b in load.boots]
    wrong = [f"{load.name} broke off: {load.error}" for load in loads if load.error]
    wrong += [f"{load.name} did not end" for load in loads if load.is_alive()]
    wrong += [f"{b.name} {b.id} is {b.status}: {b.fault}" for b in boots if b.status != "ACTIVE"]
    wrong += [f"{name} was not back after {RETURN_S} s" for name in killer.late]
    print(f"{'daemon':<24}{'kills':>6}{'slowest return, s':>20}")
    for name, count in sorted(killer.kills.items()):
        print(f"{name:<24}{count:>6}{killer.slowest_s[name]:>20.2f}")
    took = sorted(b.took_s for b in boots)
    print(f"{len(boots)} servers, {sum(b.status == 'ACTIVE' for b in boots)} ACTIVE; median {took[len(took) // 2]:.1f} s, "
          f"slowest {took[-1]:.1f} s")
    for answers, missing in pings:
        print(f"pings answered {answers}, lost {len(missing)}")
        # An emulated guest that is starved answers late; what matters is that it is not cut off.
        if missing:
            wrong.append(f"pings were lost: {missing[:20]}")
    for server in client.call("compute", "GET", "/servers")["servers"]:  # with the one that deploy/up made
        client.delete(server["id"])
    try:
        wait_for(lambda: not client.call("compute", "GET", "/servers")["servers"], 120, every_s=0.5, what="servers to be deleted")
        for found in client.call("network", "GET", "/floatingips")["floatingips"]:
            client.call("network", "DELETE", f"/floatingips/{found['id']}")
        if args.lab:
            forget_host(client, NODE)
        real.audit()
        print("audit: clean")
    except (AssertionError, TimeoutError, RuntimeError) as error:
        wrong.append(str(error))
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True, help="a qcow2 of a guest that lets ssh in")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the choice of daemons and moments")
    parser.add_argument("--daemons", nargs="+", choices=sorted(DAEMONS), default=sorted(DAEMONS), help="default: all")
    parser.add_argument("--pause-s", type=float, default=1.5, help="the mean time between kills")
    parser.add_argument("--clients", type=int, default=2, help="servers that boot at the same time")
    parser.add_argument("--images", type=int, default=6, help="which these take turns with, so that there is something to fetch")
    parser.add_argument("--kept", type=int, default=1, help="servers that each client keeps while it boots the next")
    parser.add_argument("--timeout-s", type=float, default=180, help="in which a server must be built")
    parser.add_argument("--lab", action="store_true", help="two hosts, of which one is lost")
    parser.add_argument("--logs", type=pathlib.Path, help="where to keep the daemons' logs")
    args = parser.parse_args()
    with real_cloud(args.image, 2 if args.lab else 1, args.logs) as real:
        wrong = campaign(real, args)
        print("\n".join(wrong or ["every server ended ACTIVE"]), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
