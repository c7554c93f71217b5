"""What a host does for operations that other hosts have a part in. Each step may be done again; the conductor says when.

A step begins only if the conductor says that it is wanted still, and asks again before it changes what another host could
change too: a host that was cut off for a while does no harm when it is back.
"""

import functools
import logging
import re

from common import errors
from common.server_states import ACTIVE, NOSTATE
from compute_agent import transfer

LOG = logging.getLogger(__name__)
SHUTDOWN_S = 60.0
DISK = "disk"
CACHED = ("base", "kernel", "ramdisk")  # what a disk needs of its host's image cache
_NAME = re.compile(r"[a-z0-9]+-[0-9a-f]+\.[a-z0-9]+")


class HostSteps:
    """The steps of one operation.

    :param work: what ``ConductorAPI.begin_operation_step`` answered
    """

    def __init__(self, agent, ctx, operation_id: str, number: int, work: dict):
        self.agent, self.ctx, self.operation_id, self.number = agent, ctx, operation_id, number
        self.uuid, self.attempt, self.data, self.instance = (work[n] for n in ("uuid", "attempt", "data", "instance"))

    def check(self) -> None:
        """:raises Superseded: the step is not wanted any more"""
        if self.agent.conductor.begin_operation_step(self.ctx, self.operation_id, self.number) is None:
            raise errors.Superseded()

    def _stopping(self) -> bool:
        return self.agent.cancelled(self.uuid)

    def stop(self) -> dict:
        if self.uuid in self.agent.driver.power_states():
            self.agent.driver.power_off(self.uuid, timeout_s=SHUTDOWN_S, hurry=self._stopping)
        return {}

    def receive(self) -> dict:
        """Fetch the guest's disk, and what it is based on, from the host that has it."""
        offered = self.agent.peers.offer_disks(self.ctx, self.data["source"], self.uuid, self.operation_id, self.number)
        disks, offer = offered["disks"], offered["offer"]
        target = self.agent.driver.begin_import(self.instance)
        cached = {}
        for part in CACHED:
            name = disks.get(part)
            if name:
                cached[part] = self.agent.images.adopt(name, functools.partial(self._fetch, offer, name))
        if disks["disk"]:
            self._fetch(offer, DISK, target)
        self.agent.driver.import_disks(self.instance, disks, cached)
        return {}

    def _fetch(self, offer: dict, name: str, path) -> None:
        transfer.fetch(offer, name, path)
        if self._stopping():
            raise errors.Superseded()

    def start(self) -> dict:
        """The guest with its ports and volumes, running if it ran before."""
        agent, instance = self.agent, self.instance
        ports = agent.ports.move(instance["network_info"], check=self.check)
        volumes, attachments = [], {}
        for device in instance["block_devices"]:
            if device["attachment_id"]:
                attachment_id, info = agent.volumes.connect_beside(self.uuid, device["volume_id"], device["device_name"],
                                                                   check=self.check)
                attachments[device["volume_id"]] = attachment_id
                volumes.append({**{k: device[k] for k in ("volume_id", "device_name", "boot_index")}, "info": info})
        drive = agent.config_drive(instance) if instance["config_drive"] else None
        self.check()
        agent.driver.spawn(instance, ports, volumes, drive, running=self.data["vm_state"] == ACTIVE)
        for attachment_id in attachments.values():
            agent.volumes.complete(attachment_id)
        return {"attachments": attachments, "power_state": agent.driver.power_states().get(self.uuid, NOSTATE)}

    def destroy(self) -> dict:
        self.agent.driver.destroy(self.uuid)
        return {}

    def remove(self) -> dict:
        self.agent.driver.destroy(self.uuid)
        self.agent.driver.remove_files(self.uuid)
        return {}


def offer_disks(agent, ctx, uuid: str, operation_id: str, number: int) -> dict:
    """What another host needs to fetch a guest's disks from this one: {"disks", "offer"}.

    ``disks`` is what ``driver.export_disks`` says, with the names of files in place of their paths.

    :raises StepFailed: this host is not asked for by an operation that is at that step, or the guest runs
    """
    work = agent.conductor.begin_operation_step(ctx, operation_id, number)
    if work is None or work["uuid"] != uuid or work["step"] != "receive" or work["data"]["source"] != agent.conf.host:
        raise errors.StepFailed(reason=f"No host is to fetch the disk of instance {uuid} now.")
    disks, files = agent.driver.export_disks(uuid), {}
    for part in CACHED:
        if disks.get(part):
            name = disks[part].rpartition("/")[2]
            if not _NAME.fullmatch(name):
                raise errors.StepFailed(reason="The server's disk is based on a file of an older release; rebuild it first.")
            files[name], disks[part] = disks[part], name
    if disks["disk"]:
        files[DISK], disks["disk"] = disks["disk"], DISK
    return {"disks": disks, "offer": transfer.Offer(agent.conf.my_ip, files).described}
