"""Compute services: list, enable, disable, force down, delete."""

from common import errors, rows
from common.calls import Call
from conductor.db import aggregates, models

TABLE = models.services


def index(call: Call, wanted):
    with call.svc.db.reader() as connection:
        return aggregates.services(connection, call.svc.conf.compute.default_availability_zone, **wanted)


def _find(connection, id: str) -> dict:
    for row in rows.select(connection, TABLE):
        if id in (row["id"], str(int(row["id"][:7], 16))):
            return row
    raise errors.NotFound(f"Service {id} could not be found.")


def update(call: Call, id: str, values: dict) -> dict:
    """The service as it is then, with its ``zone``."""
    with call.svc.db.writer() as connection:
        row = _find(connection, id)
        rows.update(connection, TABLE, row["id"], values, resource="Service")
        (changed,) = aggregates.services(connection, call.svc.conf.compute.default_availability_zone, id=row["id"])
    return changed


def legacy_update(call: Call, values: dict, body: dict) -> None:
    with call.svc.db.writer() as connection:
        if not rows.update_where(connection, TABLE, values, host=body["host"], binary=body["binary"]):
            raise errors.NotFound(f"Could not find binary {body['binary']} on host {body['host']}.")


def delete(call: Call, id: str) -> None:
    call.svc.policy.check(call.ctx, "os_compute_api:os-services:delete", {})
    with call.svc.db.writer() as connection:
        row = _find(connection, id)
        if row["binary"] == "nova-compute":
            if rows.exists(connection, models.instances, host=row["host"]):
                raise errors.Conflict("Unable to delete compute service that is hosting instances. Migrate or delete "
                                      "the instances first.")
            aggregates.remove_host(connection, row["host"])
            rows.delete_where(connection, models.compute_nodes, host=row["host"])
        rows.delete(connection, TABLE, row["id"], resource="Service")
