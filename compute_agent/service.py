"""The compute agent daemon."""

import logging
import pathlib
import threading
import time

from common import context, errors, guest, periodic
from common.service import Service
from common.tasks import Engine, Journal
from compute_agent import conf, virt
from compute_agent.imagecache import ImageCache
from compute_agent.manager import Manager
from compute_agent.ports import Ports
from compute_agent.tasks.attach import Attach
from compute_agent.tasks.boot import Boot
from compute_agent.tasks.delete import Delete
from compute_agent.tasks.detach import Detach
from compute_agent.tasks.snapshot import Snapshot
from compute_agent.tasks.snapshot_volumes import SnapshotVolumes
from compute_agent.volumes import Volumes
from conductor.rpcapi import ConductorAPI

BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


class Heartbeat(periodic.Heartbeat):
    """Tell the conductor that the host lives, what it has, and which guests changed their power state."""

    def __init__(self, agent):
        super().__init__(float(agent.conf.report_interval))
        self.agent = agent
        self.told: dict[str, int] = {}

    def beat(self) -> None:
        seen = self.agent.driver.power_states()
        changed = {u: p for u, p in seen.items() if self.told.get(u) != p}
        self.agent.conductor.heartbeat(context.service_context(), self.agent.conf.host,
                                       self.agent.driver.host_resources(), changed)
        self.told = seen


class Tidy(periodic.Periodic):
    """Finish what a dead predecessor left; destroy guests that nobody knows any more."""

    interval_s = 60.0

    def __init__(self, agent):
        self.agent = agent

    def run_once(self) -> None:
        agent = self.agent
        agent.tasks.recover(agent.make_task)
        ctx = context.service_context()
        ours = set(agent.driver.directories()) | set(agent.driver.power_states())
        known = {i["uuid"] for i in agent.conductor.instances_of(ctx, agent.conf.host)}
        for uuid in ours - known:
            with agent.lock(uuid):
                # Asked one by one: it may have come to this host since the list was made.
                instance = agent.conductor.get_instance(ctx, uuid)
                if instance is None or instance["host"] != agent.conf.host:
                    agent.log.warning("guest %s belongs to no server of this host; destroyed", uuid)
                    agent.driver.destroy(uuid)
                    agent.driver.remove_files(uuid)


class ComputeAgent(Service):
    name, conf_name = "compute-agent", "compute-agent"
    opts, topic, rpc_threads = conf.OPTS, "compute-agent", 32
    log = logging.getLogger("compute_agent")

    def setup(self) -> None:
        state = self.conf.state_path
        self.driver = virt.load(self.conf)
        self.conductor = ConductorAPI(self.conf)
        self.images = ImageCache(f"{state}/image-cache", self.rest)
        self.ports = Ports(self.rest, self.conf.host)
        self.volumes = Volumes(self.rest, {
            "host": self.conf.host, "ip": self.conf.my_ip, "platform": "x86_64", "os_type": "linux",
            "initiator": self.conf.libvirt.initiator or f"iqn.2012-01.cloud.pileus:{self.conf.host}"})
        # Disks on their way into images; one that a crash left is removed with its task.
        self.outgoing = pathlib.Path(state) / "snapshots"
        self.outgoing.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tasks = Engine(Journal(f"{state}/tasks/compute"))
        self.cancelled: set[str] = set()
        self.build_slots = threading.BoundedSemaphore(self.conf.agent.max_parallel_builds)
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self.periodics += [Heartbeat(self), Tidy(self)]

    def endpoint(self):
        return Manager(self)

    def context(self):
        return context.active() or context.service_context()

    def lock(self, uuid: str) -> threading.Lock:
        """One operation at a time on a server."""
        with self._guard:
            return self._locks.setdefault(uuid, threading.Lock())

    def forget_lock(self, uuid: str) -> None:
        with self._guard:
            lock = self._locks.get(uuid)
            if lock is not None and not lock.locked():
                del self._locks[uuid]

    def busy(self) -> bool:
        return self.tasks.running() > 0

    def make_task(self, name: str):
        return {t.name: t for t in (Boot, Delete, Attach, Detach, Snapshot, SnapshotVolumes)}[name](self)

    def config_drive(self, instance: dict) -> dict:
        return guest.config_drive(instance)

    def _connected(self, instance: dict) -> list[dict]:
        """The server's volumes with fresh connection info; lost exports are made again."""
        return [{**{k: d[k] for k in ("volume_id", "device_name", "boot_index")},
                 "info": self.volumes.info(d["attachment_id"], d["device_name"])}
                for d in instance["block_devices"] if d["attachment_id"]]

    def refresh_volumes(self, instance: dict) -> None:
        self._connected(instance)

    def image_files(self, instance: dict) -> dict:
        """{"image", "kernel", "ramdisk"} -> path in the cache, as far as the server has them."""
        image, files = instance["image_meta"], {}
        if image and self.driver.needs_image:
            files["image"] = self.images.ensure(image)
            for part in ("kernel", "ramdisk"):
                part_id = image["properties"].get(f"{part}_id")
                if part_id:
                    files[part] = self.images.ensure({"id": part_id})
        return files

    def rebuild_guest(self, instance: dict) -> None:
        """A hard reboot: the guest is defined anew from what the database says, and started."""
        volumes = self._connected(instance)
        drive = self.config_drive(instance) if instance["config_drive"] else None
        self.driver.destroy(instance["uuid"])
        self.driver.spawn(instance, instance["network_info"], volumes, drive)

    def started(self) -> None:
        threading.Thread(target=self._adopt, daemon=True, name="adopt").start()

    def _adopt(self) -> None:
        """Guests that run go on running. After a reboot of the host, those that should run are started."""
        marker = pathlib.Path(self.conf.state_path) / "compute-boot-id"
        boot_id = BOOT_ID.read_text() if BOOT_ID.exists() else ""
        first = not marker.exists() or marker.read_text() == boot_id
        while not first and not self.stop_event.is_set():
            try:
                self._start_guests()
                break
            except errors.Error as error:
                self.log.warning("guests cannot be started yet: %s", error)
                time.sleep(3)
        marker.write_text(boot_id)

    def _start_guests(self) -> None:
        states = self.driver.power_states()
        for instance in self.conductor.instances_of(context.service_context(), self.conf.host):
            if instance["vm_state"] == "active" and states.get(instance["uuid"]) != 1:
                with self.lock(instance["uuid"]):
                    self.log.info("instance %s ran before the host's reboot: started", instance["uuid"])
                    self.rebuild_guest(instance)
