"""os-assisted-volume-snapshots: for volume services, not for users."""

import json

from common import errors, schema, values, wsgi
from compute_api import access, microversions
from compute_api.services import assisted_snapshots

_INFO = schema.obj({"snapshot_id": schema.UUID, "type": {"enum": ["qcow2"]}, "id": schema.UUID,
                    "new_file": {"type": "string", "minLength": 1, "maxLength": 255}}, ["snapshot_id", "type", "new_file"])
CREATE = schema.wrapped("snapshot", {"volume_id": schema.UUID, "create_info": _INFO}, ["volume_id", "create_info"])


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
    except (KeyError, RecursionError, TypeError, ValueError):
        raise errors.BadRequest("delete_info must be JSON with a volume_id.") from None
    values.uuid(volume_id, "volume_id")
    assisted_snapshots.delete(req.call, volume_id, id)
