"""Domains."""

from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Filter, Panel, Row, Source, Tab, Table
from dashboard.panels.fields import DESCRIPTION, TARGET, deletion, name_and_description
from dashboard.panels.members import MEMBER_COLUMNS, assignments, grant, member_fields, members, remover
from dashboard.texts import Text


def _domains(req) -> forms.Options:
    return forms.named(send(req, get("identity", path("/v3/domains"), "domains", instead=[])))


# The domain that somebody works in.
DOMAINS = Filter("domain_id", "Domain", _domains)


def domain_fields(req) -> list[Field]:
    found = send(req, get("identity", path("/v3/domains"), "domains", instead=[]))
    return [Field("domain_id", "Domain", "choice", blank=None if found else "The default", options=forms.named(found),
                  initial="default")]


def _domain(req, id: str, values: dict) -> None:
    do(req, "PATCH", "identity", path("/v3/domains/{name}", id), {"domain": values})


def _create_domain(req, values: dict) -> str:
    do(req, "POST", "identity", path("/v3/domains"), {"domain": values})
    return Text("{name} was created.", name=values["name"])


def _contents(row: Row) -> list[tuple[str, str]]:
    """The lists of what belongs to a domain."""
    return [(f"/identity/{noun}/?domain_id={row['id']}", text) for noun, text in (
        ("projects", Text("Projects")), ("users", Text("Users")), ("groups", Text("Groups")))]


PANEL = Panel(
    path="/identity/domains", title="Domains", noun="domain", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/domains", query=query), "domains", pages=False, sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"), Column("Enabled", "enabled", "yes"),
             Column("Contents", _contents, "links"), Column("ID", "id", "code")),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: _domain(req, id, values), name_and_description,
               done="{name} was changed."),
        Action("member", "Add member", lambda req, id, values, row: grant(
            req, "domains", id, values["who"], values["role"], "PUT"),
               lambda req, row: member_fields(req), tab="members", done="The role was given."),
        Action("remove-member", "Remove", remover("domains"), (TARGET,), title="Take role away",
               hidden=True, danger="danger", tab="members",
               ask="The role in {name} is taken away, and tokens that have it end.", done="The role was taken away."),
        Action("disable", "Disable", lambda req, id, values, row: _domain(req, id, {"enabled": False}),
               when=lambda row: row["enabled"] and row["id"] != "default", danger="name",
               ask="The users of {name} can no longer log in, and all their sessions end.", done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: _domain(req, id, {"enabled": True}),
               when=lambda row: not row["enabled"], done="{name} is enabled."),
        deletion("identity", lambda id: path("/v3/domains/{name}", id), when=lambda row: not row["enabled"], danger="name",
                 ask="{name} is deleted with its projects, users and groups.")),
    item=lambda req, id: get("identity", path("/v3/domains/{name}", id), "domain"),
    tabs=(Tab("overview", "Overview", facts=(("Domain", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Enabled", "enabled", "yes"),
        Column("Contents", _contents, "links"))),)),
        Tab("members", "Members", lambda req, id: assignments({"scope.domain.id": id}), tables=(Table(
            "Members", members, MEMBER_COLUMNS,
            "It has no members of its own; its projects may have. Add those who are to manage the domain.", target="key",
            actions=("remove-member",), add=("member",)),))),
    create=Create("Create domain", (Field("name", "Name", required=True, max_length=64), DESCRIPTION), _create_domain),
    empty="There are no domains yet. A domain has its own projects, users and groups.")
