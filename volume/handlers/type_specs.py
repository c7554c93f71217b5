"""Extra specs of volume types: what the storage of a type's volumes has to have."""

from common import errors, rows, schema, wsgi
from volume.db import types
from volume.handlers.types import shown_specs, usable


def _shown(req, id) -> dict:
    with req.svc.db.reader() as connection:
        return shown_specs(req, types.get(connection, id, usable(req)))


def _absent(id: str, key: str) -> errors.NotFound:
    return errors.NotFound(f"Volume Type {id} has no extra specs with key {key}.")


def index(req, id):
    req.svc.policy.check(req.ctx, "volume_extension:types_extra_specs:index")
    return {"extra_specs": _shown(req, id)}


def show(req, id, key):
    req.svc.policy.check(req.ctx, "volume_extension:types_extra_specs:show")
    found = _shown(req, id)
    if key not in found:
        raise _absent(id, key)
    return {key: found[key]}


def _edit(req, id, edit) -> None:
    with req.svc.db.writer() as connection:
        changed = edit(types.get(connection, id)["extra_specs"])
        rows.update(connection, types.TABLE, id, {"extra_specs": changed}, resource="Volume type")


@wsgi.body(schema.obj({"extra_specs": schema.METADATA}, ["extra_specs"]))
def create(req, id, body):
    req.svc.policy.check(req.ctx, "volume_extension:types_extra_specs:create")
    _edit(req, id, lambda old: {**old, **body["extra_specs"]})
    return {"extra_specs": body["extra_specs"]}


@wsgi.body({**schema.METADATA, "minProperties": 1, "maxProperties": 1})
def update(req, id, key, body):
    req.svc.policy.check(req.ctx, "volume_extension:types_extra_specs:update")
    if key not in body:
        raise errors.BadRequest("Request body and URI mismatch")
    _edit(req, id, lambda old: {**old, **body})
    return body


def delete(req, id, key):
    req.svc.policy.check(req.ctx, "volume_extension:types_extra_specs:delete")

    def edit(old: dict) -> dict:
        if key not in old:
            raise _absent(id, key)
        return {k: v for k, v in old.items() if k != key}
    _edit(req, id, edit)
