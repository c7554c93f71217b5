"""Tags of resources."""

import json
import typing

from common import db, errors, rows
from common.calls import Call
from network.db import revisions
from network.schemas.tags import MAX_TAGS
from network.services.work import Work, commit


def of(row: dict) -> list[str]:
    return json.loads(row["tags"]) if row.get("tags") else []


def show(call: Call, resource, row_id: str) -> list[str]:
    with call.svc.db.reader() as connection:
        row = resource.get(Work.of(call, connection), row_id)
    resource.check(call, f"get_{resource.singular}:tags", row)
    return of(row)


def change(call: Call, resource, row_id: str, verb: str, edit: typing.Callable[[set[str]], set[str]], revision: int | None
           ) -> list[str]:
    """Change the tags of a resource.

    :param verb: of the rule: "create", "update" or "delete"
    :param edit: function from the current tags to the new ones
    :param revision: change them only if the resource has this revision
    """
    return commit(call, _change, resource, row_id, verb, edit, revision)[1]


def _change(work: Work, resource, row_id: str, verb: str, edit, revision: int | None) -> list[str]:
    row = resource.get(work, row_id)
    resource.check(work, f"{verb}_{resource.singular}:tags", row)
    revisions.check(row, revision)
    before = of(row)
    changed = sorted(edit(set(before)))
    if len(changed) > MAX_TAGS:
        raise errors.BadRequest(f"Invalid input for operation: a resource has at most {MAX_TAGS} tags.")
    if changed != before:
        rows.update(work.connection, resource.table, row_id, {
            "tags": json.dumps(changed), "updated_at": db.now(), "revision_number": row["revision_number"] + 1},
            resource=resource.kind)
    return changed


def absent(tag: str) -> errors.NotFound:
    return errors.NotFound(f"Tag {tag} could not be found.", kind="TagNotFound")


def without(tag: str) -> typing.Callable[[set[str]], set[str]]:
    """An ``edit`` that removes a tag. It raises NotFound if the tag does not exist."""
    def edit(old: set[str]) -> set[str]:
        if tag not in old:
            raise absent(tag)
        return old - {tag}
    return edit
