"""Bodies of requests: volumes."""

from common import schema

CREATE = schema.obj({"volume": schema.obj({
    "size": schema.integer(1, 100000, null=True),
    "name": schema.TEXT, "display_name": schema.TEXT, "description": schema.TEXT, "display_description": schema.TEXT,
    "volume_type": schema.TEXT, "availability_zone": schema.TEXT, "metadata": {"oneOf": [schema.METADATA, {"type": "null"}]},
    "multiattach": {"enum": [*schema.BOOLEAN["enum"], None]}, "imageRef": {"type": ["string", "null"], "maxLength": 255},
    "snapshot_id": {"type": ["string", "null"], "maxLength": 36},
    "source_volid": {"type": ["string", "null"], "maxLength": 36}, "backup_id": {"type": "null"},
    "consistencygroup_id": {"type": "null"}, "source_replica": {"type": "null"}, "user_id": {}, "project_id": {},
    "status": {}, "attach_status": {}}), "OS-SCH-HNT:scheduler_hints": {"type": ["object", "null"]}},
    ["volume"])
UPDATE = schema.wrapped("volume", {"name": schema.TEXT, "description": schema.TEXT, "display_name": schema.TEXT,
                                   "display_description": schema.TEXT, "metadata": schema.METADATA})
