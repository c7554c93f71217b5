"""Live migrations of servers: the action that begins one, and those in progress."""

from common import errors, values, wsgi
from compute_api import microversions
from compute_api.handlers.migrations import number_of, times_of
from compute_api.schemas import server_migrations as schemas
from compute_api.services import live_migrations

_SINCE, _UNTIL = {"force": (2, 30)}, {"disk_over_commit": (2, 24), "force": (2, 67)}
ACTIONS = ("force_complete",)  # on a migration
_AUTO = (2, 25)  # since which the service finds out whether there is a disk to copy


def migrate_live(req, id, arguments):
    """What ``disk_over_commit`` says is not asked: the scheduler claims the disk's full size."""
    microversions.check_names(req.call, arguments, _SINCE, _UNTIL)
    block = arguments["block_migration"]
    if req.version < _AUTO:
        if "disk_over_commit" not in arguments:
            raise errors.BadRequest("Invalid input for field/attribute os-migrateLive. 'disk_over_commit' is a required property")
        if block == "auto":
            raise errors.BadRequest("Invalid input for field/attribute block_migration. 'auto' is not a boolean")
    live_migrations.migrate(req.call, id, arguments["host"], force=_force(req, arguments),
                            block=None if block == "auto" else values.boolean(block, "block_migration"))


def _force(req, arguments) -> bool:
    """Between 2.30 and 2.67 a host is one that the scheduler checks unless it is forced; before, it is not checked."""
    if req.version < (2, 30):
        return bool(arguments["host"])
    force = values.boolean(arguments.get("force", False), "force")
    if force and not arguments["host"]:
        raise errors.BadRequest("Can't force to a non-provided destination")
    return force


def _view(req, row: dict, *, hosts: bool) -> dict:
    source, target = (row["source_host"], row["dest_host"]) if hosts else (None, None)
    shown = {"id": row["id"], "status": row["status"], "server_uuid": row["instance_uuid"], "source_compute": source,
             "source_node": source, "dest_compute": target, "dest_node": target, "dest_host": None, **times_of(row),
             **{f"{what}_{part}_bytes": (row["progress"] or {}).get(f"{what}_{part}")
                for what in ("memory", "disk") for part in ("total", "processed", "remaining")}}
    if req.version >= (2, 59):
        shown["uuid"] = row["uuid"]
    if req.version >= (2, 80):
        shown.update(user_id=row["user_id"], project_id=row["project_id"])
    return shown


def index(req, id):
    found, hosts = live_migrations.index(req.call, id)
    return {"migrations": [_view(req, row, hosts=hosts) for row in found]}


def show(req, id, migration_id):
    return {"migration": _view(req, live_migrations.show(req.call, id, number_of(migration_id)), hosts=True)}


def abort(req, id, migration_id):
    live_migrations.abort(req.call, id, number_of(migration_id), queued=req.version >= (2, 65))
    return wsgi.Response(status=202)


@wsgi.body(schemas.ACTION)
def act(req, id, migration_id, body):
    live_migrations.force_complete(req.call, id, number_of(migration_id))
    return wsgi.Response(status=202)
