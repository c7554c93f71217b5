"""Bodies of requests: actions on volumes."""

from common import schema
from volume.schemas.attachments import CONNECTOR

_STATES = ["creating", "available", "deleting", "error", "error_deleting", "attaching", "detaching", "in-use",
           "reserved", "error_extending", "maintenance"]
SCHEMAS = {
    "os-reset_status": schema.obj({"status": {"enum": _STATES}, "attach_status": schema.TEXT,
                                   "migration_status": schema.TEXT}),
    "os-force_delete": {"type": ["object", "null"]},
    "os-extend": schema.obj({"new_size": schema.integer(1, 100000)}, ["new_size"]),
    "os-extend_volume_completion": schema.obj({
        "error": {"oneOf": [schema.BOOLEAN, {"type": "null"}]}, "new_size": schema.integer(1, 100000)}),
    "os-update_readonly_flag": schema.obj({"readonly": schema.BOOLEAN}, ["readonly"]),
    "os-set_image_metadata": schema.obj({"metadata": schema.METADATA}, ["metadata"]),
    "os-unset_image_metadata": schema.obj({"key": {"type": "string", "minLength": 1, "maxLength": 255}}, ["key"]),
    "os-reimage": schema.obj({"image_id": schema.UUID, "reimage_reserved": schema.BOOLEAN}, ["image_id"]),
    "os-volume_upload_image": schema.obj({
        "image_name": {"type": "string", "minLength": 1, "maxLength": 255}, "force": schema.BOOLEAN,
        "disk_format": {"enum": ["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"]}, "container_format": schema.TEXT,
        "visibility": {"enum": ["community", "public", "private", "shared"]}, "protected": schema.BOOLEAN}, ["image_name"]),
    "os-set_bootable": schema.obj({"bootable": schema.BOOLEAN}, ["bootable"]),
}
NOTHING = {"type": ["object", "null", "string"], "maxProperties": 0, "maxLength": 0}
SCHEMAS.update({n: NOTHING for n in (
    "os-show_image_metadata", "os-reserve", "os-unreserve", "os-begin_detaching", "os-roll_detaching")})
SCHEMAS["os-attach"] = schema.obj({
    "instance_uuid": {"oneOf": [schema.UUID, {"type": "null"}]}, "host_name": schema.TEXT, "mountpoint": schema.TEXT,
    "mode": {"enum": ["rw", "ro", None]}}, ["mountpoint"])
_ATTACHMENT_ID = {"oneOf": [schema.UUID, {"type": "null"}]}
SCHEMAS["os-detach"] = {"type": ["object", "null"], "properties": {"attachment_id": _ATTACHMENT_ID},
                        "additionalProperties": False}
SCHEMAS["os-initialize_connection"] = schema.obj({"connector": {**CONNECTOR, "type": "object"}}, ["connector"])
SCHEMAS["os-terminate_connection"] = schema.obj({"connector": CONNECTOR}, ["connector"])
SCHEMAS["os-force_detach"] = schema.obj({"connector": CONNECTOR, "attachment_id": _ATTACHMENT_ID})
