"""Instances: list, details with console and history, launch, actions."""

import urllib.parse

import webob

from common import errors
from common.rest import path
from dashboard import session
from dashboard.pages import call, redirect, render

ACTIONS = {"start": {"os-start": None}, "stop": {"os-stop": None}, "reboot": {"reboot": {"type": "SOFT"}},
           "hard-reboot": {"reboot": {"type": "HARD"}}}
CONSOLES = {"vnc": {"protocol": "vnc", "type": "novnc"}, "serial": {"protocol": "serial", "type": "serial"}}


def _rows(req) -> list[dict]:
    servers = call(req, "GET", "compute", path("/v2.1/servers/detail?limit=200"))["servers"]
    return [_row(s) for s in servers]


def _row(server: dict) -> dict:
    addresses = [(name, a["addr"]) for name, found in server["addresses"].items() for a in found]
    return {**{k: server[k] for k in ("id", "name", "status", "created", "key_name")}, "addresses": addresses,
            "task": server["OS-EXT-STS:task_state"], "flavor": server["flavor"]["original_name"],
            "fault": server.get("fault", {}).get("message", ""), "zone": server["OS-EXT-AZ:availability_zone"],
            "volumes": [v["id"] for v in server["os-extended-volumes:volumes_attached"]],
            "image": (server["image"] or {}).get("id", "")}


def index(req):
    return render(req, "instances.html", servers=_rows(req))


def show(req, id):
    server = _row(call(req, "GET", "compute", path("/v2.1/servers/{id}", id))["server"])
    try:
        log = call(req, "POST", "compute", path("/v2.1/servers/{id}/action", id),
                   {"os-getConsoleOutput": {"length": 40}})["output"]
    except errors.Error as error:
        log = f"({error})"
    history = call(req, "GET", "compute", path("/v2.1/servers/{id}/os-instance-actions", id))["instanceActions"]
    return render(req, "instance.html", server=server, log=log, history=history)


def ask(req, text: str = "", given: dict | None = None):
    flavors = call(req, "GET", "compute", path("/v2.1/flavors/detail"))["flavors"]
    return render(req, "launch.html", status=400 if text else 200, text=text, given=given or {},
                  flavors=sorted(flavors, key=lambda f: (f["ram"], f["vcpus"])),
                  images=[i for i in call(req, "GET", "image", path("/v2/images?status=active&limit=200"))["images"]
                          if i["container_format"] not in ("aki", "ari")],
                  networks=[n for n in call(req, "GET", "network", path("/v2.0/networks"))["networks"]
                            if not n["router:external"]],
                  keypairs=[k["keypair"]["name"] for k in call(req, "GET", "compute", path("/v2.1/os-keypairs"))["keypairs"]],
                  groups=call(req, "GET", "network", path("/v2.0/security-groups", query={
                      "project_id": session.required(req).project_id}))[
                      "security_groups"])


def launch(req):
    given = session.form(req)
    body: dict = {"name": given.get("name", ""), "imageRef": given.get("image", ""), "flavorRef": given.get("flavor", ""),
                  "networks": [{"uuid": given["network"]}] if given.get("network") else "auto"}
    if given.get("key_name"):
        body["key_name"] = given["key_name"]
    if given.get("group"):
        body["security_groups"] = [{"name": given["group"]}]
    try:
        call(req, "POST", "compute", path("/v2.1/servers"), {"server": body})
    except (errors.BadRequest, errors.Forbidden, errors.Conflict, errors.TooLarge) as error:
        return ask(req, str(error), given)
    return redirect(req, "/project/instances/", f"{body['name']} is being built.")


def console(req, id, verb):
    """Redirect to a page of the console proxy. GET, because the Content-Security-Policy forbids forms that redirect elsewhere."""
    if verb not in CONSOLES:
        raise errors.NotFound("There is no such console.")
    made = call(req, "POST", "compute", path("/v2.1/servers/{id}/remote-consoles", id), {"remote_console": CONSOLES[verb]})
    url = urllib.parse.urlsplit(made["remote_console"]["url"])
    if verb == "serial":  # the URL of the WebSocket; the page takes the same query
        url = url._replace(scheme=url.scheme.replace("ws", "http"), path="/serial.html")
    return webob.Response(status=303, location=url.geturl())


def act(req, id, verb):
    session.form(req)
    if verb == "delete":
        call(req, "DELETE", "compute", path("/v2.1/servers/{id}", id))
        return redirect(req, "/project/instances/", "The instance is being deleted.")
    if verb not in ACTIONS:
        raise errors.NotFound("There is no such action.")
    call(req, "POST", "compute", path("/v2.1/servers/{id}/action", id), ACTIONS[verb])
    return redirect(req, "/project/instances/", f"{verb.capitalize()} was asked for.")
