"""Metadata and tags of a server."""

from common import errors, schema, wsgi
from compute_api.schemas import server_metadata as schemas
from compute_api.services import server_metadata, servers

_CHECK_TAG = schema.compiled(schemas.TAG)


def index(req, id):
    return {"metadata": servers.get(req.call, id, "os_compute_api:server-metadata:index")["metadata"]}


@wsgi.body(schemas.BODY)
def merge(req, id, body):
    changed = server_metadata.edit(req.call, id, "os_compute_api:server-metadata:create", lambda old: {**old, **body["metadata"]})
    return {"metadata": changed}


@wsgi.body(schemas.BODY)
def replace(req, id, body):
    changed = server_metadata.edit(req.call, id, "os_compute_api:server-metadata:update_all", lambda old: body["metadata"])
    return {"metadata": changed}


def show(req, id, key):
    found = servers.get(req.call, id, "os_compute_api:server-metadata:show")["metadata"]
    if key not in found:
        raise errors.NotFound("Metadata item was not found")
    return {"meta": {key: found[key]}}


@wsgi.body(schemas.UPDATE)
def update(req, id, key, body):
    if set(body["meta"]) != {key}:
        raise errors.BadRequest("Request body and URI mismatch")
    server_metadata.edit(req.call, id, "os_compute_api:server-metadata:update", lambda old: {**old, **body["meta"]})
    return {"meta": body["meta"]}


def delete(req, id, key):
    def edit(old):
        if key not in old:
            raise errors.NotFound("Metadata item was not found")
        return {k: v for k, v in old.items() if k != key}
    server_metadata.edit(req.call, id, "os_compute_api:server-metadata:delete", edit)


def tags(req, id):
    return {"tags": servers.get(req.call, id, "os_compute_api:os-server-tags:index")["tags"]}


@wsgi.body(schemas.TAGS_REPLACE)
def tags_replace(req, id, body):
    wanted = list(dict.fromkeys(body["tags"]))
    return {"tags": server_metadata.edit_tags(req.call, id, "os_compute_api:os-server-tags:update_all", lambda old: wanted)}


def tags_clear(req, id):
    server_metadata.edit_tags(req.call, id, "os_compute_api:os-server-tags:delete_all", lambda old: [])


def tag_check(req, id, tag):
    if tag not in servers.get(req.call, id, "os_compute_api:os-server-tags:show")["tags"]:
        raise errors.NotFound(f"Server {id} has no tag '{tag}'")


def tag_add(req, id, tag):
    _CHECK_TAG(tag)
    if tag in servers.get(req.call, id, "os_compute_api:os-server-tags:update")["tags"]:
        return wsgi.Response(status=204)
    server_metadata.edit_tags(req.call, id, "os_compute_api:os-server-tags:update", lambda old: [*old, tag])
    response = wsgi.Response(status=201)
    response.location = req.path_url
    return response


def tag_remove(req, id, tag):
    def edit(old):
        if tag not in old:
            raise errors.NotFound(f"Server {id} has no tag '{tag}'")
        return [t for t in old if t != tag]
    server_metadata.edit_tags(req.call, id, "os_compute_api:os-server-tags:delete", edit)
