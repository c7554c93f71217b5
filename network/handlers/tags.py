"""Tags of resources."""

import json

from common import db, errors, rows, schema, wsgi
from network.handlers import preconditions

MOST = 50
_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"}
_CHECK = schema.compiled(_TAG)
_BODY = schema.obj({"tags": {"type": "array", "items": _TAG, "maxItems": MOST, "uniqueItems": True}}, ["tags"])


def of(row: dict) -> list[str]:
    return json.loads(row.get("tags") or "[]")


def _write(req, resource, id, verb, edit) -> list[str]:
    return req.svc.db.transact(_write_one, req, resource, id, verb, edit)


def _write_one(connection, req, resource, id, verb, edit) -> list[str]:
    row = resource.get(connection, req, id)
    resource.check(req, f"{verb}_{resource.singular}:tags", row)
    preconditions.check(req, row)
    before = of(row)
    changed = sorted(edit(set(before)))
    if len(changed) > MOST:
        raise errors.BadRequest(f"Invalid input for operation: a resource has at most {MOST} tags.")
    if changed != before:
        rows.update(connection, resource.table, id, {
            "tags": json.dumps(changed), "updated_at": db.now(), "revision_number": row["revision_number"] + 1},
            resource=resource.kind)
    return changed


def routes(resource, path: str) -> list[wsgi.Route]:
    """The routes of one resource's tags."""
    def index(req, id):
        with req.svc.db.reader() as connection:
            row = resource.get(connection, req, id)
        resource.check(req, f"get_{resource.singular}:tags", row)
        return {"tags": of(row)}

    @wsgi.body(_BODY)
    def replace(req, id, body):
        return {"tags": _write(req, resource, id, "update", lambda old: set(body["tags"]))}

    @wsgi.body(_BODY)
    def add_all(req, id, body):
        _write(req, resource, id, "create", lambda old: old | set(body["tags"]))
        return body

    def clear(req, id):
        _write(req, resource, id, "delete", lambda old: set())

    def has(req, id, tag):
        if tag not in index(req, id)["tags"]:
            raise _absent(tag)

    def add(req, id, tag):
        _CHECK(tag)
        _write(req, resource, id, "update", lambda old: old | {tag})

    def remove(req, id, tag):
        def without(old: set[str]) -> set[str]:
            if tag not in old:
                raise _absent(tag)
            return old - {tag}
        _write(req, resource, id, "delete", without)
    return [wsgi.Route("GET", path, index), wsgi.Route("PUT", path, replace), wsgi.Route("POST", path, add_all, 201),
            wsgi.Route("DELETE", path, clear, 204),
            wsgi.Route("GET", path + "/{tag}", has, 204), wsgi.Route("PUT", path + "/{tag}", add, 201),
            wsgi.Route("DELETE", path + "/{tag}", remove, 204)]


def _absent(tag: str) -> errors.NotFound:
    return errors.NotFound(f"Tag {tag} could not be found.", kind="TagNotFound")
