"""Snapshots of volumes."""

import dataclasses
import typing

from common.rest import path
from dashboard.asks import do, get
from dashboard.forms import Field
from dashboard.panel import Action, Column, Filter, Panel, Row, Source, Tab
from dashboard.panels.fields import NONE_OF_ALL, deletion, link_names, shown
from dashboard.panels.volumes import CHANGING, SNAPSHOT_COLUMNS, is_in, launch


def _named(query: dict) -> typing.Callable[..., None]:
    """What adds the names of volumes. ``query``: of their list"""
    def more(req, rows: list[Row]) -> None:
        link_names(req, rows, get("volume", path("/v3/volumes", query={"limit": 1000, **query}), "volumes", instead=[]),
                   key="volume_id", member="volume", pages="/project/volumes")
    return more


def _snapshot_edit_fields(req, row):
    return [Field("name", "Name", initial=row["name"] or ""),
            Field("description", "Description", initial=row["description"] or "")]


def _reset(req, id, values, row):
    do(req, "POST", "volume", path("/v3/snapshots/{id}/action", id), {"os-reset_status": {"status": values["status"]}})


def _snapshot_volume(req, id, values, row):
    do(req, "POST", "volume", path("/v3/volumes"), {"volume": {"name": values["name"], "snapshot_id": id} | (
        {"size": values["size"]} if values["size"] else {})})


_SNAPSHOT_ACTIONS = (
    Action("volume", "Create volume", _snapshot_volume, (
        Field("name", "Name"), Field("size", "Size in GiB", "number", low=1, high=100000,
                                     help="Leave empty for the size of the snapshot.")),
        when=is_in("available"), done="The volume is being created."),
    launch("snapshot"),
    Action("edit", "Edit", lambda req, id, values, row: do(req, "PUT", "volume", path("/v3/snapshots/{id}", id), {
        "snapshot": values}), _snapshot_edit_fields, done="{name} was changed."),
    Action("reset", "Reset status", _reset, (Field("status", "Status", "choice", True, options=tuple(
        (s, s) for s in ("available", "error"))),), admin=True, danger="danger",
        ask="This changes only what the database says about {name}.", done="The status was reset."),
    deletion("volume", lambda id: path("/v3/snapshots/{id}", id), bulk=True,
             ask="{name} is deleted. Volumes that were made of it stay.", done="{name} is being deleted."),
)

_PROJECT = Column("Project", lambda r: r.get("os-extended-snapshot-attributes:project_id"), "project")

PANEL = Panel(
    path="/project/snapshots", title="Snapshots", noun="snapshot", menu="Volumes",
    source=Source("volume", lambda query: path("/v3/snapshots/detail", query=query), "snapshots", search="name~", sorting="pair"),
    columns=(*SNAPSHOT_COLUMNS, Column("Volume", "volume", "links"),
             Column("Created", "created_at", "time", "created_at")),
    filters=(Filter("status", "Status", tuple((s, s) for s in ("available", "creating", "deleting", "error"))),),
    actions=_SNAPSHOT_ACTIONS, item=lambda req, id: get("volume", path("/v3/snapshots/{id}", id), "snapshot"),
    tabs=(Tab("overview", "Overview", facts=(("Snapshot", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Status", "status", "status"),
        _PROJECT, Column("Size", "size", "gib"), Column("Volume", "volume", "links"),
        Column("Created", "created_at", "time"),
        Column("Metadata", lambda r: shown(r["metadata"]), "lines"))),)),),
    more=_named({}), links=(("/project/volumes/", "Volumes"),), status="status", busy=lambda row: row["status"] in CHANGING,
    empty="There are no snapshots yet. Create one on the page of a volume.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/snapshots", title="All snapshots", menu="Admin", admin=True,
    source=dataclasses.replace(PANEL.source, query={"all_tenants": "1"}), actions=PANEL.without("volume", "launch"),
    more=_named({"all_tenants": "1"}), links=(("/admin/volumes/", "All volumes"),), empty=NONE_OF_ALL,
    columns=(PANEL.columns[0], _PROJECT, *PANEL.columns[1:]))
