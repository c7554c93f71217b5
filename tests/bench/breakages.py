"""Real ways to keep a host of a lab from doing what it is asked, each as long as a block runs; and what is left on a host."""

import contextlib
import json
import os
import sys

import psutil

from deploy import host as commands
from deploy import lab
from tests.bench.power_cut import ROOT
from tests.e2e.migrating import OTHER, Mover, kill
from volume.drivers import tgt

QEMU = "/usr/bin/qemu-system-x86_64"


def sessions(volume_id: str) -> set[str]:
    """The hosts that are logged in to a volume's target."""
    found = tgt.Tgt("", 0, 0).targets()[volume_id]["sessions"].values()
    return {initiator.rpartition(":")[2] for initiator, _ in found}


class Breakages:
    def __init__(self, real, mover: Mover):
        self.real, self.mover = real, mover

    def of(self, name: str, host: str, uuid: str) -> contextlib.AbstractContextManager:
        return getattr(self, name)(host, uuid)

    def on(self, host: str, *words: str) -> str:
        """A command on a host; what it prints."""
        if host == OTHER:
            first = psutil.Process(lab.pid_of(self.real.state, OTHER)).children()[0].pid
            words = ("nsenter", "-t", str(first), "-n", "-m", "-p", *words)
        return commands.run(*words).stdout

    def _home(self, host: str) -> str:
        return f"{self.real.state}/lab/{host}" if host == OTHER else self.real.state

    def _libvirtd(self, host: str) -> int:
        above = lab.pid_of(self.real.state, OTHER) if host == OTHER else os.getpid()
        where = os.readlink(f"/proc/{above}/ns/net")
        return next(p.pid for p in psutil.process_iter(["name"]) if p.info["name"] == "libvirtd"
                    and os.readlink(f"/proc/{p.pid}/ns/net") == where)

    @contextlib.contextmanager
    def no_host(self, host: str, uuid: str):
        """The scheduler may not choose it."""
        found = self.mover.call("GET", f"/os-services?host={host}&binary=nova-compute")["services"][0]["id"]
        self.mover.call("PUT", f"/os-services/{found}", {"status": "disabled"})
        yield
        self.mover.call("PUT", f"/os-services/{found}", {"status": "enabled"})

    @contextlib.contextmanager
    def no_space(self, host: str, uuid: str):
        """Its disk for guests is full."""
        place = f"{self._home(host)}/instances"
        self.on(host, "mount", "-t", "tmpfs", "-o", "size=256k,mode=0711", "full", place)
        yield
        self.on(host, "umount", "-l", place)

    @contextlib.contextmanager
    def held_files(self, host: str, uuid: str):
        """The directory of the guest's files cannot be removed."""
        place = f"{self._home(host)}/instances/{uuid}"
        self.on(host, "mount", "--bind", place, place)
        yield
        self.on(host, "umount", "-l", place)

    @contextlib.contextmanager
    def no_qemu(self, host: str, uuid: str):
        """No guest can be started."""
        def inside(*words: str, check: bool) -> None:
            commands.run("nsenter", "-t", str(self._libvirtd(host)), "-m", "-p", *words, check=check)
        inside("mount", "--bind", "/bin/false", QEMU, check=True)
        yield
        inside("umount", "-l", QEMU, check=False)  # a libvirtd that was started again may not see it

    @contextlib.contextmanager
    def no_libvirt(self, host: str, uuid: str):
        """libvirtd is killed, and started again."""
        kill(self._libvirtd(host))
        yield
        self.on(host, "env", f"PYTHONPATH={ROOT}", sys.executable, "-c",
                "from deploy import hypervisor; hypervisor.ensure_libvirt()")

    @contextlib.contextmanager
    def no_volumes(self, host: str, uuid: str):
        """The volume API is killed; its supervisor starts it again."""
        self.mover.kill("volume-api", self.mover.first)
        yield

    def left_on(self, host: str, uuid: str) -> list[str]:
        """What is still there of a server: guest, files, taps."""
        found = []
        if uuid in self.on(host, "virsh", "-c", "qemu:///system", "list", "--all", "--uuid"):
            found.append("guest")
        if os.path.exists(f"{self._home(host)}/instances/{uuid}"):
            found.append("files")
        links = {link["ifname"] for link in json.loads(self.on(host, "ip", "-j", "link"))}
        ports = self.real.client.call("network", "GET", f"/ports?device_id={uuid}")["ports"]
        return found + [tap for tap in (f"tap{p['id'][:11]}" for p in ports) if tap in links]
