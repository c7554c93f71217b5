"""Volume types: names for kinds of backend."""

from common import context, errors, rows, schema, wsgi
from volume.db import models, types
from volume.handlers import filters, lists

TABLE = types.TABLE
_PROPERTIES = {"name": schema.NAME, "description": schema.TEXT, "os-volume-type-access:is_public": schema.BOOLEAN,
               "is_public": schema.BOOLEAN, "extra_specs": schema.METADATA}
_COLUMNS = ("id", "name", "description", "is_public")
# The extra specs that do not describe the storage behind a type.
_HARMLESS = ("RESKEY:availability_zones", "multiattach", "replication_enabled")


def _sees_all_specs(req) -> bool:
    return req.svc.policy.allows(req.ctx, "volume_extension:types_extra_specs:read_sensitive")


def shown_specs(req, row: dict) -> dict:
    """The extra specs that this caller may see."""
    everything = _sees_all_specs(req)
    return {name: value for name, value in row["extra_specs"].items() if everything or name in _HARMLESS}


def _view(req, row: dict) -> dict:
    shown = {name: row[name] for name in _COLUMNS}
    if req.svc.policy.allows(req.ctx, "volume_extension:access_types_extra_specs"):
        shown["extra_specs"] = shown_specs(req, row)
    if req.svc.policy.allows(req.ctx, "volume_extension:access_types_qos_specs_id"):
        shown["qos_specs_id"] = None
    return {**shown, **_access(req, row)}


def _access(req, row: dict) -> dict:
    allowed = req.svc.policy.allows(req.ctx, "volume_extension:volume_type_access")
    return {"os-volume-type-access:is_public": row["is_public"]} if allowed else {}


def usable(req):
    """The WHERE of the types that the caller may see and use; all of them for administrators."""
    return rows.ALL if req.svc.policy.is_admin(req.ctx) else types.usable(req.ctx.project_id)


def _listed(req):
    """The WHERE of the types in a list: those that the project may use, or for administrators those asked for."""
    wanted = req.GET.get("is_public", "true")
    if not req.svc.policy.is_admin(req.ctx):
        return types.usable(req.ctx.project_id)
    if wanted.lower() == "none":
        return rows.ALL
    return types.usable(req.ctx.project_id) if wsgi.bool_value(wanted) else ~TABLE.c.is_public


def _by_specs(value: str, req):
    """The WHERE of the types with these extra specs; none if the caller may not see one of the specs."""
    wanted = filters.literal("extra_specs", value)
    if not _sees_all_specs(req) and set(wanted) - set(_HARMLESS):
        return rows.NONE
    return rows.all_of(*(TABLE.c.extra_specs[key].as_string() == text for key, text in wanted.items()))


_EXTRA_SPECS = (3, 52)
FILTERS = {**{name: filters.text(TABLE.c[name]) for name in ("id", "name", "description")},
            "is_public": filters.Filter(lambda value, req: rows.ALL),  # handled by _listed
            "extra_specs": filters.Filter(_by_specs, since=_EXTRA_SPECS)}


def index(req):
    req.svc.policy.check(req.ctx, "volume_extension:type_get_all")
    where = filters.conditions(req, FILTERS, strict=_EXTRA_SPECS)
    with req.svc.db.reader() as connection:
        found, limit = lists.page(req, connection, TABLE, [_listed(req), *where],
                                  lambda marker: types.get(connection, marker, usable(req)), by=("name", "asc"))
    return {"volume_types": [_view(req, r) for r in found], **lists.more(req, "volume_type", found, limit)}


def show(req, id):
    with req.svc.db.reader() as connection:
        row = types.get(connection, id, usable(req))
    req.svc.policy.check(req.ctx, "volume_extension:type_get")
    return {"volume_type": _view(req, row)}


def default(req):
    req.svc.policy.check(req.ctx, "volume_extension:type_get")
    with req.svc.db.reader() as connection:
        row = rows.first(connection, TABLE, name=req.svc.conf.volume.default_volume_type)
    if row is None:
        raise errors.NotFound("Default volume type could not be found.")
    return {"volume_type": _view(req, row)}


def _whole(row: dict) -> dict:
    """What those see who may make types and change them."""
    return {name: row[name] for name in (*_COLUMNS, "extra_specs")}


@wsgi.body(schema.wrapped("volume_type", _PROPERTIES, ("name",)))
def create(req, body):
    req.svc.policy.check(req.ctx, "volume_extension:type_create")
    given = body["volume_type"]
    public = given.get("os-volume-type-access:is_public", given.get("is_public", True))
    row = {"id": context.new_uuid(), "name": given["name"], "description": given.get("description"),
           "is_public": wsgi.bool_value(public), "extra_specs": given.get("extra_specs", {})}
    req.svc.db.transact(rows.insert, TABLE, row, conflict=f"Volume Type {row['name']} already exists.")
    return {"volume_type": {**_whole(row), **_access(req, row)}}


@wsgi.body(schema.wrapped("volume_type", _PROPERTIES))
def update(req, id, body):
    req.svc.policy.check(req.ctx, "volume_extension:type_update")
    values = {k: v for k, v in body["volume_type"].items() if k in ("name", "description", "is_public")}
    if "is_public" in values:
        values["is_public"] = wsgi.bool_value(values["is_public"])
    with req.svc.db.writer() as connection:
        rows.update(connection, TABLE, id, values, resource="Volume type",
                    conflict=f"Volume Type {values.get('name')} already exists.")
        return {"volume_type": _whole(types.get(connection, id))}


def delete(req, id):
    req.svc.policy.check(req.ctx, "volume_extension:type_delete")
    with req.svc.db.writer() as connection:
        types.get(connection, id)
        if rows.exists(connection, models.volumes, volume_type_id=id):
            raise errors.BadRequest(f"Target volume type is still in use: volume type {id}.")
        rows.delete(connection, TABLE, id, resource="Volume type")
