"""Floating IPs."""

import dataclasses

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send, together
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source
from dashboard.panels import devices
from dashboard.panels.fields import NONE_OF_ALL
from dashboard.panels.networks import NAMED
from dashboard.panels.routers import external
from dashboard.texts import Text


def _allocate_fields(req):
    pools = external(req)
    return [Field("network_id", "Pool", "choice", True, options=forms.named(pools),
                  help="" if pools else "There is no external network to allocate an address from."),
            Field("address", "Address", help="Leave empty for any address."), Field("description", "Description")]


def _allocate(req, values: dict) -> str:
    body = {"floating_network_id": values["network_id"], "description": values["description"]} | (
        {"floating_ip_address": values["address"]} if values["address"] else {})
    made = do(req, "POST", "network", path("/v2.0/floatingips"), {"floatingip": body}, "floatingip")
    return Text("{address} was allocated to your project.", address=made["floating_ip_address"])


def _associate_fields(req, row):
    found = together(req, ports=get("network", path("/v2.0/ports"), "ports"),
                     servers=get("compute", path("/v2.1/servers", query={"limit": 1000}), "servers", instead=[]))
    names = {s["id"]: s["name"] for s in found["servers"]}
    options = [(p["id"], f"{names[p['device_id']]}: {', '.join(ip['ip_address'] for ip in p['fixed_ips'])}")
               for p in found["ports"] if p["device_id"] in names and p["fixed_ips"]]
    return [Field("port", "Instance and address", "choice", True, options=options,
                  help="" if options else "There is no instance with an address.")]


def _named(servers: dict[str, str]):
    """:param servers: the query of the list of instances"""
    def more(req, rows: list[Row]) -> None:
        """What each address leads to."""
        ids = sorted({row["port_id"] for row in rows if row["port_id"]})
        query: dict = {"fields": ["id", "device_id", "device_owner"]} | ({"id": ids} if len(ids) <= NAMED else {})
        ports = send(req, get("network", path("/v2.0/ports", query=query), "ports", instead=[])) if ids else []
        used = {port["id"]: port["used_by"] for port in devices.name_users(ports, devices.asked(req, ports, servers))}
        for row in rows:
            row["used_by"] = used.get(row["port_id"], [])
    return more


def _set_port(req, id: str, port: str | None) -> None:
    do(req, "PUT", "network", path("/v2.0/floatingips/{id}", id), {"floatingip": {"port_id": port}})


PANEL = Panel(
    path="/project/floating_ips", title="Floating IPs", noun="floating IP", menu="Network",
    source=Source("network", lambda query: path("/v2.0/floatingips", query=query), "floatingips",
                  sort=("floating_ip_address", "asc"), of_project="project_id"),
    columns=(Column("IP address", "floating_ip_address", sort="floating_ip_address"), Column("Description", "description"),
             Column("Fixed IP address", "fixed_ip_address"),
             Column("Used by", "used_by", "links"), Column("Status", "status", "status", "status"),
             Column("ID", "id", "code")),
    actions=(
        Action("associate", "Associate", lambda req, id, values, row: _set_port(req, id, values["port"]), _associate_fields,
               when=lambda row: not row["port_id"], primary=True, done="{name} was associated."),
        Action("disassociate", "Disassociate", lambda req, id, values, row: _set_port(req, id, None),
               when=lambda row: bool(row["port_id"]), danger="danger", ask="The instance can no longer be reached at {name}.",
               done="{name} was disassociated."),
        Action("edit", "Edit", lambda req, id, values, row: do(req, "PUT", "network", path("/v2.0/floatingips/{id}", id), {
            "floatingip": values}), lambda req, row: [Field("description", "Description", initial=row["description"])],
            done="{name} was changed."),
        Action("release", "Release", lambda req, id, values, row: do(req, "DELETE", "network", path("/v2.0/floatingips/{id}",
                                                                                                    id)),
               bulk=True, danger="danger", leaves=True, ask="{name} is returned to the pool, and another project may get it.",
               done="{name} was released.")),
    item=lambda req, id: get("network", path("/v2.0/floatingips/{id}", id), "floatingip"), name="floating_ip_address",
    more=_named({}),
    create=Create("Allocate floating IP", _allocate_fields, _allocate),
    empty="There are no floating IPs yet. A floating IP makes an instance reachable from outside.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/floating_ips", title="All floating IPs", menu="Admin", admin=True, create=None, empty=NONE_OF_ALL,
    more=_named({"all_tenants": "1"}),
    source=dataclasses.replace(PANEL.source, of_project=""),
    actions=PANEL.without("associate"),  # it offers the instances of the administrator's project
    columns=(PANEL.columns[0], Column("Project", "project_id", "project"), *PANEL.columns[1:]))
