"""Rebuild: the server keeps its name, addresses and volumes, and gets a new disk of an image."""

import secrets

from common import errors, schema, wsgi
from compute_api import access, images, microversions, views
from compute_api import create as creation
from compute_api.handlers import power
from compute_api.viewer import Viewer
from conductor.db import instances, quotas

_RULE = "os_compute_api:servers:rebuild"
SCHEMA = schema.obj({
    "imageRef": {"type": "string", "minLength": 1, "maxLength": 255}, "name": schema.NAME, "metadata": schema.METADATA,
    "adminPass": {"type": "string", "maxLength": 255}, "preserve_ephemeral": schema.BOOLEAN,
    "key_name": creation.KEY_NAME, "user_data": {"type": ["string", "null"], "maxLength": 65535},
    "trusted_image_certificates": creation.CERTIFICATES, "personality": {"type": "array", "maxItems": 0},
    "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]}, "description": schema.TEXT,
    "accessIPv4": {"type": ["string", "null"], "maxLength": 39},
    "accessIPv6": {"type": ["string", "null"], "maxLength": 39}}, ["imageRef"])


_SINCE = {"description": (2, 19), "key_name": (2, 54), "user_data": (2, 57), "trusted_image_certificates": (2, 63)}


def _values(req, row: dict, given: dict) -> dict:
    """The columns that change with it."""
    image = images.of(req, given["imageRef"], row["flavor"])
    values: dict = {"image_meta": image, "image_ref": image["id"], "fault": None}
    if "name" in given:
        values["display_name"] = given["name"].strip()
        values["hostname"] = creation.hostname_of(values["display_name"])
    for name, column in (("metadata", "metadata"), ("description", "description"), ("OS-DCF:diskConfig", "disk_config")):
        if name in given:
            values[column] = given[name]
    if "user_data" in given:
        values["user_data"] = creation.user_data_of(given)
    for version in (4, 6):
        if f"accessIPv{version}" in given:
            values[f"access_ip_v{version}"] = creation.address(given[f"accessIPv{version}"], version)
    return values


def rebuild(req, id, arguments):
    microversions.check_names(req, arguments, _SINCE, creation.UNTIL)
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, _RULE)
        key = creation.key_of(connection, req, arguments.get("key_name"))
        limit = quotas.limits(connection, row["project_id"], req.svc.quota_defaults)["metadata_items"]
    if not row["image_meta"]:
        raise errors.BadRequest("A server that boots from a volume cannot be rebuilt from an image.")
    if 0 <= limit < len(arguments.get("metadata", {})):
        raise errors.QuotaExceeded(resource="metadata_items", requested=len(arguments["metadata"]), used=0, limit=limit)
    values = _values(req, row, arguments)
    if "key_name" in arguments:
        values.update(key_name=key["name"], key_data=key["public_key"])
    with req.svc.db.writer() as connection:
        power.begin(req, connection, id, _RULE, "rebuild", "rebuild")
        instances.write(connection, id, **values)
        row = access.server(req, connection, id, _RULE)
        viewer = Viewer(req, connection, [row])
    power.send(req, row, "rebuild")
    password = arguments.get("adminPass") or secrets.token_urlsafe(9)
    response = wsgi.json_response({"server": {**views.updated(req, row, viewer, rebuilt=True), "adminPass": password}}, 202)
    response.location = f"{req.base_url()}/v2.1/servers/{id}"
    return response
