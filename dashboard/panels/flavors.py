"""Flavors."""

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels.fields import PUBLIC, TARGET, deletion, edited, pairs_field, shown
from dashboard.texts import Text


def _create_flavor(req, values: dict) -> str:
    body = {"name": values["name"], "vcpus": values["vcpus"], "ram": values["ram"], "disk": values["disk"],
            "OS-FLV-EXT-DATA:ephemeral": values["ephemeral"], "swap": values["swap"],
            "os-flavor-access:is_public": values["public"], "description": values["description"] or None}
    if values["id"]:
        body["id"] = values["id"]
    do(req, "POST", "compute", path("/v2.1/flavors"), {"flavor": body})
    return Text("{name} was created.", name=values["name"])


def _specs(req, id, values, row):
    old = row["extra_specs"]
    new = edited(old, values["specs"], "specs")
    for key in set(old) - set(new):
        do(req, "DELETE", "compute", path("/v2.1/flavors/{name}/os-extra_specs/{name}", id, key))
    changed = {k: v for k, v in new.items() if old.get(k) != v}
    if changed:
        do(req, "POST", "compute", path("/v2.1/flavors/{name}/os-extra_specs", id), {"extra_specs": changed})


def _access_fields(req, row):
    found = send(req, get("identity", path("/v3/projects"), "projects"))
    return [Field("project", "Project", "choice", True, options=forms.named(found))]


def _flavor_act(req, id: str, name: str, project: str) -> None:
    do(req, "POST", "compute", path("/v2.1/flavors/{name}/action", id), {name: {"tenant": project}})


def _access(req, id: str):
    return {"access": get("compute", path("/v2.1/flavors/{name}/os-flavor-access", id), "flavor_access", instead=[])}


def _is_public(row: Row) -> bool:
    return row["os-flavor-access:is_public"]


PANEL = Panel(
    path="/admin/flavors", title="Flavors", noun="flavor", menu="Admin", admin=True,
    source=Source("compute", lambda query: path("/v2.1/flavors/detail", query={"is_public": "none", **query}), "flavors",
                  sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("VCPUs", "vcpus", sort="vcpus"),
             Column("RAM", "ram", "mib", "memory_mb"),
             Column("Disk", "disk", "gib", "root_gb"), Column("Ephemeral disk", "OS-FLV-EXT-DATA:ephemeral", "gib"),
             Column("Swap", lambda r: r["swap"] or 0, "mib"), Column("Public", _is_public, "yes"), Column("ID", "id", "code"),
             Column("Extra specs", lambda r: shown(r["extra_specs"]), "lines")),
    actions=(
        Action("edit", "Edit description", lambda req, id, values,
               row: do(req, "PUT", "compute", path("/v2.1/flavors/{name}", id), {
            "flavor": {"description": values["description"] or None}}), lambda req, row: [
                Field("description", "Description", initial=row["description"] or "")], done="{name} was changed."),
        Action("specs", "Edit extra specs", _specs, lambda req, row: [
            pairs_field("specs", "Extra specs", row["extra_specs"], example=Text("For example hw:cpu_policy=dedicated."),
                        rows=6)],
               done="The extra specs were changed."),
        Action("access", "Give access to a project", submit="Give access", run=lambda req, id, values, row: _flavor_act(
            req, id, "addTenantAccess", values["project"]), fields=_access_fields, when=lambda row: not _is_public(row),
            tab="access", done="The project may use {name}."),
        Action("remove-access", "Remove", lambda req, id, values, row: _flavor_act(
            req, id, "removeTenantAccess", values["target"]), (TARGET,), title="Remove access",
            hidden=True, danger="danger", tab="access",
            ask="The project can no longer use {name}.", done="The project can no longer use {name}."),
        deletion("compute", lambda id: path("/v2.1/flavors/{name}", id), bulk=True,
                 ask="{name} is deleted. Instances with this flavor keep running.")),
    item=lambda req, id: get("compute", path("/v2.1/flavors/{name}", id), "flavor"),
    tabs=(Tab("overview", "Overview", facts=(("Flavor", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("VCPUs", "vcpus"), Column("RAM", "ram", "mib"),
        Column("Disk", "disk", "gib"), Column("Ephemeral disk", "OS-FLV-EXT-DATA:ephemeral", "gib"),
        Column("Swap", lambda r: r["swap"] or 0, "mib"), Column("Public", _is_public, "yes"),
        Column("Extra specs", lambda r: shown(r["extra_specs"]), "lines"))),)),
        Tab("access", "Access", _access, tables=(Table("Projects that may use it", lambda found, row: found["access"], (
            Column("Project", "tenant_id", "project"), Column("ID", "tenant_id", "code")),
            "No project was given access. All projects may use a public flavor; a private one is for those that are listed here.",
            target="tenant_id",
            actions=("remove-access",), add=("access",)),))),
    create=Create("Create flavor", (
        Field("name", "Name", required=True), Field("id", "ID", help="Leave empty to have one generated."),
        Field("vcpus", "VCPUs", "number", True, low=1, high=1000, initial=1),
        Field("ram", "RAM in GiB", "memory", True, low=1, high=10**8, initial=512),
        Field("disk", "Disk in GiB", "number", True, high=10**6, initial=1, help="0: as large as the image."),
        Field("ephemeral", "Ephemeral disk in GiB", "number", True, high=10**6, initial=0),
        Field("swap", "Swap in GiB", "memory", True, high=10**8, initial=0), PUBLIC,
        Field("description", "Description")), _create_flavor),
    empty="There are no flavors yet. Each instance has the VCPUs, RAM and disk of one.")
