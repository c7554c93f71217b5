"""Extra specs of volume types: the required properties of the backend."""

from common import errors, wsgi
from volume.schemas import type_specs as schemas
from volume.services import type_specs


def _absent(id: str, key: str) -> errors.NotFound:
    return errors.NotFound(f"Volume Type {id} has no extra specs with key {key}.")


def index(req, id):
    return {"extra_specs": type_specs.show(req.call, id, "volume_extension:types_extra_specs:index")}


def show(req, id, key):
    found = type_specs.show(req.call, id, "volume_extension:types_extra_specs:show")
    if key not in found:
        raise _absent(id, key)
    return {key: found[key]}


@wsgi.body(schemas.CREATE)
def create(req, id, body):
    type_specs.edit(req.call, id, "volume_extension:types_extra_specs:create", lambda old: {**old, **body["extra_specs"]})
    return {"extra_specs": body["extra_specs"]}


@wsgi.body(schemas.UPDATE)
def update(req, id, key, body):
    def edit(old: dict) -> dict:
        if key not in body:
            raise errors.BadRequest("Request body and URI mismatch")
        return {**old, **body}
    type_specs.edit(req.call, id, "volume_extension:types_extra_specs:update", edit)
    return body


def delete(req, id, key):
    def edit(old: dict) -> dict:
        if key not in old:
            raise _absent(id, key)
        return {k: v for k, v in old.items() if k != key}
    type_specs.edit(req.call, id, "volume_extension:types_extra_specs:delete", edit)
