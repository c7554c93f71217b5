"""Security groups, with a rule editor that speaks of services: "SSH from my address"."""

import dataclasses
import typing

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels.fields import NONE_OF_ALL, TARGET, deletion
from dashboard.texts import Text

# name: (text, protocol, first port, last port)
SERVICES: dict[str, tuple[str, str | None, int | None, int | None]] = {
    "ssh": ("SSH", "tcp", 22, 22), "http": ("HTTP", "tcp", 80, 80), "https": ("HTTPS", "tcp", 443, 443),
    "ping": ("Ping (ICMP)", "icmp", None, None), "dns": ("DNS", "udp", 53, 53), "rdp": ("RDP", "tcp", 3389, 3389),
    "mysql": ("MySQL", "tcp", 3306, 3306), "postgresql": ("PostgreSQL", "tcp", 5432, 5432), "smtp": ("SMTP", "tcp", 25, 25),
    "tcp": ("All TCP", "tcp", 1, 65535), "udp": ("All UDP", "udp", 1, 65535), "any": ("Everything", None, None, None),
    "custom": ("Other: by protocol and ports", None, None, None)}
_GROUPS = "/project/security_groups"


def group_options(req, project: str, present: typing.Collection[str]) -> forms.Options:
    """The groups that a project's ports can have: its own, and those that they have already, wherever those are from.

    :param present: ids of the latter, so that a form that shows them does not take them away
    """
    found = send(req, get("network", path("/v2.0/security-groups", query={"project_id": project}),
                          "security_groups")) if project else []
    known = {group["id"] for group in found}
    return [*forms.named(found), *((id, id) for id in sorted(set(present) - known))]


def _rule_fields(req, row):
    groups = send(req, get("network", path("/v2.0/security-groups", query={"project_id": row["project_id"]}), "security_groups"))
    mine = req.remote_addr or ""
    return [
        Field("service", "Service", "choice", True, options=tuple((name, text) for name, (text, *_) in SERVICES.items())),
        Field("direction", "Direction", "choice", True,
              options=(("ingress", "To the instance"), ("egress", "From the instance"))),
        Field("remote", "Remote", "choice", True, options=(
            ("any", "Anywhere"), ("me", Text("My address ({address})", address=mine)), ("cidr", "An address range"), ("group",
                "A security group"))),
        Field("cidr", "Address range", placeholder="192.0.2.0/24", when="remote=cidr"),
        Field("group", "Security group", "choice", options=forms.named(groups), when="remote=group"),
        Field("ethertype", "IP version", "choice", True, options=(("IPv4", "IPv4"), ("IPv6", "IPv6")),
              initial="IPv6" if ":" in mine else "IPv4"),
        Field("protocol", "Protocol", placeholder="tcp", help="A name or a number.", when="service=custom"),
        Field("first", "First port, or ICMP type", "number", high=65535, when="service=custom"),
        Field("last", "Last port, or ICMP code", "number", high=65535, when="service=custom"),
        Field("description", "Description")]


def _add_rule(req, id, values, row):
    _, protocol, first, last = SERVICES[values["service"]]
    version = values["ethertype"]
    if values["service"] == "custom":
        protocol, first, last = values["protocol"].lower() or None, values["first"], values["last"]
        last = first if last is None and protocol not in ("icmp", "ipv6-icmp", "icmpv6") else last
    if protocol == "icmp" and version == "IPv6":
        protocol = "ipv6-icmp"
    remote = values["remote"]
    if remote in ("cidr", "group") and not values[remote]:
        raise forms.Refused({remote: "This field is required."})
    rule = {"security_group_id": id, "direction": values["direction"], "ethertype": version, "protocol": protocol,
            "port_range_min": first, "port_range_max": last, "description": values["description"]}
    if remote == "me":
        rule["remote_ip_prefix"] = f"{req.remote_addr}/{128 if ':' in (req.remote_addr or '') else 32}"
        rule["ethertype"] = "IPv6" if ":" in (req.remote_addr or "") else "IPv4"
    elif remote == "cidr":
        rule["remote_ip_prefix"] = values["cidr"]
        rule["ethertype"] = "IPv6" if ":" in values["cidr"] else "IPv4"
    elif remote == "group":
        rule["remote_group_id"] = values["group"]
    do(req, "POST", "network", path("/v2.0/security-group-rules"), {"security_group_rule": rule})


def _groups(req, id: str):
    return {"groups": get("network", path("/v2.0/security-groups", query={"fields": ["id", "name"]}), "security_groups",
                          instead=[])}


def _rules(found: dict, row: Row) -> list[Row]:
    """The rules of a group, those to instances first, with the names of the groups that they allow."""
    names = {group["id"]: group["name"] for group in found["groups"]}
    rules = sorted(row["security_group_rules"], key=lambda r: (r["direction"] != "ingress", r["ethertype"]))
    return [{**rule, "group": names.get(rule["remote_group_id"], rule["remote_group_id"])} for rule in rules]


def service_of(rule: Row) -> str:
    """What a rule allows, in words."""
    of = (rule["protocol"], rule["port_range_min"], rule["port_range_max"])
    known = next((text for text, *what in SERVICES.values() if tuple(what) == of), None)
    if known:
        return Text(known)
    ports = "" if of[1] is None else f" {of[1]}" if of[1] == of[2] else f" {of[1]}–{of[2]}"
    return f"{of[0]}{ports}" if of[0] else Text("Any protocol")


def _edit_fields(req, row):
    return [Field("name", "Name", required=True, initial=row["name"]),
            Field("description", "Description", initial=row["description"])]


def _edit(req, id, values, row):
    body = {k: v for k, v in values.items() if v != row[k]}
    do(req, "PUT", "network", path("/v2.0/security-groups/{id}", id), {"security_group": body})


def _delete_rule(req, id, values, row):
    do(req, "DELETE", "network", path("/v2.0/security-group-rules/{id}", values["target"]))


def _create(req, values: dict) -> str:
    do(req, "POST", "network", path("/v2.0/security-groups"), {"security_group": values})
    return Text("{name} was created.", name=values["name"])


def _list(query: dict):
    return path("/v2.0/security-groups", query=query)


PANEL = Panel(
    path=_GROUPS, title="Security groups", noun="security group", menu="Network", also=("security_group_rules",),
    source=Source("network", _list, "security_groups", sort=("name", "asc"), of_project="project_id"),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"),
             Column("Rules", lambda r: len(r["security_group_rules"])), Column("ID", "id", "code")),
    actions=(
        Action("rule", "Add rule", _add_rule, _rule_fields, primary=True, tab="rules", done="The rule was added."),
        Action("edit", "Edit", _edit, _edit_fields, done="{name} was changed."),
        Action("delete-rule", "Delete", _delete_rule, (TARGET,), title="Delete rule", hidden=True, danger="danger", tab="rules",
               ask="What this rule allows is blocked, unless another rule allows it.", done="The rule was deleted."),
        deletion("network", lambda id: path("/v2.0/security-groups/{id}", id), when=lambda row: row["name"] != "default",
                 bulk=True,
                 ask="{name} is deleted with its rules. Remove it from all instances first.")),
    item=lambda req, id: get("network", path("/v2.0/security-groups/{id}", id), "security_group"),
    tabs=(Tab("rules", "Rules", _groups, tables=(Table(
        "Rules", _rules, (
            Column("Direction", lambda r: Text("To the instance") if r["direction"] == "ingress" else Text("From the instance")),
            Column("Service", service_of), Column("IP version", "ethertype"),
            Column("Remote", lambda r: r["remote_ip_prefix"] or (r["remote_group_id"] and Text("group {name}", name=r["group"]))
                   or Text("anywhere")), Column("Description", "description")),
        "This group allows no traffic. Add rules for what is to reach its instances.",
        actions=("delete-rule",), add=("rule",)),)),
        Tab("overview", "Overview", facts=(("Security group", (
            Column("ID", "id", "code"), Column("Description", "description"), Column("Project", "project_id", "project"),
            Column("Created", "created_at", "time"))),))),
    create=Create("Create security group", (Field("name", "Name", required=True), Field("description", "Description")), _create),
    empty="There are no security groups yet. A security group says what may reach instances.")

OF_ALL = dataclasses.replace(
    PANEL, path="/admin/security_groups", title="All security groups", menu="Admin", admin=True, create=None, empty=NONE_OF_ALL,
    source=dataclasses.replace(PANEL.source, of_project=""),
    columns=(PANEL.columns[0], Column("Project", "project_id", "project"), *PANEL.columns[1:]))
