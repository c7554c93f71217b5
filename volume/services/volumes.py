"""Volumes: list, create, show, update, delete, metadata."""

from common import context, db, document, errors, rows, wsgi
from common.calls import Call
from common.rest import last_segment, path
from volume import access
from volume.db import snapshots, volumes
from volume.db import types as type_rows
from volume.services import filters, lists, types, uploads

TABLE = volumes.TABLE
_SNAPSHOTS_OF_IMAGES = (3, 46)  # since when an image that names a snapshot stands for it
_MAPPING = "block_device_mapping"  # the property of an image that names snapshots
FILTERS = {
    **{name: filters.text(TABLE.c[name]) for name in (
        "id", "name", "description", "status", "availability_zone", "project_id", "user_id", "volume_type_id", "snapshot_id",
        "source_volid")},
    "display_name": filters.text(TABLE.c.name), "display_description": filters.text(TABLE.c.description),
    "host": filters.Filter(lambda value, call: TABLE.c.host == value.partition("@")[0], trusted=True),
    "size": filters.number(TABLE.c.size), "bootable": filters.truth(TABLE.c.bootable),
    "created_at": filters.moment(TABLE.c.created_at), "updated_at": filters.moment(TABLE.c.updated_at),
    "metadata": filters.entries(TABLE.c["metadata"]),
    "glance_metadata": filters.entries(TABLE.c.image_metadata, since=(3, 4), trusted=True),
    "attach_status": filters.Filter(lambda value, call: {"attached": volumes.ATTACHED, "detached": ~volumes.ATTACHED}.get(
        value, rows.NONE)),
    "multiattach": filters.truth(TABLE.c.multiattach), "consumes_quota": filters.ALL_CONSUME_QUOTA,
    **dict.fromkeys(("group_id", "consistencygroup_id", "migration_status", "replication_status", "encryption_key_id",
                     "cluster_name"), filters.NEVER),
}


def page(call: Call, query: dict[str, str]) -> tuple[list[dict], int, dict]:
    """(the volumes of a page, its limit, {"count": all} if requested)"""
    conditions = lists.whose(call, query, TABLE, "volume:get_all") + filters.conditions(call, query, FILTERS)
    with call.svc.db.reader() as connection:
        count = lists.count(call, connection, query, TABLE, conditions)
        found, limit = lists.page(connection, query, TABLE, conditions, lambda marker: access.volume(call, connection, marker))
        return volumes.complete(connection, found), limit, count


def totals(call: Call, query: dict[str, str]) -> tuple[int, int]:
    """(number of volumes, their size in GiB)"""
    conditions = lists.whose(call, query, TABLE, "volume:get_all")
    with call.svc.db.reader() as connection:
        return volumes.totals(connection, *conditions)


def show(call: Call, id: str):
    with call.svc.db.reader() as connection:
        return access.volume(call, connection, id)


def _type_id(connection, call: Call, wanted: str | None) -> str | None:
    found = type_rows.named(connection, wanted or call.svc.conf.volume.default_volume_type, types.usable(call))
    if found is None and wanted:
        raise errors.NotFound(f"Volume type with name {wanted} could not be found.")
    return found


def create(call: Call, given: dict) -> dict:
    """Begin to create a volume.

    :param given: the body, as the client sent it
    """
    at = db.now()
    call.svc.policy.check(call.ctx, "volume:create_from_image" if given.get("imageRef") else "volume:create")
    if wsgi.bool_value(given.get("multiattach") or False):
        raise errors.BadRequest(
            "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. Contact "
            "your administrator to create a multiattach enabled volume type and use it to create multiattach volumes.")
    if call.ctx.project_id is None:
        raise errors.BadRequest("Invalid input received: The token has no project scope.")
    found = _find_image(call, given["imageRef"]) if given.get("imageRef") else None
    if found and not given.get("snapshot_id") and call.version >= _SNAPSHOTS_OF_IMAGES and (named := _snapshot_of(found)):
        given, found = {**given, "imageRef": None, "snapshot_id": named}, None
    with call.svc.db.reader() as connection:
        source = _source(call, connection, given)
    size = int(given.get("size") or source.get("size", 0))
    if size < max(1, source.get("size", 0)):
        raise errors.BadRequest("Invalid input received: Volume size must be a positive integer." if not source else
                                f"Invalid input received: Volume size '{size}'GB cannot be smaller than original size "
                                f"{source['size']}GB. They must be >= original size.")
    if given.get("availability_zone") not in (None, "nova"):
        raise errors.BadRequest(f"Invalid input received: Availability zone '{given['availability_zone']}' is invalid.")
    image = _metadata_of(found, size) if found else {}
    row = {"id": context.new_uuid(), "name": given.get("name", given.get("display_name")),
           "description": given.get("description", given.get("display_description")),
           "project_id": call.ctx.project_id, "user_id": call.ctx.user_id, "size": size, "status": "creating",
           "fault": None, "availability_zone": "nova", "bootable": bool(image) or source.get("bootable", False),
           "host": None, "readonly": None,
           "metadata": given.get("metadata") or {}, "image_metadata": image or source.get("image_metadata", {}),
           "image_id": image.get("image_id"), "snapshot_id": given.get("snapshot_id"),
           "source_volid": given.get("source_volid"),
           "request_id": call.ctx.trace_id,
           "created_at": at, "updated_at": at}
    with call.svc.db.writer() as connection:
        volumes.check_quota(connection, call.svc.conf, call.ctx.project_id, size)
        _source(call, connection, given)  # it may have changed since it was read
        row["volume_type_id"] = source.get("type") if source and not given.get("volume_type") else \
            _type_id(connection, call, given.get("volume_type"))
        row["multiattach"] = type_rows.is_multiattach(connection, row["volume_type_id"])
        if row["multiattach"]:
            access.check(call, row, "volume:multiattach")
        rows.insert(connection, TABLE, row)
        row = volumes.complete(connection, [row])[0]
    call.svc.notifier.notify(call.ctx, "volume.create.start", volumes.notification_payload(row))
    call.svc.send(call.svc.scheduler.create_volume, call.ctx, row["id"])
    return row


def _source(call: Call, connection, given: dict) -> dict:
    """{"size", "bootable", "image_metadata", "type"} of the snapshot or volume to copy; {} without one.

    :raises BadRequest: more than one source, or one that cannot be copied now
    """
    named = [k for k in ("imageRef", "snapshot_id", "source_volid") if given.get(k)]
    if len(named) > 1:
        raise errors.BadRequest(f"Invalid input received: A volume can have only one source, not {' and '.join(named)}.")
    if given.get("snapshot_id"):
        snapshot = access.snapshot(call, connection, given["snapshot_id"], "volume:get_snapshot")
        if snapshot["status"] != "available":
            raise errors.BadRequest(f"Invalid snapshot: Originating snapshot status must be one of 'available' values, "
                                    f"but is {snapshot['status']}.")
        volume, size = volumes.get(connection, None, snapshot["volume_id"]), snapshot["volume_size"]
    elif given.get("source_volid"):
        volume = access.volume(call, connection, given["source_volid"])
        size = volume["size"]
        if volume["status"] not in ("available", "in-use"):
            raise errors.BadRequest(f"Invalid volume: source volume status must be available or in-use, but is "
                                    f"{volume['status']}.")
    else:
        return {}
    return {"size": size, "bootable": volume["bootable"], "image_metadata": volume["image_metadata"],
            "type": volume["volume_type_id"]}


def metadata_of_written(call: Call, ref: str, size_gb: int) -> dict:
    """The image metadata that a volume stores once an image has been written over what it has.

    :raises BadRequest: the image is not there for the caller, not for a volume of this size, or has no data: one of a server
        that boots from a volume only names snapshots, and the volume would lose what it has for nothing
    """
    image = _find_image(call, ref)
    metadata = _metadata_of(image, size_gb)
    if image["size"] == 0 or _MAPPING in image:
        raise errors.BadRequest(f"Invalid input received: Image {image['id']} has no data that can be written on a volume.")
    return metadata


def _find_image(call: Call, ref: str) -> dict:
    try:
        return call.svc.rest.request("GET", "image", path("/v2/images/{id}", last_segment(ref)), ctx=call.ctx)
    except errors.NotFound:
        raise errors.BadRequest("Invalid image identifier or unable to access requested image.") from None


def _snapshot_of(image: dict) -> str | None:
    """The snapshot that an image of a server that boots from a volume names in place of data.

    :raises BadRequest: the property cannot be read: anybody may write it
    """
    if _MAPPING not in image:
        return None
    try:
        mapping = document.parse(str(image[_MAPPING]).encode())
        return next((str(each["snapshot_id"]) for each in mapping
                     if each.get("source_type") == "snapshot" and each.get("boot_index") == 0), None)
    except (errors.BadRequest, ValueError, TypeError, KeyError, AttributeError):
        raise errors.BadRequest("Invalid input received: The image's block_device_mapping cannot be read.") from None


def _metadata_of(image: dict, size_gb: int) -> dict:
    if image["status"] != "active":
        raise errors.BadRequest(f"Invalid input received: Image {image['id']} is not active.")
    if image["disk_format"] not in ("raw", "qcow2", "ami", "iso"):
        raise errors.BadRequest("Invalid input received: Volumes cannot be created from images with disk_format "
                                f"{image['disk_format']}.")
    needed = max(image["min_disk"], -(-(image.get("virtual_size") or image["size"] or 0) // (1 << 30)))
    if needed > size_gb:
        raise errors.BadRequest(f"Invalid input received: Size of specified image {needed}GB is larger than volume size "
                                f"{size_gb}GB.")
    kept = ("container_format", "disk_format", "checksum", "size", "min_disk", "min_ram")
    properties = {k: v for k, v in image.items() if k.startswith(("hw_", "os_type", "kernel_id", "ramdisk_id"))
                  and isinstance(v, str)}
    return {"image_id": image["id"], "image_name": image["name"] or "", **{k: str(image[k]) for k in kept}, **properties}


def update(call: Call, id: str, values: dict):
    with call.svc.db.writer() as connection:
        rows.change(connection, TABLE, access.volume(call, connection, id, "volume:update"), values, resource="volume")
        return volumes.get(connection, None, id)


def begin_delete(connection, row: dict, *, cascade: bool = False, force: bool = False) -> dict:
    """Mark a volume for deletion by its host. A volume without a host has only its row, which is deleted at once.

    :param force: in any status, unless it is attached
    """
    id = row["id"]
    taken = snapshots.of_volume(connection, id)
    busy = snapshots.being_read(connection, id) or any(snapshots.being_copied(connection, snapshot_id=s["id"]) for s in taken)
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


def delete(call: Call, id: str, *, force: bool, cascade: bool) -> None:
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id, *(("volume:force_delete",) if force else ()), "volume:delete")
        begin_delete(connection, row, cascade=cascade, force=force)
    uploads.abandon(call, row)
    call.svc.notifier.notify(call.ctx, "volume.delete.start", volumes.notification_payload(row))
    if row["host"]:
        call.svc.send(call.svc.agents.delete_volume, call.ctx, row["host"], id)


def metadata(call: Call, id: str, rule: str) -> dict:
    with call.svc.db.reader() as connection:
        return access.volume(call, connection, id, rule)["metadata"]


def change_metadata(call: Call, id: str, rules: tuple[str, ...], edit) -> dict:
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id, *rules)
        changed = edit(row["metadata"])
        rows.change(connection, TABLE, row, {"metadata": changed}, resource="volume")
        return changed
