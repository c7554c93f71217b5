"""Volume services, zones, pools."""

from common import errors, rows
from common.calls import Call
from volume.db import models

TABLE = models.services


def index(call: Call):
    call.svc.policy.check(call.ctx, "volume_extension:services:index")
    with call.svc.db.reader() as connection:
        return sorted(rows.select(connection, TABLE, order_by="host"), key=lambda r: r["binary"])


def update(call: Call, name: str, binary: str, *, disabled: bool, reason: str | None) -> None:
    """:param name: the service's host as the API shows it, which may include its backend"""
    host = name.split("@")[0]
    with call.svc.db.writer() as connection:
        values = {"disabled": disabled, "disabled_reason": reason}
        if not rows.update_where(connection, TABLE, values, host=host, binary=binary):
            raise errors.NotFound(f"Service {binary} on host {name} could not be found.")


def pools(call: Call):
    call.svc.policy.check(call.ctx, "scheduler_extension:scheduler_stats:get_pools", {})
    with call.svc.db.reader() as connection:
        return rows.select(connection, TABLE, order_by="host", binary="cinder-volume")
