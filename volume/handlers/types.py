"""Volume types: names for kinds of backend."""

import sqlalchemy as sa

from common import context, errors, rows, schema, wsgi
from volume.db import models
from volume.handlers.lists import literal

TABLE = models.volume_types
_PROPERTIES = {"name": schema.NAME, "description": schema.TEXT, "os-volume-type-access:is_public": schema.BOOLEAN,
               "is_public": schema.BOOLEAN, "extra_specs": schema.METADATA}


def _view(req, row: dict) -> dict:
    shown = {"id": row["id"], "name": row["name"], "description": row["description"], "is_public": row["is_public"],
             "os-volume-type-access:is_public": row["is_public"], "qos_specs_id": None}
    visible = row["extra_specs"] if req.ctx.is_admin else {}
    return {**shown, "extra_specs": visible}


def usable(ctx):
    """The WHERE of types that a caller may see and use: private ones are for admins."""
    return sa.true() if ctx.is_admin or ctx.is_service else TABLE.c.is_public


def _get(connection, ctx, type_id: str) -> dict:
    row = rows.exact(rows.one(connection, sa.select(TABLE).where(TABLE.c.id == type_id, usable(ctx))), type_id)
    if row is None:
        raise errors.NotFound(f"Volume type {type_id} could not be found.")
    return row


def index(req):
    req.svc.policy.check(req.ctx, "volume_type:get", {})
    query = sa.select(TABLE).where(usable(req.ctx)).order_by(TABLE.c.name)
    if req.version >= (3, 52) and req.ctx.is_admin:
        for key, value in literal("extra_specs", req.GET.get("extra_specs", "{}")).items():
            query = query.where(TABLE.c.extra_specs[key].as_string() == str(value))
    with req.svc.db.reader() as connection:
        return {"volume_types": [_view(req, r) for r in rows.many(connection, query)]}


def show(req, id):
    with req.svc.db.reader() as connection:
        return {"volume_type": _view(req, _get(connection, req.ctx, id))}


def default(req):
    with req.svc.db.reader() as connection:
        row = rows.one(connection, sa.select(TABLE).where(TABLE.c.name == req.svc.conf.volume.default_volume_type))
    if row is None:
        raise errors.NotFound("Default volume type could not be found.")
    return {"volume_type": _view(req, row)}


@wsgi.body(schema.wrapped("volume_type", _PROPERTIES, ("name",)))
def create(req, body):
    req.svc.policy.check(req.ctx, "volume_type:manage", {})
    given = body["volume_type"]
    public = given.get("os-volume-type-access:is_public", given.get("is_public", True))
    row = {"id": context.new_uuid(), "name": given["name"], "description": given.get("description"),
           "is_public": wsgi.bool_value(public), "extra_specs": given.get("extra_specs", {})}
    req.svc.db.transact(rows.insert, TABLE, row, conflict=f"Volume Type {row['name']} already exists.")
    return {"volume_type": _view(req, row)}


@wsgi.body(schema.wrapped("volume_type", _PROPERTIES))
def update(req, id, body):
    req.svc.policy.check(req.ctx, "volume_type:manage", {})
    values = {k: v for k, v in body["volume_type"].items() if k in ("name", "description", "is_public")}
    if "is_public" in values:
        values["is_public"] = wsgi.bool_value(values["is_public"])
    with req.svc.db.writer() as connection:
        rows.update(connection, TABLE, id, values, resource="Volume type",
                    conflict=f"Volume Type {values.get('name')} already exists.")
        return {"volume_type": _view(req, _get(connection, req.ctx, id))}


def delete(req, id):
    req.svc.policy.check(req.ctx, "volume_type:manage", {})
    with req.svc.db.writer() as connection:
        _get(connection, req.ctx, id)
        if connection.execute(sa.select(models.volumes.c.id).where(models.volumes.c.volume_type_id == id)).first():
            raise errors.BadRequest(f"Target volume type is still in use: volume type {id}.")
        rows.delete(connection, TABLE, id, resource="Volume type")


def specs(req, id):
    with req.svc.db.reader() as connection:
        return {"extra_specs": _view(req, _get(connection, req.ctx, id))["extra_specs"]}


def _edit(req, id, edit) -> dict:
    req.svc.policy.check(req.ctx, "volume_type:manage", {})
    with req.svc.db.writer() as connection:
        changed = edit(dict(_get(connection, req.ctx, id)["extra_specs"]))
        rows.update(connection, TABLE, id, {"extra_specs": changed}, resource="Volume type")
        return changed


@wsgi.body(schema.obj({"extra_specs": schema.METADATA}, ["extra_specs"]))
def specs_add(req, id, body):
    _edit(req, id, lambda old: {**old, **body["extra_specs"]})
    return {"extra_specs": body["extra_specs"]}


def specs_delete(req, id, key):
    def edit(old):
        if key not in old:
            raise errors.NotFound(f"Volume Type {id} has no extra specs with key {key}.")
        return {k: v for k, v in old.items() if k != key}
    _edit(req, id, edit)
