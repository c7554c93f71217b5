"""What a host does for operations that other hosts have a part in. Each step may be done again; the conductor says when.

A step begins only if the conductor says that it is wanted still, and asks again before it changes what another host could
change too: a host that was cut off for a while does no harm when it is back.
"""

import contextlib
import functools
import logging
import os
import re
import time

from common import errors, images, shared_work
from common.server_states import ACTIVE, NOSTATE, PAUSED, SHUTDOWN, SUSPENDED
from compute_agent import transfer
from compute_agent.last_step import LastStep
from compute_agent.live import LiveSteps
from compute_agent.ports import has_queues

LOG = logging.getLogger(__name__)
SHUTDOWN_S = 60.0
ASK_S = 5.0  # how often the conductor is asked, while a disk comes, whether it is wanted still
GIB, QCOW2_BYTES = 1 << 30, 64 << 20  # the latter: what a disk's own tables may have beside its content, and a 64th of that
UNDECLARED_BYTES = 1 << 44  # that a file may have of which its host, of the release before, does not say how large it is
DISK, CONFIG = "disk", "config-drive"
CACHED = ("base", "kernel", "ramdisk")  # what a disk needs of its host's image cache
_NAME = re.compile(r"[a-z0-9]+-[0-9a-f]+\.[a-z0-9]+")


class HostSteps(LiveSteps):
    """The steps of one operation. ``begin`` says which; several that follow each other may be done with one object.

    :param last: the last work on the server here, if it was a step of an operation
    :param incoming: where the target of a live migration expects the guest, as ``IncomingMigration``, if it has told so
    """

    def __init__(self, agent, ctx, operation_id: str, last: LastStep | None = None, incoming: dict | None = None):
        self.agent, self.ctx, self.operation_id, self.last, self.incoming = agent, ctx, operation_id, last, incoming
        self._ports: list = []  # as read before the conductor was asked for the step; see ``Ports.move``
        self.shared_ports: tuple | None = None
        self.is_reported = False  # by another host

    def may_begin(self, number: int, work: dict) -> bool:
        """Whether a step that came with a request, maybe late, may begin without a question to the conductor.

        Some steps ask themselves, in another way, before they change anything. What is left of a guest that has moved may be
        removed as long as nothing else was done for its server here. And in the same case its target, which has asked a moment
        ago, before it let the guest run, goes on with the ports as they were before it asked.
        """
        last, step = self.last, work["step"]
        if step in ("prepare_live", "migrate_live"):
            return True
        if last is None or last.operation_id != self.operation_id or last.number >= number:
            return False
        if (step, last.step) == ("arrive", "prepare_live") and last.ports is not None:
            self._ports.append(last.ports)
            return True
        return (step, last.step) == ("remove", "migrate_live")

    def is_remembered(self) -> bool:
        """Whether the next step of this host, or what another host is to ask it next, depends on this one."""
        on_source = "source" in self.data and self.data["source"] == self.agent.conf.host
        return self.step == "prepare_live" or self.step in ("stop", "migrate_live") and on_source

    def begin(self, number: int, work: dict) -> None:
        """:param work: what ``ConductorAPI.begin_operation_step`` or ``next_operation_step`` answered"""
        self.number, self.step, self._asked_at = number, work["step"], time.monotonic()
        self.uuid, self.attempt, self.data, self.instance, self._goes_on = (
            work[n] for n in ("uuid", "attempt", "data", "instance", "goes_on"))

    def check(self) -> None:
        """:raises Superseded: the step is not wanted any more"""
        if not self.agent.conductor.is_step_current(self.ctx, self.operation_id, self.number) and not self._is_only_reset():
            raise errors.Superseded()
        self._asked_at = time.monotonic()

    def _is_only_reset(self) -> bool:
        """Whether the server never was to leave this host, and has not been evacuated from it: an operator has reset its state,
        and without the rest of the step it would be left without a guest.
        """
        if "source" not in self.data or self.data["source"] != self.data.get("target"):
            return False
        row = self.agent.conductor.get_instance(self.ctx, self.uuid)
        return row is not None and row["host"] == self.agent.conf.host and row["task_state"] is None

    def check_if_late(self) -> None:
        """As ``check``, if nobody was asked for a while."""
        if time.monotonic() > self._asked_at + ASK_S:
            self.check()

    def _stopping(self) -> bool:
        return self.agent.cancelled(self.uuid)

    def stop(self) -> dict:
        if self.uuid in self.agent.driver.power_states():
            self.agent.driver.power_off(self.uuid, timeout_s=SHUTDOWN_S, is_cancelled=self._stopping)
        return {}

    def stop_and_destroy(self) -> dict:
        """Of a guest whose volumes are to be taken from this host: it first writes to them what it has in memory."""
        self.stop()
        return self.destroy()

    def receive(self) -> dict:
        """Fetch the guest's disk, and what it is based on, from the host that has it."""
        offered, cached = self.fetch_for()
        self.agent.driver.import_disks(self.instance, offered["disks"], cached)
        if self._goes_on:
            with contextlib.suppress(errors.ServiceUnavailable):  # then the next step reads them, and asks
                self._ports.append(self.agent.ports.existing(self.instance))
        return {}

    def fetch_for(self) -> tuple[dict, dict]:
        """Fetch what the source offers; returns the offer, and the paths of {"base", "kernel", "ramdisk"} on this host."""
        offered = self.offered()
        return offered, self.fetch(offered)

    def offered(self) -> dict:
        """What the source offers.

        :raises StepFailed: it, or the conductor which it has asked, says that the step is outdated
        :raises ServiceUnavailable: the ports of its guest have changed since the server was read here
        """
        found = self._attended(lambda work: self.agent.peers.offer_disks(
            self.ctx, self.data["source"], self.uuid, self.operation_id, self.number))
        self._asked_at = time.monotonic()
        known = {port["id"] for port in self.instance["network_info"]}
        if set(found.get("ports", known)) != known:
            raise errors.ServiceUnavailable(part=f"host {self.data['source']}, which has changed ports of instance {self.uuid}")
        return found

    def fetch(self, offered: dict) -> dict:
        """Fetch it; returns the paths of {"base", "kernel", "ramdisk"} on this host."""
        disks, fetch = offered["disks"], functools.partial(self._fetch, offered)
        target = self.agent.driver.begin_import(self.instance)
        cached = {}
        for part in CACHED:
            name = disks.get(part)
            if name:
                cached[part] = self._attended(lambda work, name=name: self.agent.images.adopt(
                    name, lambda path: fetch(name, path, work)))
        if disks["disk"] and "guest" not in offered:
            self._attended(lambda work: fetch(DISK, target, work))
        for name, (path, max_bytes) in self.agent.driver.local_paths(self.instance).items():
            if name in disks.get("local", []) and "guest" not in offered:
                self._attended(lambda work, name=name, path=path, most=max_bytes: self._fetch(offered, name, path, work, most))
        if offered.get("config_drive"):
            self._attended(lambda work: fetch(CONFIG, target.with_name("disk.config"), work))
        return cached

    def _fetch(self, offered: dict, name: str, path, work: shared_work.SharedWork, most: int = UNDECLARED_BYTES) -> None:
        work.check()  # another transfer of the same file may have been waited for
        max_bytes = min(most, offered.get("sizes", {}).get(name, UNDECLARED_BYTES))
        if name == DISK and self.instance["flavor"]["disk"]:
            max_bytes = min(max_bytes, self.instance["flavor"]["disk"] * GIB * 65 // 64 + QCOW2_BYTES)
        transfer.fetch(offered["offer"], name, path, max_bytes, work)

    def _attended(self, work):
        """Do what waits for another host, and leave it when the step is not wanted any more."""
        return shared_work.attended(work, self._unwanted)

    def _unwanted(self) -> bool:
        """Whether the server is to be deleted here, or the conductor says so, who is asked now and then."""
        if self._stopping():
            return True
        if time.monotonic() < self._asked_at + ASK_S:
            return False
        self._asked_at = time.monotonic()
        with contextlib.suppress(errors.ServiceUnavailable):
            return not self.agent.conductor.is_step_current(self.ctx, self.operation_id, self.number)
        return False

    def rebuild(self) -> dict:
        """A new disk of the server's image, its ports, and its volumes beside those of its former host. The guest is not started.
        """
        files = self.agent.image_files(self.instance)
        self.check()
        self.remove()  # of the time before the server left this host
        self.agent.driver.prepare_disk(self.instance, files)
        return {"attachments": self._connected()[2]}

    def _connected(self) -> tuple[list, list, dict]:
        """(ports, volumes as for the driver, {volume id: attachment id}) of the server, all of them on this host."""
        agent, instance = self.agent, self.instance
        ports = agent.ports.move(instance, check=self.check, multiqueue=has_queues(instance), as_read=self._ports)
        agent.forget_ports(instance, ports)
        volumes, attachments = self.attached_beside()
        return ports, volumes, attachments

    def start(self) -> dict:
        """The guest with its ports and volumes, running if it ran before."""
        agent = self.agent
        ports, volumes, attachments = self._connected()
        self._spawn(ports, volumes)
        for attachment_id in attachments.values():
            agent.volumes.complete(attachment_id)
        return {"attachments": attachments, "power_state": agent.driver.power_states().get(self.uuid, NOSTATE)}

    def keep(self) -> dict:
        """Instead of ``stop`` and ``receive``, of a server that is resized on its own host."""
        self.stop()
        self.agent.driver.keep_disks(self.uuid, self.data["migration"], self._unwanted)
        return {}

    def unkeep(self) -> dict:
        """Undo ``keep``, and whatever was done to the disks since."""
        self._restore()
        self.drop()
        return self.start()

    def start_resized(self) -> dict:
        """``start`` on the same host, with disks of the new flavor."""
        self.agent.driver.resize_disks(self.instance)
        return self.start()

    def _restore(self) -> None:
        self.agent.driver.destroy(self.uuid)
        self.agent.driver.restore_disks(self.uuid, self.data["migration"])

    def restart(self) -> dict:
        """Instead of ``start``, for the revert of a resize on the same host: with the disks that were kept."""
        self._restore()
        return self.start()

    def unrestore(self) -> dict:
        """Undo ``restart``."""
        self.agent.driver.destroy(self.uuid)
        self.agent.driver.unrestore_disks(self.uuid, self.data["migration"])
        return {}

    def drop(self) -> dict:
        self.agent.driver.drop_kept_disks(self.uuid)
        return {}

    def remove_kept(self) -> dict:
        """As ``drop``, after an operator's reset of the state, which may have ended a revert anywhere."""
        if self.agent.driver.power_states().get(self.uuid) in (None, SHUTDOWN):
            self.agent.driver.unrestore_disks(self.uuid, self.data["migration"])
        return self.drop()

    def attached_beside(self) -> tuple[list, dict]:
        """Attach the server's volumes to this host, beside the other; returns them, and {volume id: attachment id}."""
        volumes, attachments = [], {}
        for device in self.instance["block_devices"]:
            if device["attachment_id"]:
                attachment_id, info = self.agent.volumes.connect_beside(
                    self.uuid, device["volume_id"], device["device_name"], former=device["attachment_id"], check=self.check)
                attachments[device["volume_id"]] = attachment_id
                volumes.append({**{k: device[k] for k in ("volume_id", "device_name", "boot_index")}, "info": info})
        return volumes, attachments

    def halt(self) -> dict:
        """Stop the guest for good. One that is paused or suspended goes on first, so that it can write what it has in memory."""
        driver, power = self.agent.driver, self.agent.driver.power_states().get(self.uuid)
        if power == PAUSED:
            driver.unpause(self.uuid)
        elif power == SHUTDOWN and self.data["vm_state"] == SUSPENDED:
            self.agent.refresh_volumes(self.instance)
            driver.power_on(self.uuid)
        return self.stop()

    def _image_file(self):
        return self.agent.outgoing / self.data["image_id"]

    def extract(self) -> dict:
        """Copy the guest's root disk to a file of its own."""
        self.agent.driver.snapshot(self.uuid, str(self._image_file()))
        return {}

    def upload(self) -> dict:
        """Make that file the data of an image."""
        self._attended(lambda work: images.send(self.agent.rest, self.data["image_id"], self._image_file(), work))
        return self.discard()

    def discard(self) -> dict:
        self._image_file().unlink(missing_ok=True)
        return {}

    def build(self, *, first_boot: bool = False) -> dict:
        """The guest of a server that no host has: of its image, with its ports and the volumes that are reserved for it."""
        self.agent.driver.prepare_disk(self.instance, self.agent.image_files(self.instance))
        return self.reconnect(first_boot=first_boot)

    def rebuild_volume(self) -> dict:
        """The guest of a server whose root volume has got an image: with new local disks."""
        self.remove()
        return self.build(first_boot=True)

    def reconnect(self, *, first_boot: bool = False) -> dict:
        """The guest, with its ports and the volumes that are reserved for it."""
        agent, instance = self.agent, self.instance
        ports = agent.ports.move(instance, check=self.check, multiqueue=has_queues(instance))
        agent.forget_ports(instance, ports)
        volumes, devices = [], [device for device in instance["block_devices"] if device["attachment_id"]]
        for device in devices:
            self.check()
            info = agent.volumes.info(device["attachment_id"], device["device_name"])
            volumes.append({**{k: device[k] for k in ("volume_id", "device_name", "boot_index")}, "info": info})
        self._spawn(ports, volumes, first_boot=first_boot)
        for device in devices:
            agent.volumes.complete(device["attachment_id"])
        return {"power_state": agent.driver.power_states().get(self.uuid, NOSTATE)}

    def _spawn(self, ports: list, volumes: list, *, first_boot: bool = False) -> None:
        drive = self.agent.config_drive(self.instance, first_boot=first_boot)
        self.check()
        self.agent.driver.spawn(self.instance, ports, volumes, drive, running=self.data["vm_state"] == ACTIVE)

    def destroy(self) -> dict:
        self.agent.driver.destroy(self.uuid)
        return {}

    def remove(self) -> dict:
        self.agent.driver.destroy(self.uuid)
        self.agent.driver.remove_files(self.uuid)
        return {}


def _step_of_target(agent, ctx, uuid: str, operation_id: str, number: int) -> dict:
    """The step for which another host asks for disks, as ``OperationStep``.

    It is read when nothing that began before the operation is under way here any more; what begins later sees the operation.
    """
    busy = errors.ServiceUnavailable(part=f"host {agent.conf.host}, which still works on instance {uuid}")
    if agent.lock(uuid).locked():
        raise busy
    settled = agent.settle(uuid)
    work = agent.conductor.begin_operation_step(ctx, operation_id, number)
    step = work["step"] if work and work["uuid"] == uuid and work["data"]["source"] == agent.conf.host else None
    if step not in ("receive", "prepare_live"):
        raise errors.StepFailed(reason=f"No host is to fetch the disk of instance {uuid} now.")
    if step == "prepare_live" and not settled:  # its guest would be described in the middle of a change
        raise busy
    return work


def offer_disks(agent, ctx, uuid: str, operation_id: str, number: int) -> dict:
    """What another host needs to fetch a guest's disks from this one, as ``OfferedDisks``.

    ``disks`` is what ``driver.export_disks`` says, with the names of files in place of their paths.

    :raises StepFailed: this host is not asked for by an operation that is at that step, or the guest runs
    :raises ServiceUnavailable: this host still works on the server, as it was asked to before the operation began
    """
    work, last = None, agent.last_steps.get(uuid)
    if last is None or last.step != "stop" or not last.is_before(operation_id, number):
        work = _step_of_target(agent, ctx, uuid, operation_id, number)
    live = False
    if work and work["step"] == "prepare_live":
        live, described = True, {**agent.driver.describe_guest(uuid), "takes_over": True,
                                 "ports": [port["id"] for port in work["instance"]["network_info"]]}
    else:
        described = {"disks": agent.driver.export_disks(uuid)}
    disks, files = described["disks"], {}
    for part in CACHED:
        if disks.get(part):
            name = disks[part].rpartition("/")[2]
            if not _NAME.fullmatch(name):
                raise errors.StepFailed(reason="The server's disk is based on a file of an older release; rebuild it first.")
            files[name], disks[part] = disks[part], name
    if disks["disk"]:
        if not live:
            files[DISK] = disks["disk"]
        disks["disk"] = DISK
    for number, path in enumerate(disks["local"]):
        name = path.rpartition("/")[2]
        if not live:
            files[name] = path
        disks["local"][number] = name
    if described.get("config_drive"):
        files[CONFIG], described["config_drive"] = described["config_drive"], True
    elif live:
        described["config_drive"] = False
    sizes = {name: os.path.getsize(path) for name, path in files.items()}
    return {**described, "sizes": sizes, "offer": transfer.Offer(agent.conf.my_ip, files).described}
