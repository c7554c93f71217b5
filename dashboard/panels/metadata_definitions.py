"""Metadata definitions: what the properties of images, flavors and volumes mean. They are imported as JSON, as files of
OpenStack's image service have them."""

import json

from common.rest import path
from dashboard import forms
from dashboard.asks import Ask, do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Filter, Panel, Row, Source, Tab, Table
from dashboard.panels.fields import TARGET, deletion
from dashboard.texts import Text

_EXAMPLE = """{
  "namespace": "Example",
  "display_name": "…",
  "properties": {
    "colour": {"title": "Colour", "type": "string"}
  },
  "resource_type_associations": [
    {"name": "OS::Glance::Image"}
  ]
}"""


def _import(req, values: dict) -> str:
    try:
        body = json.loads(values["definition"])
    except ValueError as error:
        raise forms.Refused({"definition": Text("This is not JSON: {error}.", error=error)}) from None
    if not isinstance(body, dict):
        raise forms.Refused({"definition": Text("A namespace is an object.")})
    body |= {"visibility": "public" if values["public"] else "private", "protected": values["protected"]}
    made = do(req, "POST", "image", path("/v2/metadefs/namespaces"), body)
    return Text("{name} was imported.", name=made["namespace"])


def _edit_fields(req, row: Row) -> list[Field]:
    return [Field("display_name", "Name", initial=row.get("display_name") or "", max_length=80),
            Field("description", "Description", "area", initial=row.get("description") or "", max_length=500),
            Field("public", "Public", "check", initial=row["visibility"] == "public"),
            Field("protected", "Protected from deletion", "check", initial=row["protected"])]


def _edit(req, id, values, row):
    do(req, "PUT", "image", path("/v2/metadefs/namespaces/{name}", id), {
        "namespace": id, "display_name": values["display_name"], "description": values["description"],
        "visibility": "public" if values["public"] else "private", "protected": values["protected"]})


def _types(row: Row) -> list[str]:
    return [link["name"] for link in row.get("resource_type_associations", ())]


def _link_fields(req, row: Row) -> list[Field]:
    found = send(req, get("image", path("/v2/metadefs/resource_types"), "resource_types"))
    known = set(_types(row))
    return [Field("type", "Resource type", "choice", True, options=forms.named(
                (t for t in found if t["name"] not in known), "name")),
            Field("prefix", "Prefix", max_length=80, help="Before the names of its properties, for example hw_.")]


def _link(req, id, values, row):
    do(req, "POST", "image", path("/v2/metadefs/namespaces/{name}/resource_types", id), {
        "name": values["type"]} | ({"prefix": values["prefix"]} if values["prefix"] else {}))


def _unlink(req, id, values, row):
    do(req, "DELETE", "image", path("/v2/metadefs/namespaces/{name}/resource_types/{name}", id, values["target"]))




def _properties(found: dict, row: Row) -> list[Row]:
    return [{"name": name, **of} for name, of in sorted(row.get("properties", {}).items())]


def _item(req, id: str) -> Ask:
    return get("image", path("/v2/metadefs/namespaces/{name}", id))


PANEL = Panel(
    path="/admin/metadata_definitions", title="Metadata definitions", noun="namespace", menu="Admin", admin=True,
    source=Source("image", lambda query: path("/v2/metadefs/namespaces", query=query), "namespaces", sort=("created_at", "desc")),
    columns=(Column("Namespace", "namespace", "link", "namespace"), Column("Name", lambda r: r.get("display_name")),
             Column("Description", lambda r: r.get("description")), Column("Resource types", _types, "lines"),
             Column("Public", lambda r: r["visibility"] == "public", "yes"), Column("Protected", "protected", "yes"),
             Column("Created", "created_at", "time", "created_at")),
    filters=(Filter("visibility", "Visibility", (("public", "public"), ("private", "private"))),),
    id="namespace", name="namespace", item=_item,
    actions=(
        Action("edit", "Edit", _edit, _edit_fields, done="{name} was changed."),
        Action("type", "Add resource type", _link, _link_fields, tab="types", done="The resource type was added."),
        Action("remove-type", "Remove", _unlink, (TARGET,), title="Remove resource type",
               hidden=True, danger="danger", tab="types",
               ask="Forms for these resources no longer offer {name}.", done="The resource type was removed."),
        deletion("image", lambda id: path("/v2/metadefs/namespaces/{name}", id), when=lambda row: not row["protected"],
                 bulk=True, ask="{name} is deleted with everything in it.")),
    tabs=(Tab("overview", "Overview", facts=(("Namespace", (
        Column("Namespace", "namespace", "code"), Column("Name", lambda r: r.get("display_name")),
        Column("Description", lambda r: r.get("description")), Column("Public", lambda r: r["visibility"] == "public", "yes"),
        Column("Protected", "protected", "yes"), Column("Owner", lambda r: r.get("owner"), "project"),
        Column("Objects", lambda r: [o["name"] for o in r.get("objects", ())], "lines"),
        Column("Tags", lambda r: [t["name"] for t in r.get("tags", ())], "lines"))),)),
        Tab("properties", "Properties", tables=(Table("Properties", _properties, (
            Column("Name", "name", "code"), Column("Title", lambda p: p.get("title")), Column("Type", lambda p: p.get("type")),
            Column("Values", lambda p: [str(v) for v in p.get("enum", ())], "lines"),
            Column("Description", lambda p: p.get("description"))),
            "It has no properties of its own. They are part of a definition that is imported.", target="name"),)),
        Tab("types", "Resource types", tables=(Table(
            "Resource types", lambda found, row: row.get("resource_type_associations", ()), (
                Column("Resource type", "name"), Column("Prefix", lambda t: t.get("prefix"), "code")),
            "No resource has them. Add the types of resources that they describe.", target="name",
            actions=("remove-type",), add=("type",)),))),
    create=Create("Import namespace", (
        Field("definition", "Definition", "area", True, rows=14, max_length=200000, placeholder=_EXAMPLE,
              help="In JSON: a namespace with its properties, objects, tags and resource types."),
        Field("public", "Public", "check", initial=True), Field("protected", "Protected from deletion", "check")),
        _import, max_bytes=1048576),
    empty="There are no metadata definitions yet. They tell programs which properties resources can have.")
