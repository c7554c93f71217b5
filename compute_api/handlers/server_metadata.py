"""Metadata and tags of a server."""

from common import errors, schema, wsgi
from compute_api import access
from conductor.db import instances, quotas

_BODY = schema.obj({"metadata": schema.METADATA}, ["metadata"])
_TAG = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]+"}
_CHECK_TAG = schema.compiled(_TAG)


def _edit(req, id, rule: str, edit) -> dict:
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, rule)
        access.check_lock(req, row)
        changed = edit(dict(row["metadata"]))
        limit = quotas.limits(connection, row["project_id"], req.svc.quota_defaults)["metadata_items"]
        if 0 <= limit < len(changed):
            raise errors.QuotaExceeded(resource="metadata_items", requested=len(changed), used=len(row["metadata"]),
                                       limit=limit)
        instances.change(connection, row, metadata=changed)
        return changed


def _read(req, id, rule: str) -> dict:
    with req.svc.db.reader() as connection:
        return access.server(req, connection, id, rule)


def index(req, id):
    return {"metadata": _read(req, id, "os_compute_api:server-metadata:index")["metadata"]}


@wsgi.body(_BODY)
def merge(req, id, body):
    return {"metadata": _edit(req, id, "os_compute_api:server-metadata:create", lambda old: {**old, **body["metadata"]})}


@wsgi.body(_BODY)
def replace(req, id, body):
    return {"metadata": _edit(req, id, "os_compute_api:server-metadata:update_all", lambda old: body["metadata"])}


def show(req, id, key):
    found = _read(req, id, "os_compute_api:server-metadata:show")["metadata"]
    if key not in found:
        raise errors.NotFound("Metadata item was not found")
    return {"meta": {key: found[key]}}


@wsgi.body(schema.obj({"meta": {**schema.METADATA, "maxProperties": 1, "minProperties": 1}}, ["meta"]))
def update(req, id, key, body):
    if set(body["meta"]) != {key}:
        raise errors.BadRequest("Request body and URI mismatch")
    _edit(req, id, "os_compute_api:server-metadata:update", lambda old: {**old, **body["meta"]})
    return {"meta": body["meta"]}


def delete(req, id, key):
    def edit(old):
        if key not in old:
            raise errors.NotFound("Metadata item was not found")
        return {k: v for k, v in old.items() if k != key}
    _edit(req, id, "os_compute_api:server-metadata:delete", edit)


def _edit_tags(req, id, rule: str, edit) -> list[str]:
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, rule)
        changed = edit(list(row["tags"]))
        if len(changed) > 50:
            raise errors.BadRequest("The number of tags exceeded the per-server limit 50")
        instances.change(connection, row, tags=changed)
        return changed


def tags(req, id):
    return {"tags": _read(req, id, "os_compute_api:os-server-tags:index")["tags"]}


@wsgi.body(schema.obj({"tags": {"type": "array", "maxItems": 50, "items": _TAG}}, ["tags"]))
def tags_replace(req, id, body):
    wanted = list(dict.fromkeys(body["tags"]))
    return {"tags": _edit_tags(req, id, "os_compute_api:os-server-tags:update_all", lambda old: wanted)}


def tags_clear(req, id):
    _edit_tags(req, id, "os_compute_api:os-server-tags:delete_all", lambda old: [])


def tag_check(req, id, tag):
    if tag not in _read(req, id, "os_compute_api:os-server-tags:show")["tags"]:
        raise errors.NotFound(f"Server {id} has no tag '{tag}'")


def tag_add(req, id, tag):
    _CHECK_TAG(tag)
    if tag in _read(req, id, "os_compute_api:os-server-tags:update")["tags"]:
        return wsgi.Response(status=204)
    _edit_tags(req, id, "os_compute_api:os-server-tags:update", lambda old: [*old, tag])
    response = wsgi.Response(status=201)
    response.location = req.path_url
    return response


def tag_remove(req, id, tag):
    def edit(old):
        if tag not in old:
            raise errors.NotFound(f"Server {id} has no tag '{tag}'")
        return [t for t in old if t != tag]
    _edit_tags(req, id, "os_compute_api:os-server-tags:delete", edit)
