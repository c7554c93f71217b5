"""Bodies of requests: attachments."""

from common import schema
from conductor.db import instances

BODY = schema.obj({"volumeAttachment": schema.obj({
    "volumeId": schema.UUID, "device": {"type": ["string", "null"], "pattern": instances.DEVICE_NAME, "maxLength": 255},
    "tag": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]*"},
    "delete_on_termination": schema.BOOLEAN}, ["volumeId"])}, ["volumeAttachment"])
UPDATE = schema.obj({"volumeAttachment": schema.obj({
    "volumeId": schema.UUID, "delete_on_termination": schema.BOOLEAN, "id": schema.TEXT, "serverId": schema.TEXT,
    "device": schema.TEXT, "tag": schema.TEXT}, ["volumeId"])}, ["volumeAttachment"])
