"""Ports."""

import dataclasses

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get
from dashboard.forms import Field
from dashboard.panel import Action, Column, Panel, Row, Source, Tab
from dashboard.panels import devices
from dashboard.panels.fields import NONE_OF_ALL, deletion, link_names
from dashboard.panels.networks import NAME, NAMED, PORT_COLUMNS, addresses
from dashboard.panels.security_groups import group_options


def _named(servers: dict[str, str]):
    """:param servers: the query of the list of instances"""
    def more(req, rows: list[Row]) -> None:
        """The names of networks, and of what uses ports."""
        query: dict = {"fields": ["id", "name"]}
        if len(rows) <= NAMED:
            query["id"] = sorted({row["network_id"] for row in rows})
        link_names(req, rows, get("network", path("/v2.0/networks", query=query), "networks", instead=[]),
                   key="network_id", member="network", pages="/project/networks")
        devices.name_users(rows, devices.asked(req, rows, servers))
    return more


def _groups(req, id: str):
    return {"groups": get("network", path("/v2.0/security-groups", query={"fields": ["id", "name"]}), "security_groups",
                          instead=[])}


def _with_groups(found: dict, row: Row) -> Row:
    names = {group["id"]: group["name"] for group in found["groups"]}
    return {**row, "groups": [(f"/project/security_groups/{id}/", names.get(id) or id) for id in row["security_groups"]]}


def _edit_port_fields(req, row):
    groups = group_options(req, row["project_id"], row["security_groups"])
    return [Field("name", "Name", initial=row["name"]), Field("description", "Description", initial=row["description"]),
            Field("up", "Enabled", "check", initial=row["admin_state_up"]),
            Field("secure", "Port security", "check", initial=row.get("port_security_enabled", True),
                  help="Only what is from its own addresses and what its security groups allow gets through."),
            Field("groups", "Security groups", "many", options=groups, initial=row["security_groups"]),
            Field("pairs", "Further allowed addresses", "area", rows=2, max_length=4000, help="One address or CIDR per line.",
                  initial="\n".join(p["ip_address"] for p in row.get("allowed_address_pairs", ())))]


def _edit_port(req, id, values, row):
    body: dict = {"name": values["name"], "description": values["description"], "admin_state_up": values["up"]}
    if set(values["groups"]) != set(row["security_groups"]):
        body["security_groups"] = values["groups"]
    if values["secure"] != row.get("port_security_enabled", True):
        body["port_security_enabled"] = values["secure"]
    pairs = [{"ip_address": address} for address in forms.lines(values["pairs"])]
    if [p["ip_address"] for p in pairs] != [p["ip_address"] for p in row.get("allowed_address_pairs", ())]:
        body["allowed_address_pairs"] = pairs
    do(req, "PUT", "network", path("/v2.0/ports/{id}", id), {"port": body})


PANEL = Panel(
    path="/project/ports", title="Ports", noun="port", menu="Network",
    source=Source("network", lambda query: path("/v2.0/ports", query=query), "ports", sort=("created_at", "desc"),
                  of_project="project_id"),
    columns=(NAME, *PORT_COLUMNS, Column("Network", "network", "links"),
             Column("Created", "created_at", "time", "created_at")),
    actions=(Action("edit", "Edit", _edit_port, _edit_port_fields, done="{name} was changed."),
             deletion("network", lambda id: path("/v2.0/ports/{id}", id), bulk=True,
                      ask="{name} is deleted, and an instance that uses it loses its interface.")),
    item=lambda req, id: get("network", path("/v2.0/ports/{id}", id), "port"),
    tabs=(Tab("overview", "Overview", _groups, row=_with_groups, facts=(("Port", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Project", "project_id", "project"),
        Column("Network", "network", "links"),
        Column("IP addresses", addresses, "lines"), Column("MAC address", "mac_address", "code"),
        Column("Status", "status", "status"),
        Column("Enabled", "admin_state_up", "yes"), Column("Used by", "used_by", "links"),
        Column("Device owner", "device_owner", "code"),
        Column("Security groups", "groups", "links"),
        Column("Further allowed addresses", lambda r: [p["ip_address"] for p in r.get("allowed_address_pairs", ())], "lines"),
        Column("Host", lambda r: r.get("binding:host_id")), Column("Created", "created_at", "time"))),)),),
    more=_named({}), status="status",
    empty="There are no ports yet. Each interface of an instance or a router is one; others are created on the page of a "
          "network.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/ports", title="All ports", menu="Admin", admin=True, create=None, empty=NONE_OF_ALL,
    more=_named({"all_tenants": "1"}),
    source=dataclasses.replace(PANEL.source, of_project=""),
    columns=(PANEL.columns[0], Column("Project", "project_id", "project"), *PANEL.columns[1:]))
