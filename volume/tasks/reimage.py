"""Write an image over what a volume has."""

import logging

from common import errors, units
from common.rest import path
from volume.db import reimages, volumes
from volume.tasks import VolumeTask
from volume.tasks.images import downloaded

LOG = logging.getLogger(__name__)
_VERSION = {"OpenStack-API-Version": "compute 2.93"}
_NOTIFY_TIMEOUT_S = 10


class ReimageVolume(VolumeTask):
    """State: {"volume_id", "project_id", "image_id"}. After a crash it continues: its steps may be repeated.

    The volume loses what it had when the image has been downloaded and inspected. If it cannot be written afterwards, the volume
    is in error, and the request may be repeated.
    """

    name, on_crash = "reimage-volume", "resume"
    queries, key, failure = volumes, "volume_id", "reimage_failed"
    steps = ("fill", "publish", "announce")

    def still_current(self, state):
        with self.service.db.reader() as connection:
            return reimages.find(connection, state["volume_id"], state["image_id"]) is not None

    def fill(self, state):
        if not self.service.driver.keeps_bytes:
            return
        with downloaded(self.service, state) as (source, image):
            if not self.still_current(state):
                raise errors.Superseded()
            self.service.driver.refill(state["volume_id"], source, image["disk_format"])

    def publish(self, state):
        row = self.service.db.transact(reimages.finish, state["volume_id"], state["image_id"])
        if row is not None:
            self.service.notify("volume.reimage.end", row)

    def announce(self, state):
        """The compute service learns it from the volume too, so that nothing is lost if it does not answer now."""
        with self.service.db.reader() as connection:
            servers = reimages.servers(connection, state["volume_id"])
        events = [{"name": "volume-reimaged", "server_uuid": uuid, "tag": state["volume_id"]} for uuid in servers]
        try:
            if events:
                self.service.rest.request("POST", "compute", path("/v2.1/os-server-external-events"), body={"events": events},
                                          headers=_VERSION, timeout_s=_NOTIFY_TIMEOUT_S)
        except errors.Error as error:
            LOG.info("the compute service was not told that volume %s has its new image: %s", state["volume_id"], error)

    @units.unit
    def failed(self, step, error, state):
        with self.service.db.writer():  # so that the row stays locked
            if self.still_current(state):
                super().failed(step, error, state)
                LOG.error("volume %s has not got image %s: %s", state["volume_id"], state["image_id"], error)
