"""Projects, with their members and quotas."""

from common.rest import path
from dashboard import forms
from dashboard.asks import Ask, do, get, together
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Row, Source, Tab, Table
from dashboard.panels.domains import domain_fields
from dashboard.panels.fields import DESCRIPTION, TARGET, deletion, enabled, name_and_description
from dashboard.panels.quotas import quota_fields, set_quotas
from dashboard.texts import Text


def _assignments(req, id: str) -> dict[str, Ask]:
    return {"assignments": get("identity", path("/v3/role_assignments", query={"scope.project.id": id, "include_names": "true"}),
                               "role_assignments")}


def _members(found: dict, row: Row) -> list[Row]:
    rows = []
    for given in found["assignments"]:
        kind = "user" if "user" in given else "group"
        who = given[kind]
        rows.append({"kind": Text("user") if kind == "user" else Text("group"), "name": who["name"], "domain": who.get("domain",
            {}).get("name"),
                     "role": given["role"]["name"],
                     "key": f"{kind} {who['id']} {given['role']['id']}"})
    return sorted(rows, key=lambda r: (r["kind"], r["name"], r["role"]))


def _member_fields(req, row):
    found = together(req, users=get("identity", path("/v3/users"), "users"), groups=get("identity", path("/v3/groups"), "groups"),
                     roles=get("identity", path("/v3/roles"), "roles"))
    who = [(f"user {u['id']}", Text("{name} (user)", name=u["name"])) for u in found["users"]]
    who += [(f"group {g['id']}", Text("{name} (group)", name=g["name"])) for g in found["groups"]]
    roles = forms.named(found["roles"])
    return [Field("who", "User or group", "choice", True, options=sorted(who, key=lambda pair: pair[1].lower())),
            Field("role", "Role", "choice", True, options=roles, initial=next((id for id, name in roles if name == "member"),
                                                                              ""))]


def grant(req, project: str, who: str, role: str, method: str) -> None:
    kind, _, id = who.partition(" ")
    if kind == "user":
        do(req, method, "identity", path("/v3/projects/{name}/users/{name}/roles/{name}", project, id, role))
    else:
        do(req, method, "identity", path("/v3/projects/{name}/groups/{name}/roles/{name}", project, id, role))


def _remove_member(req, id, values, row):
    who, _, role = values["target"].rpartition(" ")
    grant(req, id, who, role, "DELETE")


def _project(req, id: str, values: dict) -> None:
    do(req, "PATCH", "identity", path("/v3/projects/{name}", id), {"project": values})


def _create_project(req, values: dict) -> str:
    do(req, "POST", "identity", path("/v3/projects"), {"project": {k: v for k, v in values.items() if v != ""}})
    return Text("{name} was created.", name=values["name"])


PANEL = Panel(
    path="/identity/projects", title="Projects", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/projects", query=query), "projects", pages=False, sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Description", "description"), Column("Domain", "domain_id", "code"),
             Column("Enabled", "enabled", "yes"), Column("ID", "id", "code")),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: _project(req, id, values), name_and_description,
               done="{name} was changed."),
        Action("member", "Add member", lambda req, id, values, row: grant(req, id, values["who"], values["role"], "PUT"),
               _member_fields, tab="members", done="The role was given."),
        Action("remove-member", "Remove", _remove_member, (TARGET,), hidden=True, danger="danger", tab="members",
               ask="The role in {name} is taken away, and tokens that have it end.", done="The role was taken away."),
        Action("quotas", "Edit quotas", set_quotas, quota_fields, done="The quotas of {name} were changed."),
        Action("disable", "Disable", lambda req, id, values, row: _project(req, id, {"enabled": False}), when=enabled,
               danger="danger", ask="Nobody can work in {name} any more. Its instances keep running.",
               done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: _project(req, id, {"enabled": True}),
               when=lambda row: not row["enabled"], done="{name} is enabled."),
        deletion("identity", lambda id: path("/v3/projects/{name}", id), danger="name",
                 ask="{name} is deleted. What it owns in other services stays there, and belongs to "
                     "nobody: delete it first.")),
    item=lambda req, id: get("identity", path("/v3/projects/{name}", id), "project"),
    tabs=(Tab("overview", "Overview", facts=(("Project", (
        Column("ID", "id", "code"), Column("Description", "description"), Column("Domain", "domain_id", "code"),
        Column("Enabled", "enabled", "yes"), Column("Tags", "tags", "lines"))),)),
        Tab("members", "Members", _assignments, tables=(Table("Members", _members, (
            Column("Name", "name"), Column("Kind", "kind"), Column("Domain", "domain"), Column("Role", "role")),
            "This project has no members.", target="key", actions=("remove-member",), add=("member",)),))),
    create=Create("Create project", lambda req: [Field("name", "Name", required=True, max_length=64), DESCRIPTION,
                                                 *domain_fields(req)], _create_project))
