"""Images, through the image service: for the image proxy, until microversion 2.35, and metadata until 2.38.

As in Nova, no rule of the compute service is checked: the image service checks its own with the caller's token.
"""

from common import errors
from common.calls import Call
from common.rest import path
from compute_api import images

_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


def _request(call: Call, method: str, id: str, body=None, headers=None):
    try:
        return call.svc.rest.request(method, "image", path("/v2/images/{id}", id), body=body, headers=headers, ctx=call.ctx)
    except errors.NotFound:
        raise errors.NotFound("Image not found.") from None


def page(call: Call, query: dict) -> list[dict]:
    """:param query: of the image service"""
    return call.svc.rest.request("GET", "image", path("/v2/images", query=query), ctx=call.ctx)["images"]


def show(call: Call, id: str) -> dict:
    return _request(call, "GET", id)


def delete(call: Call, id: str) -> None:
    try:
        _request(call, "DELETE", id)
    except errors.Forbidden:
        raise errors.Forbidden("You are not allowed to delete the image.") from None


def properties(call: Call, id: str) -> dict:
    return images.properties(show(call, id))


def edit_properties(call: Call, id: str, edit) -> dict:
    """Change an image's properties to what ``edit`` returns for them; returns the properties after the change.

    :raises BadRequest: a property has the name of an image attribute
    :raises Forbidden: over the quota
    """
    before = properties(call, id)
    after = edit(dict(before))
    taken = sorted(name for name in after if images.is_attribute(name))
    if taken:
        raise errors.BadRequest(f"Invalid metadata: '{taken[0]}' is an attribute of images.")
    limit = images.metadata_limit(call)
    if 0 <= limit < len(after) and len(before) < len(after):
        raise errors.Forbidden("Image metadata limit exceeded")

    def pointer(name: str) -> str:
        return "/" + name.replace("~", "~0").replace("/", "~1")  # RFC 6901
    patch = [{"op": "remove", "path": pointer(n)} for n in before if n not in after]
    patch += [{"op": "replace" if n in before else "add", "path": pointer(n), "value": v} for n, v in after.items()
              if before.get(n) != v]
    return images.properties(_request(call, "PATCH", id, patch, _PATCH)) if patch else after
