"""The scheduler and the conductor in the list of services. They use the database, so they report to it themselves."""

import sqlalchemy as sa

from common import context, db, periodic
from conductor.db import models
from conductor.db.aggregates import INTERNAL_ZONE

TABLE = models.services


def announce(connection, binary: str, host: str, rpc_version: str) -> None:
    """A service is up."""
    values = {"updated_at": db.now(), "rpc_version": rpc_version}
    if not connection.execute(sa.update(TABLE).where(TABLE.c.binary == binary, TABLE.c.host == host).values(values)).rowcount:
        connection.execute(sa.insert(TABLE).values(id=context.new_uuid(), binary=binary, host=host, disabled=False,
                                                   forced_down=False, zone=INTERNAL_ZONE, **values))


class Announcement(periodic.Heartbeat):
    """:param binary: the service's name in OpenStack"""

    def __init__(self, service, binary: str):
        super().__init__(float(service.conf.report_interval))
        self.service, self.binary = service, binary

    def beat(self) -> None:
        self.service.db.transact(announce, self.binary, self.service.conf.host, self.service.interface.version)
