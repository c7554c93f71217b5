"""os-assisted-volume-snapshots: for volume services, not for users."""

import json

from common import errors, schema, wsgi
from compute_api import access, microversions
from compute_api.services import assisted_snapshots

_TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
CREATE = schema.wrapped("snapshot", {
    "volume_id": _TEXT, "create_info": schema.obj({
        "snapshot_id": _TEXT, "type": {"enum": ["qcow2"]}, "new_file": _TEXT, "id": _TEXT}, ["snapshot_id", "type", "new_file"])},
    ["volume_id", "create_info"])


@wsgi.body(CREATE)
def create(req, body):
    given = body["snapshot"]
    assisted_snapshots.create(req.call, given["volume_id"], given["create_info"]["snapshot_id"])
    return {"snapshot": {"id": given["create_info"].get("id"), "volumeId": given["volume_id"]}}


def delete(req, id):
    """``delete_info`` in the query is JSON with the id of the volume."""
    access.check(req.call, "os_compute_api:os-assisted-volume-snapshots:delete")
    microversions.check_query(req.call, req.GET, ("delete_info",))
    try:
        volume_id = json.loads(req.GET["delete_info"])["volume_id"]
    except (KeyError, TypeError, ValueError) as error:
        raise errors.BadRequest(f"delete_info must be JSON with a volume_id: {error}") from None
    if not isinstance(volume_id, str):
        raise errors.BadRequest("volume_id must be a string")
    assisted_snapshots.delete(req.call, volume_id, id)
