"""Which projects may use a private volume type. Projects are not looked up: a type can be given to one that is yet to come."""

from common import errors, schema
from volume.db import types

_PROJECT = schema.compiled(schema.obj({"project": {"type": "string", "minLength": 1, "maxLength": 255}}, ["project"]))
# action: what it does to the list of projects; the rule is named like the action
_ACTIONS = {"addProjectAccess": types.give, "removeProjectAccess": types.take}
ACTIONS = tuple(_ACTIONS)


def index(req, id):
    req.svc.policy.check(req.ctx, "volume_extension:volume_type_access:get_all_for_type")
    with req.svc.db.reader() as connection:
        row, found = types.get(connection, id), types.projects(connection, id)
    if row["is_public"]:
        raise errors.NotFound("Access list not available for public volume types.")
    return {"volume_type_access": [{"volume_type_id": id, "project_id": project} for project in found]}


def act(req, id):
    body = req.json_object()
    name, arguments = next(iter(body.items()), ("", None))
    if len(body) != 1 or name not in _ACTIONS:
        raise errors.BadRequest(f"There is no such action: {', '.join(sorted(body))[:100]}")
    _PROJECT(arguments)
    req.svc.policy.check(req.ctx, f"volume_extension:volume_type_access:{name}")
    req.svc.db.transact(_changed, id, _ACTIONS[name], arguments["project"])


def _changed(connection, id: str, change, project_id: str) -> None:
    if types.get(connection, id)["is_public"]:
        raise errors.BadRequest("Invalid volume type: Type access modification is not applicable to public volume type.")
    change(connection, id, project_id)
