"""Credentials of the user for other ways to log in: EC2 access keys, and secrets of one-time passwords."""

import base64
import dataclasses
import json
import secrets
import shlex
import urllib.parse

import webob

from common import errors
from common.rest import path
from dashboard import forms, session
from dashboard.asks import do, get, send, together
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Filter, Panel, Row, Source, Tab
from dashboard.panels.fields import deletion
from dashboard.texts import Text

_TYPES = (("ec2", Text("EC2 access key")), ("totp", Text("One-time passwords (TOTP)")))
_TOTP_BYTES = 20  # as RFC 4226 recommends


def _key(row: Row) -> dict[str, str]:
    """The parts of an EC2 access key, or nothing."""
    try:
        found = json.loads(row["blob"]) if row["type"] == "ec2" and row.get("blob") else {}
    except ValueError:
        return {}
    return {k: str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _totp_url(row: Row) -> str | None:
    """What an authenticator app reads."""
    if row["type"] != "totp" or not row.get("blob"):
        return None
    label = urllib.parse.quote(f"Pileus:{row.get('user_name', row['user_id'])}", errors="replace")
    return f"otpauth://totp/{label}?secret={row['blob']}&issuer=Pileus"


def _names(req, rows: list[Row]) -> None:
    active = session.required(req)
    for row in rows:
        row["user_name"] = active.user if row["user_id"] == active.user_id else row["user_id"]


def _mine(query: dict, user: str):
    return path("/v3/credentials", query={"user_id": user, **query})


def _of_all(query: dict):
    return path("/v3/credentials", query=query)


def _create_fields(req) -> list[Field]:
    found = send(req, get("identity", path("/v3/auth/projects"), "projects"))
    return [Field("type", "Type", "choice", True, options=_TYPES),
            Field("project", "Project of the access key", "choice", options=forms.named(found),
                  initial=session.required(req).project_id, when="type=ec2")]


def _created(made: Row) -> webob.Response:
    return webob.Response(status=303, location=f"/identity/credentials/{urllib.parse.quote(made['id'], safe='')}/")


def _create_for(req, user: str, values: dict) -> Row:
    body = {"user_id": user, "type": values["type"]}
    if values["type"] == "ec2":
        if not values["project"]:
            raise forms.Refused({"project": "Choose one."})
        body |= {"project_id": values["project"], "blob": json.dumps({
            "access": secrets.token_hex(16), "secret": secrets.token_hex(16)})}
    else:
        body["blob"] = base64.b32encode(secrets.token_bytes(_TOTP_BYTES)).decode()
    return do(req, "POST", "identity", path("/v3/credentials"), {"credential": body}, "credential")


def _create(req, values: dict) -> webob.Response:
    return _created(_create_for(req, session.required(req).user_id, values))


def _of_user_fields(req) -> list[Field]:
    found = together(req, users=get("identity", path("/v3/users"), "users"),
                     projects=get("identity", path("/v3/projects"), "projects"))
    return [Field("user", "User", "choice", True, options=forms.named(found["users"])),
            Field("type", "Type", "choice", True, options=_TYPES),
            Field("project", "Project of the access key", "choice", options=forms.named(found["projects"]), when="type=ec2")]


def _create_of_user(req, values: dict) -> str:
    _create_for(req, values["user"], values)
    return Text("The credential was created. Its user finds it under Access, Credentials.")


def _ec2rc(req, id, values, row) -> webob.Response:
    """A file for EC2 clients."""
    catalog = send(req, get("identity", path("/v3/auth/catalog"), "catalog"))
    urls = {service["type"]: endpoint["url"] for service in catalog for endpoint in service["endpoints"]
            if endpoint["interface"] == "public"}
    key = _key(row)
    if not key.get("access"):
        raise errors.NotFound("The access key cannot be read.")
    lines = [f"export {name}={shlex.quote(value)}" for name, value in (
        ("EC2_URL", urls.get("ec2", "")), ("EC2_ACCESS_KEY", key["access"]), ("EC2_SECRET_KEY", key.get("secret", "")),
        ("AWS_ACCESS_KEY_ID", key["access"]), ("AWS_SECRET_ACCESS_KEY", key.get("secret", "")),
        ("AWS_ENDPOINT_URL_EC2", urls.get("ec2", "")))]
    response = webob.Response("\n".join(lines) + "\n", content_type="text/x-shellscript", charset="UTF-8")
    response.headers["Content-Disposition"] = 'attachment; filename="ec2rc.sh"'
    return response


def _kind(row: Row) -> str:
    return next((text for kind, text in _TYPES if kind == row["type"]), row["type"])


def _name(row: Row) -> str:
    return _key(row).get("access") or _kind(row)


_COLUMNS = (Column("Credential", _name, "link"), Column("Type", _kind, sort="type"), Column("Project", "project_id", "project"),
            Column("ID", "id", "code"))

PANEL = Panel(
    path="/identity/credentials", title="Credentials", noun="credential", menu="Access",
    source=Source("identity", _mine, "credentials", pages=False, sort=("type", "asc"), of_user=True),
    columns=_COLUMNS, name=_name, more=_names, filters=(Filter("type", "Type", _TYPES),),
    actions=(Action("ec2rc", "Download ec2rc.sh", _ec2rc, when=lambda row: bool(_key(row))),
             deletion("identity", lambda id: path("/v3/credentials/{name}", id), bulk=True,
                      ask="Programs that use {name} can no longer log in.")),
    item=lambda req, id: get("identity", path("/v3/credentials/{name}", id), "credential"),
    tabs=(Tab("overview", "Overview", facts=(("Credential", (
        Column("ID", "id", "code"), Column("Type", _kind),
        Column("Project", "project_id", "project"))),
        ("Access key", (Column("Access key", lambda r: _key(r).get("access"), "code"),
                        Column("Secret key", lambda r: _key(r).get("secret"), "code"))),
        ("One-time passwords", (Column("Secret", lambda r: r.get("blob") if r["type"] == "totp" else None, "code"),
                                Column("For authenticator apps", _totp_url, "code"))))),),
    create=Create("Create credential", _create_fields, _create, help=(
        "Programs for Amazon's EC2 log in with an access key. An authenticator app makes one-time passwords of a secret, for "
        "logins that want one.")),
    empty="There are no credentials yet. They are access keys of EC2 and secrets of one-time passwords.")

OF_ALL = dataclasses.replace(
    PANEL, path="/identity/all_credentials", title="All credentials", menu="Identity", admin=True,
    source=dataclasses.replace(PANEL.source, where=_of_all, of_user=False),
    columns=(PANEL.columns[0], Column("User", "user_id", "user"), *PANEL.columns[1:]), tabs=(),
    actions=PANEL.without("ec2rc"), create=Create("Create credential", _of_user_fields, _create_of_user),
    empty="No user has credentials yet. They are access keys of EC2 and secrets of one-time passwords.")
