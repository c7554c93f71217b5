"""Flavors: sizes of servers; access to private flavors; extra specs."""

from common import context, errors, wsgi
from compute_api import access, extra_specs, microversions
from compute_api.handlers import paging
from compute_api.schemas import flavors as schemas
from compute_api.services import flavors
from compute_api.views import links

_SORT = {"id": "id", "flavorid": "id", "name": "name", "memory_mb": "ram", "ram": "ram", "vcpus": "vcpus",
         "root_gb": "disk", "disk": "disk", "swap": "swap", "ephemeral_gb": "ephemeral", "is_public": "is_public",
         "rxtx_factor": "rxtx_factor"}
_QUERY = ("limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir")


def view(req, row: dict) -> dict:
    later = {"description": row["description"]} if req.version >= (2, 55) else {}
    if req.version >= (2, 61) and req.svc.policy.allows(req.ctx, "os_compute_api:os-flavor-extra-specs:index",
                                                        access.own(req.call)):
        later["extra_specs"] = row["extra_specs"]
    if req.version < (2, 102):
        later.update({"OS-FLV-DISABLED:disabled": False, "rxtx_factor": row["rxtx_factor"]})
    return {"id": row["id"], "name": row["name"], "ram": row["ram"], "disk": row["disk"], "vcpus": row["vcpus"], **later,
            "swap": row["swap"] or (0 if req.version >= (2, 75) else ""), "OS-FLV-EXT-DATA:ephemeral": row["ephemeral"],
            "os-flavor-access:is_public": row["is_public"], "links": links(req, "flavors", row["id"])}


def _list(req) -> tuple[list[dict], list[dict]]:
    named = req.version >= (2, 102)
    microversions.check_query(req.call, req.GET, (*_QUERY, "name") if named else _QUERY)
    scope, raw = access.scope(req.call), req.GET.get("is_public", "true")
    public = None if raw.lower() == "none" or not scope.everyone else wsgi.bool_value(raw)
    key, direction = req.GET.get("sort_key", "id"), req.GET.get("sort_dir", "asc")
    if key not in _SORT or named and key == "rxtx_factor" or direction not in ("asc", "desc"):
        raise errors.BadRequest("Invalid sort key or direction.")
    limit, marker, sort = paging.limit(req), req.GET.get("marker"), [(_SORT[key], direction)]
    min_ram, min_disk = (wsgi.int_param(req, name, 0) for name in ("minRam", "minDisk"))
    name = req.GET.get("name") if named else None
    found = flavors.page(req.call, limit, scope, public, min_ram, min_disk, sort, marker, name)
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
    row = flavors.show(req.call, id)
    return {"flavor": view(req, row)}


@wsgi.body(schemas.CREATE)
def create(req, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-flavor-manage:create", {})
    given = body["flavor"]
    microversions.check_names(req.call, given, {"description": (2, 55)}, {"rxtx_factor": (2, 101)})
    row = {"id": str(given["id"]) if given.get("id") not in (None, "", "auto") else context.new_uuid(),
           "name": given["name"].strip(), "ram": int(given["ram"]), "vcpus": int(given["vcpus"]),
           "disk": int(given["disk"]), "ephemeral": int(given.get("OS-FLV-EXT-DATA:ephemeral", 0)),
           "swap": int(given.get("swap") or 0), "rxtx_factor": float(given.get("rxtx_factor", 1.0)),
           "is_public": wsgi.bool_value(given.get("os-flavor-access:is_public", True)), "extra_specs": {},
           "description": given.get("description")}
    flavors.create(req.call, row)
    return {"flavor": view(req, row)}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    """Change the description. Nothing else can be changed, because existing servers use the flavor."""
    values = body["flavor"]
    req.svc.policy.check(req.ctx, "os_compute_api:os-flavor-manage:update", {})
    row = flavors.update(req.call, id, values)
    return {"flavor": view(req, row)}


def delete(req, id):
    """Existing servers keep the flavor that they were created with."""
    flavors.delete(req.call, id)


def projects(req, id):
    return flavors.projects(req.call, id)


ACTIONS = {"addTenantAccess": "os_compute_api:os-flavor-access:add_tenant_access",
           "removeTenantAccess": "os_compute_api:os-flavor-access:remove_tenant_access"}  # to the rules that are asked


@wsgi.body(schemas.ACCESS_CHANGE)
def access_change(req, id, body):
    name, arguments = next(iter(body.items()))
    req.svc.policy.check(req.ctx, ACTIONS[name], {})
    return flavors.change_access(req.call, id, name, arguments["tenant"])


def specs(req, id):
    return {"extra_specs": flavors.specs(req.call, id, "os_compute_api:os-flavor-extra-specs:index")}


@wsgi.body(schemas.SPECS_ADD)
def specs_add(req, id, body):
    new = {k: str(v) for k, v in body["extra_specs"].items()}
    if req.version >= (2, 86):
        extra_specs.validate(new)
    flavors.edit(req.call, id, "os_compute_api:os-flavor-extra-specs:create", lambda old: {**old, **new})
    return {"extra_specs": new}


def spec(req, id, key):
    found = flavors.specs(req.call, id, "os_compute_api:os-flavor-extra-specs:show")
    if key not in found:
        raise errors.NotFound(f"Flavor {id} has no extra specs with key {key}.")
    return {key: found[key]}


@wsgi.body(schemas.SPEC_SET)
def spec_set(req, id, key, body):
    if set(body) != {key}:
        raise errors.BadRequest("Request body and URI mismatch")
    if req.version >= (2, 86):
        extra_specs.validate({key: str(body[key])})
    flavors.edit(req.call, id, "os_compute_api:os-flavor-extra-specs:update", lambda old: {**old, key: str(body[key])})
    return {key: str(body[key])}


def spec_delete(req, id, key):
    def edit(old):
        if key not in old:
            raise errors.NotFound(f"Flavor {id} has no extra specs with key {key}.")
        return {k: v for k, v in old.items() if k != key}
    flavors.edit(req.call, id, "os_compute_api:os-flavor-extra-specs:delete", edit)
    return wsgi.Response(status=200)
