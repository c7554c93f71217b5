"""The image API: images, their members, tags and tasks; metadata definitions."""

import json

from image import router
from tests.tenancy import compute, schemas
from tests.tenancy.frame import Asker, Ids, Key, Raw, Reference, Service

NOWHERE = compute.NOWHERE
PATCH = "application/openstack-images-v2.1-json-patch"


def make(who: Asker, mark: str) -> Ids:
    image = compute.private_image(who, mark)
    who("image", "PUT", f"/v2/images/{image}/tags/t")
    # Nobody but an admin may make namespaces; tasks belong to imports, which write into stores.
    absent = {"namespace": mark + "nothing", "objects/name": "o", "properties/name": "p", "tags/name": "t",
              "resource_types/name": "r", "task_id": NOWHERE}
    return {**absent, "images": image, "file": image, "{store}/id": image, "cache": image, "tag": "t", "store": "file",
            "member_id": who.project_id, "project": who.project_id, "schemas/name": "image", "metadefs/name": "namespace"}


def _patch(*changes: dict) -> Raw:
    return Raw(json.dumps(changes).encode(), PATCH)


_NAMESPACE = "/v2/metadefs/namespaces/{namespace}"
_BODIES: dict = {
    ("PATCH", "/v2/images/{id}"): [_patch({"op": "replace", "path": "/name", "value": "taken"}),
                                   _patch({"op": "replace", "path": "/visibility", "value": "public"}),
                                   _patch({"op": "replace", "path": "/owner", "value": "x"})],
    ("PUT", "/v2/images/{id}/file"): Raw(b"taken"), ("PUT", "/v2/images/{id}/stage"): Raw(b"taken"),
    **{("POST", f"/v2/images/{{id}}/actions/{verb}"): Raw(b"") for verb in ("deactivate", "reactivate")},
    ("PUT", "/v2/images/{id}/tags/{tag}"): Raw(b""), ("POST", "/v2/images/{id}/members"): {"member": NOWHERE},
    ("PUT", "/v2/images/{id}/members/{member_id}"): {"status": "accepted"},
    ("POST", "/v2/images/{id}/import"): {"method": {"name": "glance-direct"}},
    ("POST", "/v2/images/{id}/locations"): {"url": "http://192.0.2.1/x"}, ("PUT", "/v2/cache/{id}"): Raw(b""),
    ("PUT", _NAMESPACE): {"namespace": "taken"}, ("POST", _NAMESPACE + "/objects"): {"name": "o"},
    ("PUT", _NAMESPACE + "/objects/{name}"): {"name": "o"}, ("POST", _NAMESPACE + "/tags"): {"tags": []},
    ("PUT", _NAMESPACE + "/tags/{name}"): {"name": "t"}, ("POST", _NAMESPACE + "/tags/{name}"): Raw(b""),
    **{(method, _NAMESPACE + "/properties" + more): {"name": "p", "title": "P", "type": "string"}
       for method, more in (("POST", ""), ("PUT", "/{name}"))},
    ("POST", _NAMESPACE + "/resource_types"): {"name": "OS::Nova::Server"},
    ("PUT", "/v1/images/{id}"): Raw(b""), ("PUT", "/v1/images/{id}/members"): {"memberships": []},
    ("PUT", "/v1/images/{id}/members/{member_id}"): {"member": {"can_share": False}}}
BODIES = {k: lambda ids, body=body: body for k, body in _BODIES.items()}
REFERENCES: dict[Key, list[Reference]] = {
    ("image.schemas.images", "owner"): [
        Reference("POST", "/v2/images", lambda own, theirs: {"name": "i", "owner": theirs["project"]}),
        Reference("PATCH", "/v2/images/{id}", lambda own, theirs: _patch(
            {"op": "replace", "path": "/owner", "value": theirs["project"]}), control=False)],
    ("image.schemas.images", "id"): [Reference("POST", "/v2/images", lambda own, theirs: {"name": "i", "id": theirs["images"]},
                                                control=False)],
    ("image.handlers.metadefs", "owner"): [Reference("POST", "/v2/metadefs/namespaces", lambda own, theirs: {
        "namespace": "n", "owner": theirs["project"]}, control=False)]}
NO_REFERENCE = {
    ("image.handlers.members", "member"): "with whom the owner of an image shares it",
    ("image.handlers.v1", "memberships[]/member_id"): "with whom the owner of an image shares it",
    **{("image.handlers.registry", f"image/{name}"): "the registry listens for the image service alone"
       for name in ("id", "owner")}}
_OPEN = frozenset((200,))
EXCEPTIONS = {("GET", "/v2/schemas/{name}"): (_OPEN, "the same for all"),
              ("GET", "/v2/schemas/metadefs/{name}"): (_OPEN, "the same for all"),
              ("GET", "/v1/shared-images/{member_id}"): (_OPEN, "shows only what the caller sees")}
FREE = {(method, "/v1/images/{id}/members/{member_id}"): "with whom an image is shared" for method in ("PUT", "DELETE")}
SERVICE = Service("image", router.ROUTES, make, BODIES, lambda: schemas.of("image"), REFERENCES, NO_REFERENCE, EXCEPTIONS,
                  free=FREE, filters=(("member_status=all&visibility", "tag"), ("marker", "images")))
