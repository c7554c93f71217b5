"""Interoperable import: data is staged, or referred to by a URL, and a task imports it into the image. Also the list
of tasks."""

import contextlib

from common import errors, rows
from common.calls import Call
from image import access, imports, locations, quota, remote, web
from image.db import images
from image.db.models import tasks as TASKS
from image.services import images as image_services
from image.services.data import Upload


def stage(call: Call, id: str, data: Upload) -> None:
    """Store data until it is imported: queued → uploading."""
    limits = call.svc.quota.limits_of(id)
    with call.svc.db.writer() as connection:
        row = access.image(call, connection, id, "modify_image")
        call.svc.quota.check(connection, row["owner"], limits, quota.STAGED, quota.UPLOADING)
        images.move(connection, id, "stage")
    try:
        size = call.svc.incoming.stage(id, data.source, call.svc.conf.image.max_image_bytes)
        if data.length is not None and size != data.length:
            raise errors.BadRequest("The upload ended before all of it had arrived.")
        call.svc.db.transact(images.update, id, {"size": size})
    except BaseException:
        call.svc.incoming.unstage(id)
        with contextlib.suppress(errors.NotFound, errors.InvalidState):  # deleted meanwhile, on request
            call.svc.db.transact(images.move, id, "unstage", size=None)
        raise


def _method(call: Call, body: dict) -> dict:
    """{"name", …} of a request, after all checks that do not need the image."""
    method = body["method"]
    name, uri = method["name"], method.get("uri")
    if name not in imports.METHODS:
        raise errors.BadRequest(f"Unknown import method name '{name}'.")
    if (name == "web-download") != (uri is not None):
        raise errors.BadRequest("Invalid import: uri is required for web-download, and invalid for other methods.")
    if uri is not None:
        web.target(uri, call.svc.conf.image)
        return {"name": name, "uri": uri}
    if name == "glance-download":
        remote.check(method)
        return {"name": name, **{k: method[k] for k in ("glance_image_id", "glance_region", "glance_service_interface")
                                 if isinstance(method.get(k), str)}}
    return {"name": name}


def _targets(call: Call, body: dict, store_name: str | None) -> list[str]:
    """The requested stores. :raises BadRequest: one of them is read-only or unknown, or the request is ambiguous"""
    known = call.svc.stores
    if body.get("all_stores"):
        if "stores" in body:
            raise errors.BadRequest("all_stores and stores cannot be used together.")
        return known.writable()
    if body.get("stores"):
        return [known.choose(name).name for name in dict.fromkeys(body["stores"])]
    return [known.choose(store_name).name]


def _begin(call: Call, connection, id: str, method: dict, wanted: list[str]) -> tuple[dict, list[str]]:
    """Change the image's state for its import; returns its row before the change, and the stores."""
    row, name = images.get(connection, id), method["name"]
    if name == "copy-image":
        if row["status"] != "active":
            raise errors.Conflict(f"Only an active image can be copied, not one in status {row['status']}.")
        images.claim(connection, row)
        return row, [store for store in wanted if store not in locations.store_names(row)]
    if not row["disk_format"] or not row["container_format"]:
        raise errors.Conflict("'disk_format' and 'container_format' need to be set before import")
    # The size is set when all data has arrived; without it, the data is still being staged.
    if name == "glance-direct" and row["status"] == "uploading" and row["size"] is None:
        raise errors.Conflict("The image's data is still being staged.")
    images.move(connection, id, "import_staged" if name == "glance-direct" else "import")
    return row, wanted


def start(call: Call, id: str, body: dict, store_name: str | None) -> None:
    """Begin an import; the image's tasks show its progress.

    :param body: as the client sent it
    :param store_name: the store if the body has none; None: the default store
    """
    method = _method(call, body)
    wanted = _targets(call, body, store_name)
    with call.svc.db.reader() as connection:
        owner = access.image(call, connection, id, "copy_image" if method["name"] == "copy-image" else "modify_image")["owner"]
    limits = call.svc.quota.limits(owner)
    with call.svc.db.writer() as connection:
        # Staged data counts as uploading already.
        call.svc.quota.check(connection, owner, limits, quota.SIZE, *(
            () if method["name"] in ("glance-direct", "copy-image") else (quota.UPLOADING,)))
        row, wanted = _begin(call, connection, id, method, wanted)
        task = call.svc.imports.begin(connection, call.ctx, row, method, stores=wanted,
                                     must_succeed=body.get("all_stores_must_succeed", True))
    call.svc.imports.start(task, row, call.ctx)


def of_image(call: Call, id: str) -> list[dict]:
    """Only the project that owns the image sees its source, because the URL may contain credentials."""
    with call.svc.db.reader() as connection:
        row = access.image(call, connection, id, "get_image")
        found = rows.select(connection, TASKS, order_by="created_at", image_id=id)
    shown = [imports.view(t) for t in found]
    if not access.allows(call, "get_image_location", row):
        shown = [{**t, "input": {}} for t in shown]
    return shown


def index(call: Call, *, wanted: dict[str, str], sort: tuple[str, str], limit: int, marker: str | None) -> list[dict]:
    """A page of all tasks, for administrators."""
    call.svc.policy.check(call.ctx, "tasks_api_access", {})
    where = [TASKS.c[name] == value for name, value in wanted.items()]
    with call.svc.db.reader() as connection:
        row = None if marker is None else rows.get(connection, TASKS, marker, resource="task")
        return rows.page(connection, TASKS, *where, sort=[sort], limit=limit, marker_row=row) if limit else []


def show(call: Call, task_id: str) -> dict:
    call.svc.policy.check(call.ctx, "tasks_api_access", {})
    with call.svc.db.reader() as connection:
        return rows.get(connection, TASKS, task_id, resource="task")


def create(call: Call, given: dict) -> dict:
    """Create an image from a URL in one request: the image is created, and its import begun. Returns the task."""
    call.svc.policy.check(call.ctx, "tasks_api_access", {})
    web.target(given["import_from"], call.svc.conf.image)
    properties = {"container_format": "bare", **given["image_properties"], "disk_format": given["import_from_format"]}
    row = image_services.new_row(call, properties)
    limits = call.svc.quota.limits(row["owner"])
    with call.svc.db.writer() as connection:
        call.svc.quota.check(connection, row["owner"], limits, quota.SIZE, quota.UPLOADING)
        image_services.insert(call, connection, row, limits)
        images.move(connection, row["id"], "import")
        task = call.svc.imports.begin(connection, call.ctx, row, {"name": "web-download", "uri": given["import_from"]},
                                     stores=[call.svc.stores.default.name], kind="import", given=given)
    call.svc.imports.start(task, row)
    return task
