"""Interoperable import: data is staged, or named by a URL, and a task makes it the image's. And the list of tasks."""

import contextlib
import urllib.parse

from common import errors, rows, schema, wsgi
from image import access, imports, locations, quota, remote, web
from image.db import images
from image.db.models import tasks as TASKS
from image.handlers import images as image_handlers
from image.handlers.data import require_octets

_IMPORT = schema.obj({
    "method": schema.obj({"name": {"type": "string"}, "uri": {"type": "string", "maxLength": 2048}}, ["name"], extra=True),
    "all_stores": {"type": "boolean"}, "all_stores_must_succeed": {"type": "boolean"},
    "stores": {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 255}}}, ["method"], extra=True)
_TASK = schema.obj({"type": {"enum": ["import"]}, "input": {"type": "object", "properties": {
    "import_from": {"type": "string", "maxLength": 2048}, "import_from_format": {"type": "string"},
    "image_properties": {"type": "object"}}, "required": ["import_from", "import_from_format", "image_properties"]}},
    ["type", "input"], extra=True)


def info(req):
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": list(imports.METHODS)}}


def stage(req, id):
    """Keep data until it is imported: queued → uploading."""
    require_octets(req)
    limits = req.svc.quota.limits_of(id)
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id, "modify_image")
        req.svc.quota.check(connection, row["owner"], limits, quota.STAGED, quota.UPLOADING)
        images.move(connection, id, "stage")
    try:
        size = req.svc.incoming.stage(id, req.environ["wsgi.input"], req.svc.conf.image.max_image_bytes)
        if req.content_length is not None and size != req.content_length:
            raise errors.BadRequest("The upload ended before all of it had arrived.")
        req.svc.db.transact(images.update, id, {"size": size})
    except BaseException:
        req.svc.incoming.unstage(id)
        with contextlib.suppress(errors.NotFound, errors.InvalidState):  # deleted meanwhile: its owner wanted it gone
            req.svc.db.transact(images.move, id, "unstage", size=None)
        raise


def _method(req, body) -> dict:
    """{"name", …} of a request, after all that can be refused of it without the image."""
    method = body["method"]
    name, uri = method["name"], method.get("uri")
    if name not in imports.METHODS:
        raise errors.BadRequest(f"Unknown import method name '{name}'.")
    if (name == "web-download") != (uri is not None):
        raise errors.BadRequest("Invalid import: web-download needs a uri, and nothing else does.")
    if uri is not None:
        web.target(uri, req.svc.conf.image)
        return {"name": name, "uri": uri}
    if name == "glance-download":
        remote.check(method)
        return {"name": name, **{k: method[k] for k in ("glance_image_id", "glance_region", "glance_service_interface")
                                 if isinstance(method.get(k), str)}}
    return {"name": name}


def _targets(req, body) -> list[str]:
    """The stores that are asked for. :raises BadRequest: one of them takes no images, or nothing says which"""
    known = req.svc.stores
    if body.get("all_stores"):
        if "stores" in body:
            raise errors.BadRequest("All stores are asked for, or some by their names: not both.")
        return known.writable()
    if body.get("stores"):
        return [known.choose(name).name for name in dict.fromkeys(body["stores"])]
    return [known.choose(req.headers.get("X-Image-Meta-Store")).name]


def _begin(req, connection, id: str, method: dict, wanted: list[str]) -> tuple[dict, list[str]]:
    """Give an image the state of its import; its row as it was, and the stores that it goes to."""
    row, name = images.get(connection, id), method["name"]
    if name == "copy-image":
        if row["status"] != "active":
            raise errors.Conflict(f"Only an active image can be copied, not one in status {row['status']}.")
        images.claim(connection, row)
        return row, [store for store in wanted if store not in locations.held(row)]
    if not row["disk_format"] or not row["container_format"]:
        raise errors.Conflict("'disk_format' and 'container_format' need to be set before import")
    # The size is written when all of it has arrived: what is still being staged is not imported.
    if name == "glance-direct" and row["status"] == "uploading" and row["size"] is None:
        raise errors.Conflict("The image's data is still being staged.")
    images.move(connection, id, "import_staged" if name == "glance-direct" else "import")
    return row, wanted


@wsgi.body(_IMPORT)
def start(req, id, body):
    """Ask for an import: 202, and the image's tasks say how it goes."""
    method = _method(req, body)
    wanted = _targets(req, body)
    with req.svc.db.reader() as connection:
        owner = access.image(req, connection, id, "copy_image" if method["name"] == "copy-image" else "modify_image")["owner"]
    limits = req.svc.quota.limits(owner)
    with req.svc.db.writer() as connection:
        # What was staged counts as uploading already.
        req.svc.quota.check(connection, owner, limits, quota.SIZE, *(
            () if method["name"] in ("glance-direct", "copy-image") else (quota.UPLOADING,)))
        row, wanted = _begin(req, connection, id, method, wanted)
        task = req.svc.imports.begin(connection, req.ctx, row, method, stores=wanted,
                                     must_succeed=body.get("all_stores_must_succeed", True))
    req.svc.imports.start(task, row, req.ctx)
    return wsgi.empty(202)


def of_image(req, id):
    """Where its data came from, only its project is told: such a URL may carry what lets one in."""
    with req.svc.db.reader() as connection:
        row = access.image(req, connection, id, "get_image")
        found = rows.select(connection, TASKS, order_by="created_at", image_id=id)
    shown = [imports.view(t) for t in found]
    if not access.allows(req, "get_image_location", row):
        shown = [{**t, "input": {}} for t in shown]
    return {"tasks": shown}


# The list of all tasks, for administrators ---------------------------------------

def index(req):
    req.svc.policy.check(req.ctx, "tasks_api_access", {})
    limit = min(wsgi.int_param(req, "limit", 25), 1000)
    key, direction = req.GET.get("sort_key", "created_at"), req.GET.get("sort_dir", "desc")
    if key not in ("created_at", "updated_at", "id", "status", "type") or direction not in ("asc", "desc"):
        raise errors.BadRequest(f"Invalid sort: {key}:{direction}")
    where = [TASKS.c[n] == req.GET[n] for n in ("type", "status", "owner") if n in req.GET]
    with req.svc.db.reader() as connection:
        marker = rows.get(connection, TASKS, req.GET["marker"], resource="task") if "marker" in req.GET else None
        found = rows.page(connection, TASKS, *where, sort=[(key, direction)], limit=limit, marker_row=marker) if limit else []
    query = {k: v for k, v in req.GET.items() if k != "marker"}
    body: dict = {"tasks": [{k: v for k, v in imports.view(t).items() if k not in ("input", "result", "message")} for t in found],
                  "first": "/v2/tasks" + ("?" + urllib.parse.urlencode(query) if query else ""), "schema": "/v2/schemas/tasks"}
    if limit and len(found) == limit:
        body["next"] = "/v2/tasks?" + urllib.parse.urlencode({**query, "marker": found[-1]["id"]})
    return body


def show(req, task_id):
    req.svc.policy.check(req.ctx, "tasks_api_access", {})
    with req.svc.db.reader() as connection:
        return imports.view(rows.get(connection, TASKS, task_id, resource="task"))


@wsgi.body(_TASK)
def create(req, body):
    """An image by a URL, in one request: the image is made, and its import begun."""
    req.svc.policy.check(req.ctx, "tasks_api_access", {})
    given = body["input"]
    web.target(given["import_from"], req.svc.conf.image)
    properties = {"container_format": "bare", **given["image_properties"], "disk_format": given["import_from_format"]}
    row = image_handlers.new_row(req, properties)
    limits = req.svc.quota.limits(row["owner"])
    with req.svc.db.writer() as connection:
        req.svc.quota.check(connection, row["owner"], limits, quota.SIZE, quota.UPLOADING)
        image_handlers.insert(req, connection, row, limits)
        images.move(connection, row["id"], "import")
        task = req.svc.imports.begin(connection, req.ctx, row, {"name": "web-download", "uri": given["import_from"]},
                                     stores=[req.svc.stores.default.name], kind="import", given=given)
    req.svc.imports.start(task, row)
    response = wsgi.json_response(imports.view(task), 201)
    response.location = f"{req.base_url()}/v2/tasks/{task['id']}"
    return response


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/info/import", info), wsgi.Route("PUT", "/v2/images/{id}/stage", stage, 204),
            wsgi.Route("POST", "/v2/images/{id}/import", start, 202), wsgi.Route("GET", "/v2/images/{id}/tasks", of_image),
            wsgi.Route("GET", "/v2/tasks", index), wsgi.Route("POST", "/v2/tasks", create, 201),
            wsgi.Route("GET", "/v2/tasks/{task_id}", show)]
