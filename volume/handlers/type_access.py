"""Projects that may use a private volume type. They are not looked up, so access can be given before a project exists."""

from common import errors, schema
from volume.schemas import type_access as schemas
from volume.services import type_access
from volume.services.type_access import ACTIONS

_PROJECT = schema.compiled(schemas.PROJECT)


def index(req, id):
    return {"volume_type_access": [{"volume_type_id": id, "project_id": p} for p in type_access.index(req.call, id)]}


def act(req, id):
    body = req.json_object()
    name, arguments = next(iter(body.items()), ("", None))
    if len(body) != 1 or name not in ACTIONS:
        raise errors.BadRequest(f"There is no such action: {', '.join(sorted(body))[:100]}")
    _PROJECT(arguments)
    type_access.change(req.call, id, name, arguments["project"])
