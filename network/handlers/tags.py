"""Tags of resources."""

from common import schema, wsgi
from network.handlers import preconditions
from network.schemas import tags as schemas
from network.services import tags

_CHECK = schema.compiled(schemas.TAG)


def routes(resource, path: str) -> list[wsgi.Route]:
    """The routes of one resource's tags."""
    def change(req, id, verb, edit) -> list[str]:
        return tags.change(req.call, resource, id, verb, edit, preconditions.revision(req))

    def index(req, id):
        return {"tags": tags.show(req.call, resource, id)}

    @wsgi.body(schemas.TAGS)
    def replace(req, id, body):
        return {"tags": change(req, id, "update", lambda old: set(body["tags"]))}

    @wsgi.body(schemas.TAGS)
    def add_all(req, id, body):
        change(req, id, "create", lambda old: old | set(body["tags"]))
        return body

    def clear(req, id):
        change(req, id, "delete", lambda old: set())

    def has(req, id, tag):
        if tag not in tags.show(req.call, resource, id):
            raise tags.absent(tag)

    def add(req, id, tag):
        _CHECK(tag)
        change(req, id, "update", lambda old: old | {tag})

    def remove(req, id, tag):
        change(req, id, "delete", tags.without(tag))
    return [wsgi.Route("GET", path, index), wsgi.Route("PUT", path, replace), wsgi.Route("POST", path, add_all, 201),
            wsgi.Route("DELETE", path, clear, 204),
            wsgi.Route("GET", path + "/{tag}", has, 204), wsgi.Route("PUT", path + "/{tag}", add, 201),
            wsgi.Route("DELETE", path + "/{tag}", remove, 204)]
