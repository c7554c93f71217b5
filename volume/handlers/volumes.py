"""Volumes: list, create, show, update, delete, metadata."""

from common import errors, wsgi
from volume import views
from volume.handlers import lists
from volume.handlers import metadata as metadata_handlers
from volume.schemas import volumes as schemas
from volume.services import volumes


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


@wsgi.body(schemas.CREATE)
def create(req, body):
    return {"volume": views.Volumes(req).plain(volumes.create(req.call, body["volume"]))}


@wsgi.body(schemas.UPDATE)
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
