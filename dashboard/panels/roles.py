"""Roles."""

from common.rest import path
from dashboard.asks import do, get
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Source
from dashboard.panels.fields import DESCRIPTION, deletion, name_and_description
from dashboard.texts import Text


def _create_role(req, values: dict) -> str:
    do(req, "POST", "identity", path("/v3/roles"), {"role": values})
    return Text("{name} was created.", name=values["name"])


PANEL = Panel(
    path="/identity/roles", title="Roles", noun="role", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/roles", query=query), "roles", pages=False, sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Description", lambda r: r.get("description")),
             Column("ID", "id", "code")),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: do(req, "PATCH", "identity", path("/v3/roles/{name}", id), {
            "role": values}), name_and_description, done="{name} was changed."),
        deletion("identity", lambda id: path("/v3/roles/{name}", id), danger="name",
                 ask="{name} is deleted, and taken from everybody who has it.")),
    item=lambda req, id: get("identity", path("/v3/roles/{name}", id), "role"),
    create=Create("Create role", (Field("name", "Name", required=True), DESCRIPTION), _create_role),
    empty="There are no roles yet. What users may do depends on those that they have in a project.")
