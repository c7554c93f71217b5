"""Tags: words that users hang on resources, and find them by."""

import json

from common import db, errors, rows, schema, wsgi

MOST = 50
_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"}
_CHECK = schema.compiled(_TAG)


def of(row: dict) -> list[str]:
    return json.loads(row.get("tags") or "[]")


def _write(req, resource, id, edit) -> list[str]:
    with req.svc.db.writer() as connection:
        row = resource.get(connection, req.ctx, id)
        req.svc.policy.check(req.ctx, f"update_{resource.singular}", resource.target(req, connection, row["project_id"], {}, row))
        changed = sorted(edit(set(of(row))))
        if len(changed) > MOST:
            raise errors.BadRequest(f"Invalid input for operation: a resource has at most {MOST} tags.")
        rows.update(connection, resource.table, id, {
            "tags": json.dumps(changed), "updated_at": db.now(), "revision_number": row["revision_number"] + 1},
            resource=resource.kind)
        return changed


def routes(resource, path: str) -> list[wsgi.Route]:
    """The routes of one resource's tags."""
    def index(req, id):
        with req.svc.db.reader() as connection:
            return {"tags": of(resource.get(connection, req.ctx, id))}

    @wsgi.body(schema.obj({"tags": {"type": "array", "items": _TAG, "maxItems": MOST, "uniqueItems": True}}, ["tags"]))
    def replace(req, id, body):
        return {"tags": _write(req, resource, id, lambda old: set(body["tags"]))}

    def clear(req, id):
        _write(req, resource, id, lambda old: set())

    def has(req, id, tag):
        if tag not in index(req, id)["tags"]:
            raise errors.NotFound(f"Tag {tag} could not be found.", kind="TagNotFound")

    def add(req, id, tag):
        _CHECK(tag)
        _write(req, resource, id, lambda old: old | {tag})

    def remove(req, id, tag):
        has(req, id, tag)
        _write(req, resource, id, lambda old: old - {tag})
    return [wsgi.Route("GET", path, index), wsgi.Route("PUT", path, replace), wsgi.Route("DELETE", path, clear, 204),
            wsgi.Route("GET", path + "/{tag}", has, 204), wsgi.Route("PUT", path + "/{tag}", add, 201),
            wsgi.Route("DELETE", path + "/{tag}", remove, 204)]
