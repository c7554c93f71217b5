"""Networks with their subnets."""

import dataclasses
import typing

from common import errors
from common.rest import path
from dashboard import forms, session
from dashboard.asks import do, get, send, undo
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels import devices
from dashboard.panels.fields import NONE_OF_ALL, TARGET, deletion
from dashboard.texts import Text


def usable(networks: list[Row], project: str) -> list[Row]:
    """The networks that a project can plug into, of a list that is longer for administrators."""
    return [n for n in networks if not n["router:external"] and (n["shared"] or n["project_id"] == project)]


_SUBNET = (
    Field("subnet_name", "Name of the subnet", section="Subnet"),
    Field("cidr", "Addresses", placeholder="10.1.0.0/24", help="In CIDR notation. Leave empty for a network without a subnet."),
    Field("gateway", "Gateway", help="Leave empty for the first address, or enter “none” for no gateway."),
    Field("dhcp", "DHCP", "check", initial=True),
    Field("pools", "Ranges for instances", "area", rows=2, max_length=4000, placeholder="10.1.0.10-10.1.0.99",
          help="One range per line, as start-end. Leave empty for all addresses."),
    Field("dns", "DNS servers", "area", rows=2, max_length=1000, placeholder="10.1.0.2", help="One address per line."),
    Field("routes", "Host routes", "area", rows=2, max_length=4000, placeholder="10.2.0.0/16,10.1.0.9",
          help="One route per line, as destination,next hop."))


def _pairs(text: str, sign: str, names: tuple[str, str], field: str) -> list[dict]:
    found = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        first, middle, second = line.partition(sign)
        if not middle:
            raise forms.Refused({field: Text("“{line}” needs a “{sign}”.", line=line[:40], sign=sign)})
        found.append({names[0]: first.strip(), names[1]: second.strip()})
    return found


def _subnet(values: dict) -> dict:
    """What a new subnet and a changed one have in common."""
    body: dict = {"name": values["subnet_name"], "enable_dhcp": values["dhcp"], "dns_nameservers": forms.lines(values["dns"]),
                  "host_routes": _pairs(values["routes"], ",", ("destination", "nexthop"), "routes")}
    if values["gateway"]:
        body["gateway_ip"] = None if values["gateway"].lower() == "none" else values["gateway"]
    pools = _pairs(values["pools"], "-", ("start", "end"), "pools")
    return body | ({"allocation_pools": pools} if pools else {})


def _add_subnet(req, network: Row, values: dict) -> None:
    do(req, "POST", "network", path("/v2.0/subnets"), {"subnet": {
        **_subnet(values), **_in(network), "cidr": values["cidr"], "ip_version": 6 if ":" in values["cidr"] else 4}})


def _in(network: Row) -> dict:
    """What makes a thing one of a network, and of its project instead of the one that an administrator is logged in to."""
    return {"network_id": network["id"], "project_id": network["project_id"]}


def _create(req, values: dict) -> str:
    made = do(req, "POST", "network", path("/v2.0/networks"), {"network": {
        "name": values["name"], "admin_state_up": values["up"]}}, "network")
    if values["cidr"]:
        try:
            _add_subnet(req, made, values)
        except errors.Error:
            undo(req, "network", path("/v2.0/networks/{id}", made["id"]))
            raise
    return Text("{name} was created.", name=values["name"])


NAMED = 100  # rows about which something is asked for by their ids, so that the URL is not too long; of more, everything is read
_CREATE = (Field("name", "Name", required=True), Field("up", "Enabled", "check", initial=True), *_SUBNET)


def _more(req, rows: list[Row]) -> None:
    """The addresses of subnets, for networks of any number."""
    query: dict = {"fields": ["cidr", "network_id"]}
    if len(rows) <= NAMED:
        query["network_id"] = [row["id"] for row in rows]
    found = send(req, get("network", path("/v2.0/subnets", query=query), "subnets", instead=[])) if rows else []
    cidrs: dict[str, list[str]] = {}
    for subnet in found:
        cidrs.setdefault(subnet["network_id"], []).append(subnet["cidr"])
    for row in rows:
        row["cidrs"] = cidrs.get(row["id"], [])


def _edit_fields(req, row):
    found = [Field("name", "Name", initial=row["name"]), Field("description", "Description", initial=row["description"]),
             Field("up", "Enabled", "check", initial=row["admin_state_up"])]
    if session.required(req).admin:
        found += [Field("shared", "Shared with all projects", "check", initial=row["shared"]),
                  Field("external", "External: floating IPs come from here", "check", initial=row["router:external"])]
    return found


def _edit(req, id, values, row):
    body = {"name": values["name"], "description": values["description"], "admin_state_up": values["up"]}
    body.update({name: values[of] for of, name in (("shared", "shared"), ("external", "router:external"))
                 if of in values and values[of] != row[name]})
    do(req, "PUT", "network", path("/v2.0/networks/{id}", id), {"network": body})


def _new_subnet(req, id, values, row):
    _add_subnet(req, row, values)


def _edit_subnet_fields(req, row):
    subnet = send(req, get("network", path("/v2.0/subnets/{id}", row["target"]), "subnet"))
    initial = {"subnet_name": subnet["name"], "gateway": subnet["gateway_ip"] or "none", "dhcp": subnet["enable_dhcp"],
               "pools": "\n".join(f"{p['start']}-{p['end']}" for p in subnet["allocation_pools"]),
               "dns": "\n".join(subnet["dns_nameservers"]),
               "routes": "\n".join(f"{r['destination']},{r['nexthop']}" for r in subnet["host_routes"])}
    return [TARGET, *(dataclasses.replace(f, initial=initial[f.name], section="",
                                           help=f.help if f.name != "gateway" else Text(
                                               "Enter “none” for no gateway.")) for f in _SUBNET if f.name in initial)]


def _edit_subnet(req, id, values, row):
    do(req, "PUT", "network", path("/v2.0/subnets/{id}", values["target"]), {"subnet": _subnet(values)})


def _port_fields(req, row):
    groups = send(req, get("network", path("/v2.0/security-groups", query={"project_id": row["project_id"]}), "security_groups"))
    return [Field("name", "Name"), Field("fixed_ip", "Fixed IP address", help="Leave empty for any address."),
            Field("mac", "MAC address", help="Leave empty to have one generated."), Field("up", "Enabled", "check", initial=True),
            Field("groups", "Security groups", "many", options=forms.named(groups),
                  initial=[g["id"] for g in groups if g["name"] == "default"])]


def _new_port(req, id, values, row):
    body = {**_in(row), "name": values["name"], "admin_state_up": values["up"], "security_groups": values["groups"]}
    body |= {"fixed_ips": [{"ip_address": values["fixed_ip"]}]} if values["fixed_ip"] else {}
    body |= {"mac_address": values["mac"]} if values["mac"] else {}
    do(req, "POST", "network", path("/v2.0/ports"), {"port": body})


def _delete_subnet(req, id, values, row):
    do(req, "DELETE", "network", path("/v2.0/subnets/{id}", values["target"]))


ACTIONS = (
    Action("edit", "Edit", _edit, _edit_fields, done="{name} was changed."),
    Action("subnet", "Create subnet", _new_subnet, tuple(dataclasses.replace(
        f, section="") if f.name != "cidr" else dataclasses.replace(f, required=True, help="In CIDR notation.") for f in _SUBNET),
           tab="subnets",
           done="The subnet was created."),
    Action("port", "Create port", _new_port, _port_fields, tab="ports", done="The port was created."),
    Action("edit-subnet", "Edit", _edit_subnet, _edit_subnet_fields, title="Edit subnet",
           hidden=True, tab="subnets", done="The subnet was changed."),
    Action("delete-subnet", "Delete", _delete_subnet, (TARGET,), title="Delete subnet",
           hidden=True, danger="danger", tab="subnets",
           ask="The subnet is deleted from {name}.", done="The subnet was deleted."),
    deletion("network", lambda id: path("/v2.0/networks/{id}", id), bulk=True,
             ask="{name} is deleted with its subnets. Detach instances and routers from it first."),
)


def _subnets(req, id: str):
    return {"subnets": get("network", path("/v2.0/subnets", query={"network_id": id}), "subnets")}


def _ports(req, id: str):
    return {"ports": get("network", path("/v2.0/ports", query={"network_id": id}), "ports"), **devices.asks()}


def network_link(id: str | None, names: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"/project/networks/{id}/", names.get(id) or id)] if id else []


def addresses(port: Row) -> list[str]:
    return [ip["ip_address"] for ip in port["fixed_ips"]]


def port_options(ports: typing.Iterable[Row]) -> forms.Options:
    """The options of a choice among ports: by name, with the addresses, by which most are known."""
    return forms.named({**port, "name": ": ".join(filter(None, [port["name"], ", ".join(addresses(port))]))} for port in ports)


PORT_COLUMNS = (Column("IP addresses", addresses, "lines"), Column("MAC address", "mac_address", "code"),
                 Column("Used by", "used_by", "links"), Column("Status", "status", "status", "status"))
NAME = Column("Name", lambda r: r["name"] or r["id"], "link", "name")

PANEL = Panel(
    path="/project/networks", title="Networks", noun="network", menu="Network",
    source=Source("network", lambda query: path("/v2.0/networks", query=query), "networks", sort=("name", "asc")),
    columns=(NAME, Column("Subnets", "cidrs", "lines"), Column("Shared", "shared", "yes"),
             Column("External", "router:external", "yes"), Column("Status", "status", "status", "status"),
             Column("Enabled", "admin_state_up", "yes")),
    actions=ACTIONS, item=lambda req, id: get("network", path("/v2.0/networks/{id}", id), "network"), more=_more,
    tabs=(Tab("overview", "Overview", facts=(("Network", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Project", "project_id", "project"),
        Column("Status", "status", "status"), Column("Enabled", "admin_state_up", "yes"), Column("Shared", "shared", "yes"),
        Column("External", "router:external", "yes"), Column("MTU", "mtu"), Column("Subnets", "cidrs", "lines"),
        Column("Type", lambda r: r.get("provider:network_type")), Column("Segment", lambda r: r.get("provider:segmentation_id")),
        Column("Created", "created_at", "time"))),)),
        Tab("subnets", "Subnets", _subnets, tables=(Table("Subnets", lambda found, row: found["subnets"], (
            Column("Name", "name"), Column("Addresses", "cidr"), Column("Gateway", "gateway_ip"),
            Column("DHCP", "enable_dhcp", "yes"), Column("DNS servers", "dns_nameservers", "lines"), Column("ID", "id", "code")),
            "This network has no subnets. Create one, so that instances get addresses.",
            actions=("edit-subnet", "delete-subnet"), add=("subnet",)),)),
        Tab("ports", "Ports", _ports, tables=(Table("Ports", lambda found, row: devices.name_users(found["ports"], found), (
            Column("Name", devices.port_link, "links"), *PORT_COLUMNS),
            "This network has no ports. Instances and routers bring theirs; create one for an address that is to stay.",
            add=("port",)),))),
    create=Create("Create network", _CREATE, _create), status="status", owner="project_id",
    empty="There are no networks yet. Instances reach each other through networks.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/networks", title="All networks", menu="Admin", admin=True, create=None, empty=NONE_OF_ALL, owner="",
    columns=(PANEL.columns[0], Column("Project", "project_id", "project"), *PANEL.columns[1:]))
