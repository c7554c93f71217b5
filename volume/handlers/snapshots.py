"""Snapshots of volumes: list, create, show, update, delete, metadata, and administrative actions."""

from common import errors, schema, wsgi
from common.unsupported import unknown_action
from volume import unsupported, views
from volume.handlers import lists
from volume.handlers.metadata import Metadata
from volume.schemas import snapshots as schemas
from volume.services import snapshots


def _list(req, show) -> dict:
    found, limit, count = snapshots.page(req.call, lists.query(req))
    return {"snapshots": [show(r) for r in found], **lists.more(req, "snapshots", found, limit), **count}


def index(req):
    return _list(req, views.snapshot)


def detail(req):
    return _list(req, lambda row: views.detailed_snapshot(req, row))


def show(req, id):
    row = snapshots.show(req.call, id)
    return {"snapshot": views.detailed_snapshot(req, row)}


@wsgi.body(schemas.CREATE)
def create(req, body):
    return {"snapshot": views.snapshot(snapshots.create(req.call, body["snapshot"]))}


@wsgi.body(schemas.UPDATE)
def update(req, id, body):
    given = body["snapshot"]
    values = {new: given[k] for k, new in (("display_name", "name"), ("display_description", "description"),
                                           ("name", "name"), ("description", "description")) if k in given}
    if not values:
        raise errors.BadRequest("Invalid input: nothing to change was given.")
    row = snapshots.change(req.call, id, ("volume:get_snapshot", "volume:update_snapshot"), lambda row: values)
    return {"snapshot": views.snapshot(row)}


def delete(req, id):
    snapshots.delete(req.call, id)


# Actions ------------------------------------------------------------------------

_CHECKS = {name: schema.compiled(body) for name, body in schemas.ACTIONS.items()}
# The statuses that os-update_snapshot_status may set, by current status.
_REPORTS = {"creating": ("creating", "available", "error"), "deleting": ("deleting", "error_deleting")}
ACTIONS = tuple(_CHECKS)


def act(req, id):
    body = req.json_object()
    name, arguments = next(iter(body.items()), ("", None))
    if len(body) != 1 or name not in _CHECKS:
        raise unknown_action(body, unsupported.ACTIONS)
    _CHECKS[name](arguments)
    if name == "os-force_delete":
        snapshots.delete(req.call, id, force=True)
    elif name == "os-reset_status":
        snapshots.change(req.call, id, ("volume_extension:snapshot_admin_actions:reset_status",),
                         lambda row: {"status": arguments["status"]})
    else:
        snapshots.change(req.call, id, ("snapshot_extension:snapshot_actions:update_snapshot_status",),
                         lambda row: _reported(row, arguments["status"]))


def _reported(row: dict, status: str) -> dict:
    if row["status"] not in _REPORTS:
        raise errors.BadRequest(f"Snapshot status {row['status']} not allowed for update_snapshot_status")
    if status not in _REPORTS[row["status"]]:
        raise errors.BadRequest(f"Provided snapshot status {status} not allowed for snapshot with status {row['status']}.")
    return {"status": status}


METADATA = Metadata(
    snapshots.metadata, snapshots.change_metadata, get="volume:get_snapshot_metadata",
    create="volume:update_snapshot_metadata", update="volume:update_snapshot_metadata", delete="volume:delete_snapshot_metadata")
