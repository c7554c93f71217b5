"""Rebuild: the server keeps its name, addresses and volumes, and gets a new disk from an image."""

from common import errors, guest_hardware
from common.calls import Call
from compute_api import access, images, personality
from compute_api import create as creation
from compute_api.services import power
from compute_api.viewer import Viewer
from conductor.db import instances, quotas

_RULE = "os_compute_api:servers:rebuild"


def _values(call: Call, row: dict, given: dict) -> dict:
    """The columns that a rebuild changes."""
    image = images.of(call, given["imageRef"], row["flavor"])
    hardware = guest_hardware.of(row["vcpus"], row["memory_mb"], row["flavor"].get("extra_specs") or {}, image["properties"])
    values: dict = {"image_meta": image, "image_ref": image["id"], "fault": None,
                    "root_device_name": f"{hardware.disk_prefix}a"}
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


def rebuild(call: Call, id: str, given: dict) -> tuple[dict, Viewer]:
    """Begin to rebuild a server; returns its row and the details that the caller may see.

    :param given: the arguments of the action, as the client sent them
    """
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, _RULE)
        key = creation.key_of(connection, call, given.get("key_name"))
        limits = quotas.limits(connection, row["project_id"], {**call.svc.quota_defaults, **quotas.INJECTION})
    if not row["image_meta"]:
        raise errors.BadRequest("A server that boots from a volume cannot be rebuilt from an image.")
    limit = limits["metadata_items"]
    if 0 <= limit < len(given.get("metadata", {})):
        raise errors.QuotaExceeded(resource="metadata_items", requested=len(given["metadata"]), used=0, limit=limit)
    values = _values(call, row, given)
    personality.check(limits, values.get("injected_files"))
    if "key_name" in given:
        values.update(key_name=key["name"], key_data=key["public_key"])
    with call.svc.db.writer() as connection:
        power.begin(call, connection, id, _RULE, "rebuild", "rebuild")
        instances.write(connection, id, **values)
        row = access.server(call, connection, id, _RULE)
        viewer = Viewer(call, connection, [row])
    power.send(call, row, "rebuild")
    return row, viewer
