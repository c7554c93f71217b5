"""The compute agent daemon."""

import contextlib
import logging
import pathlib
import threading
import weakref

from common import context, errors, guest, rescue
from common.server_states import NOT_PAUSED, RESCUED
from common.service import Service
from common.tasks import Engine, Journal, Recovery
from common.workers import Workers
from compute_agent import conf, virt
from compute_agent.consoles import Consoles
from compute_agent.fence import Fence
from compute_agent.imagecache import CacheCleanup, ImageCache
from compute_agent.last_step import LastStep
from compute_agent.live import Incomings
from compute_agent.manager import BUILD, CACHE, DELETE, IMAGE, OTHER, Manager
from compute_agent.orphans import OrphanReconciler
from compute_agent.ports import Ports, has_queues
from compute_agent.powersync import Heartbeat, PowerSync
from compute_agent.resume import GuestResume
from compute_agent.rpcapi import AgentAPI
from compute_agent.tasks.attach import Attach
from compute_agent.tasks.boot import Boot
from compute_agent.tasks.delete import Delete
from compute_agent.tasks.detach import Detach
from compute_agent.tasks.extend_volume import ExtendVolume
from compute_agent.tasks.interfaces import AttachInterface, DetachInterface
from compute_agent.tasks.snapshot import Snapshot
from compute_agent.tasks.snapshot_volumes import SnapshotVolumes
from compute_agent.virt.base import Injection
from compute_agent.volumes import Volumes
from conductor.messages import SecretKind
from conductor.rpcapi import ConductorAPI

NO_INJECTION = -2  # of the option inject_partition
IMAGES_AT_ONCE, DELETES_AT_ONCE, OTHERS_AT_ONCE = 8, 8, 16  # concurrent work on servers, besides builds
KEPT = 4  # one in so many is for projects that have no other work on this host
TASKS = (Boot, Delete, Attach, Detach, AttachInterface, DetachInterface, ExtendVolume, Snapshot,
         SnapshotVolumes)


class ComputeAgent(Service):
    name, conf_name = "compute-agent", "compute-agent"
    opts, interface, rpc_threads = conf.OPTS, AgentAPI, 32
    log = logging.getLogger("compute_agent")

    def setup(self) -> None:
        state = self.conf.state_path
        self.driver = virt.load(self.conf)
        self.conductor, self.peers = ConductorAPI(self.conf), AgentAPI(self.conf)
        self.driver.tpm_key = lambda uuid: self._secret(uuid, "tpm")
        self.images = ImageCache(f"{state}/image-cache", self.rest, self.driver.image_owner)
        self.ports = Ports(self.rest, self.conf.host)
        self.volumes = Volumes(self.rest, {
            "host": self.conf.host, "ip": self.conf.my_ip, "platform": "x86_64", "os_type": "linux",
            "initiator": self.conf.libvirt.initiator or f"iqn.2012-01.cloud.pileus:{self.conf.host}"}, self.driver.vault)
        # Temporary disks of images; after a crash they are removed with their task.
        self.outgoing = pathlib.Path(state) / "snapshots"
        self.outgoing.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.outgoing.chmod(0o711)  # a disk is copied as the guest's user, into an existing file
        self.tasks = Engine(Journal(f"{state}/tasks/compute"))
        self.workers = Workers(self.name, {BUILD: self.conf.agent.max_parallel_builds, IMAGE: IMAGES_AT_ONCE, CACHE: 1,
                                          DELETE: DELETES_AT_ONCE, OTHER: OTHERS_AT_ONCE},
                               kept={lane: number // KEPT for lane, number in (
                                   (IMAGE, IMAGES_AT_ONCE), (DELETE, DELETES_AT_ONCE), (OTHER, OTHERS_AT_ONCE))})
        # Each lock exists while it is held or waited for.
        self._locks: weakref.WeakValueDictionary[str, threading.Lock] = weakref.WeakValueDictionary()
        self._guard = threading.Lock()
        # Set once the guests that were lost while the host was down are known; ``resuming`` has them until they run.
        self.guests_known = threading.Event()
        self.resuming: set[str] = set()
        # {server: the last work on it here, if that was a step of an operation}; see ``LastStep``
        self.last_steps: dict[str, LastStep] = {}
        self.fence = Fence(self)
        self.incomings = Incomings(self.conf.my_ip)
        self.migrating = threading.BoundedSemaphore(self.conf.max_concurrent_live_migrations)
        self.consoles = Consoles(self.driver, self.conf.my_ip)
        self.heartbeat, self.orphans = Heartbeat(self), OrphanReconciler(self)
        self.periodics += [self.heartbeat, PowerSync(self, self.heartbeat), Recovery(self.tasks, self.make_task), self.orphans,
                            CacheCleanup(self)]

    def endpoint(self):
        return Manager(self)

    def context(self):
        return context.active() or context.service_context()

    def lock(self, uuid: str) -> threading.Lock:
        """The lock of a server: one operation at a time."""
        with self._guard:
            made = threading.Lock()
            return self._locks.setdefault(uuid, made)

    def cancelled(self, uuid: str) -> bool:
        """Whether a delete of the server is waiting, so that other work on it should stop."""
        return self.workers.has(uuid, ("delete",))

    @contextlib.contextmanager
    def recovered_lock(self, uuid: str):
        """One operation on a server, after what a crash, or an undo that failed, has left of an earlier one. Gives its last step,
        which is forgotten with that, or None.

        A task that cannot be recovered yet does not block the next operation: it checks again whether it is current before it
        continues.
        """
        with self.lock(uuid):
            last = self.last_steps.pop(uuid, None)
            self.tasks.settle(self.make_task, lambda task, state: task.server_of(state) == uuid)
            yield last

    def settle(self, uuid: str) -> bool:
        """Finish, or take back, what was interrupted here of work on a server; returns whether nothing of it is left."""
        with self.recovered_lock(uuid):
            return self.tasks.is_settled(self.make_task, lambda task, state: task.server_of(state) == uuid)

    def busy(self) -> bool:
        return self.tasks.running() > 0

    def make_task(self, name: str):
        return {t.name: t for t in TASKS}[name](self)

    def config_drive(self, instance: dict, *, first_boot: bool) -> dict | None:
        """The files of a server's config drive, if it has one.

        :param first_boot: of an image, for which the server was given a password
        """
        if not instance["config_drive"]:
            return None
        return guest.config_drive(instance, self._password(instance) if first_boot else None)

    def injection(self, instance: dict) -> Injection | None:
        """What is to be written into a new root disk of a server that has no config drive."""
        options = self.conf.libvirt
        if options.inject_partition == NO_INJECTION or instance["config_drive"] or not instance["image_meta"]:
            return None
        properties = instance["image_meta"].get("properties", {})
        partition, files = 0 if properties.get("kernel_id") else options.inject_partition, instance.get("injected_files") or ()
        found = Injection(partition, tuple(files), instance["key_data"] if options.inject_key else None,
                          self._password(instance) if options.inject_password else None)
        return found if found.files or found.key or found.password else None

    def takes_password(self, instance: dict) -> bool:
        """Whether a new guest of the server gets a password from this host."""
        return bool(instance["config_drive"] or self.conf.libvirt.inject_password)

    def _password(self, instance: dict) -> str | None:
        try:
            return self._secret(instance["uuid"], "admin_password")
        except errors.ServiceTooOld:  # the release before keeps none
            return None

    def _secret(self, uuid: str, kind: SecretKind) -> str | None:
        return self.conductor.server_secret(self.context(), uuid, kind, self.conf.host)

    def _connected(self, instance: dict) -> list[dict]:
        """The server's volumes with fresh connection info; lost exports are recreated, and reservations are connected that an
        operation left which an operator has ended.
        """
        return [{**{k: d[k] for k in ("volume_id", "device_name", "boot_index")},
                 "info": self.volumes.info(d["attachment_id"], d["device_name"], complete=True)}
                for d in instance["block_devices"] if d["attachment_id"]]

    def refresh_volumes(self, instance: dict) -> None:
        """Prepare a guest's volumes before it is started again."""
        self.driver.renew_secrets(self._connected(instance))

    def ensure_unpaused(self, instance: dict | None) -> None:
        """Have the guest of a server that runs here go on, in case that it stands still for work that was interrupted."""
        if instance is None or instance["host"] != self.conf.host or instance["vm_state"] not in NOT_PAUSED:
            return
        self.thaw(instance["uuid"])

    def thaw(self, uuid: str) -> None:
        """Have a guest go on that stands still for work on it. One that is gone, as after a power cut, does not."""
        if self.driver.power_states().get(uuid) is not None:
            self.driver.unpause(uuid)
            self.driver.unquiesce(uuid)

    def image_files(self, instance: dict) -> dict:
        """{"image", "kernel", "ramdisk"} -> path in the cache, for those that the server has.

        :raises Superseded: the server is being deleted
        """
        def is_cancelled() -> bool:
            return self.cancelled(instance["uuid"])
        image, files = instance["image_meta"], {}
        if image and self.driver.needs_image:
            files["image"] = self.images.ensure(image, instance["project_id"], is_cancelled)
            for part in ("kernel", "ramdisk"):
                part_id = image["properties"].get(f"{part}_id")
                if part_id:
                    # What the API found with its user's rights; of an older server only the id is known.
                    files[part] = self.images.ensure(image.get(part) or {"id": part_id}, instance["project_id"], is_cancelled)
        return files

    def rebuild_guest(self, instance: dict, *, first_boot: bool = False) -> None:
        """Hard reboot: define the guest again from the database, and start it.

        :param first_boot: as of ``config_drive``
        """
        volumes, many = self._connected(instance), has_queues(instance)
        drive = self.config_drive(instance, first_boot=first_boot)
        replug = (first_boot or many) and self.ports.have_other_queues(instance, many)
        self.driver.destroy(instance["uuid"])
        if replug:
            self.ports.move(instance, check=lambda: self._check_here(instance), multiqueue=many)
        self.driver.spawn(instance, self.plugged(instance), volumes, drive)

    def plugged(self, instance: dict) -> list[dict]:
        """The ports of a guest that is off, ready for its start.

        :raises ServiceUnavailable, Superseded: as ``restore_guest``
        """
        return instance["network_info"] if self.driver.keeps_taps else self._plug(instance)

    def replug(self, instance: dict) -> None:
        """Have taps that ended with a guest made again: the network service says that they are there. Each start does so, too."""
        if not self.driver.keeps_taps:
            try:
                self._plug(instance)
            except errors.Error as error:
                self.log.info("instance %s: its taps are not made again yet: %s", instance["uuid"], error)

    def _plug(self, instance: dict) -> list[dict]:
        ports = self.ports.plug(instance, check=lambda: self._check_here(instance), multiqueue=has_queues(instance))
        self._check_here(instance)
        self.forget_ports(instance, ports)
        return ports

    def forget_ports(self, instance: dict, found: list[dict]) -> None:
        """Have the server's row forget ports that it no longer has, because the host that detached them could not say so.

        :param found: those that it has, of its network_info
        """
        has = {port["id"] for port in found}
        for port in instance["network_info"]:
            if port["id"] not in has:
                self.conductor.interface_detached(self.context(), instance["uuid"], port["id"], [], port.get("attach_id", ""))

    @staticmethod
    def as_rescued(instance: dict) -> dict:
        """A server with the volumes that its guest has while it is rescued: none, unless the rescue disk is added to the others.
        """
        return instance if rescue.added(instance["rescue_image"]) else {**instance, "block_devices": []}

    def _check_here(self, instance: dict) -> None:
        """:raises Superseded: the server is on another host by now, or in another attempt"""
        row = self.conductor.get_instance(self.context(), instance["uuid"])
        if row is None or (row["host"], row["attempt"]) != (self.conf.host, instance["attempt"]):
            raise errors.Superseded()

    def restore_guest(self, instance: dict) -> None:
        """Recreate a guest that is missing, if its disk still exists: ports, volumes, then the guest.

        :raises ServiceUnavailable: a service does not respond, or a port cannot be plugged yet
        :raises Superseded: the server is on another host by now, or in another attempt
        """
        instance = {**instance, "network_info": self._plug(instance)}
        self.rebuild_guest(self.as_rescued(instance) if instance["vm_state"] == RESCUED else instance)

    def started(self) -> None:
        threading.Thread(target=GuestResume(self).run, daemon=True, name="resume-guests").start()
