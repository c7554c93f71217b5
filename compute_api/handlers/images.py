"""The image proxy of the compute API: images until microversion 2.35, their metadata until 2.38.

As in Nova, no rule of the compute service is checked: the image service checks its own with the caller's token.
"""

import urllib.parse

from common import errors, wsgi
from common.rest import path
from compute_api import images
from compute_api.handlers import paging
from compute_api.schemas import images as schemas
from compute_api.views import links

_STATUS = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "deleted": "DELETED", "pending_delete": "DELETED",
           "killed": "ERROR"}
_PROGRESS = {"queued": 25, "saving": 50, "active": 100}
# Filters of lists, and their names in the image API.
_FILTERS = {"name": "name", "status": "status", "changes-since": "updated_at", "server": "instance_uuid", "type": "image_type",
            "minRam": "min_ram", "minDisk": "min_disk", "marker": "marker"}
_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


def _ask(req, method: str, id: str, body=None, headers=None):
    try:
        return req.svc.rest.request(method, "image", path("/v2/images/{id}", id), body=body, headers=headers, ctx=req.ctx)
    except errors.NotFound:
        raise errors.NotFound("Image not found.") from None


def _links(req, id: str) -> list[dict]:
    own, image = urllib.parse.urlsplit(req.base_url()), urllib.parse.urlsplit(req.svc.conf.endpoints.image)
    there = f"{own.scheme}://{own.hostname}:{image.port}" if image.port else f"{own.scheme}://{own.hostname}"
    return [*links(req, "images", id),
            {"rel": "alternate", "type": "application/vnd.openstack.image", "href": f"{there}/images/{id}"}]


def _brief(req, image: dict) -> dict:
    return {"id": image["id"], "name": image["name"], "links": _links(req, image["id"])}


def _view(req, image: dict) -> dict:
    properties = images.properties(image)
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
    found = req.svc.rest.request("GET", "image", path("/v2/images", query=query), ctx=req.ctx)["images"]
    return found, paging.next_links(req, found, "id")


def index(req):
    found, more = _page(req)
    return {"images": [_brief(req, i) for i in found], **({"images_links": more} if more else {})}


def detail(req):
    found, more = _page(req)
    return {"images": [_view(req, i) for i in found], **({"images_links": more} if more else {})}


def show(req, id):
    return {"image": _view(req, _ask(req, "GET", id))}


def delete(req, id):
    try:
        _ask(req, "DELETE", id)
    except errors.Forbidden:
        raise errors.Forbidden("You are not allowed to delete the image.") from None


def _edit(req, id: str, edit) -> dict:
    """Change an image's properties to what ``edit`` returns for them; returns the properties after the change.

    :raises BadRequest: one has the name of an image's own attribute
    :raises Forbidden: there would be more than the quota allows
    """
    before = images.properties(_ask(req, "GET", id))
    after = edit(dict(before))
    taken = sorted(name for name in after if images.is_attribute(name))
    if taken:
        raise errors.BadRequest(f"Invalid metadata: '{taken[0]}' is an attribute of images.")
    most = images.most_metadata(req.call)
    if 0 <= most < len(after) and len(before) < len(after):
        raise errors.Forbidden("Image metadata limit exceeded")

    def at(name: str) -> str:
        return "/" + name.replace("~", "~0").replace("/", "~1")  # RFC 6901
    patch = [{"op": "remove", "path": at(n)} for n in before if n not in after]
    patch += [{"op": "replace" if n in before else "add", "path": at(n), "value": v} for n, v in after.items()
              if before.get(n) != v]
    return images.properties(_ask(req, "PATCH", id, patch, _PATCH)) if patch else after


def metadata(req, id):
    return {"metadata": images.properties(_ask(req, "GET", id))}


@wsgi.body(schemas.METADATA_MERGE)
def metadata_merge(req, id, body):
    return {"metadata": _edit(req, id, lambda old: {**old, **body["metadata"]})}


@wsgi.body(schemas.METADATA_REPLACE)
def metadata_replace(req, id, body):
    return {"metadata": _edit(req, id, lambda old: body["metadata"])}


def metadata_show(req, id, key):
    found = images.properties(_ask(req, "GET", id))
    if key not in found:
        raise errors.NotFound("Invalid metadata key")
    return {"meta": {key: found[key]}}


@wsgi.body(schemas.METADATA_SET)
def metadata_set(req, id, key, body):
    if set(body["meta"]) != {key}:
        raise errors.BadRequest("Request body and URI mismatch")
    _edit(req, id, lambda old: {**old, **body["meta"]})
    return {"meta": body["meta"]}


def metadata_delete(req, id, key):
    def edit(old):
        if key not in old:
            raise errors.NotFound("Invalid metadata key")
        return {k: v for k, v in old.items() if k != key}
    _edit(req, id, edit)
