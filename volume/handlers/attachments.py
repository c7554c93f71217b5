"""Attachments: reserve a volume, connect it to a host, mark it as in use, disconnect it."""

from common import db, errors, wsgi
from common.vault import open_chap
from volume.handlers import lists
from volume.schemas import attachments as schemas
from volume.services import attachments


def _view(req, row: dict, *, secrets: bool) -> dict:
    return {"id": row["id"], "volume_id": row["volume_id"], "instance": row["instance_uuid"],
            "status": row["attach_status"], "attach_mode": row["attach_mode"],
            "attached_at": db.iso(row["attached_at"], zulu=False, micro=True) or "", "detached_at": "",
            "connection_info": {**open_chap(req.svc.vault, row["connection_info"].get("data", {})),
                                "driver_volume_type": row["connection_info"].get("driver_volume_type")}
            if secrets and row["connection_info"] else {}}


def _shown(req, row: dict) -> dict:
    return {"attachment": _view(req, row, secrets=attachments.trusted(req.call))}


def index(req):
    found = attachments.page(req.call, lists.query(req))
    if "detail" in req.path:
        return {"attachments": [_view(req, r, secrets=False) for r in found]}
    return {"attachments": [{"id": r["id"], "volume_id": r["volume_id"], "instance": r["instance_uuid"],
                             "status": r["attach_status"]} for r in found]}


def show(req, id):
    return _shown(req, attachments.show(req.call, id))


@wsgi.body(schemas.CREATE)
def create(req, body):
    given = body["attachment"]
    if "mode" in given and req.version < (3, 54):
        raise errors.BadRequest("Additional properties are not allowed ('mode' was unexpected)")
    return _shown(req, attachments.create(req.call, given))


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    return _shown(req, attachments.update(req.call, id, body["attachment"]["connector"]))


@wsgi.body(schemas.COMPLETE)
def complete(req, id, body):
    attachments.complete(req.call, id)


def delete(req, id):
    attachments.delete(req.call, id)
    return {"attachments": []}
