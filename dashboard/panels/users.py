"""Users."""

from common import errors
from common.rest import path
from dashboard import forms
from dashboard.asks import do, get, send
from dashboard.forms import Field
from dashboard.panel import Action, Column, Create, Panel, Partly, Row, Source, Tab, Table
from dashboard.panels.domains import DOMAINS, domain_fields
from dashboard.panels.fields import DESCRIPTION, deletion, enabled, name_and_description
from dashboard.panels.members import grant
from dashboard.texts import Text


def _user(req, id: str, values: dict) -> None:
    do(req, "PATCH", "identity", path("/v3/users/{name}", id), {"user": values})


def _same(values: dict) -> str:
    if values["password"] != values["password_again"]:
        raise forms.Refused({"password_again": "The passwords differ."})
    return values["password"]


_PASSWORDS = (Field("password", "Password", "password", True), Field("password_again", "Repeat the password", "password", True))


def _create_user_fields(req):
    found = send(req, get("identity", path("/v3/projects"), "projects"))
    return [Field("name", "Name", required=True), DESCRIPTION, Field("email", "E-mail"), *_PASSWORDS,
            Field("project", "Project", "choice", blank="None", options=forms.named(found),
                  help="The user becomes a member of this project, and starts there after login."), *domain_fields(req)]


def _create_user(req, values: dict) -> str:
    body = {"name": values["name"], "password": _same(values)}
    body.update({to: values[of] for of, to in (("description", "description"), ("email", "email"), ("domain_id", "domain_id"),
                                               ("project", "default_project_id")) if values[of]})
    roles = send(req, get("identity", path("/v3/roles", query={"name": "member"}), "roles")) if values["project"] else []
    if values["project"] and not roles:
        raise forms.Refused({"project": "There is no role “member” to give to the user."})
    made = do(req, "POST", "identity", path("/v3/users"), {"user": body}, "user")
    if roles:
        try:
            grant(req, "projects", values["project"], f"user {made['id']}", roles[0]["id"], "PUT")
        except errors.Error as error:
            return Partly("{name} was created, but is not a member of the project: {error}", name=values["name"], error=error)
    return Text("{name} was created.", name=values["name"])


def _edit_user_fields(req, row):
    return [*name_and_description(req, row), Field("email", "E-mail", initial=row.get("email") or "")]


def _scope(assignment: Row) -> list[tuple[str, str]]:
    """The project or the domain in which somebody has a role."""
    return [(f"/identity/{kind}s/{of['id']}/", Text("{kind} {name}", kind=Text(kind), name=of["name"]))
            for kind, of in assignment["scope"].items() if isinstance(of, dict) and "name" in of] or [("", Text("the system"))]


PANEL = Panel(
    path="/identity/users", title="Users", noun="user", menu="Identity", admin=True,
    source=Source("identity", lambda query: path("/v3/users", query=query), "users", pages=False, sort=("name", "asc")),
    columns=(Column("Name", "name", "link", "name"), Column("Description", lambda r: r.get("description")),
             Column("E-mail", lambda r: r.get("email")), Column("Domain", "domain_id", "domain"),
             Column("Enabled", "enabled", "yes"),
             Column("ID", "id", "code")), filters=(DOMAINS,),
    actions=(
        Action("edit", "Edit", lambda req, id, values, row: _user(req, id, values), _edit_user_fields,
               done="{name} was changed."),
        Action("password", "Change password", lambda req, id, values, row: _user(req, id, {"password": _same(values)}),
               _PASSWORDS,
               ask="The sessions of {name} end.", done="The password of {name} was changed."),
        Action("disable", "Disable", lambda req, id, values, row: _user(req, id, {"enabled": False}), when=enabled,
               danger="danger",
               ask="{name} cannot log in, and all sessions end.", done="{name} is disabled."),
        Action("enable", "Enable", lambda req, id, values, row: _user(req, id, {"enabled": True}),
               when=lambda row: not row["enabled"], done="{name} is enabled."),
        deletion("identity", lambda id: path("/v3/users/{name}", id), bulk=True,
                 ask="{name} is deleted, with all credentials. This cannot be undone.")),
    item=lambda req, id: get("identity", path("/v3/users/{name}", id), "user"),
    tabs=(Tab("overview", "Overview", facts=(("User", (
        Column("ID", "id", "code"), Column("Description", lambda r: r.get("description")),
        Column("E-mail", lambda r: r.get("email")),
        Column("Domain", "domain_id", "domain"), Column("Enabled", "enabled", "yes"),
        Column("Password expires", lambda r: r.get("password_expires_at"), "time"))),)),
        Tab("roles", "Roles", lambda req, id: {"assignments": get("identity", path("/v3/role_assignments", query={
            "user.id": id, "include_names": "true"}), "role_assignments")}, tables=(Table(
                "Roles", lambda found, row: found["assignments"], (
                    Column("Role", lambda a: a["role"]["name"]),
                    Column("In", _scope, "links")),
                "The user has no roles. Add the user to the members of a project.",
                target=lambda a: a["role"]["id"]),)),
        Tab("groups", "Groups", lambda req, id: {"groups": get("identity", path("/v3/users/{name}/groups", id), "groups")},
            tables=(Table("Groups", lambda found, row: found["groups"],
                          (Column("Name", lambda g: [(f"/identity/groups/{g['id']}/", g["name"])], "links"),
                           Column("Description", "description")),
                          "The user is in no group. Users are added on the page of a group."),))),
    create=Create("Create user", _create_user_fields, _create_user),
    empty="There are no users yet. Everybody who logs in is one.")
