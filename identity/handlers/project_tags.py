"""Tags of projects."""

import json

from common import errors, rows, schema, wsgi
from identity import targets
from identity.db import models

TABLE = models.projects
MOST = 80
_TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "[^,/]*"}
_CHECK = schema.compiled(_TAG)
LIST = {"type": "array", "items": _TAG, "maxItems": MOST, "uniqueItems": True}


def of(row: dict) -> list[str]:
    return json.loads(row["tags"] or "[]")


def text(tags: list[str]) -> str | None:
    """As the column has them: JSON, so that every database can look into it; None where there are none."""
    return json.dumps(sorted(tags)) if tags else None


def _known(req, connection, id: str, rule: str) -> list[str]:
    """The tags of a project. :raises Forbidden: the rule refuses, also for a project that does not exist"""
    row = rows.find(connection, TABLE, id)
    req.svc.policy.check(req.ctx, f"identity:{rule}", {"project_id": id, **targets.of(project=row)})
    if row is None:
        raise errors.NotFound(f"Could not find project: {id}.")
    return of(row)


def _read(req, id: str, rule: str) -> list[str]:
    with req.svc.db.reader() as connection:
        return _known(req, connection, id, rule)


def _change(req, id: str, rule: str, edit) -> list[str]:
    with req.svc.db.writer() as connection:
        tags = edit(_known(req, connection, id, rule))
        if len(tags) > MOST:
            raise errors.BadRequest(f"A project can have {MOST} tags at most.")
        rows.update(connection, TABLE, id, {"tags": text(tags)}, resource="project")
        return sorted(tags)


def _answer(req, tags: list[str]) -> dict:
    return {"tags": tags, "links": {"self": req.path_url, "next": None, "previous": None}}


def index(req, id):
    return _answer(req, _read(req, id, "list_project_tags"))


@wsgi.body(schema.obj({"tags": LIST}, ["tags"]))
def replace(req, id, body):
    return _answer(req, _change(req, id, "update_project_tags", lambda old: body["tags"]))


def clear(req, id):
    _change(req, id, "delete_project_tags", lambda old: [])


def check(req, id, tag):
    if tag not in _read(req, id, "get_project_tag"):
        raise errors.NotFound(f"Could not find project tag: {tag}.")


def add(req, id, tag):
    _CHECK(tag)
    _change(req, id, "create_project_tag", lambda old: [*old, *([] if tag in old else [tag])])
    response = wsgi.Response(status=201)
    response.location = req.path_url
    return response


def remove(req, id, tag):
    def edit(old):
        if tag not in old:
            raise errors.NotFound(f"Could not find project tag: {tag}.")
        return [t for t in old if t != tag]
    _change(req, id, "delete_project_tag", edit)
