"""Volumes: list, create, attach, detach and delete."""

from common import errors
from common.rest import path
from dashboard import session
from dashboard.pages import call, redirect, render


def index(req):
    active = session.required(req)
    volumes = call(req, "GET", "volume", path("/v3/{name}/volumes/detail?limit=200", active.project_id))["volumes"]
    servers = call(req, "GET", "compute", path("/v2.1/servers?limit=200"))["servers"]
    return render(req, "volumes.html", volumes=volumes, servers=servers, names={s["id"]: s["name"] for s in servers})


def create(req):
    fields, active = session.form(req), session.required(req)
    try:
        size = int(fields.get("size", ""))
    except ValueError:
        raise errors.BadRequest("The size of a volume must be a whole number of GiB.") from None
    body = {"volume": {"name": fields.get("name", ""), "size": size}}
    call(req, "POST", "volume", path("/v3/{name}/volumes", active.project_id), body)
    return redirect(req, "/project/volumes/", "The volume is being created.")


def act(req, id, verb):
    fields, active = session.form(req), session.required(req)
    server = fields.get("server_id", "")
    if verb == "delete":
        call(req, "DELETE", "volume", path("/v3/{name}/volumes/{id}", active.project_id, id))
    elif verb == "attach":
        call(req, "POST", "compute", path("/v2.1/servers/{id}/os-volume_attachments", server),
             {"volumeAttachment": {"volumeId": id}})
    elif verb == "detach":
        call(req, "DELETE", "compute", path("/v2.1/servers/{id}/os-volume_attachments/{id}", server, id))
    else:
        raise errors.NotFound("There is no such action.")
    return redirect(req, "/project/volumes/", f"{verb.capitalize()} was asked for.")
