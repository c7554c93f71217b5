"""Images: those that the project may use, and those of all projects."""

import dataclasses

from common import errors
from common.rest import path
from dashboard import forms, session
from dashboard.asks import Ask, do, get, send, undo
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Filter, Panel, Partly, Row, Source, Tab, Table
from dashboard.panels.fields import TARGET, deletion, edited, pairs_field
from dashboard.texts import Text

_FORMATS = ("qcow2", "raw", "iso", "vmdk", "vdi", "vhd", "vhdx", "ami", "aki", "ari", "ploop")
_VISIBILITIES = ("private", "shared", "community", "public")
_KNOWN = {"id", "name", "status", "visibility", "protected", "os_hidden", "checksum", "os_hash_algo", "os_hash_value", "owner",
          "size",
          "virtual_size", "container_format", "disk_format", "created_at", "updated_at", "tags", "min_ram", "min_disk", "self",
          "file",
          "schema", "stores", "locations", "direct_url"}


def properties(row: Row) -> dict[str, str]:
    return {k: v for k, v in row.items() if k not in _KNOWN and not k.startswith("os_glance")}


def _options(values: tuple[str, ...]) -> forms.Options:
    return tuple((v, v) for v in values)


def new_image(values: dict) -> dict:
    """The request for an image without content. It is protected only when it has some (``protect``), so that it can be deleted if
    it gets none."""
    body: dict = {"name": values["name"], "disk_format": values["disk_format"], "container_format": "bare",
                  "visibility": values["visibility"], **forms.pairs(values["properties"], "properties")}
    return body | {k: values[k] for k in ("min_disk", "min_ram") if values[k] is not None}


def _create(req, values: dict) -> str:
    made = do(req, "POST", "image", path("/v2/images"), new_image(values))
    try:
        do(req, "POST", "image", path("/v2/images/{id}/import", made["id"]),
           {"method": {"name": "web-download", "uri": values["url"]}})
    except errors.Error:
        undo(req, "image", path("/v2/images/{id}", made["id"]))
        raise
    return protect(req, made["id"], values, Text("{name} is being imported.", name=values["name"]))


def protect(req, id: str, values: dict, done: str) -> str:
    """Protect a new image if that was chosen. Returns the notice, which says so if it was refused."""
    if values["protected"]:
        try:
            _patch(req, id, [{"op": "replace", "path": "/protected", "value": True}])
        except errors.Error as error:
            return Partly("{done} It could not be protected: {error}", done=done, error=error)
    return done


CREATE = (
    Field("name", "Name", required=True), Field("url", "URL of the image", required=True, max_length=2048,
                                                placeholder="https://…/image.qcow2",
                                                help="The image service downloads it from there."),
    Field("disk_format", "Format", "choice", True, options=_options(_FORMATS), initial="qcow2"),
    Field("visibility", "Visibility", "choice", True, options=_options(_VISIBILITIES), initial="private"),
    Field("min_disk", "Minimum disk in GiB", "number", high=100000),
    Field("min_ram", "Minimum RAM in GiB", "memory", high=10000000),
    Field("protected", "Protected from deletion", "check"),
    Field("properties", "Properties", "area", help="One key=value per line, for example hw_disk_bus=scsi.", max_length=60000))


def _is_typed(tag: str) -> bool:
    """Whether a tag can be a line of the form; others stay as they are."""
    return forms.lines(tag) == [tag] and "\r" not in tag


def _edit_fields(req, row):
    return [Field("name", "Name", initial=row["name"] or ""),
            Field("visibility", "Visibility", "choice", True, options=_options(_VISIBILITIES), initial=row["visibility"]),
            Field("min_disk", "Minimum disk in GiB", "number", True, initial=row["min_disk"], high=100000),
            Field("min_ram", "Minimum RAM in GiB", "memory", True, initial=row["min_ram"], high=10000000),
            Field("protected", "Protected from deletion", "check", initial=row["protected"]),
            Field("hidden", "Hidden in lists", "check", initial=row["os_hidden"]),
            Field("tags", "Tags", "area", help="One per line.", initial="\n".join(t for t in row["tags"] if _is_typed(t)), rows=2,
                  max_length=4000)]


def _patch(req, id: str, changes: list[dict]) -> None:
    if changes:
        do(req, "PATCH", "image", path("/v2/images/{id}", id), changes)


def _edit(req, id, values, row):
    wanted = {**values, "os_hidden": values["hidden"],
              "tags": [t for t in row["tags"] if not _is_typed(t)] + forms.lines(values["tags"])}
    _patch(req, id, [{"op": "replace", "path": f"/{name}", "value": wanted[name]} for name in (
        "name", "visibility", "min_disk", "min_ram", "protected", "os_hidden", "tags") if wanted[name] != row[name]])


def _properties_fields(req, row):
    return [pairs_field("properties", "Properties", properties(row), rows=8)]


def _edit_properties(req, id, values, row):
    old = properties(row)
    new = edited(old, values["properties"], "properties")
    def at(key: str) -> str:
        return "/" + key.replace("~", "~0").replace("/", "~1")
    _patch(req, id, [{"op": "remove", "path": at(k)} for k in old if k not in new]
           + [{"op": "replace" if k in old else "add", "path": at(k), "value": v} for k, v in new.items() if old.get(k) != v])


def _share(req, id, values, row):
    do(req, "POST", "image", path("/v2/images/{id}/members", id), {"member": values["project"]})


def _share_fields(req, row) -> list[Field]:
    """The project: of those that administrators may list, or by its id."""
    if not session.required(req).admin:
        return [Field("project", "ID of the project", required=True)]
    found = send(req, get("identity", path("/v3/projects"), "projects"))
    return [Field("project", "Project", "choice", True, options=forms.named(p for p in found if p["id"] != row["owner"]))]


def _members(req, id: str) -> dict[str, Ask]:
    return {"members": get("image", path("/v2/images/{id}/members", id), "members", instead=[])}


def _is(*statuses: str):
    return lambda row: row["status"] in statuses


def _unshare(req, id, values, row):
    do(req, "DELETE", "image", path("/v2/images/{id}/members/{name}", id, values["target"]))


ACTIONS = (
    Action("edit", "Edit", _edit, _edit_fields, done="{name} was changed."),
    Action("properties", "Edit properties", _edit_properties, _properties_fields, done="The properties were changed."),
    Action("share", "Share with a project", _share, _share_fields,
           when=lambda row: row["visibility"] == "shared", tab="members",
           ask="The other project sees {name} in its lists once it has accepted it.", done="{name} was shared."),
    Action("unshare", "Remove", _unshare, (TARGET,), title="Stop sharing", hidden=True, danger="danger", tab="members",
           ask="The project can no longer use {name}.", done="{name} is no longer shared with that project."),
    Action("deactivate", "Deactivate", lambda req, id, values, row: do(req, "POST", "image", path(
        "/v2/images/{id}/actions/deactivate", id)), when=_is("active"), admin=True, ask="Nobody can download {name} until it is "
        "reactivated.", done="{name} was deactivated."),
    Action("reactivate", "Reactivate", lambda req, id, values, row: do(req, "POST", "image", path(
        "/v2/images/{id}/actions/reactivate", id)), when=_is("deactivated"), admin=True, done="{name} was reactivated."),
    deletion("image", lambda id: path("/v2/images/{id}", id), when=lambda row: not row["protected"], bulk=True,
             ask="{name} is deleted. Instances that were made of it stay. This cannot be undone."),
)


def _hash(row: Row) -> str | None:
    return row["os_hash_value"] and f"{row['os_hash_algo']}:{row['os_hash_value']}"


def _uses(row: Row) -> list[tuple[str, str]]:
    """Links to forms with the image chosen; no actions, because a project also uses images that others own."""
    if row["status"] != "active":
        return []
    return [(f"/project/instances/launch/?image={row['id']}", Text("Launch")),
            (f"/project/volumes/create/?image={row['id']}", Text("Create volume"))]


PANEL = Panel(
    path="/project/images", title="Images", noun="image", menu="Compute",
    source=Source("image", lambda query: path("/v2/images", query=query), "images"),
    columns=(Column("Name", lambda r: r["name"] or r["id"], "link", "name"), Column("Status", "status", "status", "status"),
             Column("Visibility", "visibility"), Column("Protected", "protected", "yes"),
             Column("Format", "disk_format", sort="disk_format"), Column("Size", "size", "size", "size"),
             Column("Use", _uses, "links"), Column("Created", "created_at", "time", "created_at")),
    filters=(Filter("visibility", "Visibility", tuple((v, v) for v in _VISIBILITIES)),
             Filter("status", "Status", tuple((s, s) for s in ("active", "queued", "saving", "importing", "deactivated")))),
    actions=ACTIONS, item=lambda req, id: get("image", path("/v2/images/{id}", id)),
    tabs=(Tab("overview", "Overview", facts=(
        ("Image", (Column("ID", "id", "code"), Column("Status", "status", "status"), Column("Visibility", "visibility"),
                   Column("Owner", "owner", "project"), Column("Protected", "protected", "yes"),
                   Column("Hidden", "os_hidden", "yes"),
                   Column("Format", "disk_format"), Column("Container", "container_format"), Column("Size", "size", "size"),
                   Column("Virtual size", "virtual_size", "size"), Column("Minimum disk", "min_disk", "gib"),
                   Column("Minimum RAM", "min_ram", "mib"), Column("Checksum (MD5)", "checksum", "code"),
                   Column("Hash", _hash, "code"), Column("Created", "created_at", "time"),
                   Column("Updated", "updated_at", "time"), Column("Tags", "tags", "lines"))),
        ("Properties", (Column("Properties", lambda r: [f"{k} = {v}" for k, v in sorted(properties(r).items())], "lines"),)))),
        Tab("members", "Members", _members, tables=(Table(
            "Projects with which it is shared", lambda found, row: found["members"], (
                Column("Project", "member_id", "project"), Column("Status", "status", "status"),
                Column("Since", "created_at", "time")),
            "It is shared with no project. Set its visibility to shared, and then share it with those that are to use it.",
            target="member_id", actions=("unshare",), add=("share",)),))),
    create=Create("Import image", CREATE, _create), links=(("/project/images/upload/", "Upload image"),), status="status",
    owner="owner", busy=lambda row: row["status"] in ("saving", "importing", "uploading"),
    empty="There are no images yet. Import one from a distribution's web site, or upload a file.")

OF_ALL = dataclasses.replace(PANEL, path="/admin/images", title="All images", menu="Admin", admin=True, owner="", columns=(
    PANEL.columns[0], Column("Owner", "owner", "project"), *PANEL.columns[1:]))
