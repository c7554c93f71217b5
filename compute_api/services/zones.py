"""Availability zones, with the services in them."""

from common.calls import Call
from conductor.db import aggregates


def services(call: Call) -> list[dict]:
    """The services by host, each with its ``zone``."""
    with call.svc.db.reader() as connection:
        return aggregates.services(connection, call.svc.conf.compute.default_availability_zone)


def usable(found: list[dict]) -> set[str]:
    """The zones that have an enabled service."""
    return {row["zone"] for row in found if not row["disabled"]}
