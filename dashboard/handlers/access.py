"""API access: endpoints, and the files that clients log in with."""

import shlex

import webob

from common import errors
from common.rest import path
from dashboard import session
from dashboard.asks import get, send
from dashboard.pages import render
from dashboard.panels.application_credentials import as_clouds_yaml, identity_url


def show(req):
    catalog = send(req, get("identity", path("/v3/auth/catalog"), "catalog"))
    rows = sorted((service["type"], service["name"], e["interface"],
                   e["url"]) for service in catalog for e in service["endpoints"])
    return render(req, "access.html", rows=[row for row in rows if row[2] == "public"])


def download(req, file):
    """A file for the clients. It has no password: they ask for it."""
    active = session.required(req)
    if file == "clouds.yaml":
        return as_clouds_yaml({
            "auth": {"auth_url": identity_url(req), "username": active.user, "project_id": active.project_id,
                     "project_name": active.project, "user_domain_name": active.domain},
            "region_name": active.region, "interface": "public", "identity_api_version": 3})
    if file != "openrc.sh":
        raise errors.NotFound("There is no such file.")
    values = {"OS_AUTH_URL": identity_url(req), "OS_PROJECT_ID": active.project_id, "OS_PROJECT_NAME": active.project,
              "OS_USERNAME": active.user, "OS_USER_DOMAIN_NAME": active.domain, "OS_REGION_NAME": active.region,
              "OS_INTERFACE": "public", "OS_IDENTITY_API_VERSION": "3"}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    lines += ['printf "Password of %s: " "$OS_USERNAME" >&2', "stty -echo; IFS= read -r OS_PASSWORD; stty echo; echo >&2",
              "export OS_PASSWORD"]
    response = webob.Response("\n".join(lines) + "\n", content_type="text/x-shellscript", charset="UTF-8")
    response.headers["Content-Disposition"] = 'attachment; filename="openrc.sh"'
    return response
