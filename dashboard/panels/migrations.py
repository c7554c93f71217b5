"""Migrations of instances, of every kind."""

from common.rest import path
from dashboard.asks import get
from dashboard.panel import Column, Filter, Panel, Row, Source
from dashboard.panels.fields import link_names


def _more(req, rows: list[Row]) -> None:
    """The names of instances; those that are gone have none."""
    link_names(req, rows, get("compute", path("/v2.1/servers", query={"all_tenants": "1", "limit": 1000}), "servers", instead=[]),
               key="instance_uuid", member="instance", pages="/admin/instances")


PANEL = Panel(
    path="/admin/migrations", title="Migrations", noun="migration", menu="Admin", admin=True,
    source=Source("compute", lambda query: path("/v2.1/os-migrations", query=query), "migrations", pages=False,
                  sort=("created_at", "desc")),
    columns=(Column("Instance", "instance", "links"),
             Column("Type", "migration_type"), Column("Status", "status", "status", "status"),
             Column("From", "source_compute", sort="source_compute"), Column("To", "dest_compute", sort="dest_compute"),
             Column("Started", "created_at", "time", "created_at"), Column("Updated", "updated_at", "time", "updated_at")),
    filters=(Filter("migration_type", "Type", tuple((t, t) for t in ("migration", "resize", "live-migration", "evacuation"))),),
    busy=lambda row: row["status"] in ("queued", "preparing", "running", "migrating", "accepted", "pre-migrating"),
    more=_more,
    empty="No instances were moved yet. Those that are resized or go to another host are listed here.")
