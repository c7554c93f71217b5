"""Volumes: list, create, show, update, delete, metadata."""

from common import context, db, errors, rows, schema, wsgi
from common.rest import last_segment, path
from volume import access, views
from volume.db import snapshots, volumes
from volume.db import types as type_rows
from volume.handlers import filters, lists, types
from volume.handlers import metadata as metadata_handlers

TABLE = volumes.TABLE
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

FILTERS = {
    **{name: filters.text(TABLE.c[name]) for name in (
        "id", "name", "description", "status", "availability_zone", "project_id", "user_id", "volume_type_id", "snapshot_id",
        "source_volid")},
    "display_name": filters.text(TABLE.c.name), "display_description": filters.text(TABLE.c.description),
    "host": filters.Filter(lambda value, req: TABLE.c.host == value.partition("@")[0], trusted=True),
    "size": filters.number(TABLE.c.size), "bootable": filters.truth(TABLE.c.bootable),
    "created_at": filters.moment(TABLE.c.created_at), "updated_at": filters.moment(TABLE.c.updated_at),
    "metadata": filters.entries(TABLE.c["metadata"]),
    "glance_metadata": filters.entries(TABLE.c.image_metadata, since=(3, 4), trusted=True),
    "attach_status": filters.Filter(lambda value, req: {"attached": volumes.ATTACHED, "detached": ~volumes.ATTACHED}.get(
        value, rows.NONE)),
    "multiattach": filters.always(False), "consumes_quota": filters.ALL_CONSUME_QUOTA,
    **dict.fromkeys(("group_id", "consistencygroup_id", "migration_status", "replication_status", "encryption_key_id",
                     "cluster_name"), filters.NEVER),
}


def _list(req, show) -> dict:
    """A page of volumes as ``show`` shows each, with its link and, where asked for, the count of all."""
    conditions = lists.whose(req, TABLE, "volume:get_all") + filters.conditions(req, FILTERS)
    with req.svc.db.reader() as connection:
        count = lists.count(req, connection, TABLE, conditions)
        found, limit = lists.page(req, connection, TABLE, conditions,
                                  lambda marker: access.volume(req, connection, marker))
        found = volumes.complete(connection, found)
    return {"volumes": [show(r) for r in found], **lists.more(req, "volumes", found, limit), **count}


def index(req):
    return _list(req, lambda r: {"id": r["id"], "name": r["name"], "links": views.links(req, r)})


def detail(req):
    return _list(req, views.Volumes(req).detailed)


def summary(req):
    conditions = lists.whose(req, TABLE, "volume:get_all")
    with req.svc.db.reader() as connection:
        count, size_gb = volumes.totals(connection, *conditions)
    return {"volume-summary": {"total_count": count, "total_size": size_gb, "metadata": {}}}


def show(req, id):
    with req.svc.db.reader() as connection:
        row = access.volume(req, connection, id)
    return {"volume": views.Volumes(req).detailed(row)}


def _type_id(connection, req, wanted: str | None) -> str | None:
    found = type_rows.named(connection, wanted or req.svc.conf.volume.default_volume_type, types.usable(req))
    if found is None and wanted:
        raise errors.NotFound(f"Volume type with name {wanted} could not be found.")
    return found


@wsgi.body(_CREATE)
def create(req, body):
    given, at = body["volume"], db.now()
    req.svc.policy.check(req.ctx, "volume:create_from_image" if given.get("imageRef") else "volume:create")
    if req.ctx.project_id is None:
        raise errors.BadRequest("Invalid input received: a volume needs a project, and the token has none.")
    with req.svc.db.reader() as connection:
        source = _source(req, connection, given)
    size = int(given.get("size") or source.get("size", 0))
    if size < max(1, source.get("size", 0)):
        raise errors.BadRequest("Invalid input received: Volume size must be a positive integer." if not source else
                                f"Invalid input received: Volume size '{size}'GB cannot be smaller than original size "
                                f"{source['size']}GB. They must be >= original size.")
    if given.get("availability_zone") not in (None, "nova"):
        raise errors.BadRequest(f"Invalid input received: Availability zone '{given['availability_zone']}' is invalid.")
    image = _image(req, given.get("imageRef"), size)
    row = {"id": context.new_uuid(), "name": given.get("name", given.get("display_name")),
           "description": given.get("description", given.get("display_description")),
           "project_id": req.ctx.project_id, "user_id": req.ctx.user_id, "size": size, "status": "creating",
           "fault": None, "availability_zone": "nova", "bootable": bool(image) or source.get("bootable", False),
           "host": None, "readonly": None,
           "metadata": given.get("metadata") or {}, "image_metadata": image or source.get("image_metadata", {}),
           "image_id": image.get("image_id"), "snapshot_id": given.get("snapshot_id"),
           "source_volid": given.get("source_volid"),
           "request_id": req.ctx.trace_id,
           "created_at": at, "updated_at": at}
    with req.svc.db.writer() as connection:
        volumes.check_quota(connection, req.svc.conf, req.ctx.project_id, size)
        _source(req, connection, given)  # it may have gone since it was looked at
        row["volume_type_id"] = source.get("type") if source and not given.get("volume_type") else \
            _type_id(connection, req, given.get("volume_type"))
        rows.insert(connection, TABLE, row)
        row = volumes.complete(connection, [row])[0]
    req.svc.notifier.tell(req.ctx, "volume.create.start", volumes.told(row))
    req.svc.send(req.svc.scheduler.create_volume, req.ctx, row["id"])
    return {"volume": views.Volumes(req).plain(row)}


def _source(req, connection, given: dict) -> dict:
    """{"size", "bootable", "image_metadata", "type"} of the snapshot or volume to copy; {} without one.

    :raises BadRequest: more than one source, or one that cannot be copied now
    """
    named = [k for k in ("imageRef", "snapshot_id", "source_volid") if given.get(k)]
    if len(named) > 1:
        raise errors.BadRequest(f"Invalid input received: a volume is made of one source, not of {' and '.join(named)}.")
    if given.get("snapshot_id"):
        snapshot = access.snapshot(req, connection, given["snapshot_id"], "volume:get_snapshot")
        if snapshot["status"] != "available":
            raise errors.BadRequest(f"Invalid snapshot: Originating snapshot status must be one of 'available' values, "
                                    f"but is {snapshot['status']}.")
        volume, size = volumes.get(connection, None, snapshot["volume_id"]), snapshot["volume_size"]
    elif given.get("source_volid"):
        volume = access.volume(req, connection, given["source_volid"])
        size = volume["size"]
        if volume["status"] not in ("available", "in-use"):
            raise errors.BadRequest(f"Invalid volume: source volume status must be available or in-use, but is "
                                    f"{volume['status']}.")
    else:
        return {}
    return {"size": size, "bootable": volume["bootable"], "image_metadata": volume["image_metadata"],
            "type": volume["volume_type_id"]}


def _image(req, ref: str | None, size_gb: int) -> dict:
    """What a volume keeps of the image that it is made of, checked to fit; {} without one."""
    if not ref:
        return {}
    try:
        image = req.svc.rest.request("GET", "image", path("/v2/images/{id}", last_segment(ref)), ctx=req.ctx)
    except errors.NotFound:
        raise errors.BadRequest("Invalid image identifier or unable to access requested image.") from None
    if image["status"] != "active":
        raise errors.BadRequest(f"Invalid input received: Image {image['id']} is not active.")
    if image["disk_format"] not in ("raw", "qcow2", "ami", "iso"):
        raise errors.BadRequest(f"Invalid input received: volumes cannot be made of disk format {image['disk_format']}.")
    needed = max(image["min_disk"], -(-(image.get("virtual_size") or image["size"] or 0) // (1 << 30)))
    if needed > size_gb:
        raise errors.BadRequest(f"Invalid input received: Size of specified image {needed}GB is larger than volume size "
                                f"{size_gb}GB.")
    kept = ("container_format", "disk_format", "checksum", "size", "min_disk", "min_ram")
    properties = {k: v for k, v in image.items() if k.startswith(("hw_", "os_type", "kernel_id", "ramdisk_id"))
                  and isinstance(v, str)}
    return {"image_id": image["id"], "image_name": image["name"] or "", **{k: str(image[k]) for k in kept}, **properties}


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
    with req.svc.db.writer() as connection:
        rows.change(connection, TABLE, access.volume(req, connection, id, "volume:update"), values, resource="volume")
        return {"volume": views.Volumes(req).plain(volumes.get(connection, None, id))}


def begin_delete(connection, row: dict, *, cascade: bool = False, force: bool = False) -> dict:
    """Mark a volume for deletion; its host does it. A volume that never got a host has nothing to delete but its row.

    :param force: whatever its status is, unless a server has it
    """
    id = row["id"]
    taken = snapshots.of_volume(connection, id)
    busy = snapshots.being_copied(connection, source_volid=id) or any(
        s["status"] == "creating" or snapshots.being_copied(connection, snapshot_id=s["id"]) for s in taken)
    if row["attachments"] or busy or (taken and not cascade):
        raise errors.BadRequest("Invalid volume: Volume status must be available or error or error_restoring or "
                                "error_extending or error_managing and must not be migrating, attached, belong to a "
                                "group, have snapshots or be disassociated from snapshots after volume transfer.")
    if force:
        rows.update(connection, TABLE, id, {"status": "error"}, resource="volume")
    volumes.move(connection, id, "delete")
    if row["host"] is None:
        rows.delete(connection, TABLE, id, resource="volume")
    return row


def delete(req, id):
    force = req.version >= (3, 23) and wsgi.flag(req, "force")
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id, *(("volume:force_delete",) if force else ()), "volume:delete")
        begin_delete(connection, row, cascade=wsgi.flag(req, "cascade"), force=force)
    req.svc.notifier.tell(req.ctx, "volume.delete.start", volumes.told(row))
    if row["host"]:
        req.svc.send(req.svc.agents.delete_volume, req.ctx, row["host"], id)


# Metadata -----------------------------------------------------------------------

def metadata(req, id, rule: str) -> dict:
    with req.svc.db.reader() as connection:
        return access.volume(req, connection, id, rule)["metadata"]


def change_metadata(req, id, rules: tuple[str, ...], edit) -> dict:
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id, *rules)
        changed = edit(row["metadata"])
        rows.change(connection, TABLE, row, {"metadata": changed}, resource="volume")
        return changed


METADATA = metadata_handlers.Metadata(
    metadata, change_metadata, get="volume:get_volume_metadata", create="volume:create_volume_metadata",
    update="volume:update_volume_metadata", delete="volume:delete_volume_metadata")
