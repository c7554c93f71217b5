"""Snapshots of attached volumes by the hypervisor, which volume drivers with qcow2 files ask for.

Volumes of this cloud are exported as raw disks, whose snapshots the volume service makes itself. So the hypervisor cannot make
one: the request is checked as OpenStack does, and the snapshot's status becomes that of a failure, as of Nova's libvirt driver.
"""

import logging

import sqlalchemy as sa

from common import errors, rows
from common.calls import Call
from common.rest import path
from compute_api import access
from conductor.db import models

LOG = logging.getLogger(__name__)


def _check_attached(call: Call, volume_id: str) -> None:
    """:raises BadRequest: the volume is not attached to a server that is ready and idle"""
    devices, servers = models.block_devices, models.instances
    with call.svc.db.reader() as connection:
        row = rows.one(connection, sa.select(servers.c.uuid, servers.c.host, servers.c.task_state).join(
            devices, devices.c.instance_uuid == servers.c.uuid).where(devices.c.volume_id == volume_id))
    if row is None:
        raise errors.BadRequest(f"No volume Block Device Mapping with id {volume_id}.")
    if row["host"] is None:
        raise errors.BadRequest(f"Instance {row['uuid']} is not ready")
    if row["task_state"] is not None:
        raise errors.BadRequest(f"Instance {row['uuid']} in task_state {row['task_state']}. Cannot snapshot its volume while the "
                                "instance is in this state.")


def _tell_failure(call: Call, snapshot_id: str, status: str) -> None:
    LOG.warning("snapshot %s is of a volume that is exported as a raw disk: the hypervisor cannot make or delete it", snapshot_id)
    try:
        call.svc.rest.request("POST", "volume", path("/v3/snapshots/{id}/action", snapshot_id), ctx=call.ctx,
                              body={"os-update_snapshot_status": {"status": status}})
    except errors.Error as error:
        LOG.info("the volume service does not take the status of snapshot %s: %s", snapshot_id, error)


def create(call: Call, volume_id: str, snapshot_id: str) -> None:
    """:raises BadRequest: the volume is not attached, or its server is busy"""
    access.check(call, "os_compute_api:os-assisted-volume-snapshots:create")
    _check_attached(call, volume_id)
    _tell_failure(call, snapshot_id, "error")


def delete(call: Call, volume_id: str, snapshot_id: str) -> None:
    """:raises BadRequest: as ``create``"""
    access.check(call, "os_compute_api:os-assisted-volume-snapshots:delete")
    _check_attached(call, volume_id)
    _tell_failure(call, snapshot_id, "error_deleting")
