"""Interoperable import: data is staged, or referred to by a URL, and a task imports it into the image. Also the list
of tasks."""

import urllib.parse

from common import errors, wsgi
from image.handlers.data import require_octets, sent
from image.imports import METHODS, view
from image.schemas import imports as schemas
from image.services import imports


def info(req):
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": list(METHODS)}}


def stage(req, id):
    """Store data until it is imported: queued → uploading."""
    require_octets(req)
    imports.stage(req.call, id, sent(req))


@wsgi.body(schemas.IMPORT)
def start(req, id, body):
    """Begin an import: returns 202; the image's tasks show its progress."""
    imports.start(req.call, id, body, req.headers.get("X-Image-Meta-Store"))
    return wsgi.empty(202)


def of_image(req, id):
    return {"tasks": imports.of_image(req.call, id)}


# The list of all tasks, for administrators ---------------------------------------

def index(req):
    req.svc.policy.check(req.ctx, "tasks_api_access", {})
    limit = min(wsgi.int_param(req, "limit", 25), 1000)
    key, direction = req.GET.get("sort_key", "created_at"), req.GET.get("sort_dir", "desc")
    if key not in ("created_at", "updated_at", "id", "status", "type") or direction not in ("asc", "desc"):
        raise errors.BadRequest(f"Invalid sort: {key}:{direction}")
    wanted = {n: req.GET[n] for n in ("type", "status", "owner") if n in req.GET}
    found = imports.index(req.call, wanted=wanted, sort=(key, direction), limit=limit, marker=req.GET.get("marker"))
    query = {k: v for k, v in req.GET.items() if k != "marker"}
    body: dict = {"tasks": [{k: v for k, v in view(t).items() if k not in ("input", "result", "message")} for t in found],
                  "first": "/v2/tasks" + ("?" + urllib.parse.urlencode(query) if query else ""), "schema": "/v2/schemas/tasks"}
    if limit and len(found) == limit:
        body["next"] = "/v2/tasks?" + urllib.parse.urlencode({**query, "marker": found[-1]["id"]})
    return body


def show(req, task_id):
    return view(imports.show(req.call, task_id))


@wsgi.body(schemas.TASK)
def create(req, body):
    """Create an image from a URL in one request: the image is created, and its import begun."""
    task = imports.create(req.call, body["input"])
    response = wsgi.json_response(view(task), 201)
    response.location = f"{req.base_url()}/v2/tasks/{task['id']}"
    return response


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/info/import", info), wsgi.Route("PUT", "/v2/images/{id}/stage", stage, 204),
            wsgi.Route("POST", "/v2/images/{id}/import", start, 202), wsgi.Route("GET", "/v2/images/{id}/tasks", of_image),
            wsgi.Route("GET", "/v2/tasks", index), wsgi.Route("POST", "/v2/tasks", create, 201),
            wsgi.Route("GET", "/v2/tasks/{task_id}", show)]
