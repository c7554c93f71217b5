"""Flavors: sizes of servers; access to private ones; extra specs."""

from common import context, errors, rows, schema, wsgi
from compute_api import access, microversions, paging
from compute_api.views import links
from conductor.db import flavors, models

TABLE, ACCESS = models.flavors, models.flavor_access
_INT = schema.integer()
_AT_LEAST_ONE = schema.integer(1)
_TEXT = {"type": ["string", "null"], "maxLength": 65535}
_CREATE = schema.obj({"flavor": schema.obj({
    "name": schema.NAME, "ram": _AT_LEAST_ONE, "vcpus": _AT_LEAST_ONE, "disk": _INT,
    "id": {"type": ["string", "integer", "null"], "maxLength": 255, "pattern": "(?! )[a-zA-Z0-9. _-]+(?<! )"},
    "OS-FLV-EXT-DATA:ephemeral": _INT, "swap": {"anyOf": [_INT, {"enum": [""]}], "digits": True},
    "rxtx_factor": {"type": ["number", "string"], "pattern": r"[0-9]{1,10}(\.[0-9]{1,10})?", "exclusiveMinimum": 0},
    "os-flavor-access:is_public": schema.BOOLEAN, "description": _TEXT}, ["name", "ram", "vcpus", "disk"])}, ["flavor"])
_SPECS = {"type": "object", "maxProperties": 128, "additionalProperties": False, "patternProperties": {
    r"[a-zA-Z0-9-_:. ]{1,255}": {"type": ["string", "number", "boolean"], "maxLength": 255}}}
_SORT = {"id": "id", "flavorid": "id", "name": "name", "memory_mb": "ram", "ram": "ram", "vcpus": "vcpus",
         "root_gb": "disk", "disk": "disk", "swap": "swap", "ephemeral_gb": "ephemeral", "is_public": "is_public",
         "rxtx_factor": "rxtx_factor"}


def view(req, row: dict) -> dict:
    later = {"description": row["description"]} if req.version >= (2, 55) else {}
    if req.version >= (2, 61) and req.svc.policy.allows(req.ctx, "os_compute_api:os-flavor-extra-specs:index", access.own(req)):
        later["extra_specs"] = row["extra_specs"]
    return {"id": row["id"], "name": row["name"], "ram": row["ram"], "disk": row["disk"], "vcpus": row["vcpus"], **later,
            "swap": row["swap"] or (0 if req.version >= (2, 75) else ""), "OS-FLV-EXT-DATA:ephemeral": row["ephemeral"],
            "OS-FLV-DISABLED:disabled": False, "os-flavor-access:is_public": row["is_public"],
            "rxtx_factor": row["rxtx_factor"], "links": links(req, "flavors", row["id"])}


def _list(req) -> tuple[list[dict], list[dict]]:
    microversions.check_query(req, ("limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"))
    scope, raw = access.scope(req), req.GET.get("is_public", "true")
    public = None if raw.lower() == "none" or not scope.everyone else wsgi.bool_value(raw)
    key, direction = req.GET.get("sort_key", "id"), req.GET.get("sort_dir", "asc")
    if key not in _SORT or direction not in ("asc", "desc"):
        raise errors.BadRequest("Invalid sort key or direction.")
    limit = paging.limit(req)
    with req.svc.db.reader() as connection:
        try:
            found = flavors.index(connection, scope, public=public, min_ram=wsgi.int_param(req, "minRam", 0),
                                  min_disk=wsgi.int_param(req, "minDisk", 0), sort=[(_SORT[key], direction)],
                                  limit=limit, marker=req.GET.get("marker")) if limit else []
        except errors.NotFound:
            raise errors.BadRequest(f"marker [{req.GET['marker']}] not found") from None
    return found, paging.next_links(req, found, "id")


def index(req):
    found, more = _list(req)
    body = {"flavors": [{"id": r["id"], "name": r["name"], "links": links(req, "flavors", r["id"]),
                         **({"description": r["description"]} if req.version >= (2, 55) else {})} for r in found]}
    return {**body, "flavors_links": more} if more else body


def detail(req):
    found, more = _list(req)
    body = {"flavors": [view(req, r) for r in found]}
    return {**body, "flavors_links": more} if more else body


def show(req, id):
    with req.svc.db.reader() as connection:
        return {"flavor": view(req, flavors.get(connection, id, access.scope(req)))}


@wsgi.body(_CREATE)
def create(req, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-flavor-manage:create", {})
    given = body["flavor"]
    microversions.check_names(req, given, {"description": (2, 55)})
    row = {"id": str(given["id"]) if given.get("id") not in (None, "", "auto") else context.new_uuid(),
           "name": given["name"].strip(), "ram": int(given["ram"]), "vcpus": int(given["vcpus"]),
           "disk": int(given["disk"]), "ephemeral": int(given.get("OS-FLV-EXT-DATA:ephemeral", 0)),
           "swap": int(given.get("swap") or 0), "rxtx_factor": float(given.get("rxtx_factor", 1.0)),
           "is_public": wsgi.bool_value(given.get("os-flavor-access:is_public", True)), "extra_specs": {},
           "description": given.get("description")}
    with req.svc.db.writer() as connection:
        rows.insert(connection, TABLE, row, conflict=f"Flavor with name {row['name']} or ID {row['id']} already exists.")
    return {"flavor": view(req, row)}


@wsgi.body(schema.wrapped("flavor", {"description": _TEXT}, ("description",)))
def update(req, id, body):
    """The description, and nothing else: what servers were built with does not change under them."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-flavor-manage:update", {})
    with req.svc.db.writer() as connection:
        flavors.get(connection, id, access.scope(req))
        rows.update(connection, TABLE, id, body["flavor"], resource="Flavor")
        return {"flavor": view(req, flavors.get(connection, id, access.scope(req)))}


def delete(req, id):
    """Servers keep the flavor that they were made with."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-flavor-manage:delete", {})
    with req.svc.db.writer() as connection:
        flavors.get(connection, id, access.scope(req))
        rows.delete_where(connection, ACCESS, flavor_id=id)
        rows.delete(connection, TABLE, id, resource="Flavor")


def _access(connection, id) -> dict:
    found = rows.select(connection, ACCESS, order_by="project_id", flavor_id=id)
    return {"flavor_access": [{"flavor_id": id, "tenant_id": row["project_id"]} for row in found]}


def projects(req, id):
    req.svc.policy.check(req.ctx, "os_compute_api:os-flavor-access", access.own(req))
    with req.svc.db.reader() as connection:
        if flavors.get(connection, id, access.scope(req))["is_public"]:
            raise errors.NotFound("Access list not available for public flavors.")
        return _access(connection, id)


_TENANT = schema.obj({"tenant": schema.NAME}, ["tenant"])
ACTIONS = {"addTenantAccess": "os_compute_api:os-flavor-access:add_tenant_access",
           "removeTenantAccess": "os_compute_api:os-flavor-access:remove_tenant_access"}  # to the rules that are asked


@wsgi.body({"oneOf": [schema.obj({"addTenantAccess": _TENANT}, ["addTenantAccess"]),
                      schema.obj({"removeTenantAccess": _TENANT}, ["removeTenantAccess"])]})
def access_change(req, id, body):
    name, arguments = next(iter(body.items()))
    req.svc.policy.check(req.ctx, ACTIONS[name], {})
    key = {"flavor_id": id, "project_id": arguments["tenant"]}
    with req.svc.db.writer() as connection:
        row = flavors.get(connection, id, access.scope(req))
        if name == "addTenantAccess":
            if row["is_public"] and req.version >= (2, 7):
                raise errors.Conflict("Can not add access to a public flavor.")
            rows.insert(connection, ACCESS, key, conflict=f"Flavor access already exists for flavor {id} and project "
                                                          f"{arguments['tenant']} combination.")
        elif not rows.delete_where(connection, ACCESS, **key):
            raise errors.NotFound(f"Flavor access not found for {id} / {arguments['tenant']} combination.")
        return _access(connection, id)


def _edit(req, id, rule: str, edit) -> dict:
    req.svc.policy.check(req.ctx, rule, {})
    with req.svc.db.writer() as connection:
        changed = edit(dict(flavors.get(connection, id, access.scope(req))["extra_specs"]))
        rows.update(connection, TABLE, id, {"extra_specs": changed}, resource="Flavor")
        return changed


def _specs(req, id, rule: str) -> dict:
    req.svc.policy.check(req.ctx, rule, access.own(req))
    with req.svc.db.reader() as connection:
        return flavors.get(connection, id, access.scope(req))["extra_specs"]


def specs(req, id):
    return {"extra_specs": _specs(req, id, "os_compute_api:os-flavor-extra-specs:index")}


@wsgi.body(schema.obj({"extra_specs": {**_SPECS, "minProperties": 1}}, ["extra_specs"]))
def specs_add(req, id, body):
    new = {k: str(v) for k, v in body["extra_specs"].items()}
    _edit(req, id, "os_compute_api:os-flavor-extra-specs:create", lambda old: {**old, **new})
    return {"extra_specs": new}


def spec(req, id, key):
    found = _specs(req, id, "os_compute_api:os-flavor-extra-specs:show")
    if key not in found:
        raise errors.NotFound(f"Flavor {id} has no extra specs with key {key}.")
    return {key: found[key]}


@wsgi.body({**_SPECS, "minProperties": 1, "maxProperties": 1})
def spec_set(req, id, key, body):
    if set(body) != {key}:
        raise errors.BadRequest("Request body and URI mismatch")
    _edit(req, id, "os_compute_api:os-flavor-extra-specs:update", lambda old: {**old, key: str(body[key])})
    return {key: str(body[key])}


def spec_delete(req, id, key):
    def edit(old):
        if key not in old:
            raise errors.NotFound(f"Flavor {id} has no extra specs with key {key}.")
        return {k: v for k, v in old.items() if k != key}
    _edit(req, id, "os_compute_api:os-flavor-extra-specs:delete", edit)
    return wsgi.Response(status=200)
