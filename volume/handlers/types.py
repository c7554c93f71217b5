"""Volume types, which select backends."""

from common import context, wsgi
from volume.handlers import lists
from volume.schemas import types as schemas
from volume.services import types

_COLUMNS = ("id", "name", "description", "is_public")


def _view(req, row: dict) -> dict:
    shown = {name: row[name] for name in _COLUMNS}
    if req.svc.policy.allows(req.ctx, "volume_extension:access_types_extra_specs"):
        shown["extra_specs"] = types.shown_specs(req.call, row)
    if req.svc.policy.allows(req.ctx, "volume_extension:access_types_qos_specs_id"):
        shown["qos_specs_id"] = None
    return {**shown, **_access(req, row)}


def _access(req, row: dict) -> dict:
    allowed = req.svc.policy.allows(req.ctx, "volume_extension:volume_type_access")
    return {"os-volume-type-access:is_public": row["is_public"]} if allowed else {}


def index(req):
    found, limit = types.page(req.call, lists.query(req))
    return {"volume_types": [_view(req, r) for r in found], **lists.more(req, "volume_type", found, limit)}


def show(req, id):
    row = types.show(req.call, id)
    return {"volume_type": _view(req, row)}


def default(req):
    row = types.default(req.call)
    return {"volume_type": _view(req, row)}


def _whole(row: dict) -> dict:
    """The view for callers who may create and change types."""
    return {name: row[name] for name in (*_COLUMNS, "extra_specs")}


@wsgi.body(schemas.CREATE)
def create(req, body):
    given = body["volume_type"]
    public = given.get("os-volume-type-access:is_public", given.get("is_public", True))
    row = {"id": context.new_uuid(), "name": given["name"], "description": given.get("description"),
           "is_public": wsgi.bool_value(public), "extra_specs": given.get("extra_specs", {})}
    types.create(req.call, row)
    return {"volume_type": {**_whole(row), **_access(req, row)}}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    values = {k: v for k, v in body["volume_type"].items() if k in ("name", "description", "is_public")}
    if "is_public" in values:
        values["is_public"] = wsgi.bool_value(values["is_public"])
    row = types.update(req.call, id, values)
    return {"volume_type": _whole(row)}


def delete(req, id):
    types.delete(req.call, id)
