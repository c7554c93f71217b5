"""The volume proxy of the compute API: volumes and snapshots, until microversion 2.35."""

from common import wsgi
from compute_api.handlers import paging
from compute_api.schemas import volumes as schemas
from compute_api.services import volumes

_RENAMED = {"display_name": "name", "display_description": "description"}


def _page(req, rule: str, kind: str) -> list[dict]:
    """Here, unlike in other lists, a limit of 0 means no limit."""
    return volumes.page(req.call, rule, kind, paging.limit(req) or paging.MAX_PAGE, wsgi.int_param(req, "offset", 0))


def _renamed(given: dict) -> dict:
    return {_RENAMED.get(name, name): value for name, value in given.items()}


def _attachment(volume: dict) -> dict:
    """{} for a volume that is not attached."""
    if not volume["attachments"]:
        return {}
    first = volume["attachments"][0]
    device = {"device": first["device"]} if first.get("device") else {}
    return {"id": volume["id"], "volumeId": volume["id"], "serverId": first["server_id"], **device}


def _view(volume: dict) -> dict:
    return {"id": volume["id"], "status": volume["status"], "size": volume["size"], "createdAt": volume["created_at"],
            "availabilityZone": volume["availability_zone"], "attachments": [_attachment(volume)],
            "displayName": volume["name"], "displayDescription": volume["description"], "volumeType": volume["volume_type"],
            "snapshotId": volume["snapshot_id"], "metadata": volume["metadata"]}


def _snapshot_view(snapshot: dict) -> dict:
    return {"id": snapshot["id"], "volumeId": snapshot["volume_id"], "status": snapshot["status"], "size": snapshot["size"],
            "createdAt": snapshot["created_at"], "displayName": snapshot["name"], "displayDescription": snapshot["description"]}


def index(req):
    found = _page(req, "os_compute_api:os-volumes:list", "volumes")
    return {"volumes": [_view(v) for v in found]}


def detail(req):
    found = _page(req, "os_compute_api:os-volumes:detail", "volumes")
    return {"volumes": [_view(v) for v in found]}


def show(req, id):
    return {"volume": _view(volumes.show(req.call, "os_compute_api:os-volumes:show", "volume", id))}


@wsgi.body(schemas.VOLUME)
def create(req, body):
    made = volumes.create(req.call, "os_compute_api:os-volumes:create", "volume", _renamed(body["volume"]))
    response = wsgi.json_response({"volume": _view(made)})
    response.location = f"{req.path_url}/{made['id']}"
    return response


def delete(req, id):
    volumes.delete(req.call, "os_compute_api:os-volumes:delete", "volume", id)


def snapshots_index(req):
    found = _page(req, "os_compute_api:os-volumes:snapshots:list", "snapshots")
    return {"snapshots": [_snapshot_view(s) for s in found]}


def snapshots_detail(req):
    found = _page(req, "os_compute_api:os-volumes:snapshots:detail", "snapshots")
    return {"snapshots": [_snapshot_view(s) for s in found]}


def snapshots_show(req, id):
    found = volumes.show(req.call, "os_compute_api:os-volumes:snapshots:show", "snapshot", id)
    return {"snapshot": _snapshot_view(found)}


@wsgi.body(schemas.SNAPSHOT)
def snapshots_create(req, body):
    given = _renamed(body["snapshot"])
    given["force"] = wsgi.bool_value(given.get("force", False))
    made = volumes.create(req.call, "os_compute_api:os-volumes:snapshots:create", "snapshot", given)
    return {"snapshot": _snapshot_view(made)}


def snapshots_delete(req, id):
    volumes.delete(req.call, "os_compute_api:os-volumes:snapshots:delete", "snapshot", id)
