"""Volume types."""

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Source
from dashboard.panels.fields import deletion, edited, pairs_field, shown
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


PANEL = Panel(
    path="/admin/volume_types", title="Volume types", menu="Admin", admin=True,
    source=Source("volume", lambda query: path("/v3/types", query={"is_public": "None", **query}), "volume_types", pages=False,
                  sort=("name", "asc"), cut=True),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"), Column("Public", "is_public", "yes"),
             Column("Extra specs", lambda r: shown(r.get("extra_specs", {})), "lines"), Column("ID", "id", "code")),
    actions=(
        Action("edit", "Edit", _edit_type, lambda req, row: [
            Field("name", "Name", required=True, initial=row["name"]),
            Field("description", "Description", initial=row["description"] or ""),
            Field("public", "Public", "check", initial=row["is_public"])], done="{name} was changed."),
        Action("specs", "Edit extra specs", _type_specs, lambda req, row: [
            pairs_field("specs", "Extra specs", row.get("extra_specs", {}))], done="The extra specs were changed."),
        deletion("volume", lambda id: path("/v3/types/{id}", id), bulk=True, ask="{name} is deleted. No volume may have it.")),
    item=lambda req, id: get("volume", path("/v3/types/{id}", id), "volume_type"),
    create=Create("Create volume type", (
        Field("name", "Name", required=True), Field("description", "Description"),
        Field("public", "Public", "check", initial=True),
        Field("specs", "Extra specs", "area", help="One key=value per line.", max_length=20000)), _create_type))
