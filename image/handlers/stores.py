"""What the service says of its stores and of how much of them a project has; and an image's copy in one of them taken away."""

from common import errors
from image import access, locations
from image.db import images


def _said(store, default: bool) -> dict:
    found = {"id": store.name, "description": store.description, "weight": store.weight}
    return {**found, **({"default": "true"} if default else {}), **({"read-only": "true"} if store.read_only else {})}


def index(req):
    known = req.svc.stores
    return {"stores": [_said(store, store is known.default) for store in known.all.values()]}


def detail(req):
    req.svc.policy.check(req.ctx, "stores_info_detail", {})
    known = req.svc.stores
    return {"stores": [{**_said(store, store is known.default), "type": store.kind, "properties": store.properties()}
                       for store in known.all.values()]}


def usage(req):
    """What the caller's project uses of its quota, sizes in MiB; -1 is no limit."""
    project = req.ctx.project_id or ""
    limits = req.svc.quota.limits(project)
    with req.svc.db.reader() as connection:
        used = req.svc.quota.usage(connection, project)
    return {"usage": {name: {"limit": limits[name], "usage": used[name]} for name in used}}


def delete(req, store, id):
    """Take an image from one store. The row first: data that nobody names is less of a harm than a name without data."""
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id, "get_image_location", "delete_image_location")
        if store not in req.svc.stores.all:
            raise errors.NotFound(f"Store {store} is not known.")
        if store not in locations.held(row):
            raise errors.NotFound(f"Image {id} is not in store {store}.")
        left = [each for each in locations.of(row) if each["metadata"].get("store") != store or locations.of_web(each)]
        if not left:
            raise errors.Forbidden(f"Store {store} has the only copy of image {id}: delete the image.")
        if row["protected"]:
            raise errors.Forbidden(f"Image {id} is protected and cannot be deleted.")
        images.move(connection, id, "relocate", locations=left)
    if req.svc.stores.forget(id, [store]):  # it does not answer: the janitor asks again
        req.svc.db.transact(images.update, id, {"progress": {**(row["progress"] or {}), "left": [*images.left(row), store]}})
    req.svc.notifier.tell(req.ctx, "image.delete_from_store", {"id": id, "store": store})
