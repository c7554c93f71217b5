"""Snapshots of volumes: list, create, show, update, delete, metadata, and administrative actions."""

from common import context, db, errors, rows, wsgi
from common.calls import Call
from volume import access
from volume.db import snapshots, volumes
from volume.services import filters, lists

TABLE = snapshots.TABLE
FILTERS = {
    **{name: filters.text(TABLE.c[name]) for name in (
        "id", "name", "description", "status", "volume_id", "project_id", "user_id")},
    "display_name": filters.text(TABLE.c.name), "display_description": filters.text(TABLE.c.description),
    "volume_size": filters.number(TABLE.c.volume_size), "metadata": filters.entries(TABLE.c["metadata"], since=(3, 22)),
    "availability_zone": filters.Filter(lambda value, call: snapshots.of_volumes(availability_zone=value)),
    "host": filters.Filter(lambda value, call: snapshots.of_volumes(host=value.partition("@")[0]), trusted=True),
    "created_at": filters.moment(TABLE.c.created_at), "updated_at": filters.moment(TABLE.c.updated_at),
    "consumes_quota": filters.ALL_CONSUME_QUOTA,
    **dict.fromkeys(("group_snapshot_id", "cgsnapshot_id", "encryption_key_id", "cluster_name"), filters.NEVER),
}


def page(call: Call, query: dict[str, str]) -> tuple[list[dict], int, dict]:
    """(the snapshots of a page, its limit, {"count": all} where requested)"""
    conditions = lists.whose(call, query, TABLE, "volume:get_all_snapshots") + filters.conditions(call, query, FILTERS)
    with call.svc.db.reader() as connection:
        count = lists.count(call, connection, query, TABLE, conditions)
        found, limit = lists.page(connection, query, TABLE, conditions, lambda marker: access.snapshot(call, connection, marker))
        return found, limit, count


def show(call: Call, id: str):
    with call.svc.db.reader() as connection:
        return access.snapshot(call, connection, id, "volume:get_snapshot")


def create(call: Call, given: dict) -> dict:
    """:param given: the body, as the client sent it"""
    at = db.now()
    with call.svc.db.writer() as connection:
        volume = access.volume(call, connection, given["volume_id"], "volume:create_snapshot")
        force = given.get("force")
        if call.version >= (3, 66) and force is not None and not wsgi.bool_value(force):
            raise errors.BadRequest("Invalid input received: the force flag is invalid for microversions 3.66 and above.")
        allowed = ("available", "in-use") if call.version >= (3, 66) or wsgi.bool_value(force or False) else ("available",)
        if volume["status"] not in allowed:
            raise errors.BadRequest(f"Invalid volume: Volume {volume['id']} status must be {' or '.join(allowed)}, but "
                                    f"current status is: {volume['status']}.")
        volumes.check_quota(connection, call.svc.conf, volume["project_id"], volume["size"], 0, snapshots=1)
        row = {"id": context.new_uuid(), "name": given.get("name", given.get("display_name")),
               "description": given.get("description", given.get("display_description")),
               "project_id": volume["project_id"], "user_id": call.ctx.user_id, "volume_id": volume["id"],
               "volume_size": volume["size"], "status": "creating", "fault": None,
               "metadata": given.get("metadata") or {}, "request_id": call.ctx.trace_id, "created_at": at, "updated_at": at}
        rows.insert(connection, TABLE, row)
    call.svc.send(call.svc.agents.create_snapshot, call.ctx, volume["host"], row["id"])
    return row


def change(call: Call, id: str, rules: tuple[str, ...], edit) -> dict:
    with call.svc.db.writer() as connection:
        row = access.snapshot(call, connection, id, *rules)
        return rows.change(connection, TABLE, row, edit(row), resource="snapshot")


def delete(call: Call, id: str, *, force: bool = False) -> None:
    forced = ("volume_extension:snapshot_admin_actions:force_delete",) if force else ()
    with call.svc.db.writer() as connection:
        row = access.snapshot(call, connection, id, "volume:get_snapshot", *forced, "volume:delete_snapshot")
        if snapshots.being_copied(connection, snapshot_id=id):
            raise errors.BadRequest("Invalid snapshot: A volume is being created from the snapshot.")
        if force:
            rows.update(connection, TABLE, id, {"status": "error"}, resource="snapshot")
        snapshots.move(connection, id, "delete")
        host = volumes.get(connection, None, row["volume_id"])["host"]
    call.svc.send(call.svc.agents.delete_snapshot, call.ctx, host, id)


def metadata(call: Call, id: str, rule: str) -> dict:
    with call.svc.db.reader() as connection:
        return access.snapshot(call, connection, id, "volume:get_snapshot", rule)["metadata"]


def change_metadata(call: Call, id: str, rules: tuple[str, ...], edit) -> dict:
    return change(call, id, ("volume:get_snapshot", *rules), lambda row: {"metadata": edit(row["metadata"])})["metadata"]
