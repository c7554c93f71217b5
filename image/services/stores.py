"""Stores: a project's usage, and deletion of an image's copy from one of them."""

from common import errors
from common.calls import Call
from image import access, locations
from image.db import images


def usage(call: Call) -> dict[str, dict]:
    """{name: {"limit", "usage"}} of the caller's project, sizes in MiB; -1 is no limit."""
    project = call.ctx.project_id or ""
    limits = call.svc.quota.limits(project)
    with call.svc.db.reader() as connection:
        used = call.svc.quota.usage(connection, project)
    return {name: {"limit": limits[name], "usage": used[name]} for name in used}


def delete(call: Call, store: str, id: str) -> None:
    """Delete an image from one store: first from the row, because data without a row is less harmful than a row
    without data."""
    with call.svc.db.writer() as connection:
        row = access.image(call, connection, id, "get_image_location", "delete_image_location")
        if store not in call.svc.stores.all:
            raise errors.NotFound(f"Store {store} is not known.")
        if store not in locations.store_names(row):
            raise errors.NotFound(f"Image {id} is not in store {store}.")
        left = [each for each in locations.entries(row) if each["metadata"].get("store") != store or locations.of_web(each)]
        if not left:
            raise errors.Forbidden(f"Store {store} has the only copy of image {id}: delete the image.")
        if row["protected"]:
            raise errors.Forbidden(f"Image {id} is protected and cannot be deleted.")
        images.move(connection, id, "relocate", locations=left)
    if call.svc.stores.delete_data(id, [store]):  # it does not respond: the cleanup retries
        undeleted = [*images.undeleted_stores(row), store]
        call.svc.db.transact(images.update, id, {"progress": {**(row["progress"] or {}), "left": undeleted}})
    call.svc.notifier.notify(call.ctx, "image.delete_from_store", {"id": id, "store": store})
