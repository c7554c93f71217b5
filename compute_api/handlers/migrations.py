"""Migrations and resizes of servers: the actions that begin, confirm and revert them, and the list of migrations."""

import re

from common import db, errors, wsgi
from compute_api import changes, views
from compute_api.handlers import paging
from compute_api.services import live_migrations, resizes

_FILTERS = {"host", "instance_uuid", "source_compute", "status", "migration_type"}
_LATER = {"limit", "marker", "changes-since"}


def migrate(req, id, arguments):
    """Before 2.56 the scheduler always chooses the host."""
    given = arguments if isinstance(arguments, dict) and req.version >= (2, 56) else {}
    resizes.migrate(req.call, id, given.get("host"))


def resize(req, id, arguments):
    resizes.resize(req.call, id, str(arguments["flavorRef"]).rstrip("/").rpartition("/")[2], arguments.get("OS-DCF:diskConfig"))


def confirm(req, id, arguments):
    resizes.confirm(req.call, id)
    return wsgi.json_response(None, 204)


def revert(req, id, arguments):
    resizes.revert(req.call, id)


def _number(flavor: dict) -> int | None:
    """Nova shows the flavor's primary key in its database. Here it is the flavor's id, if that is a number."""
    text = str(flavor["id"])
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def number_of(text: str) -> int:
    """The id of a migration in a path. :raises NotFound: it cannot be one"""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise errors.NotFound(f"Migration {text} could not be found.")
    return int(text)


def times_of(row: dict) -> dict:
    return {name: db.iso(row[name], zulu=False, micro=True) for name in ("created_at", "updated_at")}


def _view(req, row: dict, *, hosts: bool) -> dict:
    source, target = (row["source_host"], row["dest_host"]) if hosts else (None, None)
    shown = {"id": row["id"], "status": row["status"], "instance_uuid": row["instance_uuid"],
             "source_compute": source, "source_node": source, "dest_compute": target, "dest_node": target, "dest_host": None,
             "old_instance_type_id": _number(row["old_flavor"]), "new_instance_type_id": _number(row["new_flavor"]),
             **times_of(row)}
    if req.version >= (2, 23):
        shown["migration_type"] = row["type"]
        if live_migrations.is_in_progress(row):
            shown["links"] = views.links(req, f"servers/{row['instance_uuid']}/migrations", row["id"])
    if req.version >= (2, 59):
        shown["uuid"] = row["uuid"]
    if req.version >= (2, 80):
        shown.update(user_id=row["user_id"], project_id=row["project_id"])
    return shown


def _known_names(req) -> set[str]:
    """The query parameters of a microversion. Before 2.59 unknown ones are ignored."""
    later = {"changes-before"} if req.version >= (2, 66) else set()
    owners = {"user_id", "project_id"} if req.version >= (2, 80) else set()
    return _FILTERS | {"hidden"} | _LATER | later | owners


def _check_query(req) -> None:
    unknown = set(req.GET) - _known_names(req)
    if unknown and req.version >= (2, 59):
        raise errors.BadRequest(f"Additional properties are not allowed ('{min(unknown)}' was unexpected)")


def index(req):
    _check_query(req)
    filters = {name: req.GET[name] for name in _known_names(req) & (_FILTERS | {"user_id", "project_id"}) if name in req.GET}
    paged = req.version >= (2, 59)
    times = changes.given(req.version, paging.query(req)) if paged else {}
    limit = paging.limit(req) if paged else paging.MAX_PAGE
    found = resizes.index(req.call, filters, times, limit=limit, marker=req.GET.get("marker") if paged else None)
    hosts = resizes.shows_hosts(req.call)
    body: dict = {"migrations": [_view(req, row, hosts=hosts) for row in found]}
    if paged and (following := paging.next_links(req, found, "uuid")):
        body["migrations_links"] = following
    return body
