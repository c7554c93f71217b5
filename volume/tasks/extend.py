"""Extend a volume: first in its backend, then in the server that uses it."""

import logging

import sqlalchemy as sa

from common import db, errors, rows, units
from common.rest import path
from volume.db import extensions, models, volumes
from volume.tasks import VolumeTask

LOG = logging.getLogger(__name__)
_VERSION = {"OpenStack-API-Version": "compute 2.51"}
NOTIFY_TIMEOUT_S = 10


class ExtendVolume(VolumeTask):
    """State: {"volume_id", "size_gb"}. After a crash it continues: extending to the same size again changes nothing.

    A volume in use stays ``extending`` after this task, until the compute service reports that the guest sees the new
    size (os-extend_volume_completion). Until then the scheduler's reconciler repeats the task, which notifies the
    compute service again, for ``extend_timeout_s`` at most.
    """

    name, on_crash, retry_s = "extend-volume", "resume", 5.0
    queries, key = volumes, "volume_id"
    steps = ("grow", "announce")

    def still_current(self, state):
        return self.status(state) == "extending"

    def grow(self, state):
        self.service.driver.extend(state["volume_id"], state["size_gb"])
        self.service.db.transact(extensions.grown, state["volume_id"], state["size_gb"])

    def announce(self, state):
        row, server = self._row_and_server(state["volume_id"])
        if row is None or row["status"] != "extending":
            return
        fault = None
        if server is not None:
            waited = (db.now() - row["updated_at"]).total_seconds()
            if waited <= self.service.conf.volume.extend_timeout_s and self._notify_compute(server, state["volume_id"]):
                return  # its host will confirm the new size
            if waited > self.service.conf.volume.extend_timeout_s:
                fault = f"Server {server} has not confirmed the new size; it sees the new size when it is next started."
                LOG.warning("volume %s: %s", state["volume_id"], fault)
        if self.service.db.transact(extensions.settle, state["volume_id"], fault=fault):
            LOG.info("volume %s now has %d GiB", state["volume_id"], state["size_gb"])
            self.service.notify("volume.resize.end", {**row, "status": "in-use" if server else "available"})

    def _row_and_server(self, volume_id: str) -> tuple[dict | None, str | None]:
        """The volume, and the server that uses it through an export. On its way to another host it may have one more, or a
        reservation."""
        v, a = models.volumes, models.attachments
        with self.service.db.reader() as connection:
            row = rows.one(connection, sa.select(v).where(v.c.id == volume_id))
            held = rows.select(connection, a, volume_id=volume_id)
        return row, next((each["instance_uuid"] for each in held if each["connection_info"]), None)

    def _notify_compute(self, server: str, volume_id: str) -> bool:
        """Whether the compute service accepted the event; False if there is no such server, or it has no host.

        :raises ServiceUnavailable: the compute service does not respond
        """
        event = {"name": "volume-extended", "server_uuid": server, "tag": volume_id}
        answer = self.service.rest.request("POST", "compute", path("/v2.1/os-server-external-events"),
                                           body={"events": [event]}, headers=_VERSION, timeout_s=NOTIFY_TIMEOUT_S)
        return answer["events"][0]["code"] == 200

    @units.unit
    def failed(self, step, error, state):
        """After the backend has extended the volume, the extension is not abandoned: the reconciler continues it."""
        if not isinstance(error, errors.Superseded) and self.service.db.transact(
                extensions.give_up, state["volume_id"], str(error)):
            LOG.error("volume %s could not be extended to %d GiB: %s", state["volume_id"], state["size_gb"], error)
