"""Bodies of requests: volumes."""

from common import schema

TEXT = {"type": "string", "maxLength": 255}
VOLUME = schema.wrapped("volume", {
    "size": schema.integer(1), "display_name": TEXT, "display_description": TEXT, "snapshot_id": {**TEXT, "maxLength": 36},
    "volume_type": TEXT, "availability_zone": TEXT, "metadata": schema.METADATA}, ("size",))
SNAPSHOT = schema.wrapped("snapshot", {
    "volume_id": {**TEXT, "maxLength": 36}, "force": schema.BOOLEAN, "display_name": TEXT, "display_description": TEXT},
    ("volume_id",))
