"""The exports of a host's volumes: recreates those that were lost when tgtd was restarted."""

import logging
import time

import sqlalchemy as sa

from common import periodic, rows
from volume.db import models, volumes
from volume.secrets import opened, sealed

LOG = logging.getLogger(__name__)
TABLE = models.attachments
# Time for which a deleted attachment is remembered: its row is deleted shortly after its export.
ENDED_S = 600.0


class Exports(periodic.Periodic):
    """Recreates missing exports and accounts: tgtd forgets its targets when it is restarted, and an interrupted removal of one
    attachment may leave others of the volume without access.

    An attachment's row is deleted after its export. Attachments being deleted are remembered, so that they are not exported
    again.
    """

    interval_s = 5.0

    def __init__(self, service):
        self.service = service
        self._ended: dict[str, float] = {}  # {attachment id: time}

    def connect(self, volume_id: str, attachment_id: str, connector: dict) -> dict:
        """Export a volume for an attachment; returns the connection info with its secret encrypted. Repeatable."""
        self._ended.pop(attachment_id, None)
        with self.service.db.reader() as connection:
            known = connection.execute(sa.select(TABLE.c.connection_info).where(TABLE.c.id == attachment_id)).scalar() or {}
        vault = self.service.vault
        return sealed(vault, self.service.driver.connect(volume_id, attachment_id, connector, opened(vault, known)))

    def disconnect(self, volume_id: str, attachment_id: str) -> None:
        """End an attachment's export. Repeatable."""
        self._ended[attachment_id] = time.monotonic()
        with self.service.db.reader() as connection:
            held = {a["id"]: a for a in rows.select(connection, TABLE, volume_id=volume_id)}
        initiator = held.pop(attachment_id, {}).get("connector", {}).get("initiator")
        shared = initiator in [a["connector"].get("initiator") for a in held.values()]
        others = [a["id"] for a in held.values() if a["connection_info"] and a["id"] not in self._ended]
        self.service.driver.disconnect(volume_id, attachment_id, None if shared else initiator, others)

    def run_once(self) -> None:
        v = volumes.TABLE
        with self.service.db.reader() as connection:
            wanted = rows.many(connection, sa.select(TABLE).join(v, v.c.id == TABLE.c.volume_id).where(
                v.c.host == self.service.conf.host))
        admitted = self.service.driver.admitted()
        for row in wanted:
            if row["connection_info"] and row["id"] not in admitted.get(row["volume_id"], ()) and row["id"] not in self._ended:
                try:
                    self._restore(row)
                except Exception as error:  # loop boundary: one missing volume must not affect the others
                    LOG.error("the lost export of volume %s could not be recreated: %s", row["volume_id"], error)
        for attachment_id in [i for i, at in list(self._ended.items()) if time.monotonic() - at > ENDED_S]:
            self._ended.pop(attachment_id, None)

    def _restore(self, attachment: dict) -> None:
        driver, volume_id = self.service.driver, attachment["volume_id"]
        driver.connect(volume_id, attachment["id"], attachment["connector"],
                       opened(self.service.vault, attachment["connection_info"]))
        with self.service.db.reader() as connection:
            there = connection.execute(sa.select(TABLE.c.id).where(TABLE.c.id == attachment["id"])).first()
        if there is None or attachment["id"] in self._ended:  # it is being deleted
            self.disconnect(volume_id, attachment["id"])
        else:
            LOG.warning("recreated the lost export of volume %s", volume_id)
