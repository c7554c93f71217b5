"""Images: list, create, show, update by JSON patch, delete."""

import urllib.parse

from common import errors, wsgi
from image.imports import METHODS
from image.services import images
from image.views import answer


def query(req) -> dict[str, list[str]]:
    """{name: values} of a request."""
    return {name: req.GET.getall(name) for name in req.GET}


def _named(req) -> None:
    """:raises NotFound: the path ends with a slash, so the id of the image is empty"""
    if req.path_info.endswith("/"):
        raise errors.NotFound("No image found with ID ")


def delete_nothing(req):
    _named(req)
    raise errors.MethodNotAllowed()


def index(req):
    _named(req)
    found, last = images.page(req.call, query(req), min(wsgi.int_param(req, "limit", 25), 1000))
    rest = {k: v for k, v in req.GET.items() if k != "marker"}
    body = {"images": [answer(req.call, r) for r in found], "schema": "/v2/schemas/images",
            "first": "/v2/images" + ("?" + urllib.parse.urlencode(rest) if rest else "")}
    if last:
        body["next"] = "/v2/images?" + urllib.parse.urlencode({**rest, "marker": last["id"]})
    return body


def create(req):
    row = images.create(req.call, req.json_object())
    response = wsgi.json_response(answer(req.call, row), 201)
    response.location = f"{req.base_url()}/v2/images/{row['id']}"
    response.headers["OpenStack-image-import-methods"] = ",".join(METHODS)
    response.headers["OpenStack-image-store-ids"] = ",".join(req.svc.stores.writable())
    return response


def show(req, id):
    return answer(req.call, images.show(req.call, id))


def _operations(req) -> list[images.Operation]:
    """[(op, path parts, value)] of a JSON patch in either of the two media types."""
    kind = (req.content_type or "").split(";")[0]
    if kind not in ("application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch"):
        raise errors.UnsupportedMediaType(f"Unsupported Content-Type {kind or 'none'}")
    changes = req.json_document()
    if not isinstance(changes, list) or not all(isinstance(c, dict) for c in changes):
        raise errors.BadRequest("Request body must be a JSON array of operation objects.")
    found = []
    for change in changes:
        op = change.get("op") or next((o for o in ("add", "replace", "remove") if o in change), None)
        path = change.get("path") if "path" in change else change.get(op)
        if op not in ("add", "replace", "remove") or not isinstance(path, str) or not path.startswith("/"):
            raise errors.BadRequest("Every operation needs an op (add, replace, remove) and a path.")
        if op != "remove" and "value" not in change:
            raise errors.BadRequest(f"Operation '{op}' requires a member named 'value'.")
        parts = [p.replace("~1", "/").replace("~0", "~") for p in path[1:].split("/")]
        if len(parts) != (2 if parts[0] == "locations" and len(parts) > 1 else 1) or not 0 < len(parts[0]) <= 255:
            raise errors.BadRequest(f"Invalid JSON pointer for this resource: '{path}'")
        found.append((op, parts, change.get("value")))
    return found


def update(req, id):
    return answer(req.call, images.update(req.call, id, _operations(req)))


def delete(req, id):
    images.delete(req.call, id)


def _activation(action):
    def handler(req, id):
        images.activate(req.call, id, action)
    return handler


deactivate, reactivate = _activation("deactivate"), _activation("reactivate")
