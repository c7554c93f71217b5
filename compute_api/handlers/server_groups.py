"""Server groups: servers that should be together, or apart."""


from common import context, db, errors, rows, schema, wsgi
from common import quotas as project_quotas
from compute_api import access, microversions
from conductor.db import instances, models, quotas

TABLE = models.server_groups
_HARD, _SOFT = ["affinity", "anti-affinity"], ["soft-affinity", "soft-anti-affinity"]
_OLD = schema.compiled(schema.wrapped("server_group", {"name": schema.NAME, "policies": {
    "type": "array", "minItems": 1, "maxItems": 1, "items": {"enum": _HARD + _SOFT}}}, ("name", "policies")))
_MOST = schema.integer(1)
_NEW = schema.compiled(schema.wrapped("server_group", {
    "name": schema.NAME, "policy": {"enum": _HARD + _SOFT}, "rules": schema.obj({"max_server_per_host": _MOST})},
    ("name", "policy")))


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


def _get(req, connection, id, rule: str) -> dict:
    row = rows.find(connection, TABLE, id, access.scope(req).of(TABLE.c.project_id))
    if row is None:
        raise errors.NotFound(f"Instance group {id} could not be found.")
    req.svc.policy.check(req.ctx, rule, access.target(row))
    return row


def index(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-server-groups:index", access.own(req))
    microversions.check_query(req, ("all_projects", "limit", "offset"))
    where = [TABLE.c.project_id == req.ctx.project_id]
    if "all_projects" in req.GET and access.knows_all(req):  # from others it is no error
        req.svc.policy.check(req.ctx, "os_compute_api:os-server-groups:index:all_projects", access.own(req))
        where = []
    limit = min(wsgi.int_param(req, "limit", 1000), 1000)
    with req.svc.db.reader() as connection:
        found = rows.page(connection, TABLE, *where, sort=[("created_at", "asc")], limit=limit, marker_row=None,
                          offset=wsgi.int_param(req, "offset", 0)) if limit else []
        members = instances.of_groups(connection, [r["id"] for r in found])
    return {"server_groups": [_view(req, r, members[r["id"]]) for r in found]}


def _policy(given: dict, version: tuple) -> tuple[str, int | None]:
    """What a new group's body asks for: the policy, and how many of it may be on one host (None: what the policy says)."""
    policy = given["policy"] if version >= (2, 64) else given["policies"][0]
    if policy in _SOFT and version < (2, 15):
        raise errors.BadRequest("Invalid input for field/attribute policies.")
    most = given.get("rules", {}).get("max_server_per_host")
    if most is not None and policy != "anti-affinity":
        raise errors.BadRequest("Only anti-affinity policy supports rules.")
    return policy, None if most is None else int(most)


def create(req):
    body = req.json_object()
    (_NEW if req.version >= (2, 64) else _OLD)(body)
    req.svc.policy.check(req.ctx, "os_compute_api:os-server-groups:create", access.own(req))
    given = body["server_group"]
    policy, most = _policy(given, req.version)
    row = {"id": context.new_uuid(), "name": given["name"], "policy": policy, "max_server_per_host": most,
           "project_id": req.ctx.project_id, "user_id": req.ctx.user_id, "created_at": db.now()}
    with req.svc.db.writer() as connection:
        project_quotas.hold(connection, req.ctx.project_id)
        limit = quotas.limits(connection, req.ctx.project_id, req.svc.quota_defaults)["server_groups"]
        used = rows.count(connection, TABLE, TABLE.c.project_id == req.ctx.project_id)
        if 0 <= limit <= used:
            raise errors.Forbidden(f"Quota exceeded, too many server groups. The project has {used} of {limit}.")
        rows.insert(connection, TABLE, row)
    return {"server_group": _view(req, row, [])}


def show(req, id):
    with req.svc.db.reader() as connection:
        row = _get(req, connection, id, "os_compute_api:os-server-groups:show")
        return {"server_group": _view(req, row, instances.of_groups(connection, [id])[id])}


def delete(req, id):
    with req.svc.db.writer() as connection:
        _get(req, connection, id, "os_compute_api:os-server-groups:delete")
        rows.delete(connection, TABLE, id, resource="Instance group")
