"""Availability zones, from the zones of the compute services."""

from common import rows
from common.calls import Call
from conductor.db import models

TABLE = models.services


def found(call: Call) -> list[dict]:
    with call.svc.db.reader() as connection:
        return rows.select(connection, TABLE, order_by="host")
