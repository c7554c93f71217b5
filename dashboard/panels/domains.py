"""Domains."""

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Source
from dashboard.panels.fields import DESCRIPTION, deletion, name_and_description
from dashboard.texts import Text


def domain_fields(req) -> list[Field]:
    found = send(req, get("identity", path("/v3/domains"), "domains", instead=[]))
    return [Field("domain_id", "Domain", "choice", blank=None if found else "The default", options=forms.named(found),
                  initial="default")]


def _domain(req, id: str, values: dict) -> None:
    do(req, "PATCH", "identity", path("/v3/domains/{name}", id), {"domain": values})


def _create_domain(req, values: dict) -> str:
    do(req, "POST", "identity", path("/v3/domains"), {"domain": values})
    return Text("{name} was created.", name=values["name"])


PANEL = Panel(
    path="/identity/domains", title="Domains", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/domains", query=query), "domains", pages=False, sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"), Column("Enabled", "enabled", "yes"),
             Column("ID", "id", "code")),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: _domain(req, id, values), name_and_description,
               done="{name} was changed."),
        Action("disable", "Disable", lambda req, id, values, row: _domain(req, id, {"enabled": False}),
               when=lambda row: row["enabled"] and row["id"] != "default", danger="name",
               ask="The users of {name} can no longer log in, and all their sessions end.", done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: _domain(req, id, {"enabled": True}),
               when=lambda row: not row["enabled"], done="{name} is enabled."),
        deletion("identity", lambda id: path("/v3/domains/{name}", id), when=lambda row: not row["enabled"], danger="name",
                 ask="{name} is deleted with its projects, users and groups.")),
    item=lambda req, id: get("identity", path("/v3/domains/{name}", id), "domain"),
    create=Create("Create domain", (Field("name", "Name", required=True, max_length=64), DESCRIPTION), _create_domain))
