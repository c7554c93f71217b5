"""The image proxy of the compute API: images until microversion 2.35, their metadata until 2.38."""

import urllib.parse

from common import errors, wsgi
from compute_api.handlers import paging
from compute_api.images import properties as image_properties
from compute_api.schemas import images as schemas
from compute_api.services import images
from compute_api.views import links

_STATUS = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "deleted": "DELETED", "pending_delete": "DELETED",
           "killed": "ERROR"}
_PROGRESS = {"queued": 25, "saving": 50, "active": 100}
# Filters of lists, and their names in the image API.
_FILTERS = {"name": "name", "status": "status", "changes-since": "updated_at", "server": "instance_uuid", "type": "image_type",
            "minRam": "min_ram", "minDisk": "min_disk", "marker": "marker"}


def _links(req, id: str) -> list[dict]:
    own, image = urllib.parse.urlsplit(req.base_url()), urllib.parse.urlsplit(req.svc.conf.endpoints.image)
    there = f"{own.scheme}://{own.hostname}:{image.port}" if image.port else f"{own.scheme}://{own.hostname}"
    return [*links(req, "images", id),
            {"rel": "alternate", "type": "application/vnd.openstack.image", "href": f"{there}/images/{id}"}]


def _brief(req, image: dict) -> dict:
    return {"id": image["id"], "name": image["name"], "links": _links(req, image["id"])}


def _view(req, image: dict) -> dict:
    properties = image_properties(image)
    shown = {**_brief(req, image), "minRam": image["min_ram"], "minDisk": image["min_disk"], "metadata": properties,
             "created": image["created_at"], "updated": image["updated_at"], "OS-EXT-IMG-SIZE:size": image["size"] or 0,
             "status": _STATUS.get(image["status"], "UNKNOWN"), "progress": _PROGRESS.get(image["status"], 0)}
    server = properties.get("instance_uuid")
    if server:
        shown["server"] = {"id": server, "links": links(req, "servers", server)}
    if "auto_disk_config" in properties:
        shown["OS-DCF:diskConfig"] = "AUTO" if str(properties["auto_disk_config"]).lower() in ("true", "1", "yes") else "MANUAL"
    return shown


def _page(req) -> tuple[list[dict], list[dict]]:
    """A page of images, and the link to the next page."""
    query = {name.removeprefix("property-"): value for name, value in req.GET.items() if name.startswith("property-")}
    query.update({there: req.GET[here] for here, there in _FILTERS.items() if here in req.GET})
    if "status" in query:
        query["status"] = query["status"].lower()
    if "server" in req.GET:
        query["instance_uuid"] = req.GET["server"].rsplit("/", 1)[-1]
    if "changes-since" in req.GET:
        query["updated_at"] = f"gte:{req.GET['changes-since']}"
    query["limit"] = paging.limit(req)
    found = images.page(req.call, query)
    return found, paging.next_links(req, found, "id")


def index(req):
    found, more = _page(req)
    return {"images": [_brief(req, i) for i in found], **({"images_links": more} if more else {})}


def detail(req):
    found, more = _page(req)
    return {"images": [_view(req, i) for i in found], **({"images_links": more} if more else {})}


def show(req, id):
    return {"image": _view(req, images.show(req.call, id))}


def delete(req, id):
    images.delete(req.call, id)


def metadata(req, id):
    return {"metadata": images.properties(req.call, id)}


@wsgi.body(schemas.METADATA_MERGE)
def metadata_merge(req, id, body):
    return {"metadata": images.edit_properties(req.call, id, lambda old: {**old, **body["metadata"]})}


@wsgi.body(schemas.METADATA_REPLACE)
def metadata_replace(req, id, body):
    return {"metadata": images.edit_properties(req.call, id, lambda old: body["metadata"])}


def metadata_show(req, id, key):
    found = images.properties(req.call, id)
    if key not in found:
        raise errors.NotFound("Invalid metadata key")
    return {"meta": {key: found[key]}}


@wsgi.body(schemas.METADATA_SET)
def metadata_set(req, id, key, body):
    if set(body["meta"]) != {key}:
        raise errors.BadRequest("Request body and URI mismatch")
    images.edit_properties(req.call, id, lambda old: {**old, **body["meta"]})
    return {"meta": body["meta"]}


def metadata_delete(req, id, key):
    def edit(old):
        if key not in old:
            raise errors.NotFound("Invalid metadata key")
        return {k: v for k, v in old.items() if k != key}
    images.edit_properties(req.call, id, edit)
