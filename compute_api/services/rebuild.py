"""Rebuild: the server keeps its name, addresses and volumes, and gets a new disk from an image."""

from common import errors, guest_hardware, guest_needs, host_traits
from common.calls import Call
from common.rest import path
from compute_api import access, images, personality, virtual_tpm
from compute_api import create as creation
from compute_api.services import power
from compute_api.viewer import Viewer
from conductor.db import hosts, instances, quotas, rebuilds, secrets

REIMAGED = (2, 93)  # since when a server's root volume gets the image; before, it keeps what it has
GIB = 1 << 30
_RULE = "os_compute_api:servers:rebuild"


def _of_image(row: dict, image: dict) -> dict:
    """The columns of a server's image."""
    hardware = guest_hardware.of(row["vcpus"], row["memory_mb"], row["flavor"].get("extra_specs") or {}, image["properties"])
    name = f"{hardware.disk_prefix}a"
    if row["root_device_name"] != f"{guest_hardware.of_server(row).disk_prefix}a":  # the request for the server chose its bus
        name = row["root_device_name"]
    return {"image_meta": image, "image_ref": image["id"], "root_device_name": name}


def _check_host(facts: dict, row: dict, image: dict) -> None:
    """
    :param facts: of the server's host, which besides has what the server has now
    :raises BadRequest: the host lacks hardware that the image asks for
    """
    held = {name: mb for name, mb in guest_needs.of(row)["amounts"].items() if name != guest_needs.NUMA_NODES}
    amounts = {name: number + held.get(name, 0) for name, number in facts.get("amounts", {}).items()}
    needs = guest_needs.of({**row, "image_meta": image})
    lacking = guest_needs.missing({**facts, "amounts": amounts}, needs, host_traits.of)
    if lacking:
        raise errors.BadRequest("No valid host was found. The server's host lacks hardware that the flavor or the image asks "
                                f"for ({', '.join(lacking)}).")


def _root_volume(call: Call, row: dict) -> dict:
    """The volume that a server boots from, as the caller sees it."""
    root = next(device for device in row["block_devices"] if device["boot_index"] == 0)
    return call.svc.rest.request("GET", "volume", path("/v3/volumes/{id}", root["volume_id"]), ctx=call.ctx)["volume"]


def _check_volume(call: Call, volume: dict, image: dict) -> None:
    """
    :raises BadRequest: the volume cannot get the image, or before 2.93 has another
    :raises Conflict: its attachments do not allow it
    """
    if call.version >= REIMAGED and (image["size"] == 0 or "block_device_mapping" in image["properties"]):
        # Of a server that boots from a volume: it only names snapshots, and the volume would lose what it has for nothing.
        raise errors.BadRequest(f"Image {image['id']} has no data that can be written on a volume.")
    if call.version < REIMAGED and volume.get("volume_image_metadata", {}).get("image_id") != image["id"]:
        raise errors.BadRequest("Unable to rebuild with a different image for a volume-backed server.")
    needed_gb = max(image["min_disk"] or 0, -(-(image["virtual_size"] or image["size"] or 0) // GIB))
    if volume["size"] < needed_gb:
        raise errors.BadRequest(f"Volume is smaller than the minimum size specified in image metadata. Volume size is "
                                f"{volume['size'] * GIB} bytes, minimum size is {needed_gb * GIB} bytes.")
    if len(volume["attachments"]) > 1:
        raise errors.Conflict("Cannot re-image a volume which is attached to more than one server.")
    if call.version >= REIMAGED and volume["status"] == "error" and volume["attachments"]:
        # Its status was reset. The volume service would refuse the image when the guest has been stopped.
        raise errors.Conflict(f"Cannot re-image volume {volume['id']}: it is in error, and its server is still connected.")


def _values(call: Call, row: dict, given: dict) -> dict:
    """The columns that a rebuild changes, besides those of the image."""
    values: dict = {"fault": None}
    if "name" in given:
        values["display_name"] = given["name"].strip()
        values["hostname"] = creation.hostname_of(values["display_name"])
    if "hostname" in given:
        values["hostname"] = given["hostname"]
    for name, column in (("metadata", "metadata"), ("description", "description"), ("OS-DCF:diskConfig", "disk_config")):
        if name in given:
            values[column] = given[name]
    if "personality" in given:
        values["injected_files"] = personality.of(given) or None
    if "user_data" in given:
        values["user_data"] = creation.user_data_of(given)
    for version in (4, 6):
        if f"accessIPv{version}" in given:
            values[f"access_ip_v{version}"] = creation.address(given[f"accessIPv{version}"], version)
    return values


def rebuild(call: Call, id: str, given: dict, password: str) -> tuple[dict, Viewer]:
    """Begin to rebuild a server; returns its row and the details that the caller may see.

    :param given: the arguments of the action, as the client sent them
    :param password: for the config drive, or to be injected
    """
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, _RULE)
        power.check(call, row, "rebuild")
        key = creation.key_of(connection, call, given.get("key_name"))
        limits = quotas.limits(connection, row["project_id"], {**call.svc.quota_defaults, **quotas.INJECTION},
                               user_id=call.ctx.user_id)
        facts = hosts.facts_on(connection, row["host"])
    virtual_tpm.refuse(row, "rebuild")
    volume = None if row["image_meta"] else _root_volume(call, row)
    limit = limits["metadata_items"]
    if 0 <= limit < len(given.get("metadata", {})):
        raise errors.QuotaExceeded(resource="metadata_items", requested=len(given["metadata"]), used=0, limit=limit)
    image = images.of(call, given["imageRef"], {**row["flavor"], "disk": 0} if volume else row["flavor"])
    if volume:
        _check_volume(call, volume, image)
    else:
        _check_host(facts, row, image)
    values = {**_values(call, row, given), **({} if volume else _of_image(row, image))}
    personality.check(limits, values.get("injected_files"))
    if "key_name" in given:
        values.update(key_name=key["name"], key_data=key["public_key"])
    with call.svc.db.writer() as connection:
        before, operation_id = power.begin(call, connection, id, _RULE, "rebuild", "rebuild"), None
        if volume and call.version >= REIMAGED:
            operation_id = rebuilds.begin(connection, call.ctx, before, volume["id"], image["id"])
        instances.write(connection, id, **values)
        if secrets.are_injected(call.svc.conf, row):
            secrets.put_password(connection, call.svc.vault, [id], password)
        row = access.server(call, connection, id, _RULE)
        viewer = Viewer(call, connection, [row])
    if operation_id:
        call.svc.send(call.svc.conductor.drive_operation, call.ctx, operation_id)
    else:
        power.send(call, row, "rebuild")
    return row, viewer
