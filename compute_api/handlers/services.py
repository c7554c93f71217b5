"""Compute services: list, enable, disable, force down, delete."""

from common import db, errors, wsgi
from compute_api import microversions
from compute_api.schemas import services as schemas
from compute_api.services import services
from conductor.db import hosts

_FILTERS = ("host", "binary")


def _view(req, row: dict) -> dict:
    shown = {"id": row["id"] if req.version >= (2, 53) else int(row["id"][:7], 16), "binary": row["binary"],
             "host": row["host"], "zone": row["zone"], "status": "disabled" if row["disabled"] else "enabled",
             "state": "up" if hosts.is_up(row, req.svc.conf.service_down_time) else "down",
             "updated_at": db.iso(row["updated_at"], zulu=False, micro=True), "disabled_reason": row["disabled_reason"]}
    if req.version >= (2, 11):
        shown["forced_down"] = row["forced_down"]
    return shown


def index(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-services:list", {})
    microversions.check_query(req.call, req.GET, _FILTERS)
    wanted = {k: v for k, v in req.GET.items() if k in _FILTERS}
    found = services.index(req.call, wanted)
    return {"services": [_view(req, r) for r in sorted(found, key=lambda r: r["binary"])]}


@wsgi.body(schemas.BODY)
def update(req, id, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-services:update", {})
    if not body or ("disabled_reason" in body and body.get("status") != "disabled"):
        raise errors.BadRequest("No updates were requested, or a reason without disabling.")
    values: dict = {}
    if "status" in body:
        values = {"disabled": body["status"] == "disabled", "disabled_reason": body.get("disabled_reason")}
    if "forced_down" in body:
        values["forced_down"] = wsgi.bool_value(body["forced_down"])
    row = services.update(req.call, id, values)
    return {"service": _view(req, row)}


@wsgi.body(schemas.LEGACY)
def legacy_update(req, id, body):
    action = id  # until 2.52 the last part of this path is a verb, afterwards the id of a service
    req.svc.policy.check(req.ctx, "os_compute_api:os-services:update", {})
    values = {"enable": {"disabled": False, "disabled_reason": None}, "disable": {"disabled": True},
              "disable-log-reason": {"disabled": True, "disabled_reason": body.get("disabled_reason")},
              "force-down": {"forced_down": wsgi.bool_value(body.get("forced_down", True))}}.get(action)
    if values is None or (action == "force-down" and req.version < (2, 11)):
        raise errors.NotFound("Unknown action")
    services.legacy_update(req.call, values, body)
    shown = {"host": body["host"], "binary": body["binary"]}
    if "disabled" in values:
        shown["status"] = "disabled" if values["disabled"] else "enabled"
    if action == "disable-log-reason":
        shown["disabled_reason"] = values["disabled_reason"]
    return {"service": {**shown, **({"forced_down": values["forced_down"]} if "forced_down" in values else {})}}


def delete(req, id):
    """Delete a service whose daemon is gone; refused while its host has servers."""
    services.delete(req.call, id)
