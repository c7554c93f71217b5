"""Availability zones, from the zones of the compute services."""

from common import db
from compute_api.services import zones as services
from conductor.db import hosts


def index(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-availability-zone:list", {})
    zones: dict[str, bool] = {}
    for row in services.found(req.call):
        if row["binary"] == "nova-compute":
            zones[row["zone"]] = zones.get(row["zone"], False) or not row["disabled"]
    return {"availabilityZoneInfo": [{"zoneName": z, "zoneState": {"available": up}, "hosts": None}
                                     for z, up in sorted(zones.items())]}


def detail(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-availability-zone:detail", {})
    zones: dict[str, dict] = {}
    for row in services.found(req.call):
        up = hosts.is_up(row, req.svc.conf.service_down_time)
        zones.setdefault(row["zone"], {}).setdefault(row["host"], {})[row["binary"]] = {
            "available": up, "active": not row["disabled"], "updated_at": db.iso(row["updated_at"], zulu=False, micro=True)}
    return {"availabilityZoneInfo": [{"zoneName": z, "zoneState": {"available": True}, "hosts": found}
                                     for z, found in sorted(zones.items())]}
