"""Volumes: list, create, show, update, delete, metadata."""

from common import errors, schema, wsgi
from volume import views
from volume.handlers import lists
from volume.handlers import metadata as metadata_handlers
from volume.services import volumes

_CREATE = schema.obj({"volume": schema.obj({
    "size": schema.integer(1, 100000, null=True),
    "name": schema.TEXT, "display_name": schema.TEXT, "description": schema.TEXT, "display_description": schema.TEXT,
    "volume_type": schema.TEXT, "availability_zone": schema.TEXT, "metadata": {"oneOf": [schema.METADATA, {"type": "null"}]},
    "multiattach": {"enum": [False, "false", "False", None]}, "imageRef": {"type": ["string", "null"], "maxLength": 255},
    "snapshot_id": {"type": ["string", "null"], "maxLength": 36},
    "source_volid": {"type": ["string", "null"], "maxLength": 36}, "backup_id": {"type": "null"},
    "consistencygroup_id": {"type": "null"}, "source_replica": {"type": "null"}, "user_id": {}, "project_id": {},
    "status": {}, "attach_status": {}}), "OS-SCH-HNT:scheduler_hints": {"type": ["object", "null"]}},
    ["volume"])


def _list(req, show) -> dict:
    """A page of volumes as ``show`` shows each, with its link and, where asked for, the count of all."""
    found, limit, count = volumes.page(req.call, lists.query(req))
    return {"volumes": [show(r) for r in found], **lists.more(req, "volumes", found, limit), **count}


def index(req):
    return _list(req, lambda r: {"id": r["id"], "name": r["name"], "links": views.links(req, r)})


def detail(req):
    return _list(req, views.Volumes(req).detailed)


def summary(req):
    count, size_gb = volumes.totals(req.call, lists.query(req))
    return {"volume-summary": {"total_count": count, "total_size": size_gb, "metadata": {}}}


def show(req, id):
    row = volumes.show(req.call, id)
    return {"volume": views.Volumes(req).detailed(row)}


@wsgi.body(_CREATE)
def create(req, body):
    return {"volume": views.Volumes(req).plain(volumes.create(req.call, body["volume"]))}


@wsgi.body(schema.wrapped("volume", {"name": schema.TEXT, "description": schema.TEXT, "display_name": schema.TEXT,
                                     "display_description": schema.TEXT, "metadata": schema.METADATA}))
def update(req, id, body):
    given = body["volume"]
    if not given and req.version >= (3, 53):
        raise errors.BadRequest("Invalid input for field/attribute volume. {} does not have enough properties")
    values = {k: given[k] for k in ("name", "description", "metadata") if k in given}
    for old, new in (("display_name", "name"), ("display_description", "description")):
        if old in given:
            values.setdefault(new, given[old])
    row = volumes.update(req.call, id, values)
    return {"volume": views.Volumes(req).plain(row)}


def delete(req, id):
    force = req.version >= (3, 23) and wsgi.flag(req, "force")
    volumes.delete(req.call, id, force=force, cascade=wsgi.flag(req, "cascade"))


METADATA = metadata_handlers.Metadata(
    volumes.metadata, volumes.change_metadata, get="volume:get_volume_metadata", create="volume:create_volume_metadata",
    update="volume:update_volume_metadata", delete="volume:delete_volume_metadata")
