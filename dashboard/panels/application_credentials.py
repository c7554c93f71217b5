"""Application credentials of the user: programs log in with them."""

import json
import re

import webob

from common.rest import path
from dashboard import session
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Source
from dashboard.panels.fields import DESCRIPTION

_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def _mine(query: dict, user: str):
    return path("/v3/users/{name}/application_credentials", user, query=query)


def identity_url(req) -> str:
    """Where clients outside find the identity service, as the catalog says."""
    for service in send(req, get("identity", path("/v3/auth/catalog"), "catalog")):
        if service["type"] == "identity":
            return next(e["url"] for e in service["endpoints"] if e["interface"] == "public")
    return ""


def as_clouds_yaml(cloud: dict) -> webob.Response:
    """A file for the clients. JSON is YAML, except that YAML knows no pairs of escapes and has more line breaks."""
    text = json.dumps({"clouds": {"pileus": cloud}}, indent=2, ensure_ascii=False) + "\n"
    text = _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    response = webob.Response(text, content_type="application/yaml", charset="UTF-8")
    response.headers["Content-Disposition"] = 'attachment; filename="clouds.yaml"'
    return response


def _create_credential(req, values: dict) -> webob.Response:
    """The secret is shown once: in a clouds.yaml to download."""
    url = identity_url(req)  # first, since after a failure the secret would be lost
    body = {"name": values["name"], "unrestricted": values["unrestricted"]}
    body.update({k: values[k] for k in ("description", "expires_at") if values[k]})
    made = do(req, "POST", "identity", _mine({}, session.required(req).user_id), {"application_credential": body},
              "application_credential")
    return as_clouds_yaml({"auth": {"auth_url": url, "application_credential_id": made["id"],
                                    "application_credential_secret": made["secret"]},
                           "auth_type": "v3applicationcredential", "region_name": req.svc.conf.region, "identity_api_version": 3})


PANEL = Panel(
    path="/identity/application_credentials", title="Application credentials", noun="application credential", menu="Access",
    source=Source("identity", _mine, "application_credentials", pages=False, sort=("name", "asc"), of_user=True),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"),
             Column("Project", "project_id", "project"),
             Column("Expires", "expires_at", "time", "expires_at"), Column("Unrestricted", "unrestricted", "yes"),
             Column("ID", "id", "code")),
    actions=(Action("delete", "Delete", lambda req, id, values, row: do(req, "DELETE", "identity", path(
        "/v3/users/{name}/application_credentials/{name}", session.required(req).user_id, id)), bulk=True, danger="danger",
        leaves=True,
        ask="Programs that use {name} can no longer log in.", done="{name} was deleted."),),
    item=lambda req, id: get("identity", path("/v3/users/{name}/application_credentials/{name}", session.required(req).user_id,
                                              id),
                             "application_credential"),
    create=Create("Create application credential", (
        Field("name", "Name", required=True), DESCRIPTION,
        Field("expires_at", "Expires", placeholder="2027-01-31T00:00:00",
              help="A time in UTC. Leave empty if it must never expire."),
        Field("unrestricted", "Unrestricted: it may create and delete application credentials and trusts", "check")),
        _create_credential, help="Its secret is in the clouds.yaml that is downloaded, and is never shown again."),
    empty="There are no application credentials yet. Programs log in with them, instead of with your password.")
