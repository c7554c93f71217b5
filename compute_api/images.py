"""Images of servers, resolved with the caller's rights, because hosts fetch them with the rights of a service."""

from common import errors
from common.calls import Call
from common.rest import last_segment, path
from conductor.db import quotas

BOOTABLE = ("raw", "qcow2", "ami", "iso")
PARTS = ("kernel", "ramdisk")
_FETCHED = ("id", "disk_format", "size", "os_hash_algo", "os_hash_value")
_KEPT = (*_FETCHED, "container_format", "virtual_size", "checksum", "min_disk", "min_ram")
_BASE = {*_KEPT, "name", "status", "visibility", "protected", "os_hidden", "owner", "created_at", "updated_at", "self", "file",
         "schema", "tags", "stores", "locations", "direct_url"}


def of(call: Call, reference: str, flavor: dict) -> dict:
    """What a server keeps of the image that it is built from: the image's facts, its ``properties``, and the facts of the
    ``kernel`` and ``ramdisk`` that it names.

    :raises BadRequest: one of them is not there for this caller, not active, or does not fit the flavor
    """
    image = _active(call, last_segment(reference))
    if flavor["ram"] < image["min_ram"]:
        raise _too_small(flavor, image, "memory", f"{flavor['ram']} MB", f"{image['min_ram']} MB")
    size_gb = -(-(image.get("virtual_size") or image["size"] or 0) // (1 << 30))
    if flavor["disk"] and flavor["disk"] < max(image["min_disk"], size_gb):
        raise _too_small(flavor, image, "disk", f"{flavor['disk']} GB", f"{max(image['min_disk'], size_gb)} GB")
    if image["disk_format"] not in BOOTABLE:
        raise errors.BadRequest(f"Servers cannot boot images of disk format {image['disk_format']}.")
    named = {part: image.get(f"{part}_id") for part in PARTS}
    parts = {part: {k: found.get(k) for k in _FETCHED} for part, found in
             ((part, _active(call, image_id)) for part, image_id in named.items() if image_id)}
    return {**{k: image.get(k) for k in _KEPT}, **parts, "properties": properties(image)}


def file_of(call: Call, image_id: str) -> dict:
    """The attributes that a host needs to fetch an image. :raises BadRequest: it is invisible to the caller, or not active"""
    image = _active(call, image_id)
    return {name: image.get(name) for name in _FETCHED}


def _too_small(flavor: dict, image: dict, what: str, has: str, needs: str) -> errors.BadRequest:
    return errors.BadRequest(f"Flavor's {what} is too small for requested image. Flavor {flavor['name']} has {has}, image "
                             f"{image['name'] or image['id']} needs {needs}. Choose a larger flavor.")


def is_attribute(name: str) -> bool:
    """Whether the name is an attribute of images rather than a property. os_glance_* is the state of an import."""
    return name in _BASE or name.startswith("os_glance_")


def properties(image: dict) -> dict:
    """The properties of an image as the image service shows it."""
    return {k: v for k, v in image.items() if not is_attribute(k)}


def _active(call: Call, image_id: str) -> dict:
    try:
        image = call.svc.rest.request("GET", "image", path("/v2/images/{id}", image_id), ctx=call.ctx)
    except errors.NotFound:
        raise errors.BadRequest(f"Can not find requested image {image_id}.") from None
    if image["status"] != "active":
        raise errors.BadRequest(f"Image {image['id']} is not active.")
    return image


def metadata_limit(call: Call) -> int:
    """The number of properties that an image of the caller's project may have; -1: unlimited."""
    with call.svc.db.reader() as connection:
        return quotas.limits(connection, call.ctx.project_id, call.svc.quota_defaults, user_id=call.ctx.user_id)["metadata_items"]
