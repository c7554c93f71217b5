"""A guest on a lab of two hosts that has a volume and a floating IP, and is moved from one host to the other."""

import contextlib
import os
import re
import signal
import subprocess
import time

import sqlalchemy as sa

from common.periodic import wait_for
from conductor.db import models as compute
from deploy import lab, processes
from deploy.audit import Auditor

OTHER = "node2"
MARK = "still here"
REACHED_S = 240  # in which a guest that is emulated lets ssh in, also if the machine has other work


class Mover:
    """:param real: the cloud"""

    def __init__(self, real):
        self.real, self.client = real, real.client
        self.dbs = Auditor(real.state).dbs
        self.first = next(h["hypervisor_hostname"] for h in self.call("GET", "/os-hypervisors")["hypervisors"]
                          if h["hypervisor_hostname"] != OTHER)

    def call(self, method: str, path: str, body=None, **more):
        return self.client.call("compute", method, path, body, **more)

    def boot(self) -> dict:
        """A server on the first host; what it is to keep is written to its disk and to its volume."""
        made = self.real.boot("moving", availability_zone=f"nova:{self.first}")
        volume = self.client.call("volume", "POST", "/volumes", {"volume": {"name": "moving", "size": 1}})["volume"]["id"]
        wait_for(lambda: self.real.volume_status(volume) == "available", 30, what="the volume")
        self.call("POST", f"/servers/{made['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: self.real.volume_status(volume) == "in-use", 60, what="the attached volume")
        server = {"id": made["id"], "volume": volume, "address": self.real.floating_ip(made["id"])}
        self.real.ssh(server["address"], f"mke2fs -q /dev/vdb && mount -t ext2 /dev/vdb /mnt && echo {MARK} > /mnt/x"
                      f" && umount /mnt && echo {MARK} > /mark && sync", REACHED_S)
        return server

    def state(self, server: dict) -> tuple:
        """(status, host, task state)"""
        shown = self.call("GET", f"/servers/{server['id']}")["server"]
        return shown["status"], shown["OS-EXT-SRV-ATTR:host"], shown["OS-EXT-STS:task_state"]

    def wait_usable(self) -> None:
        """Until each host says that its hypervisor works: a server may be placed on it."""
        def unusable() -> list[str]:
            with self.dbs["compute"].reader() as connection:
                return [n.host for n in connection.execute(sa.select(compute.compute_nodes)) if n.facts.get("unusable")]
        wait_for(lambda: not unusable(), REACHED_S, every_s=0.2, what="the hypervisors of all hosts")

    def act(self, server: dict, action: str, *ends: tuple, timeout_s: float = 120) -> tuple:
        """Do it, and wait until it has ended in one of these ways."""
        self.call("POST", f"/servers/{server['id']}/action", {action: None})
        return self.wait(server, *ends, timeout_s=timeout_s)

    def move_live(self, server: dict, target: str) -> None:
        """Migrate it while it runs, and wait until it is there."""
        self.begin_live(server, target)
        self.wait(server, ("ACTIVE", target))

    def begin_live(self, server: dict, target: str) -> None:
        self.call("POST", f"/servers/{server['id']}/action", {"os-migrateLive": {"host": target, "block_migration": "auto"}},
                  version="2.68")

    def wait(self, server: dict, *ends: tuple, timeout_s: float = 120) -> tuple:
        return wait_for(lambda: (s if (s := self.state(server))[2] is None and s[:2] in ends else None), timeout_s, every_s=0.2,
                        what=f"one of {ends}, not {self.state(server)}")

    def check(self, server: dict) -> None:
        """It is reached at its floating IP, and has what was on its disk and on its volume."""
        text = self.real.ssh(server["address"],
                             "mount -t ext2 /dev/vdb /mnt && cat /mnt/x /mark && echo again >> /mnt/y && umount /mnt",
                             REACHED_S)
        assert text.splitlines() == [MARK, MARK], text
        assert self.real.volume_status(server["volume"]) == "in-use"

    def booted_at(self, server: dict) -> str:
        """When the guest's kernel started: another time is another boot."""
        return self.real.ssh(server["address"], "grep btime /proc/stat")

    def delete(self, server: dict) -> None:
        self.real.delete(server["id"])
        wait_for(lambda: self.real.volume_status(server["volume"]) == "available", 60, what="the volume to be free")
        self.client.call("volume", "DELETE", f"/volumes/{server['volume']}")

    def attached_to(self, server: dict) -> list[str]:
        """The hosts that its volume is attached to."""
        from volume.db import models
        c = models.attachments.c
        with self.dbs["volume"].reader() as connection:
            return list(connection.execute(sa.select(c.attached_host).where(c.volume_id == server["volume"])).scalars())

    def step(self) -> tuple | None:
        """(kind, phase, step) of the operation that is under way, of the conductor's own record."""
        with self.dbs["compute"].reader() as connection:
            c = compute.operations.c
            found = connection.execute(sa.select(c.kind, c.phase, c.step).where(c.kind.not_in(("remove", "destroy")))).first()
        return tuple(found) if found else None

    def kill(self, daemon: str, host: str) -> None:
        """``kill -9``, from which its supervisor starts it again."""
        kill(self.pids(host)[daemon])

    def pids(self, host: str) -> dict[str, int]:
        """Of the daemons that run on a host."""
        if host != OTHER:
            return {name: pid for name, pid in processes.of_cloud(self.real.state).items() if pid}
        return processes.daemons(lab.pid_of(self.real.state, OTHER))

    def kill_at(self, step: str, daemon: str, host: str, timeout_s: float = 60, phase: str = "forward") -> bool:
        """Whether the operation came to that step, at which the daemon was killed."""
        deadline, pid = time.monotonic() + timeout_s, self.pids(host)[daemon]
        while time.monotonic() < deadline:
            now = self.step()
            if now and now[1:] == (phase, step):
                kill(pid)
                return True
            time.sleep(0.005)
        return False


class Pings:
    """Pings of an address every 100 ms while the block runs. ``lost``: how many were not answered; ``gap_s``: the longest time
    without an answer."""

    def __init__(self, address: str):
        self._address = address

    def __enter__(self) -> "Pings":
        self._process = subprocess.Popen(["ping", "-n", "-D", "-O", "-i", "0.1", self._address], stdout=subprocess.PIPE,
                                         text=True)
        return self

    def __exit__(self, *about) -> None:
        self._process.send_signal(signal.SIGINT)
        text = self._process.communicate(timeout=20)[0]
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
        times = [float(t) for t in re.findall(r"\[([0-9.]+)\] \d+ bytes from", text)]
        self.sent, self.lost = sent, sent - received
        self.gap_s = max((b - a for a, b in zip(times, times[1:])), default=float("inf"))


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
