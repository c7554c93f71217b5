"""Volumes."""

import dataclasses

import webob

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send, together
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Filter, Panel, Row, Source, Tab, Table
from dashboard.panels.fields import NONE_OF_ALL, deletion, edited, of_project, pairs_field, shown, sized
from dashboard.texts import Text

_STATUSES = ("available", "in-use", "creating", "deleting", "error", "reserved", "maintenance")
CHANGING = ("creating", "deleting", "attaching", "detaching", "extending", "downloading", "uploading", "reserved")


def _project(row: Row) -> str | None:
    return row.get("os-vol-tenant-attr:tenant_id")


def _servers(req, query: dict, **more) -> list[Row]:
    return send(req, get("compute", path("/v2.1/servers", query={"limit": 1000, **query}), "servers", **more))


def _named(query: dict):
    def more(req, rows: list[Row]) -> None:
        """The names of the instances that volumes are attached to."""
        if any(row["attachments"] for row in rows):
            names = {s["id"]: s["name"] for s in _servers(req, query, instead=[])}
            for row in rows:
                row["instances"] = [(f"/project/instances/{a['server_id']}/",
                                     f"{names.get(a['server_id'], a['server_id'])} ({a['device']})")
                                    for a in row["attachments"]]
    return more


def _act(req, id: str, body: dict) -> None:
    do(req, "POST", "volume", path("/v3/volumes/{id}/action", id), body)


def _create_fields(req):
    found = together(
        req, types=get("volume", path("/v3/types"), "volume_types"),
        images=get("image", path("/v2/images", query={"status": "active", "limit": 1000}), "images", instead=[]),
        snapshots=get("volume", path("/v3/snapshots", query={"status": "available", "limit": 1000}), "snapshots"),
        volumes=get("volume", path("/v3/volumes/detail", query={"limit": 1000}), "volumes"),
        zones=get("volume", path("/v3/os-availability-zone"), "availabilityZoneInfo"))
    return [Field("name", "Name"), Field("description", "Description"),
            Field("size", "Size in GiB", "number", low=1, high=100000, initial=1, help="Leave empty for the size of its source."),
            Field("source", "Source", "choice", options=(
                ("", "None: an empty volume"), ("image", "Image"), ("snapshot", "Snapshot"), ("volume", "Volume")),
                initial="image" if req.GET.get("image") else ""),
            Field("image", "Image", "choice", options=forms.named(found["images"]), preset=True,
                  when="source=image"),
            Field("snapshot", "Snapshot", "choice", options=sized(found["snapshots"]), when="source=snapshot"),
            Field("volume", "Volume", "choice", options=sized(found["volumes"]), when="source=volume"),
            Field("type", "Type", "choice", blank="The default", options=[(t["name"], t["name"]) for t in found["types"]]),
            Field("zone", "Availability zone", "choice", blank="Any",
                  options=[(z["zoneName"], z["zoneName"]) for z in found["zones"]])]


_SOURCES = {"image": "imageRef", "snapshot": "snapshot_id", "volume": "source_volid"}


def _create(req, values: dict) -> str:
    body = {"name": values["name"], "description": values["description"]}
    body.update({to: values[of] for of, to in (("size", "size"), ("type", "volume_type"), ("zone", "availability_zone"))
                 if values[of]})
    source = values["source"]
    if source and not values[source]:
        raise forms.Refused({source: "Choose one."})
    if not source and not values["size"]:
        raise forms.Refused({"size": "An empty volume needs a size."})
    if source:
        body[_SOURCES[source]] = values[source]
    do(req, "POST", "volume", path("/v3/volumes"), {"volume": body})
    return Text("{name} is being created.", name=values["name"] or Text("The volume"))


def _edit_fields(req, row):
    return [Field("name", "Name", initial=row["name"] or ""),
            Field("description", "Description", initial=row["description"] or ""),
            pairs_field("metadata", "Metadata", row["metadata"])]


def _edit(req, id, values, row):
    body = {"name": values["name"], "description": values["description"], "metadata": edited(row["metadata"], values["metadata"])}
    do(req, "PUT", "volume", path("/v3/volumes/{id}", id), {"volume": body})


def _extend_fields(req, row):
    return [Field("size", "New size in GiB", "number", True, Text("It has {size} GiB.", size=row["size"]), low=row["size"] + 1,
                  high=100000,
                  initial=row["size"] + 1)]


def _extend(req, id, values, row):
    _act(req, id, {"os-extend": {"new_size": values["size"]}})


def _snapshot(req, id, values, row):
    do(req, "POST", "volume", path("/v3/snapshots"), {"snapshot": {
        "volume_id": id, "name": values["name"], "description": values["description"]}})


def _attach_fields(req, row):
    found = _servers(req, of_project(req, _project(row)))
    return [Field("server_id", "Instance", "choice", True, options=forms.named(found),
                  help="" if found else "There are no instances yet.")]


def _attach(req, id, values, row):
    do(req, "POST", "compute", path("/v2.1/servers/{id}/os-volume_attachments", values["server_id"]),
       {"volumeAttachment": {"volumeId": id}})


def _detach_fields(req, row):
    names = {s["id"]: s["name"] for s in _servers(req, of_project(req, _project(row)), instead=[])}
    attached = [a["server_id"] for a in row["attachments"]]
    return [Field("server_id", "Instance", "choice", True, options=[(id, names.get(id, id)) for id in attached])]


def _detach(req, id, values, row):
    do(req, "DELETE", "compute", path("/v2.1/servers/{id}/os-volume_attachments/{id}", values["server_id"], id))


def _bootable(req, id, values, row):
    _act(req, id, {"os-set_bootable": {"bootable": values["bootable"]}})
    _act(req, id, {"os-update_readonly_flag": {"readonly": values["readonly"]}})


def _bootable_fields(req, row):
    return [Field("bootable", "Instances can boot from it", "check", initial=row["bootable"] == "true"),
            Field("readonly", "Read-only", "check", initial=row["metadata"].get("readonly") == "True")]


def _reset(req, id, values, row):
    _act(req, id, {"os-reset_status": {"status": values["status"]}})


def is_in(*statuses: str):
    return lambda row: row["status"] in statuses


_SNAPSHOT_FIELDS = (Field("name", "Name"), Field("description", "Description"))
_STATUS = Field("status", "Status", "choice", True, options=tuple((s, s) for s in ("available", "in-use", "error",
                                                                                   "maintenance")))

def launch(kind: str) -> Action:
    """The action that leads to the launch form, with a volume or a snapshot of one chosen."""
    def run(req, id, values, row) -> webob.Response:
        return webob.Response(status=303, location=f"/project/instances/launch/?{kind}={row['id']}")
    return Action("launch", "Launch as instance", run, when=lambda row: row["status"] == "available" and row.get(
        "bootable", "true") == "true")


ACTIONS = (
    Action("attach", "Attach", _attach, _attach_fields, when=is_in("available"), primary=True, done="{name} is being attached."),
    launch("volume"),
    Action("detach", "Detach", _detach, _detach_fields, when=is_in("in-use"), danger="danger", done="{name} is being detached.",
           ask="{name} is detached from the instance. Unmount it there first, or data may be lost."),
    Action("edit", "Edit", _edit, _edit_fields, done="{name} was changed."),
    Action("extend", "Extend", _extend, _extend_fields, when=is_in("available", "in-use"), done="{name} is being extended."),
    Action("snapshot", "Create snapshot", _snapshot, _SNAPSHOT_FIELDS, when=is_in("available", "in-use"),
           ask="If an instance is using {name}, the snapshot will be as after a power failure.",
           done="The snapshot is being created."),
    Action("flags", "Set bootable or read-only", _bootable, _bootable_fields, submit="Save", done="{name} was changed."),
    Action("reset", "Reset status", _reset, (_STATUS,), admin=True, danger="danger",
           ask="This changes only what the database says about {name}.", done="The status was reset."),
    deletion("volume", lambda id: path("/v3/volumes/{id}", id), bulk=True, danger="name",
             when=is_in("available", "error", "error_deleting", "error_extending", "maintenance"),
             ask="Everything on {name} is lost. This cannot be undone.", done="{name} is being deleted."),
    Action("force-delete", "Force delete", lambda req, id, values, row: _act(req, id, {"os-force_delete": {}}), admin=True,
           danger="name", leaves=True, ask="{name} is deleted whatever its status is. Everything on it is lost.",
           done="{name} is being deleted."),
)

def _link(kind: str, id: str | None) -> list[tuple[str, str]]:
    return [(f"/project/{kind}/{id}/", id)] if id else []


_FACTS = (("Volume", (
    Column("ID", "id", "code"), Column("Description", "description"), Column("Status", "status", "status"),
    Column("Project", _project, "project"), Column("Size", "size", "gib"), Column("Type", "volume_type"),
    Column("Bootable", lambda r: r["bootable"] == "true", "yes"),
    Column("Shareable", "multiattach", "yes"), Column("Encrypted", "encrypted", "yes"),
    Column("Attached to", lambda r: r.get("instances"), "links"), Column("Availability zone", "availability_zone"),
    Column("Created", "created_at", "time"), Column("Source volume", lambda r: _link("volumes", r.get("source_volid")), "links"),
    Column("Source snapshot", lambda r: _link("snapshots", r.get("snapshot_id")), "links"),
    Column("Host", lambda r: r.get("os-vol-host-attr:host")),
    Column("Metadata", lambda r: shown(r["metadata"]), "lines"))),)

SNAPSHOT_COLUMNS = (Column("Name", lambda r: r["name"] or r["id"], "link", "name"), Column("Description", "description"),
                     Column("Size", "size", "gib", "volume_size"), Column("Status", "status", "status", "status"))

PANEL = Panel(
    path="/project/volumes", title="Volumes", noun="volume", menu="Volumes",
    source=Source("volume", lambda query: path("/v3/volumes/detail", query=query), "volumes", search="name~", sorting="pair"),
    columns=(Column("Name", lambda r: r["name"] or r["id"], "link", "name"), Column("Size", "size", "gib", "size"),
             Column("Status", "status", "status", "status"), Column("Type", "volume_type"),
             Column("Attached to", lambda r: r.get("instances"), "links"),
             Column("Bootable", lambda r: r["bootable"] == "true", "yes"),
             Column("Zone", "availability_zone", sort="availability_zone"),
             Column("Created", "created_at", "time", "created_at")),
    filters=(Filter("status", "Status", tuple((s, s) for s in _STATUSES)),), actions=ACTIONS,
    item=lambda req, id: get("volume", path("/v3/volumes/{id}", id), "volume"),
    tabs=(Tab("overview", "Overview", facts=_FACTS),
          Tab("snapshots", "Snapshots", lambda req, id: {"snapshots": get("volume", path("/v3/snapshots/detail", query={
              "volume_id": id, "limit": 1000}), "snapshots")}, tables=(Table(
                  "Snapshots", lambda found, row: found["snapshots"], (Column("Name", lambda s: [(
                      f"/project/snapshots/{s['id']}/", s["name"] or s["id"])], "links"), *SNAPSHOT_COLUMNS[1:],
                      Column("Created", "created_at", "time")),
                      "This volume has no snapshots. Create one to keep its data as it is now.",
                  add=("snapshot",)),))),
    create=Create("Create volume", _create_fields, _create), more=_named({}), status="status",
    busy=lambda row: row["status"] in CHANGING,
    empty="There are no volumes yet. A volume is a disk that outlives the instances that use it.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/volumes", title="All volumes", menu="Admin", admin=True, create=None,
    actions=PANEL.without("launch"),  # it would be an instance of the administrator's project
    source=dataclasses.replace(PANEL.source, query={"all_tenants": "1"}),
    more=_named({"all_tenants": "1"}), empty=NONE_OF_ALL,
    columns=(PANEL.columns[0], Column("Project", _project, "project"),
             Column("Host", lambda r: r.get("os-vol-host-attr:host")),
             *(c for c in PANEL.columns[1:] if c.title not in ("Zone", "Bootable"))))
