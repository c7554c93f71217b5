"""Rescue: the guest runs from another image, with its own disk beside it, so that its owner can mend that."""

import secrets

from common import errors, rows, schema, wsgi
from compute_api import access, images
from compute_api.handlers import power
from conductor.db import models

_RULE = "os_compute_api:os-rescue"
SCHEMA = {"oneOf": [schema.obj({"adminPass": {"type": "string", "minLength": 1, "maxLength": 255},
                                "rescue_image_ref": {"type": "string", "minLength": 1, "maxLength": 255}}),
                    {"type": "null"}]}


def rescue(req, id, arguments):
    given = arguments or {}
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, _RULE)
    if not row["image_meta"]:
        raise errors.BadRequest(f"Instance {id} cannot be rescued: Cannot rescue a volume-backed instance")
    image = images.of(req, given["rescue_image_ref"], row["flavor"]) if "rescue_image_ref" in given else row["image_meta"]
    with req.svc.db.writer() as connection:
        power.begin(req, connection, id, _RULE, "rescue", "rescue")
        rows.update_where(connection, models.instances, {"rescue_image": image}, uuid=id)
    power.send(req, row, "rescue")
    return wsgi.json_response({"adminPass": given.get("adminPass") or secrets.token_urlsafe(9)}, 200)
