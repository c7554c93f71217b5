"""Host aggregates."""

import dataclasses

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels.fields import TARGET, deletion, edited, pairs_field, shown
from dashboard.texts import Text


def _aggregate(req, id: str, body: dict) -> None:
    do(req, "POST", "compute", path("/v2.1/os-aggregates/{name}/action", id), body)


def _create_aggregate(req, values: dict) -> str:
    body = {"name": values["name"]} | ({"availability_zone": values["zone"]} if values["zone"] else {})
    do(req, "POST", "compute", path("/v2.1/os-aggregates"), {"aggregate": body})
    return Text("{name} was created.", name=values["name"])


def _edit_aggregate(req, id, values, row):
    body = {"name": values["name"]} | ({"availability_zone": values["zone"]} if values["zone"] else {})
    if row["availability_zone"] and not values["zone"]:  # the API cannot
        raise forms.Refused({"zone": "A zone can be changed, but not taken away."})
    do(req, "PUT", "compute", path("/v2.1/os-aggregates/{name}", id), {"aggregate": body})


def _host_fields(req, row):
    found = send(req, get("compute", path("/v2.1/os-services", query={"binary": "nova-compute"}), "services"))
    return [Field("host", "Host", "choice", True,
                  options=[(s["host"], s["host"]) for s in found if s["host"] not in row["hosts"]])]


def _aggregate_metadata(req, id, values, row):
    old = _own_metadata(row)
    _aggregate(req, id, {"set_metadata": {"metadata": {**dict.fromkeys(old), **edited(old, values["metadata"])}}})


def _own_metadata(row: Row) -> dict:
    return {k: v for k, v in row["metadata"].items() if k != "availability_zone"}


_ZONE = Field("zone", "Availability zone", help="Instances can be launched in it. Leave empty if the aggregate is no zone.")

PANEL = Panel(
    path="/admin/aggregates", title="Host aggregates", noun="host aggregate", menu="Admin", admin=True,
    source=Source("compute", lambda query: path("/v2.1/os-aggregates", query=query), "aggregates", pages=False,
                  sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Availability zone", "availability_zone"),
             Column("Hosts", "hosts", "lines"), Column("Metadata", lambda r: shown(_own_metadata(r)), "lines")),
    actions=(
        Action("edit", "Edit", _edit_aggregate, lambda req, row: [
            Field("name", "Name", required=True, initial=row["name"]),
            dataclasses.replace(_ZONE, initial=row["availability_zone"] or "")], done="{name} was changed."),
        Action("host", "Add host", lambda req, id, values, row: _aggregate(req, id, {"add_host": values}), _host_fields,
               done="The host was added."),
        Action("remove-host", "Remove", lambda req, id, values,
               row: _aggregate(req, id, {"remove_host": {"host": values["target"]}}),
               (TARGET,), title="Remove host",
               hidden=True, danger="danger", ask="The host is taken from {name}. Its instances stay where they are.",
               done="The host was removed."),
        Action("metadata", "Edit metadata", _aggregate_metadata, lambda req, row: [
            pairs_field("metadata", "Metadata", _own_metadata(row))], done="The metadata was changed."),
        deletion("compute", lambda id: path("/v2.1/os-aggregates/{name}", id), bulk=True,
                 ask="{name} is deleted. Its hosts must be removed first.")),
    item=lambda req, id: get("compute", path("/v2.1/os-aggregates/{name}", id), "aggregate"),
    tabs=(Tab("hosts", "Hosts", facts=(("Host aggregate", (
        Column("ID", "id", "code"), Column("Availability zone", "availability_zone"),
        Column("Metadata", lambda r: shown(_own_metadata(r)), "lines"), Column("Created", "created_at", "time"))),),
        tables=(Table("Hosts", lambda found, row: [{"host": h} for h in row["hosts"]], (
        Column("Host", "host"),),
        "This aggregate has no hosts. Add those that have something in common, such as SSDs.", target="host",
        actions=("remove-host",), add=("host",)),)),),
    create=Create("Create aggregate", (Field("name", "Name", required=True), _ZONE),
                  _create_aggregate),
    empty="There are no host aggregates yet. They group hosts that have something in common, such as SSDs.")
