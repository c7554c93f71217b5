"""The volume proxy of the compute API: volumes and snapshots, until microversion 2.35."""

from common import errors, wsgi
from common.rest import Path, path
from compute_api import access
from compute_api.handlers import paging
from compute_api.schemas import volumes as schemas

_RENAMED = {"display_name": "name", "display_description": "description"}


def _ask(req, rule: str, method: str, where: Path, body=None):
    """:raises Forbidden: the rule, the volume service or a quota refuses"""
    req.svc.policy.check(req.ctx, rule, access.own(req.call))
    try:
        return req.svc.rest.request(method, "volume", where, body=body, ctx=req.ctx)
    except errors.TooLarge as error:
        raise errors.Forbidden(str(error)) from None


def _page(req, kind: str) -> Path:
    """Here, unlike elsewhere, a limit of 0 is none."""
    limit, offset = paging.limit(req) or paging.MAX_PAGE, wsgi.int_param(req, "offset", 0)
    return path("/v3/{}/detail", kind, query={"limit": limit, "offset": offset})


def _renamed(given: dict) -> dict:
    return {_RENAMED.get(name, name): value for name, value in given.items()}


def _attachment(volume: dict) -> dict:
    """Of a volume that no server has it is empty."""
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
    found = _ask(req, "os_compute_api:os-volumes:list", "GET", _page(req, "volumes"))["volumes"]
    return {"volumes": [_view(v) for v in found]}


def detail(req):
    found = _ask(req, "os_compute_api:os-volumes:detail", "GET", _page(req, "volumes"))["volumes"]
    return {"volumes": [_view(v) for v in found]}


def show(req, id):
    return {"volume": _view(_ask(req, "os_compute_api:os-volumes:show", "GET", path("/v3/volumes/{id}", id))["volume"])}


@wsgi.body(schemas.VOLUME)
def create(req, body):
    wanted = {"volume": _renamed(body["volume"])}
    made = _ask(req, "os_compute_api:os-volumes:create", "POST", path("/v3/volumes"), wanted)["volume"]
    response = wsgi.json_response({"volume": _view(made)})
    response.location = f"{req.path_url}/{made['id']}"
    return response


def delete(req, id):
    _ask(req, "os_compute_api:os-volumes:delete", "DELETE", path("/v3/volumes/{id}", id))


def snapshots_index(req):
    found = _ask(req, "os_compute_api:os-volumes:snapshots:list", "GET", _page(req, "snapshots"))["snapshots"]
    return {"snapshots": [_snapshot_view(s) for s in found]}


def snapshots_detail(req):
    found = _ask(req, "os_compute_api:os-volumes:snapshots:detail", "GET", _page(req, "snapshots"))["snapshots"]
    return {"snapshots": [_snapshot_view(s) for s in found]}


def snapshots_show(req, id):
    found = _ask(req, "os_compute_api:os-volumes:snapshots:show", "GET", path("/v3/snapshots/{id}", id))["snapshot"]
    return {"snapshot": _snapshot_view(found)}


@wsgi.body(schemas.SNAPSHOT)
def snapshots_create(req, body):
    given = _renamed(body["snapshot"])
    given["force"] = wsgi.bool_value(given.get("force", False))
    made = _ask(req, "os_compute_api:os-volumes:snapshots:create", "POST", path("/v3/snapshots"), {"snapshot": given})["snapshot"]
    return {"snapshot": _snapshot_view(made)}


def snapshots_delete(req, id):
    _ask(req, "os_compute_api:os-volumes:snapshots:delete", "DELETE", path("/v3/snapshots/{id}", id))
