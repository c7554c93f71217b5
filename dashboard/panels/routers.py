"""Routers."""

import dataclasses

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send, together
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels import devices
from dashboard.panels.fields import NONE_OF_ALL, TARGET, deletion
from dashboard.panels.networks import addresses, network_link, usable
from dashboard.texts import Text


def external(req) -> list[dict]:
    return send(req, get("network", path("/v2.0/networks", query={"router:external": "true"}), "networks"))


def _create_fields(req):
    return [Field("name", "Name", required=True), Field("up", "Enabled", "check", initial=True),
            Field("network", "External network", "choice", blank="None", options=forms.named(external(req)))]


def _create(req, values: dict) -> str:
    body: dict = {"name": values["name"], "admin_state_up": values["up"]}
    if values["network"]:
        body["external_gateway_info"] = {"network_id": values["network"]}
    do(req, "POST", "network", path("/v2.0/routers"), {"router": body})
    return Text("{name} was created.", name=values["name"])


def _put(req, id: str, body: dict) -> None:
    do(req, "PUT", "network", path("/v2.0/routers/{id}", id), {"router": body})


def _edit_fields(req, row):
    return [Field("name", "Name", initial=row["name"]), Field("description", "Description", initial=row["description"]),
            Field("up", "Enabled", "check", initial=row["admin_state_up"])]


def _edit(req, id, values, row):
    _put(req, id, {"name": values["name"], "description": values["description"], "admin_state_up": values["up"]})


def _gateway_fields(req, row):
    return [Field("network", "External network", "choice", True, options=forms.named(external(req)))]


def _gateway(req, id, values, row):
    _put(req, id, {"external_gateway_info": {"network_id": values["network"]}})


def _interface_fields(req, row):
    found = together(req, subnets=get("network", path("/v2.0/subnets"), "subnets"),
                     networks=get("network", path("/v2.0/networks", query={"router:external": "false"}), "networks"))
    names = {n["id"]: n["name"] for n in usable(found["networks"], row["project_id"])}
    options = [(s["id"], f"{names[s['network_id']] or s['network_id']}: {s['cidr']}") for s in found["subnets"]
               if s["network_id"] in names]
    return [Field("subnet", "Subnet", "choice", True, options=options)]


def _add_interface(req, id, values, row):
    do(req, "PUT", "network", path("/v2.0/routers/{id}/add_router_interface", id), {"subnet_id": values["subnet"]})


def _remove_interface(req, id, values, row):
    do(req, "PUT", "network", path("/v2.0/routers/{id}/remove_router_interface", id), {"port_id": values["target"]})


def _add_route(req, id, values, row):
    do(req, "PUT", "network", path("/v2.0/routers/{id}/add_extraroutes", id), {"router": {"routes": [
        {"destination": values["destination"], "nexthop": values["nexthop"]}]}})


def _remove_route(req, id, values, row):
    destination, _, nexthop = values["target"].partition(" ")
    do(req, "PUT", "network", path("/v2.0/routers/{id}/remove_extraroutes", id), {"router": {"routes": [
        {"destination": destination, "nexthop": nexthop}]}})


def _outside(row: Row) -> dict:
    return row["external_gateway_info"] or {}


def _outside_addresses(row: Row) -> list[str]:
    return [ip["ip_address"] for ip in _outside(row).get("external_fixed_ips", ())]


def _interfaces(req, id: str):
    return {"ports": get("network", path("/v2.0/ports", query={"device_id": id}), "ports"),
            "networks": get("network", path("/v2.0/networks", query={"fields": ["id", "name"]}), "networks", instead=[])}


def _interface_rows(found: dict, row: Row) -> list[Row]:
    names = {network["id"]: network["name"] for network in found["networks"]}
    return [{**port, "network": network_link(port["network_id"], names)} for port in found["ports"]]


def _more(req, rows: list[Row]) -> None:
    names = {n["id"]: n["name"] for n in external(req)}
    for row in rows:
        row["external"] = network_link(_outside(row).get("network_id"), names)


ACTIONS = (
    Action("edit", "Edit", _edit, _edit_fields, done="{name} was changed."),
    Action("gateway", "Set gateway", _gateway, _gateway_fields, when=lambda row: not _outside(row), done="The gateway was set."),
    Action("clear-gateway", "Clear gateway", lambda req, id, values, row: _put(req, id, {"external_gateway_info": None}),
           when=lambda row: bool(_outside(row)), danger="danger",
           ask="The networks behind {name} lose their connection to the outside.",
           done="The gateway was cleared."),
    Action("interface", "Add interface", _add_interface, _interface_fields, tab="interfaces", done="The interface was added."),
    Action("remove-interface", "Remove", _remove_interface, (TARGET,), title="Remove interface",
           hidden=True, danger="danger", tab="interfaces",
           ask="{name} no longer routes this subnet.", done="The interface was removed."),
    Action("route", "Add static route", _add_route, (
        Field("destination", "Destination", required=True, placeholder="10.2.0.0/16"),
        Field("nexthop", "Next hop", required=True)),
        tab="routes", done="The route was added."),
    Action("remove-route", "Remove", _remove_route, (TARGET,), title="Remove static route",
           hidden=True, danger="danger", tab="routes",
           ask="The route is removed from {name}.", done="The route was removed."),
    deletion("network", lambda id: path("/v2.0/routers/{id}", id), bulk=True,
             ask="{name} is deleted. Its interfaces must be removed first."),
)

PANEL = Panel(
    path="/project/routers", title="Routers", noun="router", menu="Network",
    source=Source("network", lambda query: path("/v2.0/routers", query=query), "routers", sort=("name", "asc"),
                  of_project="project_id"),
    columns=(Column("Name", lambda r: r["name"] or r["id"], "link", "name"), Column("Status", "status", "status", "status"),
             Column("External network", "external", "links"), Column("External addresses", _outside_addresses, "lines"),
             Column("Enabled", "admin_state_up", "yes")),
    actions=ACTIONS, item=lambda req, id: get("network", path("/v2.0/routers/{id}", id), "router"), more=_more,
    tabs=(Tab("overview", "Overview", facts=(("Router", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Project", "project_id", "project"),
        Column("Status", "status", "status"), Column("Enabled", "admin_state_up", "yes"),
        Column("External network", "external", "links"), Column("External addresses", _outside_addresses, "lines"),
        Column("Source NAT", lambda r: _outside(r).get("enable_snat"), "yes"), Column("Created", "created_at", "time"))),)),
        Tab("interfaces", "Interfaces", _interfaces, tables=(Table("Interfaces", _interface_rows, (
            Column("Network", "network", "links"), Column("IP addresses", addresses, "lines"),
            Column("Kind", lambda p: Text("To the outside") if p["device_owner"] == "network:router_gateway" else Text("Inside")),
            Column("MAC address", "mac_address", "code"), Column("Status", "status", "status"),
            Column("Port", devices.port_link, "links")),
            "This router has no interfaces. Add one to join a network to it.",
            actions=("remove-interface",), add=("interface",)),)),
        Tab("routes", "Static routes", tables=(Table("Static routes", lambda found, row: row["routes"], (
            Column("Destination", "destination"), Column("Next hop", "nexthop")),
            "No static routes. Add one for networks behind another router.",
            target=lambda r: f"{r['destination']} {r['nexthop']}", actions=("remove-route",), add=("route",)),))),
    create=Create("Create router", _create_fields, _create), status="status",
    empty="There are no routers yet. A router joins networks to each other and to the outside.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/routers", title="All routers", menu="Admin", admin=True, create=None, empty=NONE_OF_ALL,
    source=dataclasses.replace(PANEL.source, of_project=""),
    columns=(PANEL.columns[0], Column("Project", "project_id", "project"), *PANEL.columns[1:]))
