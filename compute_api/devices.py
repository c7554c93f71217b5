"""Block device mapping of new servers: their volumes (for other disks, see ``local_disks``).

Supported are the image on the local disk, existing volumes, and new volumes, empty or created from an image or a snapshot. A
server may boot from a volume. Other forms are refused. New volumes are created as the user before the server's row, so that a
quota that is exceeded is reported at once.
"""

import logging

import sqlalchemy as sa

from common import context, document, errors, schema, wsgi
from common.calls import Call
from common.guest_hardware import Hardware
from common.rest import path
from compute_api import disk_names, local_disks, microversions, multiattach
from compute_api.schemas import servers as schemas
from conductor.db import models

LOG = logging.getLogger(__name__)
DEVICES = models.block_devices
_CHECK = schema.compiled(schemas.DEVICES)


def of_image(image: dict) -> list[dict]:
    """The mapping in the properties of an image of a server, in the format of requests.

    :raises BadRequest: it is invalid, since users may write such a property
    """
    try:
        given = document.parse(image["properties"]["block_device_mapping"].encode())
        found = [{"source_type": each["source_type"], "destination_type": each["destination_type"], "uuid": each["snapshot_id"],
                  **{k: each.get(k) for k in ("boot_index", "volume_size", "tag", "delete_on_termination")
                     if each.get(k) is not None}} for each in given]
    except (errors.BadRequest, ValueError, TypeError, KeyError, AttributeError):
        raise errors.BadRequest("Block Device Mapping is Invalid: the image's own mapping cannot be read.") from None
    _CHECK(found)
    if any(each["source_type"] != "snapshot" for each in found) or not any(each.get("boot_index") == 0 for each in found):
        raise errors.BadRequest("Block Device Mapping is Invalid: the image's own mapping has no snapshot to boot from.")
    return found


def parse(call: Call, given: list[dict], has_image: bool, count: int) -> list[dict]:
    """The requested volumes: [{"volume_id", "boot_index", "delete_on_termination", "tag", "bus", "new", "multiattach"}].

    ``new`` is the body of a volume to be created; ``volume_id`` is then None. ``bus``: that was asked for, or None.

    :raises BadRequest: an unsupported form, or a volume that does not exist or is in use
    """
    found: list[dict] = []
    for item in given:
        microversions.check_names(call, item, {"volume_type": (2, 67)})
        bus = disk_names.bus_of(item)
        if local_disks.is_local(item):
            continue
        kind, target = item.get("source_type", "volume"), item.get("destination_type")
        index = item.get("boot_index")
        boot_index = None if index in (None, "") else int(index)
        if kind == "image" and target in ("local", None) and boot_index == 0 and has_image:
            continue  # the default root disk, requested explicitly
        if target == "local":
            raise errors.BadRequest(f"Block Device Mapping is Invalid: source {kind} with destination "
                                    f"{target or 'default'} is not supported by this cloud.")
        if kind in ("blank", "image", "snapshot") and target is None:
            raise errors.BadRequest("Block Device Mapping is Invalid: a destination_type is required.")
        volume_id = (item.get("uuid") or item.get("volume_id")) if kind == "volume" else None
        if kind == "volume" and not volume_id:
            raise errors.BadRequest("Block Device Mapping is Invalid: the uuid of a volume is required.")
        found.append({"volume_id": volume_id, "boot_index": boot_index, "tag": item.get("tag"), "bus": bus,
                      "new": _new(item, kind) if kind != "volume" else None,
                      "delete_on_termination": wsgi.bool_value(item.get("delete_on_termination", False))})
    _check_order(found, has_image)
    if count > 1 and any(d["volume_id"] for d in found):
        raise errors.BadRequest("Cannot attach one or more volumes to multiple instances")
    for device in found:
        if device["volume_id"]:
            _check_volume(call, device)
        elif "snapshot_id" in device["new"]:
            _get(call, "snapshot", device["new"]["snapshot_id"])
    return found


def _check_order(found: list[dict], has_image: bool) -> None:
    """:raises BadRequest: the boot indexes, including that of the image's disk, are not 0, 1, 2, ..."""
    indexes = sorted(d["boot_index"] for d in found if d["boot_index"] is not None and d["boot_index"] >= 0)
    if has_image and 0 not in indexes:
        indexes.insert(0, 0)
    if indexes != list(range(len(indexes))):
        raise errors.BadRequest("Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping "
                                "combination is not valid.")


def _new(item: dict, kind: str) -> dict:
    try:
        size = int(item.get("volume_size") or 0)
    except ValueError:
        size = 0
    if kind == "snapshot" and not item.get("uuid"):
        raise errors.BadRequest("Block Device Mapping is Invalid: the uuid of a snapshot is required.")
    texts = {"name": "", "description": "", **({"volume_type": item["volume_type"]} if item.get("volume_type") else {})}
    if kind == "snapshot":
        return {**texts, "snapshot_id": item["uuid"], **({"size": size} if size else {})}
    if size < 1:
        raise errors.BadRequest("Block Device Mapping is Invalid: a new volume needs a volume_size of at least 1.")
    if kind == "image" and not item.get("uuid"):
        raise errors.BadRequest("Block Device Mapping is Invalid: the uuid of an image is required.")
    return {**texts, "size": size, **({"imageRef": item["uuid"]} if kind == "image" else {})}


def choose_prefixes(mapping: list[dict], hardware: Hardware) -> None:
    """Add how the names of the devices begin, as ``prefix``, where a bus was asked for.

    :raises BadRequest: a server of this hardware can have no disk there
    """
    for device in mapping:
        if device["bus"]:
            device["prefix"] = disk_names.prefix_of(device["bus"], hardware)


def make_volumes(call: Call, mapping: list[dict], count: int) -> list[list[dict]]:
    """Create the new volumes of ``count`` servers; returns the mapping of each server.

    :raises BadRequest, TooLarge: a volume was refused; the volumes created before it have been deleted
    """
    made: list[list[dict]] = []
    try:
        for _ in range(count):
            made.append([])
            for device in mapping:
                made[-1].append({**device, **(_make_volume(call, device["new"]) if device["new"] else {})})
    except Exception as error:
        drop_volumes(call, made)
        if isinstance(error, errors.NotFound):  # an image or a type in the mapping, not the resource of the request
            raise errors.BadRequest(f"Block Device Mapping is Invalid: {error}") from None
        raise
    return made


def _make_volume(call: Call, new: dict) -> dict:
    volume = call.svc.rest.request("POST", "volume", path("/v3/volumes"), body={"volume": new}, ctx=call.ctx)["volume"]
    return {"volume_id": volume["id"], "multiattach": volume["multiattach"]}


def drop_volumes(call: Call, made: list[list[dict]]) -> None:
    """Delete the new volumes of servers that are not created. A volume that cannot be deleted yet is kept."""
    for device in (d for devices in made for d in devices if d["new"]):
        try:
            call.svc.rest.request("POST", "volume", path("/v3/volumes/{id}/action", device["volume_id"]),
                                 body={"os-force_delete": {}})
        except errors.Error as error:
            LOG.warning("volume %s of a refused server could not be deleted: %s", device["volume_id"], error)


def _get(call: Call, kind: str, id: str) -> dict:
    """A volume or a snapshot. :raises BadRequest: the caller may see no such"""
    try:
        return call.svc.rest.request("GET", "volume", path("/v3/{}/{id}", kind + "s", id), ctx=call.ctx)[kind]
    except errors.NotFound:
        raise errors.BadRequest(f"Block Device Mapping is Invalid: failed to get {kind} {id}.") from None


def _check_volume(call: Call, device: dict) -> None:
    volume = _get(call, "volume", device["volume_id"])
    multiattach.check(call, volume)
    device["multiattach"] = volume["multiattach"]
    if volume["status"] not in multiattach.usable_statuses(volume):
        raise errors.BadRequest(f"Block Device Mapping is Invalid: volume {volume['id']} is {volume['status']}.")
    if device["boot_index"] == 0 and volume["bootable"] != "true":
        raise errors.BadRequest(f"Block Device {volume['id']} is not bootable.")


def insert(connection, row: dict, mapping: list[dict]) -> list[dict]:
    """Insert a new server's devices. The boot volume is the root device; the others follow the ephemeral and swap disks."""
    root, taken = row["root_device_name"], local_disks.names(row["flavor"])
    names = []
    for device in mapping:
        prefix = device.get("prefix", root[:-1])
        names.append(root if device["boot_index"] == 0 else disk_names.take(disk_names.free(prefix, root[:-1], taken)))
        taken.add(names[-1])
    made = [{"id": context.new_uuid(), "instance_uuid": row["uuid"], "volume_id": d["volume_id"], "attachment_id": None,
             "exclusive_volume_id": None if d["multiattach"] else d["volume_id"],
             "device_name": name, "boot_index": d["boot_index"], "delete_on_termination": d["delete_on_termination"],
             "tag": d["tag"], "requested_action": None, "requested_at": None, "request_id": None}
            for d, name in zip(mapping, names)]
    if made:
        try:
            connection.execute(sa.insert(DEVICES), made)
        except sa.exc.IntegrityError as error:
            raise errors.BadRequest("Block Device Mapping is Invalid: a volume is in use by another server.") from error
    return made
