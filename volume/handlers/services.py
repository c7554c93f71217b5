"""Volume services, zones, pools."""

from common import db, errors, wsgi
from volume.schemas import services as schemas
from volume.services import services


def _alive(req, row) -> bool:
    return (db.now() - row["updated_at"]).total_seconds() < req.svc.conf.service_down_time


def index(req):
    found = services.index(req.call)
    wanted = {k: req.GET[k] for k in ("binary", "host") if k in req.GET}
    return {"services": [
        {"binary": r["binary"], "host": f"{r['host']}@pileus" if r["binary"] == "cinder-volume" else r["host"],
         "zone": r["zone"], "status": "disabled" if r["disabled"] else "enabled",
         "state": "up" if _alive(req, r) else "down", "disabled_reason": r["disabled_reason"],
         "updated_at": db.iso(r["updated_at"], zulu=False, micro=True), "replication_status": None, "frozen": False,
         "active_backend_id": None, **({"backend_state": "up" if _alive(req, r) else "down"} if req.version >= (3, 49)
                                       and r["binary"] == "cinder-volume" else {})} for r in found
        if all(r[k] == v.split("@")[0] for k, v in wanted.items())]}


@wsgi.body(schemas.BODY)
def update(req, action, body):
    req.svc.policy.check(req.ctx, "volume_extension:services:update", {})
    if action not in ("enable", "disable", "disable-log-reason"):
        raise errors.NotFound("Unknown action")
    disabled = action != "enable"
    binary = body.get("binary", "cinder-volume")
    reason = body.get("disabled_reason") if action == "disable-log-reason" else None
    services.update(req.call, body["host"], binary, disabled=disabled, reason=reason)
    return {"host": body["host"], "binary": binary, "service": binary, "disabled": disabled,
            "status": "disabled" if disabled else "enabled", **({"disabled_reason": reason} if reason else {})}


def zones(req):
    return {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]}


def extensions(req):
    """Always empty: the volume API has no optional extensions."""
    return {"extensions": []}


def pools(req):
    found = services.pools(req.call)
    detail = wsgi.bool_value(req.GET.get("detail", "false"))
    return {"pools": [{"name": f"{r['host']}@pileus#pileus", **({"capabilities": r["capabilities"]} if detail else {})}
                      for r in found]}
