"""Interoperable import: data is staged, or named by a URL, and a task makes it the image's. And the list of tasks."""

import urllib.parse

import sqlalchemy as sa

from common import db, errors, rows, schema, wsgi
from image import imports, web
from image.db import images
from image.db.models import tasks as TASKS
from image.handlers import images as image_handlers
from image.handlers.data import require_octets

_IMPORT = schema.obj({
    "method": schema.obj({"name": {"type": "string"}, "uri": {"type": "string", "maxLength": 2048}}, ["name"], extra=True),
    "all_stores": {"type": "boolean"}, "all_stores_must_succeed": {"type": "boolean"},
    "stores": {"type": "array", "items": {"enum": ["file"]}}}, ["method"], extra=True)
_TASK = schema.obj({"type": {"enum": ["import"]}, "input": {"type": "object", "properties": {
    "import_from": {"type": "string", "maxLength": 2048}, "import_from_format": {"type": "string"},
    "image_properties": {"type": "object"}}, "required": ["import_from", "import_from_format", "image_properties"]}},
    ["type", "input"], extra=True)


def info(req):
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": list(imports.METHODS)}}


def stage(req, id):
    """Keep data until it is imported: queued → uploading."""
    require_octets(req)
    with req.svc.db.writer() as connection:
        row = images.get(connection, req.ctx, id)
        req.svc.policy.check(req.ctx, "upload_image", {"project_id": row["owner"]})
        images.move(connection, id, "stage")
    try:
        size = req.svc.store.stage(id, req.environ["wsgi.input"], req.svc.conf.image.max_image_bytes)
        if req.content_length is not None and size != req.content_length:
            raise errors.BadRequest("The upload ended before all of it had arrived.")
        with req.svc.db.writer() as connection:
            images.update(connection, id, {"size": size})
    except BaseException:
        req.svc.store.unstage(id)
        with req.svc.db.writer() as connection:
            try:
                images.move(connection, id, "unstage", size=None)
            except (errors.NotFound, errors.InvalidState):
                pass  # deleted meanwhile: its owner wanted it gone
        raise


@wsgi.body(_IMPORT)
def start(req, id, body):
    """Ask for an import: 202, and the image's tasks say how it goes."""
    method = body["method"]["name"]
    if method not in imports.METHODS:
        raise errors.BadRequest(f"Unknown import method name '{method}'.")
    uri = body["method"].get("uri")
    if (method == "web-download") != (uri is not None):
        raise errors.BadRequest("Invalid import: web-download needs a uri, and nothing else does.")
    with req.svc.db.reader() as connection:
        req.svc.policy.check(req.ctx, "upload_image", {"project_id": images.get(connection, req.ctx, id)["owner"]})
    if uri is not None:
        web.target(uri, req.svc.conf.image)
    with req.svc.db.writer() as connection:
        row = images.get(connection, req.ctx, id)
        if not row["disk_format"] or not row["container_format"]:
            raise errors.Conflict("'disk_format' and 'container_format' need to be set before import")
        # The size is written when all of it has arrived: what is still being staged is not imported.
        if method == "glance-direct" and row["status"] == "uploading" and row["size"] is None:
            raise errors.Conflict("The image's data is still being staged.")
        images.move(connection, id, "import" if method == "web-download" else "import_staged")
        task = req.svc.imports.begin(connection, req.ctx, row, {"method": method, **({"uri": uri} if uri else {})})
    req.svc.imports.start(task, row)
    return wsgi.Response(status=202)


def of_image(req, id):
    with req.svc.db.reader() as connection:
        images.get(connection, req.ctx, id)
        found = rows.many(connection, sa.select(TASKS).where(TASKS.c.image_id == id).order_by(TASKS.c.created_at))
    return {"tasks": [imports.view(t) for t in found]}


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
        found = rows.many(connection, db.page(sa.select(TASKS).where(*where), TASKS, sort=[(key, direction)], limit=limit,
                                              marker_row=marker)) if limit else []
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
    with req.svc.db.writer() as connection:
        image_handlers.insert(req, connection, row)
        images.move(connection, row["id"], "import")
        task = req.svc.imports.begin(connection, req.ctx, row, {"method": "web-download", "uri": given["import_from"], **given},
                                     kind="import")
    req.svc.imports.start(task, row)
    response = wsgi.json_response(imports.view(task), 201)
    response.location = f"{req.base_url()}/v2/tasks/{task['id']}"
    return response


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/info/import", info), wsgi.Route("PUT", "/v2/images/{id}/stage", stage, 204),
            wsgi.Route("POST", "/v2/images/{id}/import", start, 202), wsgi.Route("GET", "/v2/images/{id}/tasks", of_image),
            wsgi.Route("GET", "/v2/tasks", index), wsgi.Route("POST", "/v2/tasks", create, 201),
            wsgi.Route("GET", "/v2/tasks/{task_id}", show)]
