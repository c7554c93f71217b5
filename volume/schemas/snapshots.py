"""Bodies of requests: snapshots."""

from common import schema

TEXTS = {"name": schema.TEXT, "description": schema.TEXT, "display_name": schema.TEXT, "display_description": schema.TEXT}
CREATE = schema.wrapped("snapshot", {
    **TEXTS, "volume_id": {"oneOf": [schema.UUID, {"type": "null"}]}, "force": {"oneOf": [schema.BOOLEAN, {"type": "null"}]},
    "metadata": {"oneOf": [schema.METADATA, {"type": "null"}]}}, ["volume_id"])
UPDATE = schema.wrapped("snapshot", TEXTS)
STATUSES = ["available", "creating", "deleting", "error", "error_deleting"]
ACTIONS = {
    "os-reset_status": schema.obj({"status": {"enum": STATUSES}}, ["status"]),
    "os-force_delete": {"type": ["object", "null"]},
    "os-update_snapshot_status": schema.obj({"status": {"enum": STATUSES}, "progress": schema.TEXT}, ["status"])}
