"""Shelving of servers, their removal from their hosts, and their return.

A shelved server is off, and an image has its disk. Once it is offloaded no host has anything of it: it keeps its ports, which are
bound to no host, and its volumes, which are reserved for it.
"""

import logging

from common import db, errors, server_resources
from common.server_states import (
    ACTIVE,
    SHELVED,
    SHELVED_OFFLOADED,
    SHELVING_PENDING,
    SHELVING_UPLOADING,
    SHUTDOWN,
    SPAWNING,
    STOPPED,
)
from conductor.db import actions, allocations, hosts, instances, machine, resizes, shelving
from conductor.operations import Job, Operation, Wait
from conductor.operations.reservations import reserve_anew

LOG = logging.getLogger(__name__)


def _leave(job: Job, host: str) -> dict:
    """Reserve the server's volumes anew and end all other attachments, so that a host that is late finds none, and unbind the
    server's ports from the host. A volume that was to be detached is free then: there is no host any more that could do it.
    Repeatable.

    :returns: {"attachments": {volume id: attachment id}, "gone": {device id: why its volume was not attached; None: it was to be
        detached}}
    :raises Superseded: the operation is not at this step any more
    """
    with job.service.db.reader() as connection:
        row = instances.find(connection, job.uuid)
    kept: dict[str, str] = {}
    gone: dict[str, str | None] = {}
    for device in row["block_devices"] if row else []:
        try:
            if device["requested_action"] == "detach":
                _free(job, device, gone, None)
            else:
                kept[device["volume_id"]] = reserve_anew(job, device["volume_id"], device["attachment_id"])
        except (errors.NotFound, errors.BadRequest) as error:
            if device["attachment_id"] is None:
                _free(job, device, gone, f"Volume {device['volume_id']} could not be attached: {error}")
            elif isinstance(error, errors.BadRequest):
                raise
            else:
                LOG.warning("volume %s of instance %s is gone", device["volume_id"], job.uuid)
    ports = server_resources.ports_of(job.service.rest, job.uuid)
    if row:
        _forget_ports(job, row, {port["id"] for port in ports})
    for port in ports:
        if port["binding:host_id"] == host:
            job.check()
            try:
                server_resources.bind_port(job.service.rest, port, "")
            except errors.PreconditionFailed as error:
                raise errors.Superseded() from error
    return {"attachments": kept, "gone": gone}


def _forget_ports(job: Job, row: dict, found: set[str]) -> None:
    """Have the server's row forget the ports that the host had given back, but could not say so."""
    for port in row["network_info"]:
        if port["id"] not in found:
            job.service.endpoint().interface_detached(job.ctx, job.uuid, port["id"], [], port.get("attach_id", ""))


def _free(job: Job, device: dict, gone: dict[str, str | None], reason: str | None) -> None:
    """The server is not to have a volume any more. :param gone: see ``_leave``"""
    found = server_resources.attachments_of(job.service.rest, job.uuid, volume_id=device["volume_id"])
    job.check()
    for each in found:
        server_resources.end_attachment(job.service.rest, each)
    LOG.info("volume %s is detached from instance %s, which leaves its host", device["volume_id"], job.uuid)
    gone[device["id"]] = reason


class Shelving(Operation):
    """Base of the operations below, which stop a server for good."""

    undoable: tuple[str, ...] = ("stop",)

    def stop(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["host"])

    def undo_stop(self, job: Job) -> Wait:
        """Starts the guest, if it was running."""
        return job.ask(job.data["host"])

    def failed(self, connection, job: Job, error: str) -> None:
        """A paused or suspended guest is off by now."""
        before = job.data["vm_state"]
        machine.fail(connection, job.uuid, job.data["action"], attempt=job.row["attempt"], fault=machine.fault(error),
                     vm_state=before if before in (ACTIVE, SHELVED) else STOPPED)
        actions.failed(connection, job.row["request_id"], job.uuid, error)


class Shelve(Shelving):
    kind = shelving.SHELVE
    steps = ("stop", "extract", "upload")
    undoable = steps
    host_steps = {"stop": "halt", "undo_stop": "start", "extract": "extract", "undo_extract": "discard", "upload": "upload"}
    notifications = ("shelve.end", "shelve.error")
    followed = True

    def record_stop(self, connection, job: Job) -> None:
        machine.advance(connection, job.uuid, "shelve", SHELVING_PENDING, job.row["attempt"])

    def extract(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["host"])

    def undo_extract(self, job: Job) -> Wait:
        return job.ask(job.data["host"])

    def record_extract(self, connection, job: Job) -> None:
        machine.advance(connection, job.uuid, "shelve", SHELVING_UPLOADING, job.row["attempt"])

    def upload(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["host"])

    def finished(self, connection, job: Job) -> None:
        machine.finish(connection, job.uuid, "shelve", attempt=job.row["attempt"], power_state=SHUTDOWN,
                       shelved_image_id=job.data["image_id"], shelved_at=db.now())
        if job.service.conf.compute.shelved_offload_time == 0:
            row = instances.find(connection, job.uuid)
            if row is not None:
                shelving.offload(connection, job.ctx, row)

    def failed(self, connection, job: Job, error: str) -> None:
        super().failed(connection, job, error)
        shelving.drop_image(connection, job.ctx, job.uuid, job.data["image_id"])

    def superseded(self, connection, job: Job) -> None:
        shelving.drop_image(connection, job.ctx, job.uuid, job.data["image_id"], job.data["host"])


class Offload(Shelving):
    """Also shelves servers that boot from a volume."""

    kind = shelving.OFFLOAD
    steps = ("stop", "remove", "disconnect")
    host_steps = {"stop": "halt", "undo_stop": "start", "remove": "remove"}
    notifications = ("shelve_offload.end", "shelve_offload.error")

    def stop(self, job: Job) -> Wait | None:  # type: ignore[override]
        """A shelved server is off already."""
        return super().stop(job) if job.data["action"] == "shelve" else None

    def remove(self, job: Job) -> Wait | dict:
        return job.ask_if_up(job.data["host"]) or {"left": True}

    def disconnect(self, job: Job) -> dict:
        return _leave(job, job.data["host"])

    def finished(self, connection, job: Job) -> None:
        shelving.reserved(connection, job.uuid, job.data["attachments"], job.data.get("gone", {}))
        allocations.release(connection, job.uuid)
        if job.data.get("left"):  # it was down: what it has is removed when it is back
            resizes.remove_from(connection, job.ctx, job.uuid, job.data["host"])
        since = {"shelved_at": db.now()} if job.data["action"] == "shelve" else {}
        machine.finish(connection, job.uuid, job.data["action"], attempt=job.row["attempt"], end=SHELVED_OFFLOADED, host=None,
                       power_state=SHUTDOWN, **since)


class Unshelving(Operation):
    """Base of the operations below."""

    notifications = ("unshelve.end", "unshelve.error")
    followed = True

    def finished(self, connection, job: Job) -> None:
        machine.finish(connection, job.uuid, "unshelve", attempt=job.row["attempt"], launched_at=db.now(),
                       power_state=job.data["power_state"])
        shelving.unshelved(connection, job.ctx, job.uuid)

    def failed(self, connection, job: Job, error: str) -> None:
        machine.fail(connection, job.uuid, "unshelve", attempt=job.row["attempt"], fault=machine.fault(error))
        actions.failed(connection, job.row["request_id"], job.uuid, error)


class StartShelved(Unshelving):
    """Of a server that is still on its host."""

    kind = shelving.START
    steps = undoable = ("start",)
    host_steps = {"start": "start", "undo_start": "stop"}

    def start(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["host"])

    def undo_start(self, job: Job) -> Wait:
        return job.ask(job.data["host"])


class Unshelve(Unshelving):
    """Of a server that no host has. ``claim`` writes its host, so that a deletion is asked from there."""

    kind = shelving.UNSHELVE
    steps = undoable = ("claim", "connect", "build")
    idle = ("connect",)  # the host connects the volumes when it builds the guest
    host_steps = {"build": "build", "undo_build": "remove"}
    columns = {"build": "new"}

    def claim(self, job: Job) -> dict:
        target = job.service.scheduler.claim_host(job.ctx, job.uuid, job.row["attempt"], job.data["requested_host"])
        if target is None:
            raise errors.Superseded()
        return {"target": target}

    def record_claim(self, connection, job: Job) -> None:
        machine.advance(connection, job.uuid, "unshelve", SPAWNING, job.row["attempt"])

    def record_undo_claim(self, connection, job: Job) -> None:
        """Reads the server's row, because the scheduler's answer may have been lost."""
        host = job.instance["host"] if job.instance else None
        allocations.release(connection, job.uuid)
        instances.write(connection, job.uuid, host=None)
        if host and job.data.get("left"):
            resizes.remove_from(connection, job.ctx, job.uuid, host)

    def undo_connect(self, job: Job) -> dict:
        return _leave(job, job.data["target"])

    def record_undo_connect(self, connection, job: Job) -> None:
        shelving.reserved(connection, job.uuid, job.data["attachments"], job.data.get("gone", {}))

    def build(self, job: Job) -> Wait:
        return job.ask_or_fail(job.data["target"])

    def undo_build(self, job: Job) -> Wait | dict:
        """Do not wait for a host that is down."""
        return job.ask_if_up(job.data["target"]) or {"left": True}


class DropImage(Operation):
    """Deletes the image of a server that is not shelved any more, or never was."""

    kind = shelving.DROP_IMAGE
    of_attempt = False
    steps = ("discard", "delete")
    host_steps = {"discard": "discard"}

    def is_current(self, job: Job) -> bool:
        return True

    def discard(self, job: Job) -> Wait | None:
        """The file that was to become the image. Nothing to do if the host was deleted."""
        host = job.data["host"]
        with job.service.db.reader() as connection:
            known = host is not None and hosts.is_known(connection, host)
        return job.ask(host) if known else None

    def delete(self, job: Job) -> None:
        """An image that its owner has protected stays."""
        try:
            server_resources.drop_image(job.service.rest, job.data["image_id"])
        except errors.Forbidden:
            return


class DeleteOffloaded(Operation):
    """Deletes a server that has no host, but ports or volumes."""

    kind = shelving.DELETE
    steps = ("delete",)

    def delete(self, job: Job) -> None:
        job.service.local_delete(job.ctx, job.uuid)


KINDS = (Shelve, Offload, StartShelved, Unshelve, DropImage, DeleteOffloaded)
