"""Availability zones: the metadata of aggregates says which hosts are in which."""

from common import db
from compute_api.services import zones
from conductor.db import hosts
from conductor.db.aggregates import INTERNAL_ZONE


def _unusable(found: list[dict], usable: set[str]) -> list[dict]:
    names = {row["zone"] for row in found} - usable
    return [{"zoneName": name, "zoneState": {"available": False}, "hosts": None} for name in sorted(names - {INTERNAL_ZONE})]


def index(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-availability-zone:list", {})
    found = zones.services(req.call)
    usable = zones.usable(found)
    return {"availabilityZoneInfo": [
        *({"zoneName": name, "zoneState": {"available": True}, "hosts": None} for name in sorted(usable - {INTERNAL_ZONE})),
        *_unusable(found, usable)]}


def detail(req):
    """Of the zones that are available with the services in them; those that are disabled are not shown."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-availability-zone:detail", {})
    found = zones.services(req.call)
    usable: dict[str, dict] = {name: {} for name in sorted(zones.usable(found))}
    for row in found:
        if not row["disabled"]:
            usable[row["zone"]].setdefault(row["host"], {})[row["binary"]] = {
                "available": hosts.is_up(row, req.svc.conf.service_down_time), "active": True,
                "updated_at": db.iso(row["updated_at"], zulu=False, micro=True)}
    return {"availabilityZoneInfo": [
        *({"zoneName": name, "zoneState": {"available": True}, "hosts": by_host} for name, by_host in usable.items()),
        *_unusable(found, set(usable))]}
