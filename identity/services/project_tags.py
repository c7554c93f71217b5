"""Tags of projects."""

import json

from common import errors, rows
from common.calls import Call
from identity import targets
from identity.db import models

TABLE = models.projects
MAX_TAGS = 80
TAG = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "[^,/]*"}
LIST = {"type": "array", "items": TAG, "maxItems": MAX_TAGS, "uniqueItems": True}


def of(row: dict) -> list[str]:
    return json.loads(row["tags"] or "[]")


def text(tags: list[str]) -> str | None:
    """The value of the column: JSON, so that every database can search it; None if there are no tags."""
    return json.dumps(sorted(tags)) if tags else None


def _known(call: Call, connection, id: str, rule: str) -> list[str]:
    """The tags of a project. :raises Forbidden: the rule refuses, also for a project that does not exist"""
    row = rows.find(connection, TABLE, id)
    call.svc.policy.check(call.ctx, f"identity:{rule}", {"project_id": id, **targets.of(project=row)})
    if row is None:
        raise errors.NotFound(f"Could not find project: {id}.")
    return of(row)


def read(call: Call, id: str, rule: str) -> list[str]:
    with call.svc.db.reader() as connection:
        return _known(call, connection, id, rule)


def change(call: Call, id: str, rule: str, edit) -> list[str]:
    with call.svc.db.writer() as connection:
        tags = edit(_known(call, connection, id, rule))
        if len(tags) > MAX_TAGS:
            raise errors.BadRequest(f"A project can have {MAX_TAGS} tags at most.")
        rows.update(connection, TABLE, id, {"tags": text(tags)}, resource="project")
        return sorted(tags)
