"""Server groups: servers to be placed together or apart."""


from common import context, db, errors, schema, wsgi
from compute_api import access, microversions
from compute_api.handlers import paging
from compute_api.schemas import server_groups as schemas
from compute_api.services import server_groups

_OLD = schema.compiled(schemas.OLD)
_NEW = schema.compiled(schemas.NEW)


def _view(req, row: dict, members: list[str]) -> dict:
    shown = {"id": row["id"], "name": row["name"], "members": members}
    if req.version >= (2, 64):
        most = row["max_server_per_host"]
        shown.update(policy=row["policy"], rules={} if most is None else {"max_server_per_host": most})
    else:
        shown.update(policies=[row["policy"]], metadata={})
    if req.version >= (2, 13):
        shown.update(project_id=row["project_id"], user_id=row["user_id"])
    return shown


def index(req):
    microversions.check_query(req.call, req.GET, ("all_projects", "limit", "offset"))
    all_projects, limit, offset = "all_projects" in req.GET, paging.limit(req), wsgi.int_param(req, "offset", 0)
    found, members = server_groups.index(req.call, all_projects, limit, offset)
    return {"server_groups": [_view(req, r, members[r["id"]]) for r in found]}


def _policy(given: dict, version: tuple) -> tuple[str, int | None]:
    """The policy in the body of a new group, and its max_server_per_host; None if not set."""
    policy = given["policy"] if version >= (2, 64) else given["policies"][0]
    if policy in schemas.SOFT and version < (2, 15):
        raise errors.BadRequest("Invalid input for field/attribute policies.")
    most = given.get("rules", {}).get("max_server_per_host")
    if most is not None and policy != "anti-affinity":
        raise errors.BadRequest("Only anti-affinity policy supports rules.")
    return policy, None if most is None else int(most)


def create(req):
    body = req.json_object()
    (_NEW if req.version >= (2, 64) else _OLD)(body)
    req.svc.policy.check(req.ctx, "os_compute_api:os-server-groups:create", access.own(req.call))
    given = body["server_group"]
    policy, most = _policy(given, req.version)
    row = {"id": context.new_uuid(), "name": given["name"], "policy": policy, "max_server_per_host": most,
           "project_id": req.ctx.project_id, "user_id": req.ctx.user_id, "created_at": db.now()}
    server_groups.create(req.call, row)
    return {"server_group": _view(req, row, [])}


def show(req, id):
    row, members = server_groups.show(req.call, id)
    return {"server_group": _view(req, row, members)}


def delete(req, id):
    server_groups.delete(req.call, id)
