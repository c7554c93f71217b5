"""Volume types."""

import dataclasses

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels.fields import PUBLIC, TARGET, deletion, edited, pairs_field, shown
from dashboard.texts import Text


def _create_type(req, values: dict) -> str:
    do(req, "POST", "volume", path("/v3/types"), {"volume_type": {
        "name": values["name"], "description": values["description"], "os-volume-type-access:is_public": values["public"],
        "extra_specs": forms.pairs(values["specs"], "specs")}})
    return Text("{name} was created.", name=values["name"])


def _edit_type(req, id, values, row):
    do(req, "PUT", "volume", path("/v3/types/{id}", id), {"volume_type": {
        "name": values["name"], "description": values["description"], "is_public": values["public"]}})


def _type_specs(req, id, values, row):
    old = row.get("extra_specs", {})
    new = edited(old, values["specs"], "specs")
    for key in set(old) - set(new):
        do(req, "DELETE", "volume", path("/v3/types/{id}/extra_specs/{name}", id, key))
    changed = {k: v for k, v in new.items() if old.get(k) != v}
    if changed:
        do(req, "POST", "volume", path("/v3/types/{id}/extra_specs", id), {"extra_specs": changed})


def _is_private(row: Row) -> bool:
    return not row["is_public"]


def _access(req, id: str, action: str, project: str) -> None:
    do(req, "POST", "volume", path("/v3/types/{id}/action", id), {action: {"project": project}})


def _access_fields(req, row):
    found = send(req, get("identity", path("/v3/projects"), "projects"))
    return [Field("project", "Project", "choice", True, options=forms.named(found))]


def _access_asks(req, id: str):
    # The volume service refuses the question for public types.
    return {"access": get("volume", path("/v3/types/{id}/os-volume-type-access", id), "volume_type_access", instead=[])}


PANEL = Panel(
    path="/admin/volume_types", title="Volume types", noun="volume type", menu="Admin", admin=True,
    source=Source("volume", lambda query: path("/v3/types", query={"is_public": "None", **query}), "volume_types", pages=False,
                  sort=("name", "asc"), cut=True),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"), Column("Public", "is_public", "yes"),
             Column("Extra specs", lambda r: shown(r.get("extra_specs", {})), "lines"), Column("ID", "id", "code")),
    actions=(
        Action("edit", "Edit", _edit_type, lambda req, row: [
            Field("name", "Name", required=True, initial=row["name"]),
            Field("description", "Description", initial=row["description"] or ""),
            dataclasses.replace(PUBLIC, initial=row["is_public"])], done="{name} was changed."),
        Action("specs", "Edit extra specs", _type_specs, lambda req, row: [
            pairs_field("specs", "Extra specs", row.get("extra_specs", {}))], done="The extra specs were changed."),
        Action("access", "Give access to a project", submit="Give access", run=lambda req, id, values, row: _access(
            req, id, "addProjectAccess", values["project"]), fields=_access_fields, when=_is_private, tab="access",
            done="The project may use {name}."),
        Action("remove-access", "Remove", lambda req, id, values, row: _access(
            req, id, "removeProjectAccess", values["target"]), (TARGET,), title="Remove access",
            hidden=True, danger="danger", tab="access",
            ask="The project can no longer create volumes of {name}.", done="The project can no longer use {name}."),
        deletion("volume", lambda id: path("/v3/types/{id}", id), bulk=True,
                 ask="{name} is deleted. Volumes that have it must be deleted or retyped first.")),
    item=lambda req, id: get("volume", path("/v3/types/{id}", id), "volume_type"),
    tabs=(Tab("overview", "Overview", facts=(("Volume type", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Public", "is_public", "yes"),
        Column("Extra specs", lambda r: shown(r.get("extra_specs", {})), "lines"))),)),
        Tab("access", "Access", _access_asks, tables=(Table("Projects that may use it", lambda found, row: found["access"], (
            Column("Project", "project_id", "project"), Column("ID", "project_id", "code")),
            "No project was given access. All projects may use a public type; a private one is for those that are listed here.",
            target="project_id",
            actions=("remove-access",), add=("access",)),))),
    create=Create("Create volume type", (
        Field("name", "Name", required=True), Field("description", "Description"),
        PUBLIC,
        Field("specs", "Extra specs", "area", help="One key=value per line.", max_length=20000)), _create_type),
    empty="There are no volume types yet. A type says where volumes are stored.")
